# SPDX-License-Identifier: Apache-2.0
"""Spark 4.2.0 with Delta 4.4.0 reads what we wrote, and the content is the source's."""
import pathlib
import subprocess

import pytest
from contents import compare, table_path
from freshet_command import ROOT

SPARK = ROOT / ".deps" / "spark"
pytestmark = pytest.mark.long

SCHEMA = """
CREATE TABLE plain (id int PRIMARY KEY, b bool, s smallint, l bigint, n numeric(20,4), big numeric(38,10), f real, d double precision, t text,
  raw bytea, day date, ts timestamp, tz timestamptz, u uuid, j jsonb, ints int[], texts text[]);
INSERT INTO plain SELECT i, i % 2 = 0, (i % 30000)::smallint, i * 10000000000, i / 7.0, -i / 3.0, i / 3.0, i / 7.0, 'ü' || repeat('x', i % 50),
  decode(md5(i::text), 'hex'), DATE '1900-01-01' + i * 7, timestamp '1950-01-01' + i * interval '1 day 1 us', timestamptz '2024-01-01Z' + i * interval '1 us',
  md5(i::text)::uuid, '{"a": [1, null]}', ARRAY[i, NULL, -i], ARRAY['a', NULL, ''] FROM generate_series(1, 5000) i;
CREATE TABLE "Odd Name" (id int PRIMARY KEY, "a b,c;{}()=" text); INSERT INTO "Odd Name" SELECT i, 'v' FROM generate_series(1, 100) i;
CREATE TABLE bag (v text, n int); ALTER TABLE bag REPLICA IDENTITY FULL; INSERT INTO bag SELECT 'x', i % 3 FROM generate_series(1, 300) i;
CREATE TABLE grows (id int PRIMARY KEY, v text); INSERT INTO grows SELECT i, 'v' FROM generate_series(1, 500) i;
"""


def test_spark_reads_equal_content(database, freshet, tmp_path):
    subprocess.run([str(ROOT / "tools" / "spark-setup")], check=True, timeout=900)
    database.execute(SCHEMA)
    freshet.ingest()
    for round_ in range(60):
        database.execute(
            f"UPDATE plain SET t = t || '.' WHERE id % 60 = {round_}; DELETE FROM plain WHERE id = {round_ + 1}"
        )
        if round_ % 6 == 0:
            freshet.ingest()
    database.execute("ALTER TABLE grows ADD COLUMN n int")
    database.execute(
        'INSERT INTO grows VALUES (1000, NULL, 7); UPDATE "Odd Name" SET "a b,c;{}()=" = id::text WHERE id < 40; DELETE FROM bag WHERE n = 1; '
        "UPDATE plain SET day = NULL, ints = NULL, n = NULL WHERE id > 4000"
    )
    freshet.ingest()
    tables = ["plain", "Odd Name", "bag", "grows"]
    paths = [str(table_path(freshet.destination, "public", table)) for table in tables]
    export = pathlib.Path(__file__).parent / "spark_export.py"
    done = subprocess.run(
        [str(SPARK / "bin" / "python"), str(export), str(tmp_path / "out"), *paths],
        capture_output=True,
        text=True,
        timeout=540,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    for i, table in enumerate(tables):
        differences = compare(
            database.connection,
            freshet.destination,
            "public",
            table,
            readers=["parquet"],
            path=tmp_path / "out" / str(i),
        )
        assert not differences, "\n".join(map(str, differences))
