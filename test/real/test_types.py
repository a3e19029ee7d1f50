# SPDX-License-Identifier: Apache-2.0
"""Every type of src/sources/postgres/TYPES.md with its edge values: snapshot path = change path = source, in two readers."""
import re

import psycopg
import pytest
from contents import (
    assert_equal,
    delta_types,
    duckdb_connection,
    quote,
    scan,
    table_path,
)
from freshet_command import ROOT

PREPARE = """
CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE EXTENSION ltree;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s "fine", ü');
CREATE TYPE point3 AS (x int, y text);
CREATE DOMAIN amount AS numeric(12,3);
CREATE DOMAIN small_amount AS amount CHECK (value < 1000000);
CREATE DOMAIN word AS varchar(40);
CREATE DOMAIN located AS point3 CHECK ((VALUE).x < 1000);
CREATE DOMAIN ints AS int[];
CREATE TYPE place AS (at located, tags text[], seen timestamptz, cost numeric(10,2), raw bytea, worth small_amount,
  kind mood, "odd name, too" double precision, grid int[][], labels hstore, stays tstzrange);
-- As extensions make types: without a binary form.
CREATE TYPE plain;
CREATE FUNCTION plain_in(cstring) RETURNS plain AS 'textin' LANGUAGE internal IMMUTABLE STRICT;
CREATE FUNCTION plain_out(plain) RETURNS cstring AS 'textout' LANGUAGE internal IMMUTABLE STRICT;
CREATE TYPE plain (INPUT = plain_in, OUTPUT = plain_out, STORAGE = extended);
"""
TEXTS = [
    "",
    " ",
    "x",
    "NULL",
    "\\N",
    "null",
    "{}",
    "line\nbreak\r\n\ttab",
    "quo\"te 'single' back\\slash",
    "ünïcode 表 🎉",
    "\u0001\u007f",
    "%s,;",
    "x" * 5000,
]
TIMESTAMPS = [
    "2024-02-29 12:34:56.123456",
    "1970-01-01 00:00:00",
    "1969-12-31 23:59:59.999999",
    "0001-01-01 00:00:00",
    "9999-12-31 23:59:59.999999",
    "1582-10-04 00:00:00",
    "1582-10-15 00:00:00",
    "1900-01-01 00:00:00.000001",
    "2038-01-19 03:14:08",
    "infinity",
    "-infinity",
]
DATES = [
    "2024-02-29",
    "1970-01-01",
    "1969-12-31",
    "0001-01-01",
    "9999-12-31",
    "1582-10-04",
    "infinity",
    "-infinity",
]
POINT3 = "struct<x:integer,y:string>"
# SQL type → (Delta type, edge values as PostgreSQL reads them)
TYPES = {
    "boolean": ("boolean", ["true", "false"]),
    "smallint": ("short", ["0", "-1", "32767", "-32768"]),
    "integer": ("integer", ["0", "-1", "2147483647", "-2147483648"]),
    "bigint": ("long", ["0", "-1", "9223372036854775807", "-9223372036854775808", "9007199254740993"]),
    "oid": ("string", ["0", "4294967295"]),
    "real": (
        "float",
        ["0", "-0", "1.1", "3.4028235e38", "1e-45", "NaN", "Infinity", "-Infinity", "16777217"],
    ),
    "double precision": (
        "double",
        [
            "0",
            "-0",
            "0.1",
            "1.7976931348623157e308",
            "5e-324",
            "NaN",
            "Infinity",
            "-Infinity",
            "1e22",
            "-123456.789",
        ],
    ),
    "numeric(5,2)": ("decimal(5,2)", ["0", "999.99", "-999.99", "0.01", "NaN"]),
    "numeric(18,0)": ("decimal(18,0)", ["0", "999999999999999999", "-999999999999999999", "10000", "NaN"]),
    "numeric(20,4)": ("decimal(20,4)", ["0", "9999999999999999.9999", "-0.0001", "10000.0001", "1e8"]),
    "numeric(38,0)": ("decimal(38,0)", ["9" * 38, "-" + "9" * 38, "1", "1" + "0" * 37]),
    "numeric(38,38)": ("decimal(38,38)", ["0." + "9" * 38, "-0." + "0" * 37 + "1", "0"]),
    "numeric(3,-2)": ("decimal(5,0)", ["12300", "-99900", "49", "NaN"]),
    "numeric(3,5)": ("decimal(5,5)", ["0.00999", "-0.00001", "0"]),
    "numeric(38,10)": ("decimal(38,10)", ["9" * 28 + "." + "9" * 10, "-1.5", "0.0000000001", "NaN"]),
    "numeric": (
        "string",
        [
            "0",
            "1.50",
            "123456789012345678901234567890123456789012345.678901234567890",
            "NaN",
            "Infinity",
            "-Infinity",
            "1e-30",
        ],
    ),
    "numeric(50,3)": ("string", ["9" * 47 + ".123", "-1", "NaN"]),
    "text": ("string", TEXTS),
    "varchar(6000)": ("string", TEXTS),
    "char(5)": ("string", ["", "ab", "abcde", "ü"]),
    '"char"': ("string", ["a", ""]),
    "citext": ("string", ["", "MiXed ü"]),
    "name": ("string", ["", "some name"]),
    "bytea": ("binary", ["", "\\x00", "\\xdeadbeef00ff", "\\x" + "5c" * 3000]),
    "date": ("date", DATES),
    "time": ("string", ["00:00:00", "23:59:59.999999", "24:00:00", "12:34:56.7"]),
    "timetz": ("string", ["00:00:00+00", "23:59:59.999999-08", "12:00:00+05:30"]),
    "timestamp": ("timestamp_ntz", TIMESTAMPS),
    "timestamptz": (
        "timestamp",
        [t if "inf" in t else t + "+00" for t in TIMESTAMPS]
        + ["2024-03-31 02:30:00+02", "2024-01-01 00:00:00-12:34"],
    ),
    "timestamp(0)": ("timestamp_ntz", ["2024-02-29 12:34:56.6"]),
    "interval": (
        "string",
        ["1 day", "-1 year 2 mons 3 days 04:05:06.789", "0", "-178000000 years", "00:00:00.000001"],
    ),
    "uuid": (
        "string",
        [
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        ],
    ),
    "json": ("string", ['{"a":  1, "a": 2}', "null", '"\\u00fc"', "[1, 2.50, 1e400]", "{}"]),
    "jsonb": ("string", ['{"b": 1, "a": [null, true]}', "null", "12345678901234567890.123", '"ü"']),
    "mood": ("string", ["sad", "ok", 'it\'s "fine", ü']),
    "amount": ("decimal(12,3)", ["1.5", "-999999999.999", "NaN"]),
    "small_amount": ("decimal(12,3)", ["1.5", "-999999999.999"]),
    "word": ("string", ["", "a domain"]),
    "money": ("string", ["1.50", "-92233720368547758.08"]),
    "inet": ("string", ["10.0.0.1", "::1/64"]),
    "cidr": ("string", ["10.0.0.0/8"]),
    "macaddr": ("string", ["08:00:2b:01:02:03"]),
    "macaddr8": ("string", ["08:00:2b:01:02:03:04:05"]),
    "bit(5)": ("string", ["10101", "00000"]),
    "varbit": ("string", ["", "1", "101010101"]),
    "point": ("string", ["(1.5,-2)", "(NaN,Infinity)", "(0.1,1e300)"]),
    "line": ("string", ["{1,-1,0}"]),
    "lseg": ("string", ["[(0,0),(1,1)]"]),
    "box": ("string", ["(1,1),(0,0)"]),
    "path": ("string", ["[(0,0),(1,1)]", "((0,0),(1,1))"]),
    "polygon": ("string", ["((0,0),(1,1),(1,0))"]),
    "circle": ("string", ["<(0,0),1.5>"]),
    "int4range": ("string", ["[1,5)", "empty", "(,)", "[,3]"]),
    "numrange": ("string", ["(1.5,2.25]", "[,)"]),
    "tsrange": ("string", ["[2024-01-01,infinity)", "empty"]),
    "tstzrange": ("string", ["[2024-01-01 00:00+02,)"]),
    "daterange": ("string", ["[2024-01-01,2024-02-01]"]),
    "int4multirange": ("string", ["{}", "{[1,3),[5,7)}"]),
    "nummultirange": ("string", ["{(,1.5],[2,)}"]),
    "tsvector": ("string", ["a:1 b:2", "'it''s':3A"]),
    "tsquery": ("string", ["fat & !rat:*"]),
    "ltree": ("string", ["", "top.science"]),
    "xml": ("string", ["<a>b</a>", '<?xml version="1.0"?><ü/>']),
    "jsonpath": ("string", ["$.a[*] ? (@ > 1)"]),
    "pg_lsn": ("string", ["16/B374D848"]),
    "xid": ("string", ["0", "4294967295"]),
    "xid8": ("string", ["18446744073709551615"]),
    "cid": ("string", ["7"]),
    "tid": ("string", ["(42,7)"]),
    "regclass": ("string", ["pg_class", "public.by_snapshot"]),
    "regtype": ("string", ["integer", "public.mood"]),
    "int2vector": ("string", ["", "1 2 -3"]),
    "oidvector": ("string", ["1 4294967295"]),
    "txid_snapshot": ("string", ["10:20:10,14,15"]),
    "pg_snapshot": ("string", ["10:20:10,14,15"]),
    "plain": ("string", ["", 'any (text), {it} "likes"']),
    "point3": (
        POINT3,
        ["(1,a)", '(,"b c")', "(,)", '(-1,"q""u\\\\o,te()")', '(5,"")', "(7,NULL)", '(8,"ü\n")'],
    ),
    "located": (POINT3, ["(1,a)", "(,)"]),
    "point3[]": (f"array<{POINT3}>", ["{}", '{"(1,a)",NULL,"(,\\"b \\\\\\\\ \\"\\"c\\")","(,)"}']),
    "hstore": (
        "map<string,string>",
        ["", "a=>1, b=>NULL", '"q\\"u"=>"back\\\\slash, =>", ""=>"", ü=>"NULL"'],
    ),
    "hstore[]": ("array<map<string,string>>", ["{}", '{"a=>\\"b c\\"",NULL,""}']),
    "ints": ("array<integer>", ["{}", "{1,NULL}"]),
    "ints[]": ("string", ["{}", '{"{1,2}",NULL}']),
    "integer[][]": (
        "array<array<integer>>",
        ["{}", "{{1,2},{3,NULL}}", "[0:1][2:3]={{1,2},{3,4}}", "{1,2}", "{{{1}}}"],
    ),
    "text[][]": ("array<array<string>>", ["{}", '{{"a{","b\\"}"},{NULL,"NULL"}}']),
    "inet[]": ("array<string>", ["{}", "{10.0.0.1,NULL,::1/64}"]),
    "numeric[]": ("array<string>", ["{}", "{1.50,NULL,NaN,123456789012345678901234567890123456789012345.5}"]),
    "int4range[]": ("array<string>", ["{}", '{"[1,5)",empty,NULL}']),
    "box[]": ("string", ["{}", "{(1,1),(0,0);(2,2),(1,1)}"]),
    "boolean[]": ("array<boolean>", ["{}", "{t,f,NULL}"]),
    "smallint[]": ("array<short>", ["{}", "{1,NULL,-32768}"]),
    "integer[]": (
        "array<integer>",
        ["{}", "{1,NULL,-3}", "{NULL}", "[0:1]={5,6}", "{{1,2},{3,4}}", "[2:3][1:1]={{1},{2}}"],
    ),
    "bigint[]": ("array<long>", ["{}", "{9223372036854775807,NULL}"]),
    "real[]": ("array<float>", ["{}", "{1.1,NULL,NaN,-Infinity}"]),
    "double precision[]": ("array<double>", ["{}", "{0.1,NULL,1e308,NaN}"]),
    "numeric(10,2)[]": ("array<decimal(10,2)>", ["{}", "{1.25,NULL,-99999999.99}"]),
    "text[]": (
        "array<string>",
        ["{}", '{"",NULL,"NULL","a b","q\\"uote","back\\\\slash","com,ma","{brace}",ü}'],
    ),
    "varchar(10)[]": ("array<string>", ["{}", "{a,NULL}"]),
    "bytea[]": ("array<binary>", ["{}", '{"\\\\x00ff",NULL,"\\\\x"}']),
    "date[]": ("array<date>", ["{}", "{2024-02-29,NULL,0001-01-01}"]),
    "time[]": ("array<string>", ["{}", "{24:00:00,NULL}"]),
    "timestamp[]": ("array<timestamp_ntz>", ["{}", '{"2024-02-29 12:34:56.123456",NULL}']),
    "timestamptz[]": ("array<timestamp>", ["{}", '{"2024-02-29 12:34:56.123456+02",NULL}']),
    "uuid[]": ("array<string>", ["{}", "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11,NULL}"]),
    "jsonb[]": ("array<string>", ["{}", '{"{\\"a\\": 1}",NULL}']),
    "mood[]": ("array<string>", ["{}", "{sad,NULL,ok}"]),
    "amount[]": ("array<decimal(12,3)>", ["{}", "{1.5,NULL}"]),
}
# How many of the values above the Delta type cannot hold.
NULLED = {
    "numeric(5,2)": 1,
    "numeric(18,0)": 1,
    "numeric(3,-2)": 1,
    "numeric(38,10)": 1,
    "amount": 1,
    "date": 2,
    "timestamp": 2,
    "timestamptz": 2,
    "integer[]": 2,
    "integer[][]": 2,
}
ROWS = max(len(values) for _, values in TYPES.values()) + 1


