# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL to Delta on one machine with its source: how close to the server's own speed?

Snapshot beside one and two parallel binary COPYs to /dev/null; changes beside pg_recvlogical to /dev/null over the same log, and
beside the server that decodes it and sends nothing. Contents are compared after both. Prints a table for bench/results.md.
Usage: bench/postgres_road.py [--rows 2000000] [--changes 500000]
"""

import argparse
import pathlib

import psycopg

from bounds import change_bounds, make_slots, snapshot_bounds
from orders import FILL, conditions, ingest, loaded_server
from process_tree import Usage

from contents import assert_equal  # noqa: E402


def bytes_below(directory: pathlib.Path) -> int:
    seen: dict[tuple[int, int], int] = {}
    for path in directory.rglob("*"):
        stat = path.stat()
        if path.is_file():
            seen[(stat.st_dev, stat.st_ino)] = stat.st_size
    return sum(seen.values())


def change(connection: psycopg.Connection, rows: int, changes: range) -> None:
    """Updates 70 %, inserts 20 %, deletes 10 %, in transactions of 1,000 rows."""
    for first in changes:
        kind = (first // 1000) % 10
        low = (first * 31) % (rows - 1000)
        with connection.transaction():
            if kind < 7:
                connection.execute(
                    "UPDATE public.orders SET status = 'changed', total = total + 1, updated_at = updated_at + interval '1 s' "
                    "WHERE id > %s AND id <= %s",
                    (low, low + 1000),
                )
            elif kind < 9:
                connection.execute(FILL.format(first=rows + first + 1, last=rows + first + 1000))
            else:
                # The thousand rows inserted just before.
                connection.execute(
                    "DELETE FROM public.orders WHERE id > %s AND id <= %s",
                    (rows + first - 1000, rows + first),
                )


def report(title: str, count: int, bounds: dict[str, float], usage: Usage) -> None:
    ours = count / usage.wall
    beside = "; ".join(
        f"{name} {count / bound:,.0f}/s, ours {100 * bound / usage.wall:.0f} %"
        for name, bound in bounds.items()
    )
    print(
        f"| {title} | {count:,} | {ours:,.0f}/s | {beside} | {1e6 * usage.cpu / count:.2f} | {usage.rss_peak / 1e6:.0f} MB |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--changes", type=int, default=500_000)
    options = parser.parse_args()
    before = conditions()
    with loaded_server(options.rows) as (work, uri, connection):
        row_bytes = connection.execute(
            "SELECT avg(pg_column_size(o.*))::int FROM (SELECT * FROM public.orders LIMIT 10000) o"
        ).fetchone()[0]
        read = snapshot_bounds(uri, connection)
        first = ingest(uri, work / "delta")
        size = bytes_below(work / "delta")
        assert_equal(connection, work / "delta", "public.orders", readers=["duckdb"])

        # The first changes build the key index, once a table: a line of its own.
        change(connection, options.rows, range(0, 10_000, 1000))
        indexed = ingest(uri, work / "delta")
        make_slots(connection)
        change(connection, options.rows, range(10_000, 10_000 + options.changes, 1000))
        decoded = change_bounds(uri, connection)
        second = ingest(uri, work / "delta")
        assert_equal(connection, work / "delta", "public.orders", readers=["duckdb"])

    print(
        f"\n{before}; {row_bytes} B a row, 17 columns; bounds are medians of three, ours one run; contents equal by "
        f"DuckDB; output {size / 1e6:.0f} MB after the snapshot.\n"
    )
    print("| what | rows | ours | beside it | engine CPU s per 1 M | peak RSS of the tree |")
    print("|---|---|---|---|---|---|")
    report("snapshot", options.rows, read, first)
    report("first 10,000 changes, index built", 10_000, {}, indexed)
    report("changes", options.changes, decoded, second)


if __name__ == "__main__":
    main()
