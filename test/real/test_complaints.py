# SPDX-License-Identifier: Apache-2.0
"""What users of replication tools complain about most, each as a test of ours: its name is the complaint.

Some are proved where the matter is tested anyway; PROVED_ELSEWHERE names those tests, and a test here that they exist.
"""
import ast
import pathlib
import re
import threading

import pyarrow as pa
import pytest
from contents import assert_equal, compare, data_versions
from deltalake import DeltaTable, QueryBuilder
from freshet_command import wait_until
from postgres_server import Database

PROVED_ELSEWHERE = {
    "the log position is gone: stuck, or a silent full read": [
        "test_source_changes.py::test_slot_dropped",
        "test_source_changes.py::test_slot_moved_forward",
        "test_source_changes.py::test_slot_invalidated_by_the_server",
    ],
    "timestamps cut or shifted, infinity, BC, year > 9999, numerics beyond 38 digits, NaN": [
        "test_types.py::test_every_type_on_both_paths",
        "test_types.py::test_values_that_become_null_are_counted",
        "test_types.py::test_times_far_away",
    ],
    "a new table is not picked up, or not read": [
        "test_changes.py::test_new_tables_are_read_in_the_same_run",
        "test_continuous.py::test_new_tables_and_columns_are_followed",
    ],
    "the slot and the publication stay behind": [
        "test_basics.py::test_source_drops_what_it_made",
        "test_complaints.py::test_drop_leaves_no_slot_and_no_publication_of_ours_and_touches_no_others",
    ],
    "one table cannot be added, taken out or read again without the others": [
        "test_refresh.py::test_a_refresh_touches_no_other_table",
        "test_changes.py::test_new_tables_are_read_in_the_same_run",
        "test_source_changes.py::test_a_new_table_without_identity_beside_others",
    ],
}

WIDE = """CREATE TABLE wide (id int PRIMARY KEY, code int NOT NULL, n int, big text);
CREATE UNIQUE INDEX wide_code ON wide (code); ALTER TABLE wide REPLICA IDENTITY {identity};
ALTER TABLE wide ALTER COLUMN big SET STORAGE EXTERNAL;
INSERT INTO wide SELECT i, i * 10, 0, repeat(chr(65 + i), 9000) FROM generate_series(1, 9) i"""
SMALL = "CREATE TABLE {0} (id int PRIMARY KEY, v text); INSERT INTO {0} SELECT i, 'v' FROM generate_series(1, 100) i"
MIB = 1 << 20
GROWTH = {
    "insert and update in one batch": [
        "INSERT INTO wide VALUES (100, 1000, 0, repeat('q', 20000))",
        "UPDATE wide SET n = 2 WHERE id = 100",
        "BEGIN; INSERT INTO wide VALUES (101, 1010, 0, repeat('q', 20000)); UPDATE wide SET n = 3 WHERE id = 101; COMMIT",
    ],
    "update only": ["UPDATE wide SET n = n + 1 WHERE id < 5", "UPDATE wide SET n = 7 WHERE id = 1"],
    "key change": [
        "UPDATE wide SET id = id + 100, code = code + 1000 WHERE id < 4",
        "UPDATE wide SET id = 500, code = 5000 WHERE id = 101",
    ],
}


def rows_of(path, version=None):
    table = DeltaTable(str(path), version=version)
    return pa.table(QueryBuilder().register("t", table).execute("SELECT * FROM t")).to_pylist()


def test_every_test_named_here_exists():
    folder = pathlib.Path(__file__).parent
    for complaint, tests in PROVED_ELSEWHERE.items():
        for test in tests:
            file, name = test.split("::")
            functions = [
                n.name for n in ast.walk(ast.parse((folder / file).read_text())) if hasattr(n, "name")
            ]
            assert name in functions, f"{complaint}: there is no {test}"


