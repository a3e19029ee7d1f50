# SPDX-License-Identifier: Apache-2.0
"""One rival's way of loading the table into Delta, in a process of its own so that its tree can be measured.

Usage, with the Python of .deps/bench: rival_loaders.py connectorx|adbc URI DESTINATION
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


if __name__ == "__main__":
    {"connectorx": connectorx, "adbc": adbc}[sys.argv[1]](sys.argv[2], sys.argv[3])
