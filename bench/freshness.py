# SPDX-License-Identifier: Apache-2.0
"""How old is what a reader sees, while the source commits at a steady rate and freshet runs --continuous?

A writer commits updates of random ranges at the rate asked for, each stamped with a number that only grows; a reader in a
process of its own opens the table with delta-rs again and again and takes the largest stamp of the files it sees. A
transaction's age is the time from its COMMIT's return to the first look that shows its stamp. Contents are compared at
the end. Prints a table for bench/results.md.
Usage: bench/freshness.py [--rows 1000000] [--rate 20000] [--seconds 30] [--transaction 100]
"""

import argparse
import bisect
import multiprocessing
import pathlib
import random
import signal
import subprocess
import sys
import time

import psycopg
from deltalake import DeltaTable

from orders import conditions, ingest, ingest_command, loaded_server

from contents import assert_equal  # noqa: E402

LOOK_SECONDS = 0.01
CATCH_UP_SECONDS = 30.0
# customer_id carries the stamp: integers have exact bounds in every reader. Loaded rows stay below.
FIRST_STAMP, FIRST_MEASURED_STAMP = 1_000_000, 10_000_000


def watch(table: str, done, seen) -> None:
    """Put (time, largest stamp visible) whenever it grew."""
    largest = 0
    delta = DeltaTable(table)
    version = -1
    while not done.is_set():
        delta.update_incremental()
        if delta.version() != version:
            version = delta.version()
            bounds = delta.get_add_actions(flatten=True)
            names = (
                bounds.schema.names if hasattr(bounds.schema, "names") else [f.name for f in bounds.schema]
            )
            stamps = bounds.column(names.index("max.customer_id")).to_pylist()
            stamp = max((s for s in stamps if s is not None), default=0)
            if stamp > largest:
                largest = stamp
                seen.put((time.monotonic(), largest))
        time.sleep(LOOK_SECONDS)
    seen.put(None)


def write(
    uri: str, rows: int, rate: int, seconds: int, size: int, first_stamp: int
) -> list[tuple[float, int]]:
    """Commit at the rate for so long; return (time of the commit, stamp) of each transaction."""
    commits = []
    numbers = random.Random(1)
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        started = time.monotonic()
        while (now := time.monotonic()) < started + seconds:
            due = int((now - started) * rate / size)
            if len(commits) >= due:
                time.sleep(0.001)
                continue
            stamp = first_stamp + len(commits)
            low = numbers.randrange(1, rows - size)
            connection.execute(
                "UPDATE public.orders SET customer_id = %s, total = total + 1 WHERE id >= %s AND id < %s",
                (stamp, low, low + size),
            )
            commits.append((time.monotonic(), stamp))
    return commits


def ages(commits: list[tuple[float, int]], looks: list[tuple[float, int]]) -> list[float]:
    stamps = [stamp for _, stamp in looks]
    result = []
    for committed, stamp in commits:
        first = bisect.bisect_left(stamps, stamp)
        if first == len(stamps):
            sys.exit(f"bench: the transaction {stamp} was never seen")
        result.append(max(0.0, looks[first][0] - committed))
    return sorted(result)


def measure(uri: str, table: pathlib.Path, command: list[str], options) -> tuple[list, list]:
    """(commits, looks): writer and reader over a continuous run."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as engine:
        done, seen, looks = multiprocessing.Event(), multiprocessing.Queue(), []
        reader = multiprocessing.Process(target=watch, args=(str(table), done, seen))
        reader.start()
        try:
            write(
                uri, options.rows, options.rate, 5, options.transaction, FIRST_STAMP
            )  # until it runs steadily
            commits = write(
                uri, options.rows, options.rate, options.seconds, options.transaction, FIRST_MEASURED_STAMP
            )
            deadline = time.monotonic() + CATCH_UP_SECONDS
            while (not looks or looks[-1][1] < commits[-1][1]) and time.monotonic() < deadline:
                looks.append(seen.get(timeout=CATCH_UP_SECONDS))
        finally:
            done.set()
            while seen.get() is not None:
                pass
            reader.join()
            engine.send_signal(signal.SIGINT)
        engine.wait(timeout=60)
    return commits, looks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rate", type=int, default=20_000)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--transaction", type=int, default=100)
    options = parser.parse_args()
    before = conditions()
    with loaded_server(options.rows) as (work, uri, connection):
        ingest(uri, work / "delta")
        connection.execute("UPDATE public.orders SET total = total + 1 WHERE id < 1000")
        ingest(uri, work / "delta")  # the key index is built
        table = work / "delta/public/orders"
        commits, looks = measure(uri, table, ingest_command(uri, work / "delta", "--continuous"), options)
        ingest(uri, work / "delta")
        assert_equal(connection, work / "delta", "public.orders", readers=["duckdb"])
    aged = ages(commits, looks)
    changes = len(commits) * options.transaction
    print(
        f"\n{before}; {options.rows:,} rows, transactions of {options.transaction}; contents equal by DuckDB.\n"
    )
    print("| what | changes | a second | p50 ms | p90 ms | p99 ms | largest ms |")
    print("|---|---|---|---|---|---|---|")
    at = lambda part: 1000 * aged[min(len(aged) - 1, int(part * len(aged)))]  # noqa: E731
    print(
        f"| commit to readable by delta-rs | {changes:,} | {changes / options.seconds:,.0f} | {at(0.5):.0f} | "
        f"{at(0.9):.0f} | {at(0.99):.0f} | {1000 * aged[-1]:.0f} |"
    )


if __name__ == "__main__":
    main()
