# SPDX-License-Identifier: Apache-2.0
"""A table into Delta, then its changes, by others that are good at it, and by freshet, in one run: how do they compare?

connectorx and ADBC read PostgreSQL into Arrow, delta-rs writes; they load once and keep nothing up to date. dlt loads, and
merges what its cursor column says has changed (it sees no delete, so the changes are updates). freshet's first run also
makes its slot. Before the changes that are measured both got a few, which build freshet's key index; it has a line of its own. In the
same run what PostgreSQL takes to send the rows, and to decode the changes, to nothing. Row counts are compared for the others, contents
for ours. Prints tables for bench/results.md.
Usage: bench/rivals.py [--rows 2000000] [--changes 500000]
"""

import argparse
import shutil
import subprocess
import sys

from deltalake import DeltaTable

from bounds import change_bounds, make_slots, snapshot_bounds
from orders import TOP, conditions, ingest, loaded_server
from process_tree import Usage, run

from contents import assert_equal  # noqa: E402

ENVIRONMENT = TOP / ".deps/bench"
REQUIREMENTS = TOP / "bench/requirements.txt"
FEW = 10_000


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


def rows_in(table) -> int:
    return sum(DeltaTable(table).get_add_actions(flatten=True).column("num_records").to_pylist())


def update(connection, every: int, ids: str) -> int:
    """Updates of one row in so many, in one transaction, all later by dlt's cursor column than those before."""
    changed = connection.execute(
        "UPDATE public.orders SET total = total + 1, updated_at = timestamp '2027-01-01' + id * interval '1 us' "
        f"WHERE id % {every} = 0 AND {ids}"
    ).rowcount
    connection.execute("CHECKPOINT")
    return changed


def print_table(title: str, rows: int, bounds: dict[str, float], results: list[tuple[str, Usage]]) -> None:
    print(
        f"\n| {title} | rows a second | CPU s per 1 M | peak RSS of the tree | beside {', '.join(bounds)} |"
    )
    print("|---|---|---|---|---|")
    for what, seconds in bounds.items():
        print(f"| {what} | {rows / seconds:,.0f} | | | |")
    for what, usage in results:
        beside = ", ".join(f"{100 * seconds / usage.wall:.0f} %" for seconds in bounds.values())
        print(
            f"| {what} | {rows / usage.wall:,.0f} | {1e6 * usage.cpu / rows:.2f} | {usage.rss_peak / 1e6:.0f} MB | {beside} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--changes", type=int, default=500_000)
    options = parser.parse_args()
    set_up()
    before = conditions()
    every = max(1, options.rows // options.changes)
    snapshots, changes = [], []
    with loaded_server(options.rows) as (work, uri, connection):
        read = snapshot_bounds(uri, connection)
        for rival, table in (("connectorx", ""), ("adbc", ""), ("dlt", "public/orders")):
            snapshots.append((f"{rival} + delta-rs", load(rival, uri, work / rival)))
            rows = rows_in(work / rival / table)
            if rows != options.rows:
                sys.exit(f"bench: {rival} wrote {rows} rows")
        shutil.rmtree(work / "connectorx")
        shutil.rmtree(work / "adbc")
        snapshots.append(("freshet", ingest(uri, work / "delta")))
        assert_equal(connection, work / "delta", "public.orders", readers=["duckdb"])
        few = update(connection, every, f"id <= {FEW}")
        indexed = ingest(uri, work / "delta")
        load("dlt", uri, work / "dlt")
        make_slots(connection)
        changed = update(connection, every, f"id > {FEW}")
        decoded = change_bounds(uri, connection)
        # freshet before dlt: dlt's reading tidies up pages and is rolled back, and then it takes PostgreSQL up to 15 s to write
        # its log's end to disk, which a run that follows the log waits for.
        ours = ingest(uri, work / "delta")
        changes.append(("dlt, Delta merge by delta-rs", load("dlt", uri, work / "dlt")))
        changes.append(("freshet", ours))
        assert_equal(connection, work / "delta", "public.orders", readers=["duckdb"])
    print(
        f"\n{before}; 17 columns; bounds are medians of three, the others one run each; contents of freshet's equal by DuckDB."
    )
    print_table(f"snapshot of {options.rows:,} rows", options.rows, read, snapshots)
    print_table(f"{changed:,} updates, one transaction", changed, decoded, changes)
    print(
        f"\nfreshet's first {few:,} updates, which build its key index: {indexed.wall:.1f} s, {indexed.cpu:.1f} s of CPU."
    )


if __name__ == "__main__":
    main()
