# SPDX-License-Identifier: Apache-2.0
"""What happens at the source between runs: slots lost or moved, tables dropped, renamed or without a key. Never a silent re-read."""
import tempfile

import pytest
from contents import assert_equal, compare, data_versions, duckdb_connection, scan, table_path
from freshet_command import wait_until
from postgres_server import Server

TWO = """CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' FROM generate_series(1, 100) i;
CREATE TABLE fine (id int PRIMARY KEY, v text); INSERT INTO fine SELECT i, 'v' FROM generate_series(1, 100) i"""


def only_t_fails(database, freshet, *classes):
    """That table fails with its class; the other is current; a later run says the same and still follows the other."""
    for value in ("one", "two"):
        database.execute("UPDATE fine SET v = %s WHERE id < 10", (value,))
        run = freshet.ingest(expect=5)
        assert run.error_classes() & set(classes), run.describe()
        assert_equal(database.connection, freshet.destination, "public.fine")


def test_slot_dropped(database, freshet):
    database.execute(TWO)
    freshet.ingest()
    slot = database.free_slot()
    database.execute("SELECT pg_drop_replication_slot(%s)", (slot,))
    database.execute("DELETE FROM t WHERE id = 1")
    before = data_versions(freshet.destination)
    for _ in range(2):
        run = freshet.ingest(expect=3)
        assert "SLOT_LOST" in run.error_classes(), run.describe()
    assert data_versions(freshet.destination) == before and database.slots() == []


def test_slot_moved_forward(database, freshet):
    database.execute(TWO)
    freshet.ingest()
    slot = database.free_slot()
    database.execute("UPDATE t SET v = 'lost' WHERE id < 50")
    database.execute("SELECT pg_replication_slot_advance(%s, pg_current_wal_lsn())", (slot,))
    before = data_versions(freshet.destination)
    run = freshet.ingest(expect=3)
    assert "SLOT_MOVED" in run.error_classes(), run.describe()
    assert data_versions(freshet.destination) == before


def test_slot_invalidated_by_the_server(freshet):
    own = Server(
        tempfile.mkdtemp(prefix="freshet-real-"),
        "max_slot_wal_keep_size=1MB",
        "max_wal_size=32MB",
        "min_wal_size=32MB",
    ).start()
    try:
        database = own.create_database("lost")
        database.execute(TWO)
        freshet.ingest(url=database.url)
        for _ in range(4):
            database.execute(
                "INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series(1000, 21000) i; DELETE FROM t WHERE id >= 1000"
            )
            database.execute("SELECT pg_switch_wal()")
            database.execute("CHECKPOINT")
        assert database.value("SELECT wal_status FROM pg_replication_slots") == "lost"
        run = freshet.ingest(url=database.url, expect=3)
        assert "SLOT_LOST" in run.error_classes(), run.describe()
    finally:
        own.destroy()


def test_table_dropped(database, freshet):
    """Its rows stay at the destination, the run goes on."""
    database.execute(TWO)
    freshet.ingest()
    database.execute("DROP TABLE t; UPDATE fine SET v = 'w'")
    run = freshet.ingest(expect=None)
    assert run.code in (0, 5), run.describe()
    assert_equal(database.connection, freshet.destination, "public.fine")
    assert data_versions(freshet.destination)["public/t"]


def test_a_table_that_is_named_and_gone_keeps_no_other_from_being_current(database, freshet):
    """A name that matches nothing is refused at first; later it may be that of a table that was dropped."""
    database.execute(TWO)
    named = ("--tables", "public.t", "--tables", "public.fine")
    freshet.ingest(*named)
    database.execute("DROP TABLE t")
    run = freshet.ingest(*named)
    assert run.events("table_dropped"), run.describe()
    database.execute("UPDATE fine SET v = 'new' WHERE id < 10")
    run = freshet.ingest(*named, expect=5)
    assert "NO_TABLE_MATCHES" in run.error_classes() and run.events("table_left_out"), run.describe()
    assert_equal(database.connection, freshet.destination, "public.fine")
    freshet.ingest("--tables", "public.fine")


def test_the_last_changes_of_a_dropped_table_arrive(database, freshet):
    database.execute(TWO)
    freshet.ingest()
    database.execute("INSERT INTO t VALUES (101, 'last'); DELETE FROM t WHERE id <= 10")
    database.execute("DROP TABLE t")
    freshet.ingest()
    connection = duckdb_connection()
    scan(connection, "duckdb", table_path(freshet.destination, "public", "t"))
    assert connection.execute("SELECT count(*), max(id) FROM destination").fetchall() == [(91, 101)]


