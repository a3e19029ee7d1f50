#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The demo: a PostgreSQL of its own with a shop of over a million rows, and a Freshet server that the databricks-sdk drives:
a connection, a gateway that captures, a pipeline over it. The first update brings the shop into Delta tables while customers go on
buying; the next one what they bought. DuckDB reads the tables, and every row is compared with the source. Takes about a minute;
leaves nothing behind.

    tools/demo.py [--keep]     --keep leaves the database, the server and the tables for you to play with
"""
import argparse
import pathlib
import random
import shutil
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "test" / "real"))
from contents import compare, duckdb_connection, table_path  # noqa: E402
from freshet_command import BINARY, wait_until  # noqa: E402
from freshet_server import ServerProcess  # noqa: E402
from postgres_server import SCRIPT, Server  # noqa: E402

SHOP = """
CREATE SCHEMA shop;
CREATE TYPE shop.status AS ENUM ('new', 'paid', 'packed', 'shipped', 'returned');
CREATE DOMAIN shop.money_amount AS numeric(14,2) CHECK (value >= 0);
CREATE TABLE shop.customers (id bigint PRIMARY KEY, name text NOT NULL, email varchar(80) UNIQUE, born date, country char(2),
  reference uuid NOT NULL, profile jsonb, tags text[], credit shop.money_amount, vip boolean, joined timestamptz);
CREATE TABLE shop.products (sku text PRIMARY KEY, title text NOT NULL, price shop.money_amount NOT NULL, weight real, sizes numeric(6,2)[],
  barcode bytea, description text, opens time, lead interval, address inet, attributes json);
CREATE TABLE shop.orders (id bigint PRIMARY KEY, customer bigint NOT NULL REFERENCES shop.customers ON DELETE CASCADE,
  placed timestamptz NOT NULL, status shop.status NOT NULL, total shop.money_amount, tax numeric(10,4), discount double precision,
  gift boolean, ship_on date, note text, reference uuid, updated timestamp);
CREATE TABLE shop.order_lines ("order" bigint REFERENCES shop.orders ON DELETE CASCADE, line int, sku text REFERENCES shop.products,
  quantity int NOT NULL, price shop.money_amount, PRIMARY KEY ("order", line));
CREATE TABLE shop.payments (region int, id bigint, "order" bigint, paid numeric(14,2), at timestamptz, raw jsonb, PRIMARY KEY (region, id))
  PARTITION BY LIST (region);
