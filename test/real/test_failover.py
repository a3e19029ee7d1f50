# SPDX-License-Identifier: Apache-2.0
"""A primary that is lost, and its standby promoted: with its slot along, without, and behind what was read."""
import os

import pytest
from contents import assert_equal, data_versions
from faulty_proxy import FaultyProxy
from freshet_command import wait_until
from postgres_standby import catch_up, make_standby, promote, separate
from random_workload import ROWS, TABLES, Workload, Writer

pytestmark = pytest.mark.skipif(
    int(os.environ.get("FRESHET_PG", 15)) < 17, reason="slots fail over from PostgreSQL 17 on"
)

ON_STANDBY = "sync_replication_slots=on", "primary_slot_name=standby_1"
# A partition's own misfortunes have its table read again, and so tell nothing of a failover.
QUIET = ("part_detach", "part_truncate", "add_column", "new_table")
NAMES = ("keyed", "pairs", "bag", "whole", "indexed", "parts", "grows", "brief")
TABLE = (
    "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' FROM generate_series(1, 500) i"
)


@pytest.fixture
def standby(server, database):
    """A standby that keeps the primary's slots; the primary is whole again when it is gone."""
    database.execute("SELECT pg_create_physical_replication_slot('standby_1', true)")
    running = make_standby(server, *ON_STANDBY)
    yield running
    running.destroy()
    server.ensure_running()
    database.execute("ALTER SYSTEM RESET synchronized_standby_slots")
    database.execute("SELECT pg_reload_conf()")
    drop = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = 'standby_1' AND NOT active"
    wait_until(lambda: database.rows(drop), "the release of the standby's slot")


def hold_back(database):
    """From here on the primary sends nothing that its standby lacks."""
    database.execute("ALTER SYSTEM SET synchronized_standby_slots = 'standby_1'")
    database.execute("SELECT pg_reload_conf()")
    shown = lambda: database.value("SHOW synchronized_standby_slots") == "standby_1"
    wait_until(shown, "the setting")


def slot_is_kept(database, standby):
    """Whether the standby has the slot, fit for its promotion. It looks again at each reload, else when it pleases."""
    database.execute("SELECT pg_log_standby_snapshot()")
    with standby.connect("postgres") as there:
        there.execute("SELECT pg_reload_conf()")
        return there.execute(
            "SELECT 1 FROM pg_replication_slots WHERE database = %s AND synced AND NOT temporary AND invalidation_reason IS NULL",
            (database.name,),
        ).fetchall()


def keep_slot(database, standby, ingest):
    """Run until the standby has the slot: it takes one only that has been read up to where it can keep the log."""
    wait_until(lambda: ingest() and slot_is_kept(database, standby), "the slot's copy", interval=0.3)


def writing_to(database, seed):
    workload = Workload(seed, large_rows=5_000, without=QUIET)
    workload.new_id = seed * 10_000_000
    writer = Writer(database, workload, pause=0.005)
    writer.start()
    return writer


def crash_while(writer, server):
    """The primary is lost while it is written to."""
    written = writer.transactions
    wait_until(lambda: writer.transactions > written + 30, "some more transactions")
    server.crash()
    writer.stop()


class Promoted:
    """The database on the promoted server, as a Writer wants it."""

    def __init__(self, standby, database):
        self.another = lambda: standby.connect(database.name)


def test_ingestion_goes_on_from_the_promoted_standby(server, database, freshet, standby):
    """Of what was written when the primary was lost the standby has some, and nothing was read that it has not."""
    database.execute(TABLES + ROWS.format(rows=4_000))
    hold_back(database)
    writer = writing_to(database, 11)
    keep_slot(database, standby, freshet.ingest)
    freshet.ingest()
    crash_while(writer, server)
    promote(standby)
    after = Promoted(standby, database)
    url, tables = standby.url(database.name), [f"public.{name}" for name in NAMES]
    with after.another() as promoted:
        run = freshet.ingest(url=url)
        assert not run.events("snapshot_started"), run.describe()
        assert_equal(promoted, freshet.destination, *tables)
        writer = writing_to(after, 12)
        for _ in range(2):
            run = freshet.ingest(url=url)
            assert not run.events("snapshot_started"), run.describe()
        writer.stop()
        run = freshet.ingest(url=url)
        assert not run.events("snapshot_started"), run.describe()
        assert_equal(promoted, freshet.destination, *tables)
    # The former primary comes back by itself, with what nobody else has.
    server.ensure_running()
    database.execute("INSERT INTO brief VALUES (0, 'of the former primary')")
    before = data_versions(freshet.destination)
    run = freshet.ingest(expect=3)
    assert "SOURCE_CHANGED" in run.error_classes(), run.describe()
    assert data_versions(freshet.destination) == before


