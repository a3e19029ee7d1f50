# SPDX-License-Identifier: Apache-2.0
"""Does applying the same changes cost more when the table is larger?

Tables of the same kind and of each size; the same number of changes of random keys goes into each, round after round, once its key
index is built. Prints a table for bench/results.md: the cost must follow the changes, so ten times the table may cost 1.2 times.
Usage: bench/apply_growth.py [--rows 1000000 10000000] [--changes 250000] [--rounds 4]
"""

import argparse
import pathlib
import sys

from orders import conditions, ingest, loaded_server

from contents import assert_equal, duckdb_connection  # noqa: E402

# Keys all over the table, each once a round.
UPDATE = """
UPDATE public.orders SET total = total + 1, status = 'changed'
WHERE id IN (SELECT 1 + (i * 7919::bigint + {round}) % {rows} FROM generate_series(1, {changes}) AS i)
"""
# Larger tables are compared by sums: all their rows as text would not fit in memory.
COMPARED_ROWS_MAX = 20_000_000
SUMS = "count(*), sum(id), sum(total), sum(id * total), sum(CASE WHEN status = 'changed' THEN id ELSE 0 END)"


def compare(connection, destination: pathlib.Path, rows: int) -> None:
    if rows <= COMPARED_ROWS_MAX:
        assert_equal(connection, destination, "public.orders", readers=["duckdb"])
        return
    source = connection.execute(f"SELECT {SUMS} FROM public.orders").fetchone()
    table = f"delta_scan('{destination}/public/orders')"
    found = duckdb_connection().execute(f"SELECT {SUMS} FROM {table}").fetchone()
    if found != source:
        sys.exit(f"bench: sums of the source {source}, of the table {found}")


def cost(rows: int, changes: int, rounds: int) -> tuple[list[float], list[float]]:
    """(engine CPU seconds, wall seconds) of each round's ingestion; an ingestion without changes is taken off."""
    seconds, walls = [], []
    with loaded_server(rows) as (work, uri, connection):
        ingest(uri, work / "delta")
        connection.execute(UPDATE.format(round=0, rows=rows, changes=1000))
        ingest(uri, work / "delta")  # the key index is built
        idle = ingest(uri, work / "delta")
        for number in range(1, rounds + 1):
            connection.execute(UPDATE.format(round=number, rows=rows, changes=changes))
            usage = ingest(uri, work / "delta")
            seconds.append(usage.cpu - idle.cpu)
            walls.append(usage.wall - idle.wall)
        compare(connection, work / "delta", rows)
    return seconds, walls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--changes", type=int, default=250_000)
    parser.add_argument("--rounds", type=int, default=4)
    options = parser.parse_args()
    before = conditions()
    costs = {rows: cost(rows, options.changes, options.rounds) for rows in options.rows}
    print(
        f"\n{before}; {options.rounds} rounds of {options.changes:,} updates of random keys, rounds without changes taken off; "
        "contents equal by DuckDB.\n"
    )
    print(
        "| table | engine CPU s a round | engine CPU s per 1 M changes | beside the first | wall s in all |"
    )
    print("|---|---|---|---|---|")
    least = sum(costs[options.rows[0]][0])
    for rows, (seconds, walls) in costs.items():
        each = ", ".join(f"{s:.2f}" for s in seconds)
        print(
            f"| {rows:,} rows | {each} | {1e6 * sum(seconds) / (options.rounds * options.changes):.2f} | "
            f"{sum(seconds) / least:.2f} | {sum(walls):.1f} |"
        )


if __name__ == "__main__":
    main()
