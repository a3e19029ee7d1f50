# SPDX-License-Identifier: Apache-2.0
"""A table into Delta by others that are fast at it, and by freshet, in one run: how do they compare?

connectorx and ADBC read PostgreSQL into Arrow, delta-rs writes. They load once and keep nothing up to date; freshet's run
also makes its slot and drains the changes. Row counts are compared for them, contents for ours. Prints a table for
bench/results.md. Usage: bench/rivals.py [--rows 2000000]
"""

import argparse
import shutil
import subprocess
import sys

from deltalake import DeltaTable

from orders import TOP, conditions, ingest, loaded_server
from process_tree import Usage, run

from contents import assert_equal  # noqa: E402

ENVIRONMENT = TOP / ".deps/bench"
REQUIREMENTS = TOP / "bench/requirements.txt"


def set_up() -> None:
    """The rivals' packages, in an environment of their own, made anew when the list changed."""
    stamp = ENVIRONMENT / "requirements.txt"
    if stamp.exists() and stamp.read_bytes() == REQUIREMENTS.read_bytes():
        return
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    subprocess.run(["/usr/bin/python3", "-m", "venv", str(ENVIRONMENT)], check=True)
    options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", str(REQUIREMENTS)]
    subprocess.run([str(ENVIRONMENT / "bin/pip"), "install", *options], check=True)
    shutil.copy(REQUIREMENTS, stamp)


def load(rival: str, uri: str, destination) -> Usage:
    python = str(ENVIRONMENT / "bin/python")
    usage = run([python, str(TOP / "bench/rival_loaders.py"), rival, uri, str(destination)])
    if usage.status != 0:
        sys.exit(f"bench: {rival} ended with {usage.status}\n{usage.output}")
    return usage


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    options = parser.parse_args()
    set_up()
    before = conditions()
    results = []
    with loaded_server(options.rows) as (work, uri, connection):
        for rival in ("connectorx", "adbc"):
            usage = load(rival, uri, work / rival)
            rows = sum(
                DeltaTable(work / rival).get_add_actions(flatten=True).column("num_records").to_pylist()
            )
            if rows != options.rows:
                sys.exit(f"bench: {rival} wrote {rows} rows")
            results.append((f"{rival} + delta-rs", usage))
            shutil.rmtree(work / rival)
        results.append(("freshet", ingest(uri, work / "delta")))
        assert_equal(connection, work / "delta", "public.orders", readers=["duckdb"])
    print(
        f"\n{before}; {options.rows:,} rows of 17 columns; one run each; contents of freshet's equal by DuckDB.\n"
    )
    print("| what | rows a second | CPU s per 1 M | peak RSS of the tree |")
    print("|---|---|---|---|")
    for what, usage in results:
        cpu = 1e6 * usage.cpu / options.rows
        print(f"| {what} | {options.rows / usage.wall:,.0f} | {cpu:.2f} | {usage.rss_peak / 1e6:.0f} MB |")


if __name__ == "__main__":
    main()
