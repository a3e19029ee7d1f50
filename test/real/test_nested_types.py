# SPDX-License-Identifier: Apache-2.0
"""Values within values, types that are altered underneath, and text that is not UTF-8."""
import datetime
import decimal
import math

import pyarrow as pa
from contents import assert_equal, duckdb_connection, scan, table_path
from deltalake import DeltaTable, QueryBuilder
from test_types import PREPARE, nulled


def test_composites_hold_every_type(database, freshet):
    """Values written out by hand, for no comparison made by the server can tell them."""
    database.execute(PREPARE)
    database.execute("CREATE TABLE p (id int PRIMARY KEY, touched int, v place, many place[])")
    value = (
        "ROW(ROW(1, 'a')::point3, ARRAY['t,(', NULL, ''], '2024-02-29 12:34:56.123456+02', 1.25, '\\x00ff', 7.5, 'ok',"
        " 'NaN', '{{1,2},{3,4}}', 'a=>NULL, \"b c\"=>\"\"', '[2024-01-01 00:00+00,)')::place"
    )
    insert = f"INSERT INTO p VALUES (%s, 0, {value}, ARRAY[NULL, {value}, ROW(NULL,NULL,'infinity',NULL,NULL,NULL,NULL,NULL,'{{1}}',NULL,NULL)::place])"
    for number in (1, 2):
        database.execute(insert, (number,))
    database.execute("INSERT INTO p (id) VALUES (3)")
    runs = [freshet.ingest()]
    database.execute(insert, (4,))
    database.execute("UPDATE p SET touched = 1 WHERE id = 2")
    runs.append(freshet.ingest())
    assert [nulled(run) for run in runs] == [4, 4]
    whole = {
        "at": {"x": 1, "y": "a"},
        "tags": ["t,(", None, ""],
        "seen": datetime.datetime(2024, 2, 29, 10, 34, 56, 123456, datetime.timezone.utc),
        "cost": decimal.Decimal("1.25"),
        "raw": b"\x00\xff",
        "worth": decimal.Decimal("7.500"),
        "kind": "ok",
        "grid": [[1, 2], [3, 4]],
        "labels": [("a", None), ("b c", "")],
        "stays": '["2024-01-01 00:00:00+00",)',
    }
    path = table_path(freshet.destination, "public", "p")
    rows = pa.table(
        QueryBuilder().register("t", DeltaTable(str(path))).execute("SELECT * FROM t ORDER BY id")
    )
    rows = rows.to_pylist()
    assert [row["id"] for row in rows] == [1, 2, 3, 4]
    assert (rows[2]["v"], rows[2]["many"]) == (None, None)
    for row in (rows[0], rows[1], rows[3]):
        nothing, second, empty = row["many"]
        for found in (row["v"], second):
            assert math.isnan(found.pop("odd name, too"))
            assert found == whole
        assert nothing is None
        assert set(empty) == {*whole, "odd name, too"} and not any(
            value is not None for value in empty.values()
        )
    connection = duckdb_connection()
    scan(connection, "duckdb", path)
    read = connection.execute(
        "SELECT id, v.at.y, v.grid[2][1], v.labels['b c'], many[2].tags[1], v IS NULL, many[3].at IS NULL "
        "FROM destination ORDER BY id"
    ).fetchall()
    expected = ("a", 3, "", "t,(", False, True)
    assert [row for row in read if row[0] != 3] == [(number, *expected) for number in (1, 2, 4)]
    assert read[2][5]


def test_nested_values_without_a_key(database, freshet):
    """Rows that are identified by their whole content, nested values within."""
    database.execute(PREPARE)
    database.execute(
        "CREATE TABLE k (v point3, many point3[], words hstore, grid int[][]); ALTER TABLE k REPLICA IDENTITY FULL;"
        "INSERT INTO k SELECT ROW(i % 3, 'a')::point3, ARRAY[ROW(i % 2, NULL)::point3], hstore('n', (i % 2)::text),"
        " '{{1},{2}}' FROM generate_series(1, 12) i; INSERT INTO k VALUES (NULL, NULL, NULL, NULL), (ROW(NULL, NULL), '{}', '', '{}')"
    )
    freshet.ingest()
    database.execute(
        "DELETE FROM k WHERE ctid IN (SELECT ctid FROM k WHERE (v).x = 1 LIMIT 1);"
        "UPDATE k SET words = 'n=>NULL' WHERE (v).x = 2; DELETE FROM k WHERE v IS NOT DISTINCT FROM NULL"
    )
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.k")


