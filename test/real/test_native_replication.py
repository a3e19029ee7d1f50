# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL's own logical replication beside us: after the same random changes its copy and our tables hold the same rows."""
import tempfile

import pytest
from contents import assert_equal
from freshet_command import wait_until
from postgres_server import Server
from random_workload import ROWS, TABLES, Workload, Writer

# What native replication does not carry: changes of shape, and what happens to a partition alone.
NOT_REPLICATED = ("add_column", "new_table", "part_detach", "part_truncate")
NAMES = ("keyed", "pairs", "bag", "whole", "indexed", "parts", "grows", "brief")


@pytest.fixture
def subscriber():
    server = Server(tempfile.mkdtemp(prefix="freshet-subscriber-", dir="/tmp")).start()
    try:
        yield server.create_database("copy")
    finally:
        server.destroy()


def caught_up(database):
    """Whether the subscriber has replayed all that is committed here."""
    return database.value(
        "SELECT coalesce(bool_and(replay_lsn >= pg_current_wal_lsn()), false) FROM pg_stat_replication "
        "WHERE application_name = 'native'"
    )


def test_native_logical_replication(database, freshet, subscriber):
    database.execute(TABLES + ROWS.format(rows=4_000))
    subscriber.execute(TABLES)
    database.execute("CREATE PUBLICATION native FOR ALL TABLES WITH (publish_via_partition_root = true)")
    subscriber.execute(f"CREATE SUBSCRIPTION native CONNECTION '{database.url}' PUBLICATION native")
    writer = Writer(database, Workload(7, large_rows=5_000, without=NOT_REPLICATED), pause=0.005)
    writer.start()
    for _ in range(4):
        freshet.ingest("--retry-for", "60s")
    writer.stop()
    freshet.ingest()
    wait_until(
        lambda: not subscriber.rows("SELECT FROM pg_subscription_rel WHERE srsubstate <> 'r'")
        and caught_up(database),
        "native replication to catch up",
    )
    tables = [f"public.{name}" for name in NAMES]
    assert_equal(subscriber.connection, freshet.destination, *tables)
    assert_equal(database.connection, freshet.destination, *tables)
    subscriber.execute("DROP SUBSCRIPTION native")
