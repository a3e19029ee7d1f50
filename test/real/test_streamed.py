# SPDX-License-Identifier: Apache-2.0
"""Transactions that the server streams before they end: a run ends while one is open, and a crash within one loses nothing."""
import pytest
from contents import assert_equal, data_versions
from freshet_command import wait_until

INSERT = "INSERT INTO t SELECT i, i % 7, repeat('x', 500) FROM generate_series({}, {}) i"


@pytest.fixture
def table(database):
    if database.value("SELECT current_setting('server_version_num')::int") < 140000:
        pytest.skip("the server streams from version 14 on")
    database.execute(
        f"ALTER DATABASE {database.name} SET logical_decoding_work_mem = '64kB';"
        "CREATE TABLE t (id int PRIMARY KEY, n int, v text); CREATE TABLE small (id int PRIMARY KEY)"
    )
    database.execute(INSERT.format(1, 1000))
    return database


def streamed(database):
    """Transactions streamed by now; the statistics outlive a session of the slot."""
    return database.value(
        "SELECT coalesce(sum(stream_txns), 0) FROM pg_stat_replication_slots JOIN pg_replication_slots USING (slot_name) "
        "WHERE database = current_database()"
    )


def test_a_run_ends_while_a_large_transaction_is_open(table, freshet):
    freshet.ingest()
    open_one = table.another()
    open_one.autocommit = False
    open_one.execute(INSERT.format(2000, 40_000))
    table.execute("INSERT INTO small VALUES (1)")
    freshet.ingest()
    assert_equal(table.connection, freshet.destination, "public.t", "public.small")
    wait_until(lambda: streamed(table) > 0, "the server's count of what it streamed")
    before = data_versions(freshet.destination)
    freshet.ingest()
    assert data_versions(freshet.destination) == before
    open_one.execute("SAVEPOINT a; UPDATE t SET n = -1; ROLLBACK TO a; DELETE FROM t WHERE id % 3 = 0")
    open_one.commit()
    freshet.ingest()
    assert_equal(table.connection, freshet.destination, "public.t", "public.small")


def test_a_crash_within_a_streamed_transaction(table, freshet):
    freshet.ingest()
    open_one = table.another()
    open_one.autocommit = False
    run = freshet.start("--continuous")
    for part in range(1, 4):
        known = streamed(table)
        open_one.execute(INSERT.format(part * 10_000, part * 10_000 + 9_000))
        wait_until(lambda: streamed(table) > known, "the server to stream")
        # What is acknowledged is past the rows that were streamed.
        table.execute("INSERT INTO small VALUES (%s)", (part,))
        wait_until(lambda: len(run.events("table_committed")) >= part, "a small transaction's commit")
        gateway = run.worker("gateway")
        assert run.kill_worker(gateway)
        wait_until(lambda: run.worker("gateway") not in (None, gateway), "the next gateway")
    open_one.execute("DELETE FROM t WHERE id % 5 = 0")
    open_one.commit()
    table.execute("UPDATE t SET n = n + 1 WHERE id % 100 = 1")
    run.stop()
    freshet.ingest()
    assert_equal(table.connection, freshet.destination, "public.t", "public.small")
    assert not list((freshet.destination / "_freshet" / "staging").glob(".tmp-*"))
