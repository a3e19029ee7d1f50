# SPDX-License-Identifier: Apache-2.0
"""The same changes into the same table, as its rows are (SCD type 1), with every version kept (type 2), and by MERGE elsewhere.

freshet's figures hold all its work: reading the source's log, staging, applying. The MERGE of delta-rs and of Spark get the changed
rows as a Parquet file and the table already open, and only their MERGE is timed. Contents are compared: freshet's with the source, the
others' and the open versions with freshet's. Prints a table for bench/results.md.
Usage: bench/merges.py [--rows 2000000] [--changes 250000]
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys

from orders import TOP, conditions, ingest, loaded_server
from process_tree import run

from contents import assert_equal, duckdb_connection  # noqa: E402

SPARK = str(TOP / ".deps/spark/bin/python")
CHANGED = "updated_at >= TIMESTAMP '2027-01-01'"


def update(connection, every: int, ids: str) -> int:
    return connection.execute(
        "UPDATE public.orders SET total = total + 1, updated_at = timestamp '2027-01-01' + id * interval '1 us' "
        f"WHERE id % {every} = 0 AND {ids}"
    ).rowcount


def merge(rival: str, python: str, table: pathlib.Path, changes: pathlib.Path) -> dict:
    usage = run([python, str(TOP / "bench/rival_merges.py"), rival, str(table), str(changes)])
    if usage.status != 0:
        sys.exit(f"bench: {rival} ended with {usage.status}\n{usage.output}")
    return json.loads(usage.output.splitlines()[-1]) | {"rss": usage.rss_peak}


def equal_or_exit(duck, what: str, rows: str, expected: str) -> None:
    for one, other in ((rows, expected), (expected, rows)):
        count = duck.execute(f"SELECT count(*) FROM (({one}) EXCEPT ALL ({other}))").fetchone()[0]
        if count:
            sys.exit(f"bench: {what} differs in {count} rows")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--changes", type=int, default=250_000)
    options = parser.parse_args()
    subprocess.run([str(TOP / "tools/spark-setup")], check=True)
    before = conditions()
    every = max(1, options.rows // options.changes)
    results = []
    with loaded_server(options.rows) as (work, uri, connection):
        kinds = (
            ("freshet, SCD type 1", "one", []),
            ("freshet, SCD type 2", "two", ["--scd-type", "SCD_TYPE_2"]),
        )
        for _, folder, flags in kinds:
            ingest(uri, work / folder, *flags)
        duck = duckdb_connection()
        one = f"SELECT * FROM delta_scan('{work}/one/public/orders')"
        duck.execute(f"COPY ({one}) TO '{work}/rows.parquet'")
        for rival in ("delta-rs", "spark"):
            run(
                [
                    sys.executable,
                    str(TOP / "bench/rival_merges.py"),
                    "write",
                    str(work / rival),
                    f"{work}/rows.parquet",
                ]
            )
        few = update(connection, every, "id <= 10000")  # these build the key indexes
        for _, folder, flags in kinds:
            ingest(uri, work / folder, *flags)
        changed = update(connection, every, "id > 10000")
        connection.execute("CHECKPOINT")
        for name, folder, flags in kinds:
            usage = ingest(uri, work / folder, *flags)
            results.append((name, {"wall": usage.wall, "cpu": usage.cpu, "rss": usage.rss_peak}))
        assert_equal(connection, work / "one", "public.orders", readers=["duckdb"])
        duck.execute(f"COPY ({one} WHERE {CHANGED}) TO '{work}/changes.parquet'")
        for rival, python in (("delta-rs", sys.executable), ("spark", SPARK)):
            result = merge(rival, python, work / rival, work / "changes.parquet")
            results.append((f"MERGE by {rival}", result))
            equal_or_exit(duck, rival, f"SELECT * FROM delta_scan('{work / rival}')", one)
        columns = "* EXCLUDE (__START_AT, __END_AT)"
        versions = f"SELECT {columns} FROM delta_scan('{work}/two/public/orders') WHERE __END_AT IS NULL"
        equal_or_exit(duck, "SCD type 2", versions, one)
    print(
        f"\n{before}; {options.rows:,} rows, {changed:,} updates ({few} more for the MERGEs); contents equal.\n"
    )
    print("| what | wall s | changes a second | CPU s per 1 M | peak RSS of the tree |")
    print("|---|---|---|---|---|")
    for name, result in results:
        print(
            f"| {name} | {result['wall']:.2f} | {changed / result['wall']:,.0f} | {1e6 * result['cpu'] / changed:.2f} | "
            f"{result['rss'] / 1e6:.0f} MB |"
        )


if __name__ == "__main__":
    main()