CREATE TABLE shop.payments_eu PARTITION OF shop.payments FOR VALUES IN (0);
CREATE TABLE shop.payments_us PARTITION OF shop.payments FOR VALUES IN (1);
CREATE TABLE shop.payments_rest PARTITION OF shop.payments DEFAULT;
CREATE TABLE shop."Page Views" (at timestamp, path text, seconds double precision);
ALTER TABLE shop."Page Views" REPLICA IDENTITY FULL;
"""
FILL = [
    """INSERT INTO shop.customers SELECT i, 'Customer ' || i, 'c' || i || '@example.org', DATE '1940-01-01' + (i * 7 % 25000)::int,
       (ARRAY['DE','FR','US','JP','BR'])[1 + i % 5], md5(i::text)::uuid, jsonb_build_object('level', i % 7, 'news', i % 2 = 0),
       ARRAY['t' || i % 11, NULL, 'ü"' || i % 3], (i % 1000) / 4.0, i % 50 = 0, timestamptz '2015-01-01Z' + i * interval '1 hour'
       FROM generate_series(1::bigint, 60000) i""",
    """INSERT INTO shop.products SELECT 'sku-' || i, 'Product ' || i, (i * 13 % 50000) / 100.0, i / 3.0, ARRAY[i % 40, i % 7 + 0.25],
       decode(md5(i::text), 'hex'), repeat('Words about product ' || i || '. ', (i % 400)::int), time '08:00' + i * interval '1 s',
       i * interval '1 hour', ('10.0.' || i % 256 || '.1')::inet, json_build_object('colour', i % 9) FROM generate_series(1::bigint, 5000) i""",
    """INSERT INTO shop.orders SELECT i, 1 + i * 7919 % 60000, timestamptz '2023-01-01Z' + i * interval '2 min', (ARRAY['new','paid','packed',
       'shipped','returned'])[1 + i % 5]::shop.status, (i * 37 % 1000000) / 100.0, (i * 11 % 100000) / 10000.0, CASE WHEN i % 1000 = 0
       THEN 'NaN' ELSE i % 100 / 7.0 END, i % 9 = 0, DATE '2023-01-02' + (i / 720)::int, CASE WHEN i % 4 = 0 THEN 'note ' || md5(i::text) END,
       md5('o' || i)::uuid, timestamp '2023-01-01' + i * interval '2 min' FROM generate_series(1::bigint, 320000) i""",
    """INSERT INTO shop.order_lines SELECT 1 + i / 2, 1 + i % 2, 'sku-' || 1 + i * 31 % 5000, 1 + i % 5, (i * 17 % 9000) / 100.0
       FROM generate_series(0::bigint, 639999) i""",
    """INSERT INTO shop.payments SELECT i % 4, i, i, (i * 37 % 1000000) / 100.0, timestamptz '2023-01-01Z' + i * interval '2 min',
       jsonb_build_object('method', i % 3, 'token', md5(i::text)) FROM generate_series(1::bigint, 90000) i""",
    """INSERT INTO shop."Page Views" SELECT timestamp '2024-01-01' + (i / 3) * interval '1 s', '/page/' || i % 90, i % 11 / 4.0
       FROM generate_series(1::bigint, 60000) i""",
]
TABLES = ["customers", "products", "orders", "order_lines", "payments", "Page Views"]


class Shoppers(threading.Thread):
    """Live writes: orders placed, paid, returned and deleted, pages viewed, prices changed, payments moved between partitions."""

    def __init__(self, database):
        super().__init__(daemon=True)
        self.database = database
        self.random = random.Random(7)
        self.closing = threading.Event()
        self.rows = self.transactions = 0

    def run(self):
        with self.database.another() as connection:
            order = 1_000_000
            while not self.closing.wait(0.003):
                order += 1
                old = self.random.randint(1, 320_000)
                with connection.transaction():
                    for statement, values in self.purchase(order, old):
                        self.rows += max(0, connection.execute(statement, values).rowcount)
                self.transactions += 1

    def purchase(self, order, old):
        customer, sku = self.random.randint(1, 60_000), f"sku-{self.random.randint(1, 5000)}"
        yield (
            "INSERT INTO shop.orders VALUES (%s, %s, now(), 'new', 10, 1.9, 0, false, current_date, 'bought while you read', "
            "gen_random_uuid(), localtimestamp)",
            (order, customer),
        )
        yield (
            "INSERT INTO shop.order_lines SELECT %s, i, %s, i, 5 FROM generate_series(1, 3) i",
            (order, sku),
        )
        yield ("UPDATE shop.orders SET status = 'paid', updated = localtimestamp WHERE id = %s", (old,))
        yield (
            "INSERT INTO shop.\"Page Views\" VALUES (localtimestamp, '/bought', 1), (timestamp '2024-01-01', '/again', 1)",
            (),
        )
        kind = order % 10
        if kind == 0:
            yield ("DELETE FROM shop.orders WHERE id BETWEEN %s AND %s", (old, old + 3))
        elif kind == 1:
            yield ("UPDATE shop.products SET price = price + 1 WHERE sku = %s", (sku,))
        elif kind == 2:
            yield ("UPDATE shop.payments SET region = (region + 1) %% 4 WHERE id = %s", (old % 90_000,))
        elif kind == 3:
            yield (
                "UPDATE shop.customers SET tags = tags || 'regular'::text, credit = credit + 1 WHERE id = %s",
                (customer,),
            )
        elif kind == 4:
            yield (
                'DELETE FROM shop."Page Views" WHERE ctid IN (SELECT ctid FROM shop."Page Views" WHERE path = \'/again\' LIMIT 1)',
                (),
            )


def say(text=""):
    print(text, flush=True)


def step(text):
    say(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n== {text}")


def size_of(directory):
    files = {(s.st_dev, s.st_ino): s.st_size for s in (p.stat() for p in directory.rglob("*") if p.is_file())}
    return sum(files.values())


def fill(database):
    database.execute(SHOP)
    for statement in FILL:
        database.execute(statement)
    return sum(database.value(f'SELECT count(*) FROM shop."{table}"') for table in TABLES)


class Lakehouse:
    """A Freshet server, and the untouched databricks-sdk that drives it."""

    def __init__(self, directory):
        self.api = ServerProcess(directory / "data")
        self.tables = self.api.data / "tables" / "main"
        self.client, self.pipeline = None, None

    def start(self):
        self.api.start()
        self.client = self.api.client()
        say(f"  $ freshet server --data {self.api.data} --port 0")
        say(f"  listening on {self.api.url}; the administrator's token is in {self.api.data}/admin.token")

    def author(self, database):
        from databricks.sdk.service import catalog, pipelines

        server = database.server
        self.client.connections.create(
            "shop",
            catalog.ConnectionType.POSTGRESQL,
            {
                "host": server.host,
                "port": str(server.port),
                "user": server.user,
                "password": "unused",
                "sslmode": "disable",
            },
        )
        say("  connection shop: the database's address, and a password that is sealed and never told again")
        gateway = self.client.pipelines.create(
            name="shop gateway",
            continuous=True,
            gateway_definition=pipelines.IngestionGatewayPipelineDefinition(
                connection_name="shop", gateway_storage_catalog="main", gateway_storage_schema="staging"
            ),
        ).pipeline_id
        say(f"  gateway {gateway}: captures without end, into a volume of main.staging")
        objects = {
            "source_catalog": database.name,
            "source_schema": "shop",
            "destination_catalog": "main",
            "destination_schema": "shop",
        }
        self.pipeline = self.client.pipelines.create(
            name="shop",
            catalog="main",
            ingestion_definition=pipelines.IngestionPipelineDefinition.from_dict(
                {"ingestion_gateway_id": gateway, "objects": [{"schema": objects}]}
            ),
        ).pipeline_id
        say(f"  pipeline {self.pipeline}: everything in the schema shop, now and later")

    def update(self):
        """Run one update to its end, and show what its event log says; return its seconds."""
        began = time.monotonic()
        update = self.client.pipelines.start_update(self.pipeline).update_id

        def ended():
            state = self.client.pipelines.get_update(self.pipeline, update).update.state.value
            return state if state in ("COMPLETED", "FAILED", "CANCELED") else None

        state = wait_until(ended, "the update's end", 0.1)
        seconds = time.monotonic() - began
        events = list(
            self.client.pipelines.list_pipeline_events(
                self.pipeline, filter=f"update_id = '{update}'", order_by=["timestamp asc"]
            )
        )
        for event in events:
            if event.event_type == "update_progress":
                say(f"  {event.timestamp[11:23]}  {event.message}")
        if state != "COMPLETED":
            sys.exit("\n".join(event.message for event in events))
        return seconds

    def snapshots(self):
        """What the gateway said of the snapshots it took."""
        events = self.client.pipelines.list_pipeline_events(
            self.pipeline, filter="event_type = 'operation_progress'", order_by=["timestamp asc"]
        )
        return [
            f"{event.timestamp[11:23]}  {event.message}" for event in events if "COMPLETED" in event.message
        ]

    def close(self):
        self.api.close()


def check(database, lake):
    step("DuckDB reads the tables, and every row is compared with PostgreSQL")
    different = 0
    for table in TABLES:
        began = time.monotonic()
        differences = compare(database.connection, lake.tables, "shop", table, readers=["duckdb"])
        different += len(differences)
        rows = database.value(f'SELECT count(*) FROM shop."{table}"')
        verdict = "equal" if not differences else "\n".join(map(str, differences))
        say(f"  shop.{table:<12} {rows:>9,} rows  {verdict}  ({time.monotonic() - began:.1f} s)")
    return different


def show_a_query(lake):
    step("Ask DuckDB something")
    query = (
        f"SELECT status, count(*) AS orders, sum(total) AS total FROM delta_scan('{table_path(lake.tables, 'shop', 'orders')}') "
        "GROUP BY status ORDER BY orders DESC"
    )
    say(f"  {query}")
    for row in duckdb_connection().execute(query).fetchall():
        say(f"    {row[0]:<10} {row[1]:>8,} {row[2]:>16,}")


def play(server, lake):
    began = time.monotonic()
    step("A PostgreSQL of its own, with a shop in it")
    server.start()
    database = server.create_database("shop")
    rows = fill(database)
    say(
        f"  {len(TABLES)} tables, {rows:,} rows, {database.value('SELECT pg_size_pretty(pg_database_size(current_database()))')}, "
        f"in {time.monotonic() - began:.1f} s: {database.url}"
    )
    step("A Freshet server, told by the databricks-sdk what to do")
    lake.start()
    lake.author(database)
    shoppers = Shoppers(database)
    shoppers.start()
    try:
        step("The first update, while customers go on buying")
        seconds = lake.update()
        for message in lake.snapshots():
            say(f"  {message}")
    finally:
        shoppers.closing.set()
        shoppers.join(30)
    say(
        f"  {seconds:.1f} s: {rows / seconds:,.0f} rows/s with the database on the same machine; meanwhile {shoppers.transactions:,} "
        f"transactions changed {shoppers.rows:,} rows"
    )
    step("The second: only what changed since, which the gateway has captured already")
    seconds = lake.update()
    say(f"  {seconds:.1f} s; {size_of(lake.tables) / 1e6:,.0f} MB below {lake.tables}")
    different = check(database, lake)
    show_a_query(lake)
    step("What to try next")
    say(
        f"""  {BINARY} check postgresql://you@host/yours           what stands in the way of your own database, with the SQL that mends it
  {BINARY} server --data ./freshet                    the server: docs/guide/server.md says what it takes
  {BINARY} ingest postgresql://you@host/yours --to ./lake      without a server: once, or with --continuous without end
  {BINARY} status ./lake
  {BINARY} drop ./lake                                removes slot and publication again
  tools/demo.py --keep                                this shop and its server, left running"""
    )
    say(
        f"\nThe demo took {time.monotonic() - began:.0f} s; "
        + ("every table is equal." if not different else f"{different} TABLES DIFFER.")
    )
    return different


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keep", action="store_true", help="leave the server and the tables")
    keep = parser.parse_args().keep
    if not BINARY.exists():
        sys.exit(f"{BINARY} is not built: run make")
    directory = pathlib.Path(tempfile.mkdtemp(prefix="freshet-demo-", dir="/tmp"))
    server = Server(directory / "server")
    lake = Lakehouse(directory)
    different = 1
    try:
        different = play(server, lake)
    finally:
        if keep and not different:
            say(
                f"Left running in {directory}; stop it with: kill {lake.api.process.pid}; "
                f"{SCRIPT} stop {server.directory}; rm -r {directory}"
            )
        else:
            lake.close()
            if server.port:
                server.destroy()
            shutil.rmtree(directory, ignore_errors=True)
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
