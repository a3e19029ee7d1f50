# SPDX-License-Identifier: Apache-2.0
"""Capture by queries on cursor columns, of a server without logical decoding and without any sender or slot."""
import json
import pathlib
import tempfile
import threading

import pyarrow as pa
import pytest

from contents import assert_equal, data_versions
from deltalake import DeltaTable, QueryBuilder
from faulty_proxy import FaultyProxy
from freshet_command import Freshet, wait_until
from postgres_server import Server

ITEMS = """
CREATE TABLE items (id bigint PRIMARY KEY, note text, gone boolean NOT NULL DEFAULT false,
                    updated_at timestamptz NOT NULL DEFAULT now());
INSERT INTO items (id, note) SELECT i, 'item ' || i FROM generate_series(1, 2000) i;
"""
BY = ("--cursor-columns", "updated_at")


@pytest.fixture(scope="module")
def plain_server():
    directory = tempfile.mkdtemp(prefix="freshet-real-")
    running = Server(directory, "wal_level=replica", "max_wal_senders=0", "max_replication_slots=0").start()
    yield running
    running.destroy()


@pytest.fixture
def plain(plain_server):
    created = plain_server.create_database()
    yield created
    created.drop()


@pytest.fixture
def runner(plain, destination):
    run = Freshet(plain.url, destination)
    yield run
    run.close()


def spec(runner, configuration, table=None):
    """A file whose configuration is for one table, or for all of them."""
    text = {"objects": [{"schema": {"source_schema": "public"}}], "table_configuration": configuration}
    if table:
        named = {"source_schema": "public", "source_table": table, "table_configuration": configuration}
        text = {"connector_type": "QUERY_BASED", "objects": [{"table": named}]}
    path = pathlib.Path(f"{runner.destination}.json")
    path.write_text(json.dumps(text))
    return ("--spec", path)


def counted(runner, table="public/items"):
    """How many rows a reader sees."""
    path = str(runner.destination / table)
    reader = QueryBuilder().register("t", DeltaTable(path)).execute("SELECT count(*) AS n FROM t")
    return pa.table(reader.read_all()).column("n")[0].as_py()


def test_reads_then_changes_then_nothing(plain, runner):
    plain.execute(ITEMS)
    runner.ingest(*BY)
    assert_equal(plain.connection, runner.destination, "public.items")
    plain.execute(
        """UPDATE items SET note = upper(note), updated_at = now() WHERE id % 7 = 0;
        INSERT INTO items SELECT i, NULL FROM generate_series(5001, 5500) i"""
    )
    runner.ingest(*BY)
    assert_equal(plain.connection, runner.destination, "public.items")
    before = data_versions(runner.destination)
    runner.ingest(*BY)
    assert data_versions(runner.destination) == before, "nothing new, yet data was committed"
    assert not runner.command("check", plain.url, *BY).error_classes()
    assert runner.command("drop", runner.destination).code == 0


def test_a_late_commit_far_below_the_mark(plain, runner):
    """Its cursor is an hour old and its rows were written by a subtransaction before the last read began."""
    plain.execute(ITEMS)
    runner.ingest(*BY)
    with plain.another() as late:
        late.execute("BEGIN; INSERT INTO items VALUES (9001, 'early', false, now() - interval '1 hour')")
        late.execute("SAVEPOINT s; INSERT INTO items VALUES (9002, 'sub', false, now() - interval '1 hour')")
        plain.execute("INSERT INTO items VALUES (9003, 'mark')")
        runner.ingest(*BY)
        assert_equal(plain.connection, runner.destination, "public.items")
        late.execute("COMMIT")
    runner.ingest(*BY)
    assert_equal(plain.connection, runner.destination, "public.items")


