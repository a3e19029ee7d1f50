# SPDX-License-Identifier: Apache-2.0
"""What keeps a table's folder small by itself, seen by the readers."""
from contents import assert_equal, table_path
from deltalake import DeltaTable
from freshet_command import wait_until


def test_what_outlived_its_retention_goes(database, freshet):
    """With no retention at all, everything that no newest state needs is gone after a while; nothing else is."""
    database.execute(
        "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' FROM generate_series(1, 500) i"
    )
    freshet.ingest()
    folder = table_path(freshet.destination, "public", "t")
    DeltaTable(folder).alter.set_table_properties(
        {
            "delta.deletedFileRetentionDuration": "interval 0 hours",
            "delta.logRetentionDuration": "interval 0 hours",
        }
    )
    run = freshet.start("--continuous")
    # One commit after the other: the look at the folder comes after so many of them, in however long.
    for commit in range(1, 200):
        database.execute(
            "UPDATE t SET v = v || 'u' WHERE id % 50 = 0; DELETE FROM t WHERE id = (SELECT min(id) FROM t)"
        )
        wait_until(lambda: len(run.events("table_committed")) >= commit, "the commit")
        if run.events("table_cleaned"):
            break
    run.stop()
    (event,) = run.events("table_cleaned")
    assert event["files"] > 0 and event["log_files"] > 0, run.describe()
    assert not (folder / "_delta_log" / f"{0:020}.json").exists()
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.t")