@pytest.mark.parametrize("identity", ["DEFAULT", "USING INDEX wide_code", "FULL"])
@pytest.mark.parametrize("change", GROWTH)
def test_a_large_value_that_did_not_change_becomes_null(database, freshet, identity, change):
    """test_changes.py::test_unchanged_toast_is_kept follows longer histories of the same."""
    database.execute(WIDE.format(identity=identity))
    freshet.ingest()
    for statement in GROWTH[change]:
        database.execute(statement)
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.wide")
    assert database.value("SELECT count(*) FROM wide WHERE big IS NULL") == 0


def test_an_insert_and_its_partial_update_in_one_batch_lose_values(database, freshet):
    """The update comes in the same batch as its insert, in the next transaction, and before the insert was applied."""
    database.execute(WIDE.format(identity="DEFAULT"))
    freshet.ingest()
    for i in range(200, 260):
        database.execute("INSERT INTO wide VALUES (%s, %s, 0, repeat('x', 9000 + %s::int))", (i, i * 10, i))
        database.execute("UPDATE wide SET n = id WHERE id = %s", (i,))
        if i % 3 == 0:
            database.execute("UPDATE wide SET n = n + 1 WHERE id = %s", (i,))
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.wide")


@pytest.mark.parametrize("who", ["a table beside", "a database beside"])
def test_the_log_grows_while_watched_tables_are_idle(database, freshet, server, who):
    """In a run that stays; test_basics.py::test_an_idle_run_moves_the_position has the run that ends."""
    database.execute(SMALL.format("t") + "; CREATE TABLE other (id int, v text)")
    neighbour = Database(server, f"{database.name}_beside") if who == "a database beside" else database
    if neighbour is not database:
        neighbour.execute("CREATE TABLE other (id int, v text)")
    run = freshet.start("--continuous", "--tables", "public.t")
    try:
        wait_until(lambda: run.events("snapshot_completed") or run.code is not None, "the snapshot")
        for _ in range(3):
            neighbour.execute("INSERT INTO other SELECT i, repeat('w', 500) FROM generate_series(1, 10000) i")
        written = database.value("SELECT pg_current_wal_lsn()")
        wait_until(
            lambda: database.value(
                "SELECT confirmed_flush_lsn >= %s::pg_lsn FROM pg_replication_slots "
                "WHERE database = %s AND NOT temporary",
                (written, database.name),
            ),
            "a position past what the neighbour wrote",
        )
        assert run.stop().code == 130, run.describe()
    finally:
        if neighbour is not database:
            neighbour.drop()


def test_a_crash_in_the_snapshot_reads_finished_tables_again(database, freshet):
    """The table that was being read may start again; those that were done stay as they are."""
    database.execute(SMALL.format("a_done") + "; CREATE TABLE large (id int PRIMARY KEY, v text)")
    database.execute("INSERT INTO large SELECT i, repeat(md5(i::text), 12) FROM generate_series(1, 400000) i")
    freshet.ingest("--tables", "public.a_done")
    before = data_versions(freshet.destination)["public/a_done"]
    run = freshet.start()
    wait_until(lambda: run.events("snapshot_started") or run.code is not None, "the snapshot")
    run.kill_all()
    database.execute("UPDATE a_done SET v = 'w' WHERE id = 1")
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.a_done", "public.large")
    after = data_versions(freshet.destination)["public/a_done"]
    assert after[: len(before)] == before and len(after) == len(before) + 1, "it was read again"


def test_the_source_is_switched_underneath_and_the_run_is_green(database, freshet, server):
    """Host, port and name stay, and another database answers: a restored backup, a blue/green switch, an empty clone."""
    database.execute(SMALL.format("t"))
    freshet.ingest()
    before = data_versions(freshet.destination)
    name = database.name
    database.drop()
    switched = Database(server, name)
    database._connection = None
    switched.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
    run = freshet.ingest(expect=None)
    assert run.code in (3, 4), run.describe()
    assert run.error_classes() & {"SOURCE_CHANGED", "DESTINATION_FOREIGN"}, run.describe()
    assert data_versions(freshet.destination) == before
    assert len(rows_of(freshet.destination / "public" / "t")) == 100
    assert switched.slots() == [] and switched.value("SELECT count(*) FROM pg_publication") == 0