def test_table_taken_out_of_the_publication(database, freshet):
    """What changed while it was not published is lost: that table says so, and never goes on as if nothing were."""
    database.execute(TWO)
    freshet.ingest()
    publication = database.value("SELECT pubname FROM pg_publication")
    database.execute(f'ALTER PUBLICATION "{publication}" DROP TABLE t')
    database.execute("UPDATE t SET v = 'lost'")
    only_t_fails(database, freshet, "PUBLICATION_MISSING")


def test_table_taken_out_of_the_publication_and_put_in_again(database, freshet):
    """Nothing shows afterwards, and yet the changes of that time are lost."""
    database.execute(TWO)
    freshet.ingest()
    publication = database.value("SELECT pubname FROM pg_publication")
    database.execute(f'ALTER PUBLICATION "{publication}" DROP TABLE t')
    database.execute("UPDATE t SET v = 'lost'")
    database.execute(f'ALTER PUBLICATION "{publication}" ADD TABLE t')
    only_t_fails(database, freshet, "PUBLICATION_MISSING")
    freshet.ingest("--refresh", "public.t")
    assert_equal(database.connection, freshet.destination, "public.t", "public.fine")
    freshet.ingest()


def test_table_out_of_the_publication_for_a_while_beside_a_run(database, freshet):
    """Found although it is there again before anybody looks, and although a new table has all of them set anew."""
    database.execute(TWO)
    freshet.ingest()
    run = freshet.start("--continuous")
    wait_until(lambda: run.events("table_current"), "the tables")
    publication = database.value("SELECT pubname FROM pg_publication")
    database.execute(f'ALTER PUBLICATION "{publication}" DROP TABLE t')
    database.execute("UPDATE t SET v = 'lost'; CREATE TABLE another (id int PRIMARY KEY)")
    wait_until(lambda: "PUBLICATION_MISSING" in run.error_classes(), "the loss")
    wait_until(
        lambda: any(each["table"] == "public.another" for each in run.events("table_current")),
        "the new table",
    )
    run.stop()
    only_t_fails(database, freshet, "PUBLICATION_MISSING")


def test_a_new_table_that_is_vacuumed_holds_up_no_other(database, freshet):
    """The run ends with all the rest done, and says which one it waited for."""
    database.execute(TWO)
    with database.another() as vacuum:
        vacuum.execute("BEGIN; LOCK TABLE t IN SHARE UPDATE EXCLUSIVE MODE")
        run = freshet.start()
        wait_until(
            lambda: any(each["table"] == "public.fine" for each in run.events("table_current")), "the other"
        )
        wait_until(lambda: "SOURCE_BLOCKED" in run.error_classes(), "the reason")
        vacuum.execute("COMMIT")
    run.wait()
    assert run.code == 0, run.describe()
    assert_equal(database.connection, freshet.destination, "public.t", "public.fine")


def test_table_renamed(database, freshet):
    """It stays the same table in the same place, with nothing read again."""
    database.execute(TWO)
    freshet.ingest()
    database.execute("UPDATE t SET v = 'before' WHERE id = 2")
    database.execute("ALTER TABLE t RENAME TO moved; UPDATE moved SET v = 'w' WHERE id = 1")
    run = freshet.ingest()
    (event,) = run.events("table_renamed")
    assert (event["before"], event["table"]) == ("public.t", "public.moved")
    assert run.events("run_finished")[0]["tables"] == 2, run.describe()
    assert not run.events("snapshot_started"), run.describe()
    same_place(database, freshet)
    database.execute(
        "CREATE SCHEMA elsewhere; ALTER TABLE moved SET SCHEMA elsewhere; DELETE FROM elsewhere.moved WHERE id = 3"
    )
    database.execute("ALTER TABLE elsewhere.moved ADD COLUMN w int; UPDATE elsewhere.moved SET w = id")
    run = freshet.ingest()
    assert len(run.events("table_renamed")) == 1 and not run.events("snapshot_started"), run.describe()
    same_place(database, freshet, "elsewhere")
    run = freshet.ingest()
    assert not run.events("table_renamed") and "elsewhere.moved" in run.stdout, run.describe()


def same_place(database, freshet, schema="public"):
    differences = compare(
        database.connection,
        freshet.destination,
        schema,
        "moved",
        path=table_path(freshet.destination, "public", "t"),
    )
    assert not differences, "\n".join(map(str, differences))


def test_table_renamed_while_it_is_followed(database, freshet):
    database.execute(TWO)
    run = freshet.start("--continuous")
    wait_until(lambda: len(run.events("table_current")) >= 2, "both tables")
    database.execute("ALTER TABLE t RENAME TO moved; UPDATE moved SET v = 'w' WHERE id < 50")
    wait_until(lambda: run.events("table_renamed"), "the new name")
    database.execute("UPDATE moved SET v = 'x' WHERE id < 20; UPDATE fine SET v = 'x'")
    run.stop()
    freshet.ingest()
    same_place(database, freshet)
    assert_equal(database.connection, freshet.destination, "public.fine")


