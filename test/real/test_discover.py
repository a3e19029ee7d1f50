# SPDX-License-Identifier: Apache-2.0
"""`freshet discover`: every table with its columns, types, key and size, and why one cannot be ingested."""
import json

import pytest

TABLES = """
CREATE SCHEMA sales;
CREATE TABLE sales.orders (number int, line smallint, amount numeric(12,2), tags text[], at timestamptz,
                           PRIMARY KEY (line, number));
INSERT INTO sales.orders SELECT i, 1, i, '{a}', now() FROM generate_series(1, 5000) i;
ANALYZE sales.orders;
CREATE TABLE whole (v text, w varchar(7)); ALTER TABLE whole REPLICA IDENTITY FULL;
CREATE TABLE nokey (v text);
CREATE UNLOGGED TABLE fleeting (id int PRIMARY KEY);
CREATE VIEW seen AS SELECT * FROM nokey;
CREATE TABLE odd (id int PRIMARY KEY, "__freshet_x" int);
"""


def lines(run, kind):
    return [event for event in map(json.loads, run.stdout.splitlines()) if event["event"] == kind]


def test_tables_with_columns_types_key_and_size(database, freshet):
    database.execute(TABLES)
    run = freshet.command("discover", database.url, "--json")
    tables = {event["table"]: event for event in lines(run, "table")}
    assert list(tables) == [
        "public.fleeting",
        "public.nokey",
        "public.odd",
        "public.seen",
        "public.whole",
        "sales.orders",
    ]
    orders = tables["sales.orders"]
    assert orders["ingestible"] and orders["key"] == "line, number", orders
    assert orders["rows_estimated"] == 5000 and orders["bytes_estimated"] > 100_000
    columns = [event for event in lines(run, "column") if event["table"] == "sales.orders"]
    assert [(c["column"], c["source_type"], c["delta_type"], c["key_place"]) for c in columns] == [
        ("number", "integer", "INTEGER", 2),
        ("line", "smallint", "SHORT", 1),
        ("amount", "numeric(12,2)", "DECIMAL(12,2)", 0),
        ("tags", "text[]", "ARRAY<STRING>", 0),
        ("at", "timestamp with time zone", "TIMESTAMP", 0),
    ]
    assert database.slots() == [] and database.value("SELECT count(*) FROM pg_publication") == 0


def test_why_a_table_cannot_be_ingested(database, freshet):
    database.execute(TABLES)
    run = freshet.command("discover", database.url, "--json")
    problems = {event["table"]: event for event in lines(run, "table") if not event["ingestible"]}
    assert {name: event["class"] for name, event in problems.items()} == {"public.odd": "COLUMN_RESERVED"}
    assert not [event for event in lines(run, "column") if event["table"] in problems]


def test_which_tables_the_log_does_not_tell_of(database, freshet):
    database.execute(TABLES)
    run = freshet.command("discover", database.url, "--json")
    unlogged = {event["table"]: event for event in lines(run, "table") if not event["logged"]}
    assert {name: event["class"] for name, event in unlogged.items()} == {
        "public.fleeting": "TABLE_NOT_LOGGED",
        "public.nokey": "TABLE_NO_IDENTITY",
        "public.seen": "TABLE_NOT_LOGGED",
    }
    assert all(event["ingestible"] and event["remedy"] for event in unlogged.values())
    assert unlogged["public.nokey"]["remedy"] == 'ALTER TABLE "public"."nokey" REPLICA IDENTITY FULL;'
    assert {event["table"] for event in lines(run, "column")} >= set(unlogged)


def test_for_people(database, freshet):
    database.execute(TABLES)
    told = freshet.command("discover", database.url).stdout
    block = told[told.index("sales.orders") :].splitlines()
    assert "about 5,000 rows" in block[0] and "bytes" in block[0]
    assert block[1].split() == ["number", "integer", "INTEGER", "key"]
    assert block[3].split() == ["amount", "numeric(12,2)", "DECIMAL(12,2)"]
    assert "no key: rows are told apart by their whole content" in told
    assert "read again each run: TABLE_NO_IDENTITY" in told
    assert "read again each run where it is named in full: TABLE_NOT_LOGGED" in told
    assert "cannot be ingested: COLUMN_RESERVED" in told
    assert 'ALTER TABLE "public"."nokey" REPLICA IDENTITY FULL;' in told


def test_patterns(database, freshet):
    database.execute(TABLES)
    run = freshet.command("discover", database.url, "--json", "--tables", "sales.*", "--tables", "public.no*")
    assert [event["table"] for event in lines(run, "table")] == ["public.nokey", "sales.orders"]
    run = freshet.command("discover", database.url, "--tables", "public.absent", expect=2)
    assert "NO_TABLE_MATCHES" in run.stderr and run.stdout == ""


def test_an_empty_database(database, freshet):
    assert "no table" in freshet.command("discover", database.url).stdout
    assert freshet.command("discover", database.url, "--json").stdout == ""


@pytest.mark.parametrize(
    "url, code, expected",
    [
        ("postgresql://postgres@127.0.0.1:1/postgres", 3, "SOURCE_UNREACHABLE"),
        ("mysql://x/y", 2, "INVALID_ARGUMENT"),
        ("sample:///no/such/directory", 3, "SOURCE_UNREACHABLE"),
    ],
)
def test_a_source_that_is_not_there(freshet, url, code, expected):
    run = freshet.command("discover", url, expect=code)
    assert expected in run.stderr


def test_what_it_lists_is_what_ingest_takes(database, freshet):
    database.execute(TABLES)
    run = freshet.command("discover", database.url, "--json")
    freshet.ingest("--tables", "*", "--tables", "public.seen", expect=5)
    status = freshet.command("status", freshet.destination).stdout
    for event in lines(run, "table"):
        folder = freshet.destination / event["schema"] / event["name"]
        assert folder.exists() == event["ingestible"], status
