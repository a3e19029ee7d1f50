# SPDX-License-Identifier: Apache-2.0
"""A table's road: snapshot, changes, and a run that finds nothing new."""
import pathlib

import deltalake
import pyarrow as pa

from contents import assert_equal, data_versions
from freshet_command import wait_until

ORDERS = """
CREATE TABLE customers (id bigint PRIMARY KEY, name text NOT NULL, since date);
CREATE TABLE orders (id bigint PRIMARY KEY, customer bigint REFERENCES customers, amount numeric(12,2), note text, at timestamptz);
INSERT INTO customers SELECT i, 'customer ' || i, DATE '2020-01-01' + i::int FROM generate_series(1, 100) i;
INSERT INTO orders SELECT i, 1 + i % 100, i * 1.25, repeat('x', (i % 50)::int), timestamptz '2024-01-01' + i * interval '1 s'
  FROM generate_series(1, 5000) i;
"""
TABLES = ("public.customers", "public.orders")


def test_snapshot_then_changes_then_nothing(database, freshet):
    database.execute(ORDERS)
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, *TABLES)

    database.execute(
        """
      UPDATE orders SET amount = amount + 1, note = NULL WHERE id % 7 = 0;
      DELETE FROM orders WHERE id % 11 = 0;
      INSERT INTO orders SELECT i, 1, 0, 'new', now() FROM generate_series(10001, 10500) i;
      UPDATE orders SET id = id + 100000 WHERE id BETWEEN 100 AND 120;
      UPDATE customers SET name = upper(name) WHERE id < 10"""
    )
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, *TABLES)

    before = data_versions(freshet.destination)
    assert set(before) == {"public/customers", "public/orders"}
    freshet.ingest()
    assert data_versions(freshet.destination) == before, "nothing new, yet data was committed"


def test_an_idle_run_moves_the_position(database, freshet):
    """WAL written while the watched tables are idle must not stay pinned by our slot."""
    database.execute(ORDERS)
    freshet.ingest("--tables", "public.customers")
    behind = (
        "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn) FROM pg_replication_slots "
        "WHERE database = %s AND NOT temporary"
    )
    database.execute(
        "INSERT INTO orders SELECT i, 1, 0, repeat('w', 500), now() FROM generate_series(20001, 30000) i"
    )
    assert database.value(behind, (database.name,)) > 1 << 20
    freshet.ingest("--tables", "public.customers")
    # The server hears of the position at the run's end, and a moment passes until it has taken it.
    wait_until(lambda: database.value(behind, (database.name,)) < 1 << 20, "the release of the log")


def test_an_empty_table_and_an_emptied_one(database, freshet):
    database.execute(
        "CREATE TABLE empty (id int PRIMARY KEY, v text); CREATE TABLE gone (id int PRIMARY KEY, v text); "
        "INSERT INTO gone VALUES (1, 'a'), (2, 'b')"
    )
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.empty", "public.gone")
    database.execute("DELETE FROM gone; INSERT INTO empty VALUES (1, NULL)")
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.empty", "public.gone")


def test_patterns_choose_tables(database, freshet):
    database.execute(
        ORDERS
        + """CREATE SCHEMA other; CREATE TABLE other.orders (id int PRIMARY KEY);
      CREATE TABLE other.parts (id int PRIMARY KEY)"""
    )
    freshet.ingest("--tables", "*.orders", "--exclude", "other.*")
    assert set(data_versions(freshet.destination)) == {"public/orders"}


def test_events_are_json_lines(database, freshet):
    database.execute(ORDERS)
    run = freshet.ingest()
    lines = [line for line in run.stdout.splitlines() if line]
    assert lines and len(run.events()) == len(lines)


def test_plain_and_quiet_output(database, freshet):
    database.execute(ORDERS)
    run = freshet.ingest(json_events=False)
    assert "public.orders" in run.stdout + run.stderr
    run = freshet.ingest("--quiet", json_events=False)
    assert run.stdout.strip() == ""


def test_no_connection_of_ours_stays(database, freshet):
    database.execute(ORDERS)
    freshet.ingest()
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
    wait_until(lambda: database.value(others, (database.name,)) == 0, "the end of our sessions")
    wait_until(lambda: not any(active for _, active, _ in database.slots()), "the release of our slot")
    slots = database.slots()
    assert len(slots) == 1 and not slots[0][2], slots


def test_source_drops_what_it_made(database, freshet):
    database.execute(ORDERS)
    freshet.ingest()
    assert len(database.slots()) == 1 and database.value("SELECT count(*) FROM pg_publication") == 1
    freshet.command("drop", freshet.destination)
    assert database.slots() == [] and database.value("SELECT count(*) FROM pg_publication") == 0
    assert_equal(database.connection, freshet.destination, *TABLES)
    again = freshet.command("drop", freshet.destination)
    assert "nothing of Freshet's" in again.stdout, again.describe()


def test_drop_with_tables(database, freshet):
    database.execute(ORDERS)
    freshet.ingest()
    freshet.command("drop", freshet.destination, "--tables")
    assert data_versions(freshet.destination) == {}
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, *TABLES)


def test_drop_leaves_the_table_of_another(database, freshet):
    database.execute(ORDERS)
    folder = pathlib.Path(freshet.destination) / "public" / "orders"
    deltalake.write_deltalake(str(folder), pa.table({"x": [1, 2]}))
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    freshet.ingest(expect=None)
    freshet.command("drop", freshet.destination, "--tables")
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before


def test_status_names_every_table(database, freshet):
    database.execute(ORDERS)
    freshet.ingest()
    told = freshet.command("status", freshet.destination).stdout
    assert "public.customers" in told and "public.orders" in told and "5000" in told.replace(",", "")


def test_version_and_help(freshet):
    assert freshet.command("--version").stdout.startswith("freshet ")
    for arguments in (["--help"], ["ingest", "--help"]):
        told = freshet.command(*arguments).stdout
        assert "ingest" in told and "postgresql://" in told