def create(database, table, types):
    listed = ", ".join(f"{quote(name)} {name}" for name in types)
    database.execute(f"CREATE TABLE {table} (id int PRIMARY KEY, touched int, {listed})")


def fill(database, table, types, first=1):
    """Row by row: the last row holds NULLs only."""
    names = ", ".join(["id", "touched"] + [quote(name) for name in types])
    marks = ", ".join(["%s", "0"] + [f"%s::{name}" for name in types])
    for i in range(ROWS):
        values = [values[i] if i < len(values) else None for _, values in types.values()]
        database.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", [first + i, *values])


def rows_without_id(path, reader):
    connection = duckdb_connection()
    scan(connection, reader, path)
    return connection.execute(
        "SELECT COLUMNS(* EXCLUDE (id, touched))::VARCHAR FROM destination ORDER BY id"
    ).fetchall()


def types_of(database):
    """TYPES, without what this server lacks: multiranges and infinite numerics before 14, scales beyond the precision
    before 15, XML where it was built without."""
    version = database.connection.info.server_version
    asked = [name for name in TYPES if version >= 150000 or name not in ("numeric(3,-2)", "numeric(3,5)")]
    missing = "SELECT name FROM unnest(%s::text[]) AS name WHERE to_regtype(name) IS NULL"
    lacking = {name for (name,) in database.rows(missing, (asked,))}
    types = {name: TYPES[name] for name in asked if name not in lacking}
    if version < 140000:
        kind, values = types["numeric"]
        types["numeric"] = (kind, [value for value in values if "Infinity" not in value])
    try:
        database.execute("SELECT '<a/>'::xml")
    except psycopg.errors.FeatureNotSupported:
        del types["xml"]
    return types


