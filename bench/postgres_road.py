# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL to Delta on one machine with its source: how close to the server's own speed?

Snapshot beside two parallel binary COPYs to /dev/null; changes beside pg_recvlogical to /dev/null over the same log. Contents
are compared after both. Prints a table for bench/results.md. Usage: bench/postgres_road.py [--rows 2000000] [--changes 500000]
"""

import argparse
import datetime
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import psycopg

from process_tree import Usage, run

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "test/real"))
from contents import assert_equal  # noqa: E402

PG_BIN = pathlib.Path(os.environ.get("PG_BIN", "/usr/lib/postgresql/15/bin"))

# 17 columns of the usual kinds, about 225 bytes a row in the table.
TABLE = """
CREATE TABLE public.orders (
  id bigint PRIMARY KEY, customer_id int NOT NULL, store_id smallint, placed_at timestamptz NOT NULL, ship_on date,
  status text NOT NULL, total numeric(12,2) NOT NULL, tax numeric(10,4), discount double precision, weight real,
  gift boolean, email varchar(80), address text, reference uuid, note text, updated_at timestamp, payload jsonb)
"""
FILL = """
INSERT INTO public.orders
SELECT i, (i * 7919) % 200000, i % 300, timestamptz '2024-01-01 00:00:00+00' + i * interval '13 seconds',
  date '2024-01-02' + (i % 700)::int, (ARRAY['new','paid','packed','shipped','returned'])[1 + i % 5],
  ((i * 37) % 1000000) / 100.0, ((i * 11) % 100000) / 10000.0, (i % 100) / 7.0, (i % 1000) / 3.0, i % 9 = 0,
  'customer' || (i * 7919) % 200000 || '@example.org', (i % 999) || ' Some Street, Town ' || i % 5000,
  md5(i::text)::uuid, CASE WHEN i % 4 = 0 THEN NULL ELSE 'note ' || md5((i / 3)::text) END,
  timestamp '2024-01-01' + i * interval '17 seconds', jsonb_build_object('k', i % 1000, 'source', 'web')
