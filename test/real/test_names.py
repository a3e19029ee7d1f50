# SPDX-License-Identifier: Apache-2.0
"""Names are kept literally, whatever they are."""
import pytest
from contents import assert_equal, encode_name, quote

TABLES = [
    "Plain Name",
    'quo"ted',
    "dots.in.it",
    "ünïcode 表",
    "per%cent",
    "sla/sh",
    "_under",
    ".dot",
    "semi;colon,comma",
    "a'b",
    "UPPER",
    "tab\tname",
    "back\\slash",
    "%25",
    "a%2Fb",
    "x" * 63,
]
COLUMNS = [
    "id",
    "Ünï cödé",
    "with space",
    'quo"te',
    "dot.ted",
    "per%cent",
    "sla/sh",
    "a,b;c{d}(e)f=g",
    "new\nline",
    "tab\tbed",
    "SELECT",
    "_x",
    "'single'",
    "back`tick",
    "x" * 63,
]


@pytest.mark.parametrize("schema", ["public", "Odd Names", "s.ch/e%ma", "_s"])
def test_odd_names(database, freshet, schema):
    columns = COLUMNS if schema == "Odd Names" else ["id", "v"]
    names = TABLES if schema == "public" else TABLES[:6:5] + ["t"]
    database.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(schema)}")
    for name in names:
        table = f"{quote(schema)}.{quote(name)}"
        listed = ", ".join(f"{quote(c)} {'int PRIMARY KEY' if c == 'id' else 'text'}" for c in columns)
        values = ", ".join("i" if c == "id" else "'v' || i" for c in columns)
        database.execute(
            f"CREATE TABLE {table} ({listed}); INSERT INTO {table} SELECT {values} FROM generate_series(1, 20) i"
        )
    freshet.ingest()
    for name in names:
        assert (freshet.destination / encode_name(schema) / encode_name(name) / "_delta_log").is_dir(), name
        database.execute(
            f"UPDATE {quote(schema)}.{quote(name)} SET {quote(columns[-1])} = 'changed' WHERE id % 2 = 0; "
            f"DELETE FROM {quote(schema)}.{quote(name)} WHERE id = 1"
        )
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, *[(schema, name) for name in names])


def test_names_that_differ_in_case_only(database, freshet):
    """Delta's column names are case-insensitive: that table is left out and says why; the other is current."""
    database.execute(
        'CREATE TABLE clash (id int PRIMARY KEY, v text, "V" text); CREATE TABLE fine (id int PRIMARY KEY); INSERT INTO fine VALUES (1)'
    )
    run = freshet.ingest(expect=5)
    assert "COLUMN_NAME_CONFLICT" in run.error_classes()
    assert_equal(database.connection, freshet.destination, "public.fine")


def test_reserved_column_names(database, freshet):
    database.execute(
        "CREATE TABLE ours (id int PRIMARY KEY, __freshet_op int); CREATE TABLE fine (id int PRIMARY KEY); INSERT INTO fine VALUES (1)"
    )
    run = freshet.ingest(expect=5)
    assert "COLUMN_RESERVED" in run.error_classes()
    assert_equal(database.connection, freshet.destination, "public.fine")


def test_a_pattern_with_odd_names(database, freshet):
    database.execute(
        'CREATE SCHEMA "Odd Names"; CREATE TABLE "Odd Names"."a b" (id int PRIMARY KEY); CREATE TABLE other (id int PRIMARY KEY); '
        'INSERT INTO "Odd Names"."a b" VALUES (1)'
    )
    freshet.ingest("--tables", "Odd Names.*")
    assert_equal(database.connection, freshet.destination, ("Odd Names", "a b"))
    assert not (freshet.destination / "public").exists()