def test_table_renamed_out_of_the_selection(database, freshet):
    """It says so, and goes on by itself once its new name is selected: by a reading, for what it missed nobody knows."""
    database.execute(TWO + "; CREATE TABLE t2 (id int PRIMARY KEY)")
    options = ["--tables", "public.fine", "--tables", "public.t*"]
    freshet.ingest(*options)
    database.execute("ALTER TABLE t RENAME TO moved; UPDATE moved SET v = 'w' WHERE id = 1")
    run = freshet.ingest(*options, expect=5)
    assert "TABLE_RENAMED" in run.error_classes(), run.describe()
    freshet.ingest(*options, "--tables", "public.moved")
    same_place(database, freshet)


def test_table_renamed_and_another_in_its_place(database, freshet):
    """Who has the name has the place; the old one has none."""
    database.execute(TWO)
    freshet.ingest()
    database.execute(
        "ALTER TABLE t RENAME TO old; CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 10)"
    )
    run = freshet.ingest(expect=5)
    assert "TABLE_RENAMED" in run.error_classes(), run.describe()
    assert_equal(database.connection, freshet.destination, "public.t", "public.fine")


def in_place_of(database, freshet, table, place):
    differences = compare(
        database.connection,
        freshet.destination,
        "public",
        table,
        path=table_path(freshet.destination, "public", place),
    )
    assert not differences, "\n".join(map(str, differences))


def test_tables_swap_their_names(database, freshet):
    """Each stays the same table in its own place, and nothing is read again."""
    database.execute(TWO)
    freshet.ingest()
    database.execute(
        "BEGIN; ALTER TABLE t RENAME TO tmp; ALTER TABLE fine RENAME TO t; ALTER TABLE tmp RENAME TO fine; COMMIT;"
        "UPDATE t SET v = 'was fine' WHERE id = 1; UPDATE fine SET v = 'was t' WHERE id = 2; DELETE FROM fine WHERE id = 3"
    )
    run = freshet.ingest()
    assert len(run.events("table_renamed")) == 2 and not run.events("snapshot_started"), run.describe()
    in_place_of(database, freshet, "t", "fine")
    in_place_of(database, freshet, "fine", "t")
    run = freshet.ingest()
    assert not run.events("table_renamed") and not run.events("table_committed"), run.describe()


def test_tables_swap_their_names_step_by_step(database, freshet):
    """Seen at each step; the name in between is not selected, so what happened under it is read."""
    database.execute(TWO + "; CREATE TABLE t2 (id int PRIMARY KEY); CREATE TABLE fine2 (id int PRIMARY KEY)")
    options = ["--tables", "public.t*", "--tables", "public.fine*"]
    freshet.ingest(*options)
    database.execute("ALTER TABLE t RENAME TO aside; UPDATE aside SET v = 'unseen' WHERE id = 1")
    run = freshet.ingest(*options, expect=5)
    assert "TABLE_RENAMED" in run.error_classes(), run.describe()
    database.execute("ALTER TABLE fine RENAME TO t; UPDATE t SET v = 'was fine' WHERE id = 1")
    run = freshet.ingest(*options, expect=5)
    assert len(run.events("table_renamed")) == 1 and not run.events("snapshot_started"), run.describe()
    in_place_of(database, freshet, "t", "fine")
    database.execute("ALTER TABLE aside RENAME TO fine; UPDATE fine SET v = 'was t' WHERE id = 2")
    freshet.ingest(*options)
    in_place_of(database, freshet, "t", "fine")
    in_place_of(database, freshet, "fine", "t")


def test_table_takes_the_name_that_another_left(database, freshet):
    database.execute(TWO)
    freshet.ingest()
    database.execute(
        "ALTER TABLE t RENAME TO archive; ALTER TABLE fine RENAME TO t; UPDATE t SET v = 'w'; DELETE FROM archive WHERE id = 1"
    )
    run = freshet.ingest()
    assert len(run.events("table_renamed")) == 2 and not run.events("snapshot_started"), run.describe()
    in_place_of(database, freshet, "archive", "t")
    in_place_of(database, freshet, "t", "fine")


def test_table_renamed_under_a_policy(database, freshet):
    database.execute(TWO)
    freshet.ingest()
    database.execute("ALTER TABLE t RENAME TO moved; UPDATE moved SET v = 'w' WHERE id = 1")
    run = freshet.ingest("--on-schema-change", "pause", expect=5)
    assert "SCHEMA_CHANGE_PAUSED" in run.error_classes(), run.describe()
    freshet.ingest("--on-schema-change", "ignore", expect=5)
    freshet.ingest()
    same_place(database, freshet)


