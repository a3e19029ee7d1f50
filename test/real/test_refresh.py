# SPDX-License-Identifier: Apache-2.0
"""Tables that are read again: asked for, or because their partitions changed. Readers must not notice but one commit."""
import threading

import pytest
from contents import assert_equal, commits, data_versions, duckdb_connection, scan, table_path
from faulty_proxy import FaultyProxy
from freshet_command import wait_until

ROWS = 20_000
ORDERS = f"""CREATE TABLE orders (id int PRIMARY KEY, round int NOT NULL, v text);
INSERT INTO orders SELECT i, 0, repeat('v', 20) FROM generate_series(1, {ROWS}) i;
CREATE TABLE other (id int PRIMARY KEY, v text); INSERT INTO other SELECT i, 'o' FROM generate_series(1, 100) i"""
PARTED = """CREATE TABLE parted (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE parted_a PARTITION OF parted FOR VALUES FROM (0) TO (10000);
CREATE TABLE parted_b PARTITION OF parted FOR VALUES FROM (10000) TO (20000);
INSERT INTO parted SELECT i, 'v' FROM generate_series(0, 19999) i"""


class Reader:
    """Polls a table with DuckDB until it is told to stop; what it saw, in order."""

    def __init__(self, path, query):
        self.path, self.query = path, query
        self.seen = []
        self.failed = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._poll)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        assert self.failed is None, self.failed

    def _poll(self):
        connection = duckdb_connection()
        try:
            while not self._stop.is_set():
                scan(connection, "duckdb", self.path)
                self.seen.append(connection.execute(self.query).fetchone())
        except Exception as error:
            self.failed = error


def generation(path):
    """The generation that the table's newest commits name."""
    numbers = [
        action["txn"]["version"]
        for actions in commits(path).values()
        for action in actions
        if "txn" in action and action["txn"]["appId"].endswith("/generation")
    ]
    return numbers[-1]


def shadows(destination):
    return [file for file in destination.glob("_freshet/shadows/**/*") if file.is_file()]


def test_readers_never_see_a_table_that_is_empty_or_older(database, freshet):
    database.execute(ORDERS)
    freshet.ingest()
    path = table_path(freshet.destination, "public", "orders")
    with Reader(path, "SELECT count(*), min(round), max(round) FROM destination") as reader:
        run = freshet.start("--continuous", "--refresh", "public.orders")
        for number in range(1, 200):
            database.execute("UPDATE orders SET round = %s WHERE id <= 3", (number,))
            if run.events("table_refreshed"):
                break
        wait_until(lambda: run.events("table_refreshed"), "the swap")
        seen = len(reader.seen)
        wait_until(lambda: len(reader.seen) > seen + 2 or reader.failed, "a look at the new rows")
        run.stop()
    assert {count for count, _, _ in reader.seen} == {ROWS}
    rounds = [newest for _, _, newest in reader.seen]
    assert rounds == sorted(rounds), "time went backwards"
    freshet.ingest()
    assert generation(path) == 2 and not shadows(freshet.destination)
    assert_equal(database.connection, freshet.destination, "public.orders", "public.other")


def test_a_refresh_touches_no_other_table(database, freshet):
    database.execute(ORDERS)
    freshet.ingest()
    before = data_versions(freshet.destination)["public/other"]
    database.execute("UPDATE orders SET v = 'w' WHERE id < 100")
    run = freshet.ingest("--refresh", "public.orders")
    assert [event["table"] for event in run.events("snapshot_started")] == ["public.orders"]
    assert data_versions(freshet.destination)["public/other"] == before
    assert generation(table_path(freshet.destination, "public", "other")) == 1
    assert_equal(database.connection, freshet.destination, "public.orders", "public.other")


def test_all_tables_are_refreshed_at_once_and_only_once(database, freshet):
    database.execute(ORDERS)
    freshet.ingest()
    freshet.ingest("--refresh", "*")
    paths = [table_path(freshet.destination, "public", table) for table in ("orders", "other")]
    assert [generation(path) for path in paths] == [2, 2]
    freshet.ingest()
    assert [generation(path) for path in paths] == [2, 2]
    assert_equal(database.connection, freshet.destination, "public.orders", "public.other")


def test_a_refresh_that_was_interrupted_goes_on_without_being_asked_again(database, freshet):
    database.execute(ORDERS)
    freshet.ingest()
    run = freshet.start("--refresh", "public.orders")
    wait_until(lambda: run.events("refresh_asked") or run.code is not None, "the wish")
    run.kill_all()
    database.execute("UPDATE orders SET round = 7 WHERE id = 1")
    # Asked again while it is under way, or after it was done in time: never more than one besides.
    done = generation(table_path(freshet.destination, "public", "orders")) == 2
    freshet.ingest(*([] if done else ["--refresh", "public.orders"]))
    assert generation(table_path(freshet.destination, "public", "orders")) == 2
    assert not shadows(freshet.destination)
    assert_equal(database.connection, freshet.destination, "public.orders", "public.other")


def test_a_pattern_that_matches_nothing(database, freshet):
    database.execute(ORDERS)
    freshet.ingest()
    run = freshet.ingest("--refresh", "public.nothing", expect=None)
    assert run.code not in (0, 1) and "NO_TABLE_MATCHES" in run.error_classes(), run.describe()
    assert "public.nothing" in run.stdout + run.stderr


@pytest.mark.parametrize(
    "step",
    [
        "TRUNCATE parted_b; INSERT INTO parted SELECT i, 'w' FROM generate_series(10000, 19998) i",
        "ALTER TABLE parted DETACH PARTITION parted_b; UPDATE parted_b SET v = 'w';"
        "ALTER TABLE parted ATTACH PARTITION parted_b FOR VALUES FROM (10000) TO (20000)",
    ],
)
def test_a_table_stays_readable_while_its_partitions_make_it_read_again(database, freshet, step):
    database.execute(PARTED)
    freshet.ingest()
    path = table_path(freshet.destination, "public", "parted")
    with Reader(path, "SELECT count(*) FROM destination") as reader:
        database.execute(step)  # one transaction
        freshet.ingest()
        seen = len(reader.seen)
        wait_until(lambda: len(reader.seen) > seen + 1 or reader.failed, "a look at the new rows")
    assert min(count for (count,) in reader.seen) >= 19_999, reader.seen
    assert_equal(database.connection, freshet.destination, "public.parted")


def test_status_shows_a_refresh(database, freshet, server):
    database.execute(ORDERS)
    freshet.ingest()
    proxy = FaultyProxy(server)
    proxy.hold_after(300_000)  # of about 800
    run = freshet.start("--continuous", "--refresh", "public.orders", url=proxy.url(database.name))
    wait_until(lambda: proxy.holding() and run.events("table_refreshing"), "the shadow")
    run.kill_all()
    proxy.close()
    assert generation(table_path(freshet.destination, "public", "orders")) == 1
    assert "refresh" in freshet.command("status", freshet.destination).stdout
    freshet.ingest()
    assert "refresh" not in freshet.command("status", freshet.destination).stdout
    assert_equal(database.connection, freshet.destination, "public.orders")