def nulled(run):
    """What the run's result counts."""
    return run.events("run_finished")[-1]["values_nulled"]


def nulled_among(types):
    return sum(count for name, count in NULLED.items() if name in types)


def prepare(database):
    database.execute(PREPARE)
    return types_of(database)


def ingest_on_every_path(database, freshet, types, *options):
    """The same rows by snapshot, by inserts and by updates; the two runs and the three tables' paths."""
    for table in ("by_snapshot", "by_changes", "by_update"):
        create(database, table, types)
    fill(database, "by_snapshot", types)
    fill(database, "by_update", types)
    runs = [freshet.ingest(*options)]
    fill(database, "by_changes", types)
    database.execute("UPDATE by_update SET touched = 1")
    runs.append(freshet.ingest(*options))
    paths = [table_path(freshet.destination, "public", t) for t in ("by_snapshot", "by_changes", "by_update")]
    return runs, paths


def check_paths_agree(paths):
    found = delta_types(paths[0])
    assert found == delta_types(paths[1]) == delta_types(paths[2])
    for reader in ("duckdb", "delta-rs"):
        by_path = [[repr(row) for row in rows_without_id(path, reader)] for path in paths]
        assert by_path[0] == by_path[1] == by_path[2]
    return found


def family(kind):
    return re.split(r"[<(]", kind)[0].upper()