def test_a_paused_run_loses_data_when_it_resumes(database, freshet):
    """Stopped, killed and suspended between writes; at the end nothing is lost and nothing is there twice."""
    database.execute(SMALL.format("t"))
    for number, pause in enumerate(("stop", "kill", "stop", "kill")):
        run = freshet.start("--continuous")
        wait_until(lambda: len(run.workers()) >= 2 or run.code is not None, "the workers")
        first = 1000 * (number + 1)
        database.execute(f"INSERT INTO t SELECT i, 'during' FROM generate_series({first}, {first + 300}) i")
        if pause == "stop":
            assert run.stop().code == 130, run.describe()
        else:
            run.kill()
            run.wait_for_workers()
        database.execute(
            f"UPDATE t SET v = 'paused {number}' WHERE id % 3 = 0; DELETE FROM t WHERE id % 7 = {number}"
        )
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.t")


def test_a_destructive_act_has_no_way_back(database, freshet):
    """A TRUNCATE is followed, and the rows stay readable as the version before; a dropped table stays as it was."""
    database.execute(SMALL.format("emptied") + ";" + SMALL.format("dropped"))
    freshet.ingest()
    path = freshet.destination / "public" / "emptied"
    full = DeltaTable(str(path)).version()
    database.execute("TRUNCATE emptied; DROP TABLE dropped")
    freshet.ingest(expect=None)
    assert_equal(database.connection, freshet.destination, "public.emptied")
    assert len(rows_of(path, version=full)) == 100
    assert len(rows_of(freshet.destination / "public" / "dropped")) == 100


def test_a_change_to_an_unwatched_table_stops_the_run(database, freshet):
    """Every kind of it, while a run that stays watches another table; also right before a run that ends."""
    database.execute(SMALL.format("t") + ";" + SMALL.format("beside") + ";" + SMALL.format("gone"))
    acts = [
        "INSERT INTO beside SELECT i, 'x' FROM generate_series(1000, 3000) i; TRUNCATE beside",
        "ALTER TABLE beside ADD COLUMN w int DEFAULT 7; ALTER TABLE beside RENAME COLUMN v TO vv",
        "ALTER TABLE beside DROP CONSTRAINT beside_pkey; ALTER TABLE beside REPLICA IDENTITY NOTHING",
        "DROP TABLE gone; CREATE TABLE gone (other text); INSERT INTO gone VALUES ('x'); DROP TABLE gone",
        "CREATE UNLOGGED TABLE fleeting (v int); CREATE VIEW seen AS SELECT * FROM t; DROP VIEW seen",
        "CREATE TYPE odd AS (a int); CREATE TABLE odd_one (id odd); DROP TABLE odd_one; DROP TYPE odd",
    ]
    run = freshet.start("--continuous", "--tables", "public.t")
    wait_until(lambda: run.events("table_current") or run.code is not None, "the table")
    for number, act in enumerate(acts):
        database.execute(act)
        database.execute(f"UPDATE t SET v = 'after {number}' WHERE id = {number + 1}")
    wait_until(
        lambda: run.code is not None
        or not compare(database.connection, freshet.destination, "public", "t", readers=("duckdb",)),
        "the table to be current",
        interval=0.5,
    )
    assert run.code is None and not run.events("worker_restarted"), run.describe()
    assert run.stop().code == 130
    database.execute("ALTER TABLE beside ADD COLUMN z text; UPDATE t SET v = 'last' WHERE id = 50")
    freshet.ingest("--tables", "public.t")
    assert_equal(database.connection, freshet.destination, "public.t")


class PeakMemory(threading.Thread):
    """The highest resident memory that any one process of a run had, by the kernel's own mark."""

    def __init__(self, run):
        super().__init__(daemon=True)
        self.run_watched, self.peak, self.ended = run, {}, threading.Event()
        self.start()

    def run(self):
        while not self.ended.wait(0.05):
            for pid in [self.run_watched.pid, *self.run_watched.workers()]:
                try:
                    status = pathlib.Path(f"/proc/{pid}/status").read_text()
                except (FileNotFoundError, ProcessLookupError):
                    continue
                mark = re.search(r"VmHWM:\s+(\d+) kB", status)
                if mark:
                    self.peak[pid] = int(mark.group(1)) * 1024

    def end(self):
        self.ended.set()
        self.join()
        return max(self.peak.values(), default=0)


