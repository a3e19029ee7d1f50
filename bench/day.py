# SPDX-License-Identifier: Apache-2.0
"""Does a table stay quick to read while a day goes by in which every minute changes one row in a hundred?

freshet runs --continuous; every "minute" one transaction updates random rows, and the next begins once the table has it, so
that each minute is a commit of its own, and after a second's rest: a minute is longer than its work. Then the whole table is read, by
DuckDB and by delta-rs, turn by turn with a table that was written anew from the same rows. Contents are compared. Prints a table for
bench/results.md: the ratio must stay below 1.2.
Usage: bench/day.py [--rows 1000000] [--minutes 1440] [--looks 7]
"""

import argparse
import json
import pathlib
import resource
import signal
import statistics
import subprocess
import sys
import time

from deltalake import DeltaTable, QueryBuilder

from orders import conditions, ingest, ingest_command, loaded_server

from contents import assert_equal, duckdb_connection  # noqa: E402

REST_SECONDS = 1.0
UPDATE = """
UPDATE public.orders SET total = total + 1, status = 'minute {minute}', updated_at = updated_at + interval '1 minute'
WHERE id IN (SELECT 1 + (random() * {rows})::bigint % {rows} FROM generate_series(1, {rows} / 100))
"""


def live_a_day(connection, command: list[str], rows: int, minutes: int) -> tuple[int, float]:
    """(rows updated, engine CPU seconds) of a continuous run over that many minutes' updates."""
    changed = applied = 0
    connection.execute("SELECT setseed(0.5)")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as engine:
        for minute in range(minutes):
            changed += connection.execute(UPDATE.format(minute=minute, rows=rows)).rowcount
            while applied < changed:
                line = engine.stdout.readline()
                if not line:
                    sys.exit("bench: freshet ended")
                event = json.loads(line)
                if event["event"] == "table_committed":
                    applied += event["updated"]
            time.sleep(REST_SECONDS)
        engine.send_signal(signal.SIGINT)
        engine.communicate(timeout=120)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return changed, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def files_of(table: pathlib.Path, living: int) -> str:
    """How many live files, their bytes and the share of their rows that is dead."""
    actions = DeltaTable(str(table)).get_add_actions(flatten=True)
    size, rows = (sum(actions.column(name).to_pylist()) for name in ("size_bytes", "num_records"))
    return f"{actions.num_rows} files, {size / 1e6:.0f} MB, {100 * (rows - living) / rows:.0f} % of their rows dead"


def by_duckdb(table: pathlib.Path) -> float:
    connection = duckdb_connection()
    started = time.monotonic()
    connection.execute(f"SELECT max(COLUMNS(*)) FROM delta_scan('{table}')").to_arrow_table()
    return time.monotonic() - started


def by_delta_rs(table: pathlib.Path) -> float:
    started = time.monotonic()
    delta = DeltaTable(str(table))
    columns = ", ".join(f"max({field.name})" for field in delta.schema().fields)
    QueryBuilder().register("t", delta).execute(f"SELECT {columns} FROM t").read_all()
    return time.monotonic() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--minutes", type=int, default=1440)
    parser.add_argument("--looks", type=int, default=7)
    options = parser.parse_args()
    before = conditions()
    with loaded_server(options.rows) as (work, uri, connection):
        ingest(uri, work / "aged")
        command = ingest_command(uri, work / "aged", "--continuous")
        started = time.monotonic()
        changed, cpu = live_a_day(connection, command, options.rows, options.minutes)
        seconds = time.monotonic() - started
        ingest(uri, work / "fresh")
        assert_equal(connection, work / "aged", "public.orders", readers=["duckdb"])
        aged, fresh = work / "aged/public/orders", work / "fresh/public/orders"
        print(f"\n{before}; {options.rows:,} rows, {options.minutes:,} minutes; contents equal by DuckDB.")
        print(
            f"{changed:,} updates in {seconds:.0f} s, {1e6 * cpu / changed:.2f} engine CPU s per 1 M, compaction in it.\n"
        )
        print("| the whole table read by | aged, s | written anew, s | ratio |")
        print("|---|---|---|---|")
        for reader, read in (("DuckDB", by_duckdb), ("delta-rs", by_delta_rs)):
            times = [(read(aged), read(fresh)) for _ in range(options.looks)]
            old, new = (statistics.median(side) for side in zip(*times))
            print(f"| {reader} | {old:.2f} | {new:.2f} | {old / new:.2f} |")
        print(f"\nAged: {files_of(aged, options.rows)}. Written anew: {files_of(fresh, options.rows)}.")


if __name__ == "__main__":
    main()
