# SPDX-License-Identifier: Apache-2.0
"""Transactions of one row each: how many a second, captured and applied, on one machine with the source?

Beside pg_recvlogical to /dev/null over the same log. Contents are compared. Prints a table for bench/results.md.
Usage: bench/single_rows.py [--rows 200000] [--transactions 300000]
"""

import argparse

from orders import conditions, ingest, loaded_server, receive_command
from process_tree import run

from contents import assert_equal  # noqa: E402

# One session, no wait for the disk: the log is made fast, and read afterwards.
COMMITS = """
DO $$
BEGIN
  FOR i IN {first}..{last} LOOP
    UPDATE public.orders SET total = total + 1, status = 'changed' WHERE id = 1 + (i * 7919::bigint) % {rows};
    COMMIT;
  END LOOP;
END $$
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--transactions", type=int, default=300_000)
    options = parser.parse_args()
    before = conditions()
    with loaded_server(options.rows) as (work, uri, connection):
        connection.execute("SET synchronous_commit = off")
        ingest(uri, work / "delta")
        connection.execute(COMMITS.format(first=1, last=1000, rows=options.rows))
        ingest(uri, work / "delta")  # the key index is built
        connection.execute("CREATE PUBLICATION bench FOR TABLE public.orders")
        connection.execute("SELECT pg_create_logical_replication_slot('bench', 'pgoutput')")
        connection.execute(COMMITS.format(first=1001, last=1000 + options.transactions, rows=options.rows))
        connection.execute("CHECKPOINT")
        until = connection.execute("SELECT pg_current_wal_insert_lsn()").fetchone()[0]
        received = run(receive_command(uri, "bench", until))
        ours = ingest(uri, work / "delta")
        assert_equal(connection, work / "delta", "public.orders", readers=["duckdb"])
    print(f"\n{before}; contents equal by DuckDB.\n")
    print("| what | transactions | a second | engine CPU s per 1 M | peak RSS of the tree |")
    print("|---|---|---|---|---|")
    for what, usage in (("single-row transactions", ours), ("pg_recvlogical", received)):
        count = options.transactions
        print(
            f"| {what} | {count:,} | {count / usage.wall:,.0f} | {1e6 * usage.cpu / count:.2f} | "
            f"{usage.rss_peak / 1e6:.0f} MB |"
        )


if __name__ == "__main__":
    main()
