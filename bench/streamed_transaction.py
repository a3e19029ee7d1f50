# SPDX-License-Identifier: Apache-2.0
"""How long after its COMMIT is a large transaction readable, and what does it cost the server while it is open?

Freshet runs --continuous. A transaction inserts --rows rows, waits, and commits; the table's log is watched until all of
them are in it. The binary of $FRESHET (bin/freshet unless told) is measured, so that two can be compared.
Usage: bench/streamed_transaction.py [--rows 400000] [--times 3]
"""

import argparse
import json
import pathlib
import shutil
import sys
import tempfile
import time

from orders import conditions
from process_tree import rss_peak_of

from contents import assert_equal, commits  # noqa: E402
from freshet_command import Freshet, wait_until  # noqa: E402
from postgres_server import Server  # noqa: E402

INSERT = "INSERT INTO t SELECT i, i %% 100, md5(i::text) || repeat('v', 168), now() FROM generate_series(%s::bigint, %s) i"


def rows_in(table: pathlib.Path) -> int:
    rows = 0
    for actions in commits(table).values():
        for action in actions:
            if "add" in action and action["add"].get("dataChange", True):
                rows += json.loads(action["add"]["stats"])["numRecords"]
    return rows


def peak(run) -> dict[str, int]:
    """The peak resident memory of each worker, in MB."""
    return {role: rss_peak_of(run.worker(role)) // (1 << 20) for role in ("gateway", "update")}


def measure(server, rows: int, times: int) -> None:
    database = server.create_database()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="freshet-bench-"))
    freshet = Freshet(database.url, directory / "lake")
    try:
        database.execute("CREATE TABLE t (id bigint PRIMARY KEY, n int, v text, at timestamptz)")
        run = freshet.start("--continuous")
        table = freshet.destination / "public" / "t"
        wait_until(lambda: (table / "_delta_log").is_dir() and run.events("table_current"))
        for number in range(times):
            expected = rows * (number + 1)
            with database.another() as connection, connection.transaction():
                connection.execute(INSERT, (rows * number + 1, expected))
                # Long enough to have sent what is sent before the commit.
                time.sleep(5)
                began = time.monotonic()
            committed = time.monotonic()
            wait_until(lambda: rows_in(table) == expected, "the transaction", interval=0.01)
            print(
                f"COMMIT took {committed - began:.2f} s, readable {time.monotonic() - committed:.2f} s after it",
                flush=True,
            )
        assert_equal(database.connection, freshet.destination, "public.t")
        counts = database.rows(
            "SELECT spill_bytes >> 20, stream_bytes >> 20, total_bytes >> 20 FROM pg_stat_replication_slots "
            "WHERE slot_name IN (SELECT slot_name FROM pg_replication_slots WHERE database = %s)",
            (database.name,),
        )
        print(f"MB spilled, streamed, sent in all: {counts}; peak resident MB {peak(run)}", flush=True)
        run.stop()
    finally:
        freshet.close()
        database.drop()
        shutil.rmtree(directory, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--times", type=int, default=3)
    arguments = parser.parse_args()
    print(conditions())
    server = Server(tempfile.mkdtemp(prefix="freshet-real-", dir="/tmp")).start()
    try:
        measure(server, arguments.rows, arguments.times)
    finally:
        server.destroy()
    return 0


if __name__ == "__main__":
    sys.exit(main())