def listed_on_page(column, of=None):
    """What TYPES.md says in a column of its table of types, or of its table of extensions' types: type → Delta's."""
    listed = {}
    for line in (ROOT / "src/sources/postgres/TYPES.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if of and cells.pop(0) != of:
            continue
        if line.startswith("|") and "`" in cells[0]:
            listed |= {name: cells[column] for name in re.findall(r"`([^`]+)`", cells[0])}
    return listed


def check_page(found, column):
    """TYPES.md names every type that has values here, and says what it became."""
    listed = listed_on_page(column)
    base = {"amount": "DECIMAL", "located": family(found["located"]), "ints": family(found["ints"])}
    wrong = {
        name: (said, found.get(name))
        for name, said in listed.items()
        if name != "place"
        and (name in found or name not in TYPES)  # else this server lacks it
        and (base.get(name) if said == "as their base" else said) != family(found.get(name, "nothing"))
    }
    assert listed and not wrong, f"said by TYPES.md, found: {wrong}"


def test_every_type_on_both_paths(database, freshet):
    runs, paths = ingest_on_every_path(database, freshet, prepare(database))
    tables = ["public.by_snapshot", "public.by_changes", "public.by_update"]
    assert_equal(database.connection, freshet.destination, *tables)
    found = check_paths_agree(paths)
    wrong = {name: (found[name], kind) for name, (kind, _) in TYPES.items() if found.get(name, kind) != kind}
    assert not wrong, f"found, expected: {wrong}"
    check_page(found, 1)
    assert [nulled(run) for run in runs] == [2 * nulled_among(found)] * 2


def test_the_tables_of_lakeflow_connect(database, freshet):
    runs, paths = ingest_on_every_path(database, freshet, prepare(database), "--type-mapping", "databricks")
    found = check_paths_agree(paths)
    check_page(found, 2)
    scalars = found.keys() - {"integer[]", "integer[][]"}
    assert [nulled(run) for run in runs] == [2 * nulled_among(scalars)] * 2
    connection = duckdb_connection()
    scan(connection, "delta-rs", paths[1])
    read = lambda column: [
        row[0]
        for row in connection.execute(f"SELECT {quote(column)} FROM destination ORDER BY id").fetchall()
    ]
    assert read("bit(5)")[:2] == [b"\xa8", b"\0"]
    assert read("varbit")[:3] == [b"", b"\x80", b"\xaa\x80"]
    assert read("integer[]")[3:6] == ["[0:1]={5,6}", "{{1,2},{3,4}}", "[2:3][1:1]={{1},{2}}"]
    assert read("point3")[:2] == ["(1,a)", '(,"b c")']
    assert read("hstore")[1] == '"a"=>"1", "b"=>NULL'
    moment = connection.execute('SELECT "timestamp"::VARCHAR FROM destination ORDER BY id').fetchone()[0]
    assert moment == "2024-02-29 12:34:56.123456+00"
    refused = freshet.ingest("--type-mapping", "lossless", expect=2)
    assert "made with the type mapping databricks, not lossless" in refused.stdout + refused.stderr
    before = delta_types(paths[0])
    database.execute("INSERT INTO by_changes (id, \"bit(5)\") VALUES (1000, B'11111')")
    freshet.ingest()  # left out: as it was begun
    assert delta_types(paths[0]) == before
    scan(connection, "delta-rs", paths[1])
    assert read("bit(5)")[-1] == b"\xf8"


def test_a_mapping_in_the_specification(database, freshet, tmp_path):
    database.execute("CREATE TABLE t (id int PRIMARY KEY, v int[]); INSERT INTO t VALUES (1, '{1,2}')")
    spec = tmp_path / "spec.yaml"
    write = lambda mapping: spec.write_text(
        f"source_configurations: [{{catalog: {{postgres: {{type_mapping: {mapping}}}}}}}]"
    )
    write("exact")
    refused = freshet.ingest("--spec", spec, expect=2)
    assert "is none of lossless, databricks" in refused.stderr
    write("databricks")
    freshet.ingest("--spec", spec)
    assert delta_types(table_path(freshet.destination, "public", "t")) == {"id": "integer", "v": "string"}


@pytest.mark.parametrize(
    "kind, values",
    [
        ("timestamptz", ["infinity", "-infinity"]),
        ("timestamp", ["infinity"]),
        ("date", ["infinity", "-infinity"]),
        ("numeric(9,2)", ["NaN"]),
    ],
)
def test_values_that_become_null_are_counted(database, freshet, kind, values):
    database.execute(f"CREATE TABLE odd (id int PRIMARY KEY, v {kind})")
    for i, value in enumerate(values):
        database.execute("INSERT INTO odd VALUES (%s, %s)", (i, value))
    run = freshet.ingest()
    counted = [event["values_nulled"] for event in run.events() if event.get("values_nulled")]
    assert counted and max(counted) == len(values), run.describe()
    assert_equal(database.connection, freshet.destination, "public.odd")
    database.execute("INSERT INTO odd SELECT id + 100, v FROM odd")
    run = freshet.ingest()
    counted = [event["values_nulled"] for event in run.events() if event.get("values_nulled")]
    assert counted and max(counted) == len(values), run.describe()
    assert_equal(database.connection, freshet.destination, "public.odd")


def test_times_far_away(database, freshet):
    """Before Christ, and beyond year 9999: exact, in the statistics too (a reader that skips a file by them would lose rows)."""
    values = {
        "date": ["4713-01-01 BC", "0001-12-31 BC", "10000-01-01", "5874897-12-31"],
        "timestamp": [
            "4713-01-01 00:00:00 BC",
            "0001-12-31 23:59:59.999999 BC",
            "10000-01-01",
            "294247-01-01",
            "294276-12-31 23:59:59",
        ],
        "timestamptz": [
            "4713-01-01 00:00:00+00 BC",
            "0001-12-31 23:59:59.999999+00 BC",
            "10000-01-01+00",
            "294276-12-31 23:59:59+00",
        ],
    }
    for table in ("early", "late"):
        database.execute(
            f"CREATE TABLE {table} (id int PRIMARY KEY, {', '.join(f'{quote(kind)} {kind}' for kind in values)})"
        )
    insert = lambda table: [
        database.execute(
            f"INSERT INTO {table} (id, {quote(kind)}) VALUES (%s, %s::{kind})", (number * 10 + i, value)
        )
        for number, (kind, listed) in enumerate(values.items())
        for i, value in enumerate(listed)
    ]
    insert("early")
    freshet.ingest()
    insert("late")
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.early", "public.late")


def test_generated_columns_are_not_sent(database, freshet):
    database.execute(
        "CREATE TABLE g (id int PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (a * 2) STORED, serial int GENERATED BY DEFAULT AS IDENTITY); "
        "INSERT INTO g (id, a) SELECT i, i FROM generate_series(1, 10) i"
    )
    freshet.ingest()
    database.execute("UPDATE g SET a = 7 WHERE id < 4")
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.g")


def test_rows_that_copy_sends_as_text(database, freshet):
    """Types kept as text outweigh the rest, so the table is read in text: what is escaped there comes through."""
    database.execute(
        "CREATE TABLE plain (id int PRIMARY KEY, a numeric, b numeric, c inet, d int4range, e text, f bytea, g text[])"
    )
    odd = "E'a\\tb\\nc\\\\d\\r\\b\\f\\v\\\\N \\\\. é'"
    database.execute(
        "INSERT INTO plain SELECT i, i * 1.10, CASE WHEN i % 3 = 0 THEN 'NaN'::numeric END, '10.0.0.1'::inet + i, "
        f"int4range(i, i + 2), CASE i % 4 WHEN 0 THEN {odd} WHEN 1 THEN '' WHEN 2 THEN '\\N' END, '\\x5c090a', "
        f"ARRAY[{odd}, NULL, ''] FROM generate_series(1, 2000) i"
    )
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.plain")
