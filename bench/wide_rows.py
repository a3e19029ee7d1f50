# SPDX-License-Identifier: Apache-2.0
"""Rows of two megabytes each: how much memory do reading them and their changes take, and how fast is it?

Values that do not compress well, stored beside the table. Read at first; then every value is another; then a small column of each row
is, so that the value is not sent and comes from the table. Beside them binary COPY and pg_recvlogical to /dev/null over the same rows.
No process may hold more than 512 MB. Contents are compared by their hashes. Prints a table for bench/results.md.
Usage: bench/wide_rows.py [--rows 300] [--megabytes 2]
"""

import argparse
import pathlib
import sys

from bounds import change_bounds, make_slots, snapshot_bounds
from orders import BINARY, conditions, empty_server
from process_tree import Usage, run

from contents import duckdb_connection  # noqa: E402

# One text of hexadecimal digits, turned by another number of them for each row.
TABLE = """
CREATE TABLE public.wide (id bigint PRIMARY KEY, number int NOT NULL, body text NOT NULL);
ALTER TABLE public.wide ALTER body SET STORAGE EXTERNAL;
CREATE TABLE public.whole AS SELECT string_agg(md5(i::text), '' ORDER BY i) AS body FROM generate_series(1, {size} / 32) i;
INSERT INTO public.wide SELECT i, 0, right(body, -(i * 997)::int) || left(body, (i * 997)::int)
FROM public.whole, generate_series(1::bigint, {rows}) i
"""
ROWS = "SELECT id, number, md5(body) FROM {} ORDER BY id"


def ingest(uri: str, destination: pathlib.Path) -> Usage:
    usage = run([str(BINARY), "ingest", uri, "--to", str(destination), "--tables", "public.wide", "--json"])
    if usage.status != 0:
        sys.exit(f"bench: freshet ended with {usage.status}\n{usage.output[-4000:]}")
    return usage


def compare(connection, destination: pathlib.Path) -> None:
    found = duckdb_connection().execute(ROWS.format(f"delta_scan('{destination}/public/wide')")).fetchall()
    if found != connection.execute(ROWS.format("public.wide")).fetchall():
        sys.exit("bench: the table's rows are others than the source's")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--megabytes", type=int, default=2)
    options = parser.parse_args()
    before = conditions()
    with empty_server() as (work, uri, connection):
        connection.execute(TABLE.format(size=options.megabytes << 20, rows=options.rows))
        connection.execute("VACUUM (FREEZE, ANALYZE) public.wide")
        connection.execute("CHECKPOINT")
        one_copy = snapshot_bounds(uri, connection, "public.wide")["one COPY"]
        lines = [("snapshot", ingest(uri, work / "delta"), f"one COPY {one_copy:.1f} s")]
        compare(connection, work / "delta")
        make_slots(connection, "public.wide")
        connection.execute("UPDATE public.wide SET body = right(body, -13) || left(body, 13), number = 1")
        received = change_bounds(uri, connection)["pg_recvlogical"]
        lines.append(("every value changed", ingest(uri, work / "delta"), f"pg_recvlogical {received:.1f} s"))
        compare(connection, work / "delta")
        connection.execute("UPDATE public.wide SET number = number + 1")
        lines.append(("values not sent", ingest(uri, work / "delta"), ""))
        compare(connection, work / "delta")
    print(f"\n{before}; {options.rows:,} rows of {options.megabytes} MiB; contents equal by DuckDB.\n")
    print(
        "| what | wall s | beside it | MB a second | engine CPU s | peak RSS of one process | of the tree |"
    )
    print("|---|---|---|---|---|---|---|")
    megabytes = options.rows * (options.megabytes << 20) / 1e6
    for what, usage, beside in lines:
        print(
            f"| {what} | {usage.wall:.1f} | {beside} | {megabytes / usage.wall:.0f} | {usage.cpu:.1f} | "
            f"{usage.rss_largest / 1e6:.0f} MB | {usage.rss_peak / 1e6:.0f} MB |"
        )


if __name__ == "__main__":
    main()