def test_writers_that_commit_late(plain, runner):
    """Runs one after the other beside writers whose transactions outlive them; the end is exact."""
    plain.execute(ITEMS)
    stop = threading.Event()
    failed = []

    def write(number):
        try:
            with plain.another() as connection:
                for i in range(100000):
                    if stop.is_set():
                        return
                    connection.execute("BEGIN")
                    key = 10000 + number * 100000 + i
                    connection.execute("INSERT INTO items (id, note) VALUES (%s, 'new')", (key,))
                    connection.execute(
                        "UPDATE items SET note = note || '.', updated_at = now() WHERE id = %s",
                        (1 + (i * 3 + number) % 2000,),
                    )
                    stop.wait(0.2 * number)
                    connection.execute("COMMIT" if i % 5 else "ROLLBACK")
        except Exception as error:  # pylint: disable=broad-except
            failed.append(error)

    writers = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(4):
            runner.ingest(*BY)
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert not failed
    runner.ingest(*BY)
    assert_equal(plain.connection, runner.destination, "public.items")


def test_killed_in_a_read(plain, plain_server, runner):
    plain.execute(ITEMS)
    runner.ingest(*BY)
    plain.execute(
        "UPDATE items SET note = repeat(note, 20), updated_at = now();"
        "INSERT INTO items SELECT i, repeat('x', 300) FROM generate_series(10001, 200000) i"
    )
    proxy = FaultyProxy(plain_server)
    proxy.hold_after(5_000_000)  # of about 60
    run = runner.start(*BY, url=proxy.url(plain.name))
    wait_until(proxy.holding, "the middle of the read")
    run.kill()
    run.wait_for_workers()
    proxy.close()
    plain.execute("UPDATE items SET note = 'after', updated_at = now() WHERE id % 3 = 0")
    runner.ingest(*BY)
    assert_equal(plain.connection, runner.destination, "public.items")


def test_soft_deletes(plain, runner):
    plain.execute(ITEMS + "UPDATE items SET gone = true WHERE id <= 10")
    file = spec(
        runner,
        {
            "query_based_connector_config": {
                "cursor_columns": ["updated_at"],
                "deletion_condition": "gone -- yes",
            }
        },
        "items",
    )
    runner.ingest(*file)
    assert counted(runner) == 1990
    plain.execute("UPDATE items SET gone = true, updated_at = now() WHERE id BETWEEN 100 AND 149")
    plain.execute("UPDATE items SET gone = false, updated_at = now() WHERE id = 1")
    runner.ingest(*file)
    assert counted(runner) == plain.value("SELECT count(*) FROM items WHERE NOT gone") == 1941


def test_a_sweep_finds_rows_that_are_gone(plain, runner):
    plain.execute(ITEMS)
    configuration = {
        "cursor_columns": ["updated_at"],
        "query_based_connector_config": {"hard_deletion_sync_min_interval_in_seconds": 0},
    }
    runner.ingest(*spec(runner, configuration))
    plain.execute("DELETE FROM items WHERE id % 4 = 0")
    runner.ingest(*spec(runner, configuration))
    runner.ingest(*spec(runner, configuration))
    assert_equal(plain.connection, runner.destination, "public.items")
    plain.execute("DELETE FROM items WHERE id > 100")
    run = runner.ingest(*spec(runner, configuration), expect=None)
    assert run.code == 5 and "SWEEP_REFUSED" in run.error_classes(), run.describe()
    assert counted(runner) == 1500
    # Its other changes go on, and so do the other tables'.
    plain.execute("CREATE TABLE other (LIKE items INCLUDING ALL); INSERT INTO other (id) VALUES (1)")
    plain.execute("INSERT INTO items (id, note) VALUES (9001, 'later')")
    run = runner.ingest(*spec(runner, configuration), expect=5)
    assert counted(runner) == 1501 and counted(runner, "public/other") == 1, run.describe()
    configuration["query_based_connector_config"]["hard_deletion_max_fraction"] = 1.0
    runner.ingest(*spec(runner, configuration))
    runner.ingest(*spec(runner, configuration))
    assert_equal(plain.connection, runner.destination, "public.items", "public.other")


