# SPDX-License-Identifier: Apache-2.0
"""Go on with a table of ours in Spark: deletes, updates, OPTIMIZE and V2 checkpoints. Run by Spark's own Python.

Usage: spark_changes.py TABLE
"""

import sys

from pyspark.sql import SparkSession
from spark_export import SETTINGS


def main() -> None:
    builder = SparkSession.builder.master("local[2]")
    for name, value in SETTINGS.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    table = f"delta.`{sys.argv[1]}`"
    spark.sql(f"DELETE FROM {table} WHERE id IN (5, 6)")
    spark.sql(f"OPTIMIZE {table}")
    spark.sql(
        f"ALTER TABLE {table} SET TBLPROPERTIES ('delta.checkpointPolicy' = 'v2', "
        "'delta.feature.v2Checkpoint' = 'supported', 'delta.checkpointInterval' = '2')"
    )
    for number in range(4):
        spark.sql(f"UPDATE {table} SET text = 'spark' WHERE id = {1510 + number}")
    spark.stop()


if __name__ == "__main__":
    main()
