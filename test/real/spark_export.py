# SPDX-License-Identifier: Apache-2.0
"""Read Delta tables with Spark and write what it sees as plain Parquet: the third reader, run by its own Python (.deps/spark).

Usage: spark_export.py OUT TABLE [TABLE ...]     table i's rows land in OUT/<i>
"""

import pathlib
import sys

from pyspark.sql import SparkSession

TOP = pathlib.Path(__file__).resolve().parents[2]
# Already inside Spark: a second copy of another version breaks it.
IN_SPARK = (
    "org.apache.hadoop:hadoop-client-api,org.apache.hadoop:hadoop-client-runtime,"
    "org.apache.parquet:parquet-hadoop,org.slf4j:slf4j-api"
)
SETTINGS = {
    "spark.jars.packages": "io.delta:delta-spark_2.13:4.4.0",
    "spark.jars.excludes": IN_SPARK,
    "spark.jars.ivySettings": str(TOP / "tools/ivysettings.xml"),
    "spark.jars.ivy": str(TOP / ".deps/ivy"),
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.driver.memory": "2g",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.log.level": "ERROR",
}


def main() -> None:
    out, tables = pathlib.Path(sys.argv[1]), sys.argv[2:]
    builder = SparkSession.builder.master("local[2]")
    for name, value in SETTINGS.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    for number, table in enumerate(tables):
        rows = spark.read.format("delta").load(table)
        rows.write.parquet(str(out / str(number)))
    spark.stop()


if __name__ == "__main__":
    main()
