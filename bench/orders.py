# SPDX-License-Identifier: Apache-2.0
"""The table that the benches over a real server share, and how they make a server, load it, run freshet and report."""

import datetime
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager

import psycopg

from process_tree import Usage, run

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "test/real"))
from freshet_command import BINARY  # noqa: E402

PG_BIN = pathlib.Path(os.environ.get("PG_BIN", "/usr/lib/postgresql/15/bin"))

# 17 columns of the usual kinds, about 240 bytes a row in the table.
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


@contextmanager
def empty_server():
    """A server of its own: yields (work directory, URI, open connection)."""
    work = pathlib.Path(tempfile.mkdtemp(prefix="freshet-bench-"))
    try:
        uri = server("start", work / "server", "-c", "max_wal_size=8GB", "-c", "shared_buffers=512MB")
        with psycopg.connect(uri, autocommit=True) as connection:
            yield work, uri, connection
    finally:
        server("stop", work / "server")
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def loaded_server(rows: int):
    """One with that many orders."""
    with empty_server() as (work, uri, connection):
        connection.execute(TABLE)
        connection.execute(FILL.format(first=1, last=rows))
        connection.execute("VACUUM (FREEZE, ANALYZE) public.orders")
        connection.execute("CHECKPOINT")
        yield work, uri, connection


def ingest_command(uri: str, destination: pathlib.Path, *options: str) -> list[str]:
    return [
        str(BINARY),
        "ingest",
        uri,
        "--to",
        str(destination),
        "--tables",
        "public.orders",
        "--json",
        *options,
    ]


def ingest(uri: str, destination: pathlib.Path, *options: str) -> Usage:
    usage = run(ingest_command(uri, destination, *options))
    if usage.status != 0:
        sys.exit(f"bench: freshet ended with {usage.status}\n{usage.output}")
    return usage


def receive_command(uri: str, slot: str, until: str) -> list[str]:
    """pg_recvlogical of the publication `bench` up to a position, to /dev/null."""
    options = ["-o", "proto_version=1", "-o", "publication_names=bench", "-F", "0"]
    program = str(PG_BIN / "pg_recvlogical")
    return [program, "-d", uri, "-S", slot, "--start", "-f", "/dev/null", "-n", "--endpos", until, *options]


def conditions() -> str:
    """Date, revision, machine, load: what every table of results begins with. The revision is that of the sources beside the
    binary that is measured, $FRESHET or this tree's."""
    lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")),
        "unknown processor",
    )
    memory = int(pathlib.Path("/proc/meminfo").read_text(encoding="ascii").split()[1]) / (1 << 20)
    revision = subprocess.run(
        ["git", "-C", str(BINARY.parent), "rev-parse", "--short", "HEAD"], capture_output=True, text=True
    ).stdout.strip()
    return (
        f"{datetime.date.today().isoformat()}, revision {revision}, {model}, {memory:.0f} GiB, "
        f"{os.cpu_count()} cores shared with PostgreSQL, load {os.getloadavg()[0]:.1f}"
    )
