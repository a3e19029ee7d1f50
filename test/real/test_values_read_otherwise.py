# SPDX-License-Identifier: Apache-2.0
"""What makes every value of a column another one without a row that tells of it: the table is read again by itself."""
import pytest
from contents import assert_equal
from freshet_command import wait_until

READ_OTHERWISE = """CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE TYPE pair AS (a int, b text);
CREATE TABLE t (id int PRIMARY KEY, j json, c char(5), at timestamp, v text, m mood, p pair);
INSERT INTO t SELECT i, '{"b":1,  "a":2}', 'x', '2024-01-01 00:00:00.789', gen_random_uuid(), 'sad', (i, 'x')::pair
FROM generate_series(1, 100) i"""


def read_again(run):
    return {event["table"] for event in run.events("refresh_needed")}


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE t ALTER j TYPE jsonb",
        "ALTER TABLE t ALTER c TYPE char(10)",
        "ALTER TABLE t ALTER at TYPE timestamp(0)",
        "ALTER TABLE t ALTER v TYPE uuid USING v::uuid",
        "ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'",
        "ALTER TYPE pair DROP ATTRIBUTE b; ALTER TYPE pair ADD ATTRIBUTE c text",
    ],
)
def test_values_that_read_otherwise(database, freshet, change):
    """The same type in Delta, another text in every row, and no row tells of it."""
    database.execute(READ_OTHERWISE)
    freshet.ingest()
    database.execute(change)
    run = freshet.ingest()
    assert read_again(run) == {"public.t"}, run.describe()
    assert_equal(database.connection, freshet.destination, "public.t")
    database.execute(
        "UPDATE t SET c = 'y' WHERE id = 1; ALTER TYPE mood ADD VALUE 'calm'; CLUSTER t USING t_pkey"
    )
    run = freshet.ingest()
    assert not read_again(run), run.describe()
    assert_equal(database.connection, freshet.destination, "public.t")


def test_values_that_read_otherwise_while_it_runs(database, freshet):
    database.execute(READ_OTHERWISE)
    run = freshet.start("--continuous")
    wait_until(lambda: run.events("table_current"), "the first look")
    for change in ["ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'", "ALTER TABLE t ALTER j TYPE jsonb"]:
        before = len(run.events("table_refreshed"))
        database.execute(change)
        wait_until(lambda seen=before: len(run.events("table_refreshed")) > seen, change)
    run.stop()
    assert_equal(database.connection, freshet.destination, "public.t")
