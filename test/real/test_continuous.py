# SPDX-License-Identifier: Apache-2.0
"""--continuous: stays, follows new tables, stops cleanly."""
import psycopg
from contents import assert_equal, commits
from freshet_command import wait_until


def test_a_locked_partition_holds_up_no_other_table(database, freshet):
    database.execute("CREATE TABLE fine (id int PRIMARY KEY, v int); INSERT INTO fine VALUES (1, 0)")
    run = freshet.start("--continuous")
    wait_until(lambda: run.events("table_current"), "the first table")
    database.execute("CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id)")
    database.execute("CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10); INSERT INTO p VALUES (1)")
    other = database.another()
    other.autocommit = False
    other.execute("LOCK TABLE p1 IN ACCESS EXCLUSIVE MODE")
    found = lambda: [e for e in run.events("table_found") if e["table"] == "public.p"]
    wait_until(found, "a look at the tables")
    for value in range(1, 4):
        before = len(run.events("table_committed"))
        database.execute("UPDATE fine SET v = %s", (value,))
        wait_until(lambda: len(run.events("table_committed")) > before, "a change of another table")
    other.rollback()
    wait_until(lambda: [e for e in run.events("table_current") if e["table"] == "public.p"], "the table")
    run.stop()
    assert_equal(database.connection, freshet.destination, "public.fine", "public.p")


def test_partitions_that_come_and_go(database, freshet):
    database.execute(
        "CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100); "
        "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (200); INSERT INTO p SELECT i, 'v' FROM generate_series(1, 199) i"
    )
    run = freshet.start("--continuous")
    wait_until(lambda: run.events("table_current"), "the first snapshot")
    for n, change in enumerate(
        [
            "TRUNCATE p1; INSERT INTO p VALUES (1, 'after')",
            "CREATE TABLE p3 (LIKE p INCLUDING ALL); INSERT INTO p3 SELECT i, 'v' FROM generate_series(200, 299) i; "
            "ALTER TABLE p ATTACH PARTITION p3 FOR VALUES FROM (200) TO (300); UPDATE p SET v = 'w'",
            "ALTER TABLE p DETACH PARTITION p2",
        ]
    ):
        database.execute(change)
        wait_until(lambda n=n: len(run.events("snapshot_completed")) >= n + 2, change)
    assert run.stop().code == 130, run.describe()
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.p")


def test_a_lost_key_does_not_block_the_users_updates(database, freshet):
    database.execute("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'v')")
    run = freshet.start("--continuous")
    wait_until(lambda: run.events("table_current"), "the snapshot")
    database.execute("ALTER TABLE t DROP CONSTRAINT t_pkey")

    def updates():
        try:
            database.execute("UPDATE t SET v = 'w'")
        except psycopg.errors.ObjectNotInPrerequisiteState:
            return False
        return True

    wait_until(updates, "the table's way out of the publication")
    wait_until(lambda: "TABLE_NO_IDENTITY" in run.error_classes(), "a word about it")
    run.stop()


def test_new_tables_and_columns_are_followed(database, freshet):
    database.execute("CREATE TABLE first (id int PRIMARY KEY); INSERT INTO first VALUES (1)")
    run = freshet.start("--continuous")
    wait_until(lambda: commits(freshet.destination / "public" / "first"), "the first table")
    database.execute(
        "CREATE TABLE second (id int PRIMARY KEY, v text); INSERT INTO second SELECT i, 'v' FROM generate_series(1, 100) i"
    )
    database.execute("ALTER TABLE first ADD COLUMN v text")
    database.execute("INSERT INTO first VALUES (2, 'with')")
    wait_until(
        lambda: any(
            "add" in a
            for actions in commits(freshet.destination / "public" / "second").values()
            for a in actions
        ),
        "the second table's rows",
    )
    assert run.stop().code == 130, run.describe()
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.first", "public.second")


def test_a_killed_continuous_run_is_taken_over(database, freshet):
    database.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 100)")
    run = freshet.start("--continuous")
    wait_until(lambda: commits(freshet.destination / "public" / "t"), "the table")
    database.execute("DELETE FROM t WHERE id < 50")
    run.kill()
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.t")
