# SPDX-License-Identifier: Apache-2.0
"""One rival's way of loading the table into Delta, in a process of its own so that its tree can be measured.

Usage, with the Python of .deps/bench: rival_loaders.py connectorx|adbc|dlt URI DESTINATION
dlt, run again on the same destination, merges what changed since by its cursor column.
"""

import sys

from deltalake import write_deltalake

QUERY = "SELECT * FROM public.orders"
# What its reader knows no Arrow type for goes as text, as its users have to do.
ADBC_QUERY = (
    "SELECT id, customer_id, store_id, placed_at, ship_on, status, total::float8, tax::float8, discount, weight, gift, "
    "email::text, address, reference::text, note, updated_at, payload::text FROM public.orders"
)


def connectorx(uri: str, destination: str) -> None:
    import connectorx as reader

    # Two parallel ranges of the key, one for each core; batches as they come, so that the table need not fit in memory.
    batches = reader.read_sql(
        uri,
        QUERY,
        protocol="binary",
        partition_on="id",
        partition_num=2,
        return_type="arrow_stream",
        batch_size=65536,
    )
    write_deltalake(destination, batches)


def adbc(uri: str, destination: str) -> None:
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(uri) as connection, connection.cursor() as cursor:
        cursor.execute(ADBC_QUERY)
        write_deltalake(destination, cursor.fetch_record_batch())


def dlt(uri: str, destination: str) -> None:
    import dlt as loader
    from dlt.sources.sql_database import sql_table

    target = loader.destinations.filesystem(f"file://{destination}")
    pipeline = loader.pipeline(
        "orders", pipelines_dir=f"{destination}/state", destination=target, dataset_name="public"
    )
    orders = sql_table(
        uri.replace("postgresql://", "postgresql+psycopg2://", 1),
        table="orders",
        schema="public",
        backend="pyarrow",
        chunk_size=100_000,
        primary_key="id",
        incremental=loader.sources.incremental("updated_at"),
    )
    merge = {"disposition": "merge", "strategy": "upsert"}
    pipeline.run(orders, table_format="delta", write_disposition=merge, loader_file_format="parquet")


if __name__ == "__main__":
    {"connectorx": connectorx, "adbc": adbc, "dlt": dlt}[sys.argv[1]](sys.argv[2], sys.argv[3])
