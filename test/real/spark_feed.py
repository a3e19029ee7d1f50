# SPDX-License-Identifier: Apache-2.0
"""What Spark sees of tables' change data feeds; run by its own Python (.deps/spark).

Usage: spark_feed.py OUT TABLE [TABLE ...]     table i's feed lands in OUT/<i>.batch (table_changes) and OUT/<i>.stream
"""

import pathlib
import sys

from pyspark.sql import SparkSession
from spark_export import SETTINGS


def read(spark: SparkSession, out: pathlib.Path, tables: list[str]) -> None:
    for number, table in enumerate(tables):
        batch = spark.sql(f"SELECT * FROM table_changes('delta.`{table}`', 0)")
        batch.drop("_commit_timestamp").write.parquet(str(out / f"{number}.batch"))
        stream = (
            spark.readStream.format("delta").option("readChangeFeed", "true").option("startingVersion", "0")
        )
        query = (
            stream.load(table)
            .drop("_commit_timestamp")
            .writeStream.format("parquet")
            .option("checkpointLocation", str(out / f"{number}.checkpoint"))
            .option("path", str(out / f"{number}.stream"))
            .trigger(availableNow=True)
            .start()
        )
        query.awaitTermination()


def main() -> None:
    builder = SparkSession.builder.master("local[2]")
    for name, value in SETTINGS.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    read(spark, pathlib.Path(sys.argv[1]), sys.argv[2:])
    spark.stop()


if __name__ == "__main__":
    main()
