# SPDX-License-Identifier: Apache-2.0
"""Does applying the same changes cost more when the table is ten times as large?

Two tables of the same kind, one ten times the other; the same number of changes of random keys goes into each, round after
round, once its key index is built. Prints a table for bench/results.md: the cost must follow the changes.
Usage: bench/apply_growth.py [--rows 300000] [--changes 60000] [--rounds 4]
"""

import argparse

from orders import conditions, ingest, loaded_server

from contents import assert_equal  # noqa: E402

# Keys all over the table, each once a round.
UPDATE = """
UPDATE public.orders SET total = total + 1, status = 'changed'
WHERE id IN (SELECT 1 + (i * 7919::bigint + {round}) % {rows} FROM generate_series(1, {changes}) AS i)
"""


def cost(rows: int, changes: int, rounds: int) -> list[float]:
    """Engine CPU seconds of each round's ingestion; an ingestion without changes is taken off."""
    seconds = []
    with loaded_server(rows) as (work, uri, connection):
        ingest(uri, work / "delta")
        connection.execute(UPDATE.format(round=0, rows=rows, changes=1000))
        ingest(uri, work / "delta")  # the key index is built
        idle = ingest(uri, work / "delta").cpu
        for number in range(1, rounds + 1):
            connection.execute(UPDATE.format(round=number, rows=rows, changes=changes))
            seconds.append(ingest(uri, work / "delta").cpu - idle)
        assert_equal(connection, work / "delta", "public.orders", readers=["duckdb"])
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--changes", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=4)
    options = parser.parse_args()
    before = conditions()
    small, large = (cost(rows, options.changes, options.rounds) for rows in (options.rows, 10 * options.rows))
    print(f"\n{before}; {options.rounds} rounds of {options.changes:,} updates; contents equal by DuckDB.\n")
    print("| table | engine CPU s a round | engine CPU s per 1 M changes |")
    print("|---|---|---|")
    for rows, seconds in ((options.rows, small), (10 * options.rows, large)):
        each = ", ".join(f"{s:.2f}" for s in seconds)
        print(f"| {rows:,} rows | {each} | {1e6 * sum(seconds) / (options.rounds * options.changes):.2f} |")
    print(f"\nTen times the table: {sum(large) / sum(small):.2f} times the cost.")


if __name__ == "__main__":
    main()