def test_an_altered_composite_reads_its_table_again(database, freshet):
    database.execute("CREATE TYPE pair AS (a int, b text); CREATE TABLE other (id int PRIMARY KEY)")
    database.execute("CREATE TABLE t (id int PRIMARY KEY, v pair); INSERT INTO t VALUES (1, '(1,x)')")
    freshet.ingest()
    database.execute("ALTER TYPE pair ADD ATTRIBUTE c int; INSERT INTO t VALUES (2, '(2,y,3)')")
    database.execute("INSERT INTO other VALUES (1)")
    run = freshet.ingest()
    assert [event["table"] for event in run.events("refresh_needed")] == ["public.t"], run.describe()
    assert_equal(database.connection, freshet.destination, "public.t", "public.other")


def test_fields_that_trade_places_read_their_table_again(database, freshet):
    """As many fields as before, other ones: nothing in the change stream tells."""
    database.execute("CREATE TYPE pair AS (a int, b int); CREATE TABLE t (id int PRIMARY KEY, v pair)")
    database.execute("INSERT INTO t VALUES (1, '(1,2)')")
    freshet.ingest()
    database.execute("ALTER TYPE pair DROP ATTRIBUTE a; ALTER TYPE pair ADD ATTRIBUTE c int")
    database.execute("INSERT INTO t VALUES (2, '(3,4)')")
    run = freshet.ingest()
    assert [event["table"] for event in run.events("refresh_needed")] == ["public.t"], run.describe()
    assert_equal(database.connection, freshet.destination, "public.t")


def test_text_that_is_not_utf8(server, freshet):
    """A database in SQL_ASCII takes any bytes; keys that differ stay different, and what is changed is counted."""
    with server.connect("postgres") as admin:
        admin.execute("CREATE DATABASE raw_bytes ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    try:
        with server.connect("raw_bytes", client_encoding="SQL_ASCII") as source:
            source.execute("CREATE TYPE label AS (name text, other text[])")
            source.execute('CREATE TABLE t (name text PRIMARY KEY, many text[], v label, c "char")')
            insert = (
                "INSERT INTO t VALUES (E'M\\xfcller{0}', ARRAY[E'\\xc3\\xa9', E'\\xc3'], ROW(E'\\xff', NULL), "
                "(-56)::\"char\"), (E'M\\xf6ller{0}', NULL, NULL, NULL), (E'\\xc3\\xa9{0}', NULL, NULL, NULL)"
            )
            # Older servers write a "char" beyond ASCII as that byte, newer ones in octal.
            octal = source.execute("SELECT (-56)::\"char\"::text = '\\310'").fetchone()[0]
            source.execute(insert.format(1))
            runs = [freshet.ingest("--tables", "public.t", url=server.url("raw_bytes"))]
            source.execute(insert.format(2))
            runs.append(freshet.ingest("--tables", "public.t", url=server.url("raw_bytes")))
        assert [nulled(run) for run in runs] == ([4, 4] if octal else [5, 5])
        for reader in ("duckdb", "delta-rs"):
            connection = duckdb_connection()
            scan(connection, reader, table_path(freshet.destination, "public", "t"))
            rows = connection.execute(
                "SELECT name, many, v.name, c FROM destination ORDER BY name"
            ).fetchall()
            expected = []
            for number in (1, 2):
                expected.append(
                    (
                        f"M\ufffdFCller{number}",
                        ["é", "\ufffdC3"],
                        "\ufffdFF",
                        "\\310" if octal else "\ufffdC8",
                    )
                )
                expected += [(f"M\ufffdF6ller{number}", None, None, None), (f"é{number}", None, None, None)]
            assert rows == sorted(expected, key=lambda row: row[0])
    finally:
        freshet.command("drop", freshet.destination, expect=None)
        with server.connect("postgres") as admin:
            admin.execute("DROP DATABASE raw_bytes WITH (FORCE)")
