# SPDX-License-Identifier: Apache-2.0
"""What PostgreSQL and its own programs take for the same rows, to nothing: the bounds that a table of results stands beside."""

import subprocess
import time

import psycopg

from orders import receive_command
from process_tree import Usage, run

# Each is read once by pg_recvlogical, which moves it.
SLOTS = ("bench1", "bench2", "bench3")


def median(measure) -> float:
    return sorted(measure() for _ in range(3))[1]


def copies(uri: str, table: str, *conditions: str) -> float:
    """Seconds that parallel binary COPYs to /dev/null take, one for each condition."""
    started = time.monotonic()
    running = []
    for condition in conditions:
        sql = f"COPY (SELECT * FROM {table} WHERE {condition}) TO STDOUT (FORMAT binary)"
        running.append(subprocess.Popen(["psql", "-qX", uri, "-c", sql], stdout=subprocess.DEVNULL))
    for each in running:
        if each.wait(timeout=900) != 0:
            raise SystemExit(f"bench: {each.args} failed")
    return time.monotonic() - started


def snapshot_bounds(
    uri: str, connection: psycopg.Connection, table: str = "public.orders"
) -> dict[str, float]:
    """Seconds by name, medians of three."""
    blocks = connection.execute("SELECT pg_relation_size(%s::regclass) / 8192", (table,)).fetchone()[0]
    halves = [f"ctid < '({blocks // 2},0)'", f"ctid >= '({blocks // 2},0)'"]
    return {
        "one COPY": median(lambda: copies(uri, table, "true")),
        "two COPYs": median(lambda: copies(uri, table, *halves)),
    }


def make_slots(connection: psycopg.Connection, table: str = "public.orders") -> None:
    """What change_bounds reads: the table's changes from here on."""
    connection.execute(f"CREATE PUBLICATION bench FOR TABLE {table}")
    for slot in SLOTS:
        connection.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (slot,))


def receive(uri: str, slot: str, until: str) -> Usage:
    """pg_recvlogical over the slot up to a position, to /dev/null."""
    usage = run(receive_command(uri, slot, until))
    if usage.status != 0:
        raise SystemExit(f"bench: pg_recvlogical ended with {usage.status}\n{usage.output}")
    return usage


def peek(connection: psycopg.Connection, slot: str, until: str) -> float:
    """Seconds of decoding alone: within the server, nothing sent, the slot left where it is."""
    started = time.monotonic()
    with connection.transaction():
        # What is decoded is kept until all of it is; on disk it would cost more than it did to decode.
        connection.execute("SET LOCAL work_mem = '2GB'")
        connection.execute(
            "SELECT count(*) FROM pg_logical_slot_peek_binary_changes(%s, %s, NULL, 'proto_version', '1', "
            "'publication_names', 'bench')",
            (slot, until),
        )
    return time.monotonic() - started


def change_bounds(uri: str, connection: psycopg.Connection) -> dict[str, float]:
    """Seconds by name, medians of three, of all that was logged since make_slots."""
    until = connection.execute("SELECT pg_current_wal_flush_lsn()").fetchone()[0]
    left = list(SLOTS)
    return {
        "decoding alone": median(lambda: peek(connection, SLOTS[0], until)),
        "pg_recvlogical": median(lambda: receive(uri, left.pop(), until).wall),
    }