FROM generate_series({first}::bigint, {last}) AS i
"""


def server(command: str, directory: pathlib.Path, *options: str) -> str:
    arguments = [str(TOP / "tools/postgres-real.sh"), command, str(directory), *options]
    return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout.strip()


def drain(process: subprocess.Popen) -> None:
    if process.wait(timeout=900) != 0:
        sys.exit(f"bench: {process.args} failed")


def two_copies(uri: str, blocks: int) -> float:
    """Seconds that two parallel binary COPYs of half the table each take, to /dev/null."""
    middle = blocks // 2
    halves = [f"ctid < '({middle},0)'", f"ctid >= '({middle},0)'"]
    started = time.monotonic()
    copies = [
        subprocess.Popen(
            [
                "psql",
                "-qX",
                uri,
                "-c",
                f"COPY (SELECT * FROM public.orders WHERE {half}) TO STDOUT (FORMAT binary)",
            ],
            stdout=subprocess.DEVNULL,
        )
        for half in halves
    ]
    for copy in copies:
        drain(copy)
    return time.monotonic() - started


def receive(uri: str, slot: str, until: str) -> float:
    """Seconds that pg_recvlogical takes to read the slot up to a position, to /dev/null."""
    started = time.monotonic()
    drain(
        subprocess.Popen(
            [
                str(PG_BIN / "pg_recvlogical"),
                "-d",
                uri,
                "-S",
                slot,
                "--start",
                "-f",
                "/dev/null",
                "-n",
                "--endpos",
                until,
                "-o",
                "proto_version=1",
                "-o",
                "publication_names=bench",
                "-F",
                "0",
            ],
            stderr=subprocess.DEVNULL,
        )
    )
    return time.monotonic() - started


def ingest(uri: str, destination: pathlib.Path) -> Usage:
    usage = run(
        [
            str(TOP / "bin/freshet"),
            "ingest",
            uri,
            "--to",
            str(destination),
            "--tables",
            "public.orders",
            "--json",
        ]
    )
    if usage.status != 0:
        sys.exit(f"bench: freshet ended with {usage.status}\n{usage.output}")
    return usage


def bytes_below(directory: pathlib.Path) -> int:
    seen: dict[tuple[int, int], int] = {}
    for path in directory.rglob("*"):
        stat = path.stat()
        if path.is_file():
            seen[(stat.st_dev, stat.st_ino)] = stat.st_size
    return sum(seen.values())


def change(connection: psycopg.Connection, rows: int, changes: int) -> None:
    """Updates 70 %, inserts 20 %, deletes 10 %, in transactions of 1,000 rows."""
    for first in range(0, changes, 1000):
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


def machine() -> str:
    lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")),
        "unknown processor",
    )
    memory = int(pathlib.Path("/proc/meminfo").read_text(encoding="ascii").split()[1]) / (1 << 20)
    return f"{model}, {memory:.0f} GiB"


def report(title: str, count: int, bound_name: str, bound: float, usage: Usage) -> None:
    ours, theirs = count / usage.wall, count / bound
    print(
        f"| {title} | {count:,} | {ours:,.0f}/s | {bound_name} {theirs:,.0f}/s | {100 * ours / theirs:.0f} % | "
        f"{1e6 * usage.cpu / count:.2f} | {usage.rss_peak / 1e6:.0f} MB |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--changes", type=int, default=500_000)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    work = pathlib.Path(tempfile.mkdtemp(prefix="freshet-bench-"))
    try:
        uri = server("start", work / "server", "-c", "max_wal_size=8GB", "-c", "shared_buffers=512MB")
        with psycopg.connect(uri, autocommit=True) as connection:
            connection.execute(TABLE)
            connection.execute(FILL.format(first=1, last=options.rows))
            connection.execute("VACUUM (FREEZE, ANALYZE) public.orders")
            connection.execute("CHECKPOINT")
            blocks, row_bytes, version = connection.execute(
                "SELECT pg_relation_size('public.orders') / 8192, (SELECT avg(pg_column_size(o.*))::int FROM "
                "(SELECT * FROM public.orders LIMIT 10000) o), current_setting('server_version')"
            ).fetchone()
            copies = sorted(two_copies(uri, blocks) for _ in range(3))[1]
            first = ingest(uri, work / "delta")
            size = bytes_below(work / "delta")
            assert_equal(connection, work / "delta", "public.orders", readers=["duckdb"])

            connection.execute("CREATE PUBLICATION bench FOR TABLE public.orders")
            slots = ["bench1", "bench2", "bench3"]
            for slot in slots:
                connection.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (slot,))
            change(connection, options.rows, options.changes)
            until = connection.execute("SELECT pg_current_wal_flush_lsn()").fetchone()[0]
            received = sorted(receive(uri, slot, until) for slot in slots)[1]
            second = ingest(uri, work / "delta")
            assert_equal(connection, work / "delta", "public.orders", readers=["duckdb"])

        today = datetime.date.today().isoformat()
        revision = subprocess.run(
            ["git", "-C", str(TOP), "rev-parse", "--short", "HEAD"], capture_output=True, text=True
        ).stdout.strip()
        print(
            f"\n{today}, revision {revision}, {machine()}, load before {load:.1f}; "
            f"{os.cpu_count()} cores shared with PostgreSQL {version}, {row_bytes} B a row, 17 columns; "
            f"bounds are medians of three, ours one run; contents equal by DuckDB; output {size / 1e6:.0f} MB after the snapshot.\n"
        )
        print("| what | rows | ours | bound | ours / bound | engine CPU s per 1 M | peak RSS of the tree |")
        print("|---|---|---|---|---|---|---|")
        report("snapshot", options.rows, "two COPYs", copies, first)
        report("changes", options.changes, "pg_recvlogical", received, second)
    finally:
        server("stop", work / "server")
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
