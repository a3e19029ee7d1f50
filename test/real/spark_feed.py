# SPDX-License-Identifier: Apache-2.0
"""What Spark sees of tables' change data feeds, and what it does to the tables; run by its own Python (.deps/spark).

Usage: spark_feed.py read OUT TABLE [TABLE ...]     table i's feed lands in OUT/<i>.batch (table_changes) and OUT/<i>.stream
       spark_feed.py change TABLE                   OPTIMIZE, MERGE, ALTER: other rows for ids 1 to 3, a column `theirs`
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


def change(spark: SparkSession, path: str) -> None:
    table = f"delta.`{path}`"
    spark.sql(f"OPTIMIZE {table}")
    spark.sql(
        f"MERGE INTO {table} t USING (SELECT explode(array(1, 2, 3)) AS id) s ON t.id = s.id "
        "WHEN MATCHED AND t.id = 3 THEN DELETE WHEN MATCHED THEN UPDATE SET t.note = 'by Spark'"
    )
    spark.sql(f"ALTER TABLE {table} ADD COLUMN theirs STRING")
    spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('responsible' = 'Spark')")


def main() -> None:
    builder = SparkSession.builder.master("local[2]")
    for name, value in SETTINGS.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    if sys.argv[1] == "read":
        read(spark, pathlib.Path(sys.argv[2]), sys.argv[3:])
    else:
        change(spark, sys.argv[2])
    spark.stop()


if __name__ == "__main__":
    main()
