# SPDX-License-Identifier: Apache-2.0
"""How soon does a killed freshet stream again, and what of a first reading is done twice?

Restarts: freshet runs --continuous on a table that is current, is killed with its workers (SIGKILL), and is started again at
once; the time to the first look that shows its slot read again, and to the one that shows a row, written while nothing ran, in
the Delta table by delta-rs. Reading: the command is killed, and its view of the source with it, when half of the chunks of a first
reading are staged; counted are those of them that the next run reads again, and, by the server's own count, how many rows the two runs
had it read beyond the table's: chunks that were under way as well. Contents are compared at the end. Prints a table for
bench/results.md.
Usage: bench/restart.py [--rows 1000000] [--restarts 7] [--read-rows 4000000]
"""

import argparse
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import time

from deltalake import DeltaTable

from orders import conditions, ingest, ingest_command, loaded_server

from contents import assert_equal  # noqa: E402

PATIENCE_SECONDS = 120.0
LOOK_SECONDS = 0.005


def until(what, why: str) -> float:
    """Look until `what` is true; the time of that look."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not what():
        if time.monotonic() > deadline:
            sys.exit(f"bench: waited too long for {why}")
        time.sleep(LOOK_SECONDS)
    return time.monotonic()


class Engine:
    """A run in a process group of its own, so that all of it is killed at once."""

    def __init__(self, command: list[str]):
        self.started = time.monotonic()
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)

    def kill(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=60)


def restarts(connection, uri: str, folder: pathlib.Path, count: int) -> list[tuple[float, float]]:
    """(seconds to streaming, seconds to a row in the table) of each restart."""
    streams = lambda: connection.execute(  # noqa: E731
        "SELECT count(*) FROM pg_replication_slots WHERE NOT temporary AND active"
    ).fetchone()[0]
    command = ingest_command(uri, folder, "--continuous")
    times = []
    engine = Engine(command)
    until(streams, "the first stream")
    for number in range(count):
        engine.kill()
        until(lambda: not streams(), "the end of the killed one's session")
        table = DeltaTable(str(folder / "public/orders"))
        stamp = 1_000_000_000 + number
        connection.execute("UPDATE public.orders SET customer_id = %s WHERE id = 1", (stamp,))
        engine = Engine(command)
        streaming = until(streams, "the stream's return")

        def shows(table=table, stamp=stamp):
            table.update_incremental()
            largest = table.get_add_actions(flatten=True).column("max.customer_id").to_pylist()
            return max((each for each in largest if each is not None), default=0) >= stamp

        readable = until(shows, "the row")
        times.append((streaming - engine.started, readable - engine.started))
    engine.stop()
    return times


def chunks(folder: pathlib.Path) -> tuple[int, list[tuple[int, int]]]:
    """How many there are, and (number, rows) of those that are staged, each as often as it was."""
    planned, done = 0, []
    for path in sorted(folder.glob("_freshet/staging/segments/*/*.json")):
        for entry in json.loads(path.read_text())["entries"]:
            if entry["kind"] == "generation_begun":
                planned = entry["chunks"]
            elif entry["kind"] == "rest_begun":
                planned = len(entry["plan"])
            elif entry["kind"] == "chunk_done":
                done.append((entry["chunk"], entry["rows"]))
    return planned, done


def rows_read(connection) -> int:
    """Of the table by all sessions that have ended."""
    return connection.execute(
        "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relid = 'public.orders'::regclass"
    ).fetchone()[0]


def killed_reading(connection, uri: str, folder: pathlib.Path) -> tuple[int, int, int, int]:
    """(chunks of the table, those staged at the kill, those of them read again, rows the server read) of a first reading."""
    read = rows_read(connection)
    engine = Engine(ingest_command(uri, folder))

    def half():
        planned, done = chunks(folder)
        return planned and 2 * len(done) >= planned

    until(half, "half of the chunks")
    engine.kill()
    planned, before = chunks(folder)
    ingest(uri, folder)
    _, after = chunks(folder)
    staged = {number for number, _ in before}
    again = sum(number in staged for number, _ in after[len(before) :])
    return planned, len(before), again, rows_read(connection) - read


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--restarts", type=int, default=7)
    parser.add_argument("--read-rows", type=int, default=4_000_000)
    options = parser.parse_args()
    before = conditions()
    with loaded_server(options.rows) as (work, uri, connection):
        ingest(uri, work / "delta")
        times = restarts(connection, uri, work / "delta", options.restarts)
        ingest(uri, work / "delta")
        assert_equal(connection, work / "delta", "public.orders", readers=["duckdb"])
    with loaded_server(options.read_rows) as (work, uri, connection):
        planned, staged, again, read = killed_reading(connection, uri, work / "delta")
        assert_equal(connection, work / "delta", "public.orders", readers=["duckdb"])
    streaming, readable = zip(*times)
    print(f"\n{before}; {options.restarts} restarts over {options.rows:,} rows; contents equal by DuckDB.\n")
    print("| what | median s | largest s |")
    print("|---|---|---|")
    print(f"| SIGKILL, start → streaming | {statistics.median(streaming):.2f} | {max(streaming):.2f} |")
    print(f"| … → a row of in between readable | {statistics.median(readable):.2f} | {max(readable):.2f} |")
    more = read - options.read_rows
    print(
        f"\nA first reading of {options.read_rows:,} rows, killed with {staged} of {planned} chunks staged, its view "
        f"lost: {again} of those read again; {more:,} rows, {more * planned / options.read_rows:.2f} chunks, read twice in all."
    )


if __name__ == "__main__":
    main()
