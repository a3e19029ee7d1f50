# SPDX-License-Identifier: Apache-2.0
"""What does it cost that tables tell which rows each commit changed, and that they keep the rows' past (SCD type 2)?

The same changes of random keys go into destinations of the same table that differ in their options, round after round, once
their key indexes are built. Contents are compared. Prints a table for bench/results.md: engine CPU and bytes written, and the CPU
beside that of a table with neither.
Usage: bench/change_feed.py [--rows 1000000] [--changes 200000] [--rounds 3]
"""

import argparse
import pathlib

from orders import conditions, ingest, loaded_server

from contents import assert_equal  # noqa: E402

UPDATE = """
UPDATE public.orders SET total = total + 1, status = 'changed'
WHERE id IN (SELECT 1 + (i * 7919::bigint + {round}) % {rows} FROM generate_series(1, {changes}) AS i)
"""
DESTINATIONS = {
    "SCD_TYPE_1, no feed": [],
    "SCD_TYPE_1, change data feed": ["--change-data-feed"],
    "SCD_TYPE_2, no feed": ["--scd-type", "SCD_TYPE_2"],
    "SCD_TYPE_2, change data feed": ["--scd-type", "SCD_TYPE_2", "--change-data-feed"],
}


def size(folder: pathlib.Path) -> int:
    return sum(file.stat().st_size for file in (folder / "public").rglob("*") if file.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--changes", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    before = conditions()
    seconds = {name: [] for name in DESTINATIONS}
    written = dict.fromkeys(DESTINATIONS, 0)
    with loaded_server(options.rows) as (work, uri, connection):
        places = {name: work / f"delta-{i}" for i, name in enumerate(DESTINATIONS)}

        def run(name: str) -> float:
            return ingest(uri, places[name], *DESTINATIONS[name]).cpu

        for name in DESTINATIONS:
            run(name)
        connection.execute(UPDATE.format(round=0, rows=options.rows, changes=1000))
        for name in DESTINATIONS:
            run(name)  # the key index is built
        idle = {name: run(name) for name in DESTINATIONS}
        for number in range(1, options.rounds + 1):
            connection.execute(UPDATE.format(round=number, rows=options.rows, changes=options.changes))
            for name in DESTINATIONS:
                held = size(places[name])
                seconds[name].append(run(name) - idle[name])
                written[name] += size(places[name]) - held
        for place in places.values():
            assert_equal(connection, place, "public.orders", readers=["duckdb"])
    total = options.rounds * options.changes
    print(
        f"\n{before}; {options.rounds} rounds of {options.changes:,} updates of {options.rows:,} rows; contents equal by DuckDB.\n"
    )
    print("| table | engine CPU s per 1 M changes | beside the first | bytes written a change |")
    print("|---|---|---|---|")
    least = sum(next(iter(seconds.values())))
    for name, each in seconds.items():
        print(
            f"| {name} | {1e6 * sum(each) / total:.2f} | {sum(each) / least:.2f} | {written[name] / total:.0f} |"
        )


if __name__ == "__main__":
    main()
