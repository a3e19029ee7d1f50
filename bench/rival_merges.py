# SPDX-License-Identifier: Apache-2.0
"""One rival's MERGE of a Parquet file of changed rows into a Delta table, in a process of its own; its last line is JSON of its cost.

Usage: rival_merges.py write|delta-rs|spark TABLE PARQUET, for spark with the Python of .deps/spark.
`write` makes the table of the file's rows.
"""

import json
import os
import pathlib
import sys
import time

from process_tree import cpu_of


def write(table: str, rows: str) -> None:
    import pyarrow.parquet
    from deltalake import write_deltalake

    write_deltalake(table, pyarrow.parquet.read_table(rows))


def delta_rs(table: str, changes: str) -> None:
    import pyarrow.parquet
    from deltalake import DeltaTable

    delta = DeltaTable(table)
    rows = pyarrow.parquet.read_table(changes)
    started, before = time.monotonic(), os.times()
    merge = delta.merge(rows, "t.id = s.id", source_alias="s", target_alias="t")
    merge.when_matched_update_all().when_not_matched_insert_all().execute()
    after = os.times()
    report(time.monotonic() - started, after.user + after.system - before.user - before.system)


def spark(table: str, changes: str) -> None:
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "test/real"))
    from pyspark.sql import SparkSession
    from spark_export import SETTINGS

    builder = SparkSession.builder.master("local[2]")
    for name, value in SETTINGS.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.read.parquet(changes).createOrReplaceTempView("s")
    session.sql(f"SELECT count(*) FROM delta.`{table}`").collect()  # opened, and the engine warm
    server = session._jvm.java.lang.ProcessHandle.current().pid()
    started, before = time.monotonic(), cpu_of(server)
    session.sql(
        f"MERGE INTO delta.`{table}` t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
    )
    report(time.monotonic() - started, cpu_of(server) - before)
    session.stop()


def report(wall: float, cpu: float) -> None:
    print(json.dumps({"wall": wall, "cpu": cpu}), flush=True)


if __name__ == "__main__":
    {"write": write, "delta-rs": delta_rs, "spark": spark}[sys.argv[1]](sys.argv[2], sys.argv[3])
