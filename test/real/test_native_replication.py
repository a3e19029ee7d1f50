# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL's own logical replication beside us: after the same random changes its copy and our tables hold the same rows."""
from contents import assert_equal
from native_copy import NativeCopy
from random_workload import ROWS, TABLES, Workload, Writer

# What native replication does not carry: changes of shape, and what happens to a partition alone.
NOT_REPLICATED = ("add_column", "new_table", "part_detach", "part_truncate")
NAMES = ("keyed", "pairs", "bag", "whole", "indexed", "parts", "grows", "brief")


def test_native_logical_replication(database, freshet, subscriber):
    database.execute(TABLES + ROWS.format(rows=4_000))
    copy = NativeCopy(subscriber, database, TABLES, NAMES)
    writer = Writer(database, Workload(7, large_rows=5_000, without=NOT_REPLICATED), pause=0.005)
    writer.start()
    for _ in range(4):
        freshet.ingest("--retry-for", "60s")
    writer.stop()
    freshet.ingest()
    copy.assert_equal(freshet.destination)
    assert_equal(database.connection, freshet.destination, *(f"public.{name}" for name in NAMES))
    copy.drop()