def test_one_table_that_cannot_be_read(plain, plain_server, runner):
    """A right that is revoked is that table's matter; given back, it takes up where its last read was."""
    plain.execute(ITEMS + "CREATE TABLE other (LIKE items INCLUDING ALL); INSERT INTO other (id) VALUES (1)")
    reader = f"reader_{plain.name}"
    plain.execute(f"CREATE ROLE {reader} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {reader}")
    try:
        url = plain_server.url(plain.name, user=reader)
        runner.ingest(*BY, url=url)
        plain.execute(f"REVOKE SELECT ON items FROM {reader}")
        plain.execute("INSERT INTO items (id) VALUES (9001); INSERT INTO other (id) VALUES (2)")
        run = runner.ingest(*BY, url=url, expect=5)
        assert "SOURCE_PRIVILEGE" in run.error_classes(), run.describe()
        assert counted(runner) == 2000 and counted(runner, "public/other") == 2
        plain.execute(f"GRANT SELECT ON items TO {reader}")
        run = runner.ingest(*BY, url=url)
        assert_equal(plain.connection, runner.destination, "public.items", "public.other")
        assert not run.events("snapshot_started"), run.describe()
    finally:
        plain.execute(f"DROP OWNED BY {reader}; DROP ROLE {reader}")


def test_a_view_with_a_window(plain, runner):
    plain.execute(ITEMS + "CREATE VIEW seen AS SELECT id, note, updated_at FROM items")
    file = spec(runner, {"cursor_columns": ["updated_at"], "primary_keys": ["id"]}, "seen")
    runner.ingest(*file)
    assert_equal(plain.connection, runner.destination, "public.seen")
    with plain.another() as late:
        late.execute("BEGIN; UPDATE items SET note = 'late', updated_at = now() WHERE id < 50")
        plain.execute("INSERT INTO items SELECT i, 'new' FROM generate_series(3000, 3100) i")
        runner.ingest(*file)
        late.execute("COMMIT")
    runner.ingest(*file)
    assert_equal(plain.connection, runner.destination, "public.seen")


def test_a_number_with_nulls_and_two_columns(plain, runner):
    plain.execute(
        "CREATE TABLE steps (a int, b int PRIMARY KEY, v text);"
        "INSERT INTO steps SELECT CASE WHEN i % 9 > 0 THEN i END, i, 'v' FROM generate_series(1, 500) i"
    )
    configuration = {"query_based_connector_config": {"cursor_columns": ["a", "b"], "late_commit_window": 0}}
    file = spec(runner, configuration, "steps")
    runner.ingest(*file)
    plain.execute(
        "UPDATE steps SET v = 'null' WHERE a IS NULL; UPDATE steps SET a = b + 1000, v = 'w' WHERE b < 20"
    )
    runner.ingest(*file)
    assert_equal(plain.connection, runner.destination, "public.steps")


def test_a_column_is_added(plain, runner):
    plain.execute(ITEMS)
    runner.ingest(*BY)
    plain.execute("ALTER TABLE items ADD COLUMN kind text DEFAULT 'plain'")
    runner.ingest(*BY)
    assert_equal(plain.connection, runner.destination, "public.items")


@pytest.mark.parametrize(
    "configuration,told",
    [
        ({"cursor_columns": ["nowhere"]}, "cursor_columns names a column that the table does not have"),
        ({"cursor_columns": ["body"], "primary_keys": ["id"]}, "cannot be ordered"),
        (
            {"cursor_columns": ["updated_at"], "primary_keys": ["id"], "deletion_condition": "gone ="},
            "deletion_condition is no SQL",
        ),
        ({"cursor_columns": ["updated_at"], "primary_keys": ["key"]}, "primary_keys names a column"),
        ({"cursor_columns": ["updated_at"]}, "there is none"),
        ({"primary_keys": ["id"]}, "no cursor column is given"),
    ],
)
def test_what_is_wrong_is_said(plain, runner, configuration, told):
    plain.execute("CREATE TABLE odd (id int, body json, gone boolean, updated_at timestamptz)")
    run = runner.ingest(*spec(runner, configuration, "odd"), expect=5)
    assert told in run.stdout + run.stderr, run.describe()


def test_log_and_queries_do_not_follow_each_other(database, freshet):
    database.execute(ITEMS)
    freshet.ingest(*BY)
    assert not database.slots()
    freshet.ingest(expect=None)
    assert "DESTINATION_FOREIGN" in freshet.runs[-1].error_classes()