def test_a_run_goes_on_through_a_failover(server, database, freshet, standby):
    """With both servers in its URI: one of the tables is being read when the primary is lost."""
    database.execute(TABLES + ROWS.format(rows=4_000))
    database.execute(
        "CREATE TABLE wide AS SELECT i AS id, repeat(md5(i::text), 30) AS v FROM generate_series(1, 20000) i"
    )
    database.execute("ALTER TABLE wide ADD PRIMARY KEY (id)")
    hold_back(database)
    proxy = FaultyProxy(server)
    both = f"127.0.0.1:{proxy.port},127.0.0.1:{standby.port}"
    url = f"postgresql://{server.user}@{both}/{database.name}?target_session_attrs=read-write"
    try:
        proxy.hold_after(4 << 20)
        run = freshet.start("--continuous", "--retry-for", "1h", url=url)
        wait_until(proxy.holding, "the middle of the large table")
        keep_slot(database, standby, lambda: database.execute("UPDATE brief SET v = v WHERE id = 1"))
        crash_while(writing_to(database, 21), server)
    finally:
        proxy.release()
        proxy.close()
    promote(standby)
    after = Promoted(standby, database)
    writer = writing_to(after, 22)
    current = lambda: "public.wide" in {event["table"] for event in run.events("table_current")}
    wait_until(lambda: current() or run.code is not None, "the large table")
    writer.stop()
    assert run.code is None, run.describe()
    assert run.stop().code == 130
    freshet.ingest(url=url)
    with after.another() as promoted:
        tables = [f"public.{name}" for name in (*NAMES, "wide")]
        assert_equal(promoted, freshet.destination, *tables)


def test_a_standby_that_is_behind_is_refused(server, database, freshet, standby):
    """Nothing holds the primary back: it sends what the standby has not, and loses it. Its copy of the slot does not help."""
    database.execute(TABLE + "; CREATE PUBLICATION given FOR TABLE t")
    options = ("--publication", "given")
    keep_slot(database, standby, lambda: freshet.ingest(*options))
    url = standby.url(database.name)
    run = freshet.ingest(*options, url=url, expect=3)
    assert run.error_classes() == {"SOURCE_UNSUPPORTED"} and "promote" in run.stdout, run.describe()
    catch_up(database, standby)
    separate(standby)
    database.execute("INSERT INTO t VALUES (1000, 'only the former primary has it')")
    freshet.ingest(*options)
    before = data_versions(freshet.destination)
    server.crash()
    promote(standby)
    with standby.connect(database.name) as promoted:
        for _ in range(2):
            run = freshet.ingest(*options, url=url, expect=3)
            assert run.error_classes() == {"SOURCE_CHANGED"}, run.describe()
            # Its log grows past the position; what is in there is still another history.
            promoted.execute("INSERT INTO t SELECT i, repeat('n', 900) FROM generate_series(2000, 9000) i")
            promoted.execute("DELETE FROM t WHERE id >= 2000")
    assert data_versions(freshet.destination) == before


def test_a_promoted_server_without_the_slot_says_so(server, database, freshet, standby):
    """The standby was told to keep no slots. What is to be done is said, and does it."""
    with standby.connect("postgres") as there:
        there.execute("ALTER SYSTEM SET sync_replication_slots = off")
        there.execute("SELECT pg_reload_conf()")
    database.execute(TABLE)
    freshet.ingest()
    database.execute("UPDATE t SET v = 'unread' WHERE id < 100")
    catch_up(database, standby)
    before = data_versions(freshet.destination)
    server.crash()
    promote(standby)
    url = standby.url(database.name)
    for _ in range(2):
        run = freshet.ingest(url=url, expect=3)
        assert run.error_classes() == {"SLOT_LOST"}, run.describe()
        assert "--refresh" in run.stdout and "sync_replication_slots" in run.stdout, run.describe()
    assert data_versions(freshet.destination) == before
    freshet.ingest("--refresh", "public.*", url=url)
    with standby.connect(database.name) as promoted:
        assert_equal(promoted, freshet.destination, "public.t")
        promoted.execute("DELETE FROM t WHERE id > 300")
        run = freshet.ingest(url=url)
        assert not run.events("snapshot_started"), run.describe()
        assert_equal(promoted, freshet.destination, "public.t")
        assert promoted.execute("SELECT failover FROM pg_replication_slots").fetchall() == [(True,)]