@pytest.mark.parametrize("rows", [60, pytest.param(512, marks=pytest.mark.long)], ids=["120 MB", "1 GB"])
def test_a_huge_transaction_of_wide_rows_runs_out_of_memory(database, freshet, rows):
    """Rows of 2 MB in one transaction, then the same rows as a snapshot: no process above 512 MB."""
    database.execute(
        "CREATE TABLE fat (id int PRIMARY KEY, n int, big text); ALTER TABLE fat ALTER COLUMN big SET STORAGE EXTERNAL"
    )
    freshet.ingest()
    database.execute(
        "INSERT INTO fat SELECT i, 0, repeat(md5(i::text), 65536) FROM generate_series(1, %s::int) i", (rows,)
    )
    for to in (freshet.destination, freshet.destination.with_name("second")):
        run = freshet.start(to=to)
        memory = PeakMemory(run)
        run.wait(900)
        peak = memory.end()
        assert run.code == 0, run.describe()
        assert 0 < peak <= 512 * MIB, f"{peak // MIB} MB to {to.name}: {run.describe()}"
        assert_equal(database.connection, to, "public.fat", readers=("duckdb",))


def test_drop_leaves_no_slot_and_no_publication_of_ours_and_touches_no_others(database, freshet):
    """test_basics.py::test_source_drops_what_it_made is the plain case; here others stand beside."""
    database.execute(SMALL.format("t") + "; CREATE PUBLICATION theirs FOR TABLE t")
    database.execute(
        "SELECT pg_create_logical_replication_slot('theirs_' || %s, 'pgoutput')", (database.name,)
    )
    second = freshet.destination.with_name("second")
    freshet.ingest()
    freshet.ingest(to=second)
    assert len(database.slots()) == 3
    freshet.command("drop", freshet.destination)
    slots = [slot for slot, _, _ in database.slots()]
    assert len(slots) == 2 and f"theirs_{database.name}" in slots
    assert database.value("SELECT count(*) FROM pg_publication") == 2
    database.execute("UPDATE t SET v = 'w'")
    freshet.ingest(to=second)
    assert_equal(database.connection, second, "public.t")
    freshet.command("drop", second)
    assert [slot for slot, _, _ in database.slots()] == [f"theirs_{database.name}"]
    assert database.rows("SELECT pubname FROM pg_publication") == [("theirs",)]


def test_an_error_does_not_say_what_to_do(database, freshet):
    """Each has its class, reason and remedy, in the events, on a terminal and in `status`; the other tables go on."""
    database.execute(
        SMALL.format("t")
        + ";"
        + SMALL.format("broken")
        + "; CREATE VIEW seen AS SELECT 1 / (id - id) AS v FROM t"
    )
    tables = ("--tables", "public.*", "--tables", "public.seen")
    freshet.ingest(*tables, expect=5)
    publication = database.value("SELECT pubname FROM pg_publication")
    database.execute(f'ALTER PUBLICATION "{publication}" DROP TABLE broken')
    database.execute("INSERT INTO broken VALUES (1000); UPDATE t SET v = 'w'")
    run = freshet.ingest(*tables, expect=5)
    assert_equal(database.connection, freshet.destination, "public.t")
    told = {event["table"]: event for event in run.events() if event.get("class") and event.get("table")}
    assert set(told) == {"public.broken", "public.seen"}, run.describe()
    for event in told.values():
        assert event["reason"] and event["remedy"], event
    assert "division by zero" in told["public.seen"]["reason"]
    plain = freshet.ingest(*tables, json_events=False, expect=5)
    status = freshet.command("status", freshet.destination).stdout
    for text in (plain.stdout + plain.stderr, status):
        assert "public.broken" in text and "PUBLICATION_MISSING" in text, text
        assert told["public.broken"]["remedy"] in text, text
