# SPDX-License-Identifier: Apache-2.0
"""The types of PostGIS and pgvector, where they are installed: what TYPES.md says of them, in snapshots and changes."""
import pytest
from contents import assert_equal, delta_types, table_path
from test_types import check_paths_agree, family, ingest_on_every_path, listed_on_page

LONG_LINE = "LINESTRING(" + ",".join(f"{n / 7} {n % 90}.125" for n in range(1000)) + ")"
POINT = "0101000020E6100000000000000000F03F0000000000000040"  # as a value of a composite has it
DUMP = "struct<path:array<integer>,geom:string>"
SITE = f"struct<name:string,at:string,around:string,dumps:array<{DUMP}>,boxes:array<string>>"
PIECE = "struct<text:string,meaning:string,parts:array<string>,weights:array<double>>"
# Extension → what it takes to have the types below, and type → (Delta type, values as PostgreSQL reads them).
EXTENSIONS = {
    "postgis": (
        # As JSON a geometry is another thing than the text that is compared here.
        "ALTER EXTENSION postgis DROP CAST (geometry AS json); DROP CAST (geometry AS json); "
        "ALTER EXTENSION postgis DROP CAST (geometry AS jsonb); DROP CAST (geometry AS jsonb); "
        "CREATE TYPE site AS (name text, at geometry(Point,4326), around geography, dumps geometry_dump[], boxes box2d[])",
        {
            "geometry": (
                "string",
                [
                    "POINT(1 2)",
                    "SRID=4326;POINT Z (0.1 -2e300 3)",
                    "LINESTRING EMPTY",
                    "SRID=3857;POLYGON((0 0,10 0,10 10,0 0),(1 1,2 1,2 2,1 1))",
                    "GEOMETRYCOLLECTION ZM (POINT ZM (1 2 3 4),LINESTRING ZM (1 2 3 4,5 6 7 8))",
                    "POINT EMPTY",
                    LONG_LINE,
                    "CURVEPOLYGON(CIRCULARSTRING(0 0,4 0,4 4,0 4,0 0))",
                ],
            ),
            "geometry(Point,4326)": ("string", ["SRID=4326;POINT(1 2)", "SRID=4326;POINT EMPTY"]),
            "geography": ("string", ["POINT(-71.06 42.28)", "POLYGON((0 0,1 0,1 1,0 0))"]),
            "geography(LineString,4326)": ("string", ["LINESTRING(0 0,1.5 1)"]),
            "box2d": ("string", ["BOX(0 1,2 3)"]),
            "box3d": ("string", ["BOX3D(0 1 2,3 4 5)"]),
            "geometry[]": ("string", ["{}", "{POINT(1 2):NULL:LINESTRING EMPTY}"]),
            "geography[]": ("string", ["{}", "{POINT(1 2):NULL}"]),
            "box2d[]": ("array<string>", ["{}", '{"BOX(0 1,2 3)",NULL}']),
            "geometry_dump": (DUMP, [f'("{{1,2}}",{POINT})', "(,)"]),
            "site": (
                SITE,
                [
                    f'(a,{POINT},{POINT},"{{""({{1}},{POINT})"",NULL}}","{{""BOX(0 1,2 3)""}}")',
                    "(,,,,)",
                    "(b,,,{},{})",
                ],
            ),
        },
    ),
    "vector": (
        "CREATE TYPE piece AS (text text, meaning vector(3), parts halfvec[], weights double precision[])",
        {
            "vector": (
                "string",
                ["[1]", "[1,2.5,-3e-38,3.4028235e38,0.1]", f"[{','.join(['0.125'] * 1536)}]"],
            ),
            "vector(3)": ("string", ["[1,2.5,-3]", "[0,-0,1e-45]"]),
            "halfvec(3)": ("string", ["[1,65504,-0.1]", "[0,5.9604645e-08,2]"]),
            "sparsevec(5)": ("string", ["{1:1.5,3:-2}/5", "{}/5"]),
            "vector[]": ("array<string>", ["{}", '{"[1,2]",NULL,"[3]"}']),
            "halfvec[]": ("array<string>", ["{}", '{"[1,2]"}']),
            "piece": (
                PIECE,
                ['("a, b","[1,2,3]","{""[1,2]"",NULL}","{0.5,NULL}")', "(,,,)", '(c,,{},"{}")'],
            ),
        },
    ),
}
NAMES = {"postgis": "PostGIS", "vector": "pgvector"}


@pytest.fixture(params=EXTENSIONS)
def extension(request, database):
    """Its name; what is made of it is in the database."""
    name = request.param
    if not database.rows("SELECT FROM pg_available_extensions WHERE name = %s", (name,)):
        pytest.skip(f"this server has no {NAMES[name]}: tools/postgres-get --extensions installs it on some")
    prepare, _ = EXTENSIONS[name]
    database.execute(f"CREATE EXTENSION {name}; {prepare}")
    return name


@pytest.mark.parametrize("mapping, column", [("lossless", 1), ("databricks", 2)])
def test_extension_types_on_every_path(database, freshet, extension, mapping, column):
    _, types = EXTENSIONS[extension]
    _, paths = ingest_on_every_path(database, freshet, types, "--type-mapping", mapping)
    found = check_paths_agree(paths)
    if mapping == "lossless":
        wrong = {name: (found[name], kind) for name, (kind, _) in types.items() if found[name] != kind}
        assert not wrong, f"found, expected: {wrong}"
        assert_equal(
            database.connection,
            freshet.destination,
            "public.by_snapshot",
            "public.by_changes",
            "public.by_update",
        )
    listed = listed_on_page(column, of=NAMES[extension])
    assert listed == {name: family(found[name]) for name in types}


def test_rows_known_by_all_of_their_values(database, freshet, extension):
    """Of a table without a key a row that goes is found by its values, large ones too."""
    _, types = EXTENSIONS[extension]
    kind, values = next((name, values) for name, (_, values) in types.items())
    database.execute(f"CREATE TABLE loose (v {kind}); ALTER TABLE loose REPLICA IDENTITY FULL")
    for value in values:
        database.execute(f"INSERT INTO loose SELECT %s::{kind} FROM generate_series(1, 3)", (value,))
    freshet.ingest()
    one_of_each = "ctid IN (SELECT min(ctid) FROM loose GROUP BY v::text)"
    database.execute(f"DELETE FROM loose WHERE {one_of_each}")
    database.execute(f"UPDATE loose SET v = NULL WHERE {one_of_each}")
    freshet.ingest()
    assert delta_types(table_path(freshet.destination, "public", "loose")) == {"v": "string"}
    assert_equal(database.connection, freshet.destination, "public.loose")
