# SPDX-License-Identifier: Apache-2.0
"""Ten thousand tables on one slot: what do the first run, a run without news and a few changed tables take?

Peak RSS is of the whole process tree and has to stay below 1 GB. Row counts of every table and the contents of some are
compared. Prints a table for bench/results.md.
Usage: bench/many_tables.py [--tables 10000] [--rows 20] [--changed 100]
"""

import argparse
import pathlib
import random
import shutil
import sys
import tempfile

import psycopg
from deltalake import DeltaTable

from orders import conditions, server
from process_tree import Usage, run

from contents import assert_equal  # noqa: E402
from freshet_command import BINARY  # noqa: E402

TABLES_PER_TRANSACTION = 250
TABLE = """
CREATE TABLE many.{name} (id bigint PRIMARY KEY, name text NOT NULL, amount numeric(12,2), at timestamptz, note text);
INSERT INTO many.{name} SELECT i, 'row ' || i, i / 7.0, '2024-01-01'::timestamptz + i * interval '1 hour', md5(i::text)
FROM generate_series(1, {rows}) i;
"""


def make_tables(connection: psycopg.Connection, names: list[str], rows: int) -> None:
    connection.execute("CREATE SCHEMA many")
    for first in range(0, len(names), TABLES_PER_TRANSACTION):
        some = names[first : first + TABLES_PER_TRANSACTION]
        connection.execute("".join(TABLE.format(name=name, rows=rows) for name in some))
    connection.execute("CHECKPOINT")


def ingest(uri: str, destination: pathlib.Path) -> Usage:
    command = [str(BINARY), "ingest", uri, "--to", str(destination), "--quiet"]
    usage = run(command, timeout=3600)
    if usage.status != 0:
        sys.exit(f"bench: freshet ended with {usage.status}\n{usage.output[-4000:]}")
    return usage


def assert_counts(destination: pathlib.Path, names: list[str], rows: int) -> None:
    for name in names:
        actions = DeltaTable(str(destination / "many" / name)).get_add_actions(flatten=True)
        found = sum(actions.column(actions.schema.names.index("num_records")).to_pylist())
        if found < rows:
            sys.exit(f"bench: {name} has {found} rows instead of {rows}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=20)
    parser.add_argument("--changed", type=int, default=100)
    options = parser.parse_args()
    before = conditions()
    names = [f"t{number:05}" for number in range(options.tables)]
    some = random.Random(1).sample(names, min(options.changed, len(names)))
    work = pathlib.Path(tempfile.mkdtemp(prefix="freshet-bench-"))
    lines = []
    try:
        uri = server("start", work / "server", "-c", "max_locks_per_transaction=1024", "-c", "fsync=off")
        with psycopg.connect(uri, autocommit=True) as connection:
            make_tables(connection, names, options.rows)
            lines.append(("first run", ingest(uri, work / "delta")))
            assert_counts(work / "delta", names, options.rows)
            lines.append(("nothing new", ingest(uri, work / "delta")))
            for name in some:
                connection.execute(f"UPDATE many.{name} SET amount = amount + 1 WHERE id % 2 = 0")
            lines.append((f"{len(some)} tables changed", ingest(uri, work / "delta")))
            for name in names:
                connection.execute(f"INSERT INTO many.{name} VALUES (0, 'one more')")
            lines.append(("every table changed", ingest(uri, work / "delta")))
            for name in some[:20]:
                assert_equal(connection, work / "delta", f"many.{name}", readers=["duckdb"])
    finally:
        server("stop", work / "server")
        shutil.rmtree(work, ignore_errors=True)
    print(
        f"\n{before}; {options.tables:,} tables of {options.rows} rows on one slot; contents of some equal.\n"
    )
    print("| what | wall s | engine CPU s | peak RSS of the tree |")
    print("|---|---|---|---|")
    for what, usage in lines:
        print(f"| {what} | {usage.wall:.1f} | {usage.cpu:.1f} | {usage.rss_peak / 1e6:.0f} MB |")


if __name__ == "__main__":
    main()