def test_tables_without_identity_are_read_again_and_never_published(database, freshet):
    """Publishing them would break the user's own statements."""
    database.execute(
        TWO
        + """; CREATE TABLE nokey (v text); INSERT INTO nokey VALUES ('a');
      CREATE TABLE nothing (id int PRIMARY KEY); ALTER TABLE nothing REPLICA IDENTITY NOTHING; INSERT INTO nothing VALUES (1);
      CREATE TABLE later (id int PRIMARY KEY DEFERRABLE, v text); INSERT INTO later VALUES (1, 'a');
      CREATE VIEW seen AS SELECT * FROM t; CREATE UNLOGGED TABLE fleeting (id int PRIMARY KEY)"""
    )
    freshet.ingest()
    published = {name for (name,) in database.rows("SELECT tablename FROM pg_publication_tables")}
    assert published == {"t", "fine"}
    database.execute(
        "UPDATE nokey SET v = 'b'; DELETE FROM nothing; UPDATE later SET v = 'b'; INSERT INTO fleeting VALUES (1); UPDATE fleeting SET id = 2"
    )
    freshet.ingest()
    assert_equal(
        database.connection,
        freshet.destination,
        *(f"public.{name}" for name in ("t", "fine", "nokey", "nothing", "later", "fleeting")),
    )
    assert not (freshet.destination / "public" / "seen").exists(), "a view is taken by its name only"


def test_identity_taken_away_later(database, freshet):
    """The user drops the key of a published table: their updates fail until we take it out, so we must take it out."""
    database.execute(TWO)
    freshet.ingest()
    database.execute("ALTER TABLE t DROP CONSTRAINT t_pkey")
    run = freshet.ingest(expect=5)
    assert run.error_classes() & {"KEY_CHANGED", "TABLE_NO_IDENTITY"}, run.describe()
    database.execute("UPDATE t SET v = 'works again'")


def test_a_new_table_without_identity_beside_others(database, freshet):
    database.execute(TWO)
    freshet.ingest()
    database.execute("CREATE TABLE nokey (v text); INSERT INTO nokey VALUES ('a'); UPDATE fine SET v = 'x'")
    freshet.ingest()
    database.execute("UPDATE nokey SET v = 'b'; ALTER TABLE nokey REPLICA IDENTITY FULL")
    run = freshet.ingest()
    assert [event["why"] for event in run.events("snapshot_abandoned")] == ["the log tells of it by now"]
    assert_equal(database.connection, freshet.destination, "public.t", "public.fine", "public.nokey")
    database.execute("UPDATE nokey SET v = 'c'; INSERT INTO nokey VALUES ('c')")
    assert not freshet.ingest().events("snapshot_started"), "its changes are followed"
    assert_equal(database.connection, freshet.destination, "public.t", "public.fine", "public.nokey")


def test_destination_table_removed_by_hand(database, freshet):
    """Its position is gone with it: an error, never a fresh start in silence."""
    import shutil

    database.execute(TWO)
    freshet.ingest()
    shutil.rmtree(freshet.destination / "public" / "t")
    run = freshet.ingest(expect=None)
    assert run.code in (4, 5) and "POSITION_LOST" in run.error_classes(), run.describe()


def test_staging_removed_by_hand(database, freshet):
    import shutil

    database.execute(TWO)
    freshet.ingest()
    shutil.rmtree(freshet.destination / "_freshet" / "staging")
    before = data_versions(freshet.destination)
    run = freshet.ingest(expect=None)
    assert run.code in (3, 4, 5) and run.error_classes() & {
        "POSITION_LOST",
        "SLOT_MOVED",
        "SLOT_LOST",
        "STAGING_CORRUPT",
    }, run.describe()
    assert data_versions(freshet.destination) == before


def test_foreign_maintenance_between_runs(database, freshet):
    """delta-rs compacts, deletes checkpoints' worth of nothing, and vacuums: the next run goes on from there."""
    from deltalake import DeltaTable

    database.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
    for i in range(4):
        database.execute(
            "INSERT INTO t SELECT i, 'v' FROM generate_series(%s::int, %s::int) i", (i * 100, i * 100 + 99)
        )
        freshet.ingest()
    table = DeltaTable(str(freshet.destination / "public" / "t"))
    try:
        table.optimize.compact()
    except Exception as refusal:
        pytest.skip(f"delta-rs does not compact this table: {refusal}")
    database.execute("UPDATE t SET v = 'w' WHERE id % 3 = 0; DELETE FROM t WHERE id % 10 = 0")
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.t")
