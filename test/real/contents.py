# SPDX-License-Identifier: Apache-2.0
"""Compare a source table with its Delta table by content: as multisets of typed rows.

The source's rows leave PostgreSQL as text made for comparing (COPY … CSV), the destination's rows are read by a real
reader (DuckDB's Delta extension, delta-rs' DataFusion). DuckDB casts both to the same types and compares; no row is
ever a Python object, so a million rows take seconds.
"""
import atexit
import json
import os
import pathlib
import re
import shutil
import tempfile
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa
import pyarrow.csv
from deltalake import DeltaTable, QueryBuilder
from duckdb_extensions import import_extension

READERS = ("duckdb", "delta-rs")
SCALARS = {
    "bool",
    "int2",
    "int4",
    "int8",
    "float4",
    "float8",
    "numeric",
    "date",
    "timestamp",
    "timestamptz",
    "bytea",
}
_duckdb = None  # loading the extension takes a fifth of a CPU second, so it is done once


@dataclass
class Difference:
    """What one reader sees otherwise than the source; falsy when nothing."""

    reader: str
    table: str
    source_rows: int
    destination_rows: int
    missing: list = field(default_factory=list)
    extra: list = field(default_factory=list)
    missing_rows: int = 0
    extra_rows: int = 0
    columns: tuple = ()

    def __bool__(self):
        return bool(self.missing_rows or self.extra_rows)

    def __str__(self):
        lines = [
            f"{self.table} by {self.reader}: {self.source_rows} rows at the source, "
            f"{self.destination_rows} at the destination; "
            f"{self.missing_rows} missing, {self.extra_rows} too many (or other content)"
        ]
        lines += [f"  missing {self._row(row)}" for row in self.missing]
        lines += [f"  extra   {self._row(row)}" for row in self.extra]
        if self.missing and self.extra:
            pair = self._nearest(self.missing[0])
            differing = [name for name, a, b in zip(self.columns, self.missing[0], pair) if a != b]
            lines.append(f"  first missing row differs from its nearest extra row in {differing}")
        return "\n".join(lines)

    def _row(self, row):
        cut = lambda value: value if len(value) <= 60 else f"{value[:40]}…({len(value)})"
        return "{" + ", ".join(f"{n}: {cut(repr(v))}" for n, v in zip(self.columns, row)) + "}"

    def _nearest(self, row):
        return max(self.extra, key=lambda other: sum(a == b for a, b in zip(row, other)))


def quote(name):
    return '"' + name.replace('"', '""') + '"'


def duckdb_connection():
    """A DuckDB connection of its own that can read Delta tables, without any network and without what others have read."""
    global _duckdb
    if _duckdb is None:
        _duckdb = duckdb.connect(config={"threads": 2, "enable_external_file_cache": False})
        import_extension("delta", con=_duckdb)
        _duckdb.execute("LOAD delta")
    connection = _duckdb.cursor()
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def table_path(destination, schema, table):
    """Where a table lies: names literal but for `/`, NUL, `%` and a leading `.` or `_`."""
    return pathlib.Path(destination) / encode_name(schema) / encode_name(table)


def encode_name(name):
    coded = "".join(f"%{ord(c):02X}" if c in "/\0%" else c for c in name)
    return f"%{ord(coded[0]):02X}{coded[1:]}" if coded[:1] in (".", "_") else coded


def scan(connection, reader, path):
    """Register the Delta table (`parquet`: a folder of plain files) as the view `destination` of a DuckDB connection."""
    # DuckDB and delta-rs take a path for a URL and decode it, links resolved first: they are given hard links elsewhere.
    if reader != "parquet" and not re.fullmatch(r"[\w./-]+", str(path), re.ASCII):
        link = pathlib.Path(tempfile.mkdtemp(prefix="freshet-link-")) / "table"
        shutil.copytree(path, link, copy_function=os.link)
        atexit.register(shutil.rmtree, link.parent, ignore_errors=True)
        path = link
    connection.execute("DROP VIEW IF EXISTS destination")
    if reader == "parquet":
        files = str(path).replace("'", "''")
        connection.execute(
            f"CREATE OR REPLACE TEMP VIEW destination AS SELECT * FROM read_parquet('{files}/*.parquet')"
        )
        return
    if reader == "duckdb":
        literal = str(path).replace("'", "''")
        connection.execute(
            f"CREATE OR REPLACE TEMP VIEW destination AS SELECT * FROM delta_scan('{literal}')"
        )
        return
    batches = QueryBuilder().register("t", DeltaTable(str(path))).execute("SELECT * FROM t")
    connection.register("destination", pa.table(batches))


def columns_of(connection):
    return [(row[0], row[1]) for row in connection.execute("DESCRIBE SELECT * FROM destination").fetchall()]


def _nested(kind):
    """Whether values are compared as JSON: structs, maps and arrays of several dimensions."""
    return "STRUCT(" in kind or "MAP(" in kind or kind.endswith("[][]")


def _canonical_type(kind):
    """The type both sides are compared in."""
    if _nested(kind):
        return "VARCHAR"
    if kind.endswith("[]"):
        return _canonical_type(kind[:-2]) + "[]"
    if kind == "DATE" or kind.startswith("TIMESTAMP"):
        return "BIGINT"
    return kind


def _from_destination(expression, kind):
    if _nested(kind):
        return f"CASE WHEN {expression} IS NOT NULL THEN json(to_json({expression}))::VARCHAR END"
    if kind.endswith("[]"):
        return f"list_transform({expression}, lambda x: {_from_destination('x', kind[:-2])})"
    if kind == "DATE":
        return f"date_diff('day', DATE '1970-01-01', {expression})"
    if kind.startswith("TIMESTAMP"):
        return f"epoch_us({expression})"
    return expression


def _from_source_text(expression, kind):
    if _nested(kind):
        return f"json({expression})::VARCHAR"
    if kind.endswith("[]"):
        texts = f"from_json({expression}, '[\"VARCHAR\"]')"
        if kind[:-2] == "BLOB":
            return f"list_transform({texts}, lambda x: unhex(x))"
        return f"CAST({texts} AS {_canonical_type(kind)})"
    if kind == "BLOB":
        return f"unhex({expression})"
    return f"CAST({expression} AS {_canonical_type(kind)})"


def source_expression(expression, base, kind):
    """SQL for PostgreSQL: the value as text made for comparing with a destination column of DuckDB's type `kind`.

    `base` is the column's type name with domains resolved, `[]` behind it for arrays.
    """
    if _nested(kind):
        dimensions = len(kind) - len(kind.rstrip("[]"))
        held = (
            f"coalesce(array_ndims({expression}), {dimensions // 2}) = {dimensions // 2}"
            if dimensions
            else "true"
        )
        return f"CASE WHEN {expression} IS DISTINCT FROM NULL AND {held} THEN to_json({expression})::text END"
    if kind.endswith("[]") and base.endswith("[]"):
        element = source_expression("x", base[:-2], kind[:-2])
        # An array of more dimensions than its column's type can say has no value in Delta.
        return (
            f"CASE WHEN {expression} IS NULL OR array_ndims({expression}) > 1 THEN NULL WHEN cardinality({expression}) = 0 THEN '[]' ELSE (SELECT "
            f"to_json(array_agg({element} ORDER BY o))::text FROM unnest({expression}) WITH ORDINALITY AS u(x, o)) END"
        )
    if kind == "VARCHAR":
        return f"CASE WHEN {expression} IS DISTINCT FROM NULL THEN format('%s', {expression}) END"
    if base == "numeric":
        return f"CASE WHEN {expression}::text NOT IN ('NaN', 'Infinity', '-Infinity') THEN {expression}::text END"
    if base == "bytea":
        return f"encode({expression}, 'hex')"
    if base == "date":
        return f"CASE WHEN isfinite({expression}) THEN ({expression} - DATE '1970-01-01')::text END"
    if base in ("timestamp", "timestamptz"):
        # Doubles are exact to the microsecond near 1970 and four times as fast as numerics; far from it they are exact to
        # the second. The last months that PostgreSQL knows are beyond 64 bits of microseconds.
        micros = (
            f"trunc(extract(epoch FROM date_trunc('second', {expression}))::numeric * 1000000 "
            f"+ mod(extract(microseconds FROM {expression})::numeric, 1000000))"
        )
        return (
            f"CASE WHEN {expression} >= '1960-01-01' AND {expression} < '2038-01-01' THEN "
            f"round(date_part('epoch', {expression}) * 1000000)::bigint::text "
            f"WHEN isfinite({expression}) AND {micros} < 9223372036854775808 THEN {micros}::text END"
        )
    return f"{expression}::text"


BASE_TYPES_SQL = """
WITH RECURSIVE base(oid, type, typmod) AS (
  SELECT a.attnum::int, a.atttypid, a.atttypmod FROM pg_attribute a
   WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped
     AND (a.attgenerated = '' OR a.attgenerated = 's' AND current_setting('server_version_num')::int >= 180000)
  UNION ALL
  SELECT b.oid, t.typbasetype, CASE WHEN b.typmod = -1 THEN t.typtypmod ELSE b.typmod END
    FROM base b JOIN pg_type t ON t.oid = b.type WHERE t.typtype = 'd')
SELECT a.attname, CASE WHEN e.oid IS NOT NULL THEN e.typname || '[]' ELSE t.typname END
  FROM base b JOIN pg_type t ON t.oid = b.type AND t.typtype <> 'd'
  JOIN pg_attribute a ON a.attrelid = %s AND a.attnum = b.oid
  LEFT JOIN pg_type e ON t.typcategory = 'A' AND e.oid = t.typelem ORDER BY a.attnum"""


def source_columns(postgres, schema, table):
    """(name, base type) of every column that is sent: generated ones are from version 18 on, if they are stored."""
    oid = postgres.execute(
        "SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s",
        (schema, table),
    ).fetchone()[0]
    return postgres.execute(BASE_TYPES_SQL, (oid, oid)).fetchall()


def load_source(connection, postgres, schema, table, columns, directory):
    """Copy the source's rows into the table `source` of the DuckDB connection. `columns`: (name, base, DuckDB type)."""
    expressions = ", ".join(f"{source_expression(quote(name), base, kind)}" for name, base, kind in columns)
    # Of a table its own rows; what inherits from it is a table too. A partitioned one has none of its own.
    name = f"{quote(schema)}.{quote(table)}"
    own = postgres.execute("SELECT relkind = 'r' FROM pg_class WHERE oid = %s::regclass", (name,)).fetchone()[
        0
    ]
    query = f"SELECT {expressions} FROM {'ONLY ' if own else ''}{name}"
    path = pathlib.Path(directory) / "source.csv"
    with postgres.cursor() as cursor:
        cursor.execute(
            "SET extra_float_digits = 1; SET timezone = 'UTC'; SET datestyle = 'ISO'; SET search_path = ''"
        )
        # The server is on this machine: that it writes the file spares Python every row.
        os.chmod(directory, 0o777)
        cursor.execute(f"COPY ({query}) TO '{path}' (FORMAT csv, NULL '\\N')")
        cursor.execute("RESET search_path")
    names = [f"c{i}" for i in range(len(columns))]
    connection.execute("DROP TABLE IF EXISTS source")
    casts = [f"{_from_source_text(f'c{i}', column[2])} AS c{i}" for i, column in enumerate(columns)]
    if path.stat().st_size == 0:
        text = pa.table({name: pa.array([], pa.string()) for name in names})
    else:
        text = pyarrow.csv.read_csv(
            path,
            read_options=pyarrow.csv.ReadOptions(column_names=names, block_size=64 << 20),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types={name: pa.large_string() for name in names},
                null_values=["\\N"],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
    connection.register("source_text", text)
    connection.execute(f"CREATE TEMP TABLE source AS SELECT {', '.join(casts)} FROM source_text")
    connection.unregister("source_text")
    path.unlink()


PAST = ("__START_AT", "__END_AT", "__DELETED_AT")


def only_in_force(connection, past):
    """Leave out the rows that a table with a history has beyond those of its source."""
    ended = " AND ".join(f"{quote(name)} IS NULL" for name in past if name != "__START_AT")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE in_force AS SELECT * FROM destination WHERE {ended}")
    connection.execute("CREATE OR REPLACE TEMP VIEW destination AS SELECT * FROM in_force")


def compare(postgres, destination, schema, table, readers=READERS, samples=5, path=None):
    """Return the differences, one for each reader that sees any."""
    path = path or table_path(destination, schema, table)
    differences = []
    directory = tempfile.mkdtemp(prefix="freshet-compare-")
    try:
        connection = duckdb_connection()
        loaded = None
        for reader in readers:
            scan(connection, reader, path)
            inactive = inactive_columns(path)
            found = [column for column in columns_of(connection) if column[0] not in inactive]
            past = [name for name, _ in found if name in PAST]
            if past:
                only_in_force(connection, past)
                found = [column for column in found if column[0] not in past]
            bases = dict(source_columns(postgres, schema, table))
            if [name for name, _ in found] != list(bases):
                raise AssertionError(
                    f"{schema}.{table} by {reader}: columns {[n for n, _ in found]}, source {list(bases)}"
                )
            columns = [(name, bases[name], kind) for name, kind in found]
            if loaded != columns:
                load_source(connection, postgres, schema, table, columns, directory)
                loaded = columns
            difference = _compare_loaded(connection, reader, f"{schema}.{table}", columns, samples)
            if difference:
                differences.append(difference)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return differences


def _compare_loaded(connection, reader, name, columns, samples):
    selected = ", ".join(f"{_from_destination(quote(c[0]), c[2])} AS c{i}" for i, c in enumerate(columns))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE read AS SELECT {selected} FROM destination")
    rows = [connection.execute(f"SELECT count(*) FROM {side}").fetchone()[0] for side in ("source", "read")]
    result = Difference(reader, name, *rows, columns=tuple(c[0] for c in columns))
    if _fingerprint(connection, "source", columns) == _fingerprint(connection, "read", columns):
        return result
    missing = "(SELECT * FROM source EXCEPT ALL SELECT * FROM read)"
    extra = "(SELECT * FROM read EXCEPT ALL SELECT * FROM source)"
    result.missing_rows, result.extra_rows = (
        connection.execute(f"SELECT count(*) FROM {side}").fetchone()[0] for side in (missing, extra)
    )
    result.missing = connection.execute(f"SELECT * FROM {missing} ORDER BY ALL LIMIT {samples}").fetchall()
    result.extra = connection.execute(f"SELECT * FROM {extra} ORDER BY ALL LIMIT {samples}").fetchall()
    assert result, f"{name} by {reader}: fingerprints differ but no row does"
    return result


def _fingerprint(connection, side, columns):
    """Count and two independent 64-bit hashes summed over the rows: equal for equal multisets."""
    every = ", ".join(f"c{i}" for i in range(len(columns)))
    return connection.execute(
        f"SELECT count(*), sum(hash({every})::HUGEINT), sum(hash({every}, 7)::HUGEINT) FROM {side}"
    ).fetchone()


def assert_equal(postgres, destination, *tables, readers=READERS):
    """Fail with a readable difference unless every `schema.table` (last dot splits) or (schema, table) is equal."""
    differences = []
    for table in tables:
        schema, name = table if isinstance(table, tuple) else table.rsplit(".", 1)
        differences += compare(postgres, destination, schema, name, readers)
    assert not differences, "\n".join(str(d) for d in differences)


# --- the Delta log, read plainly


def commits(path):
    """Every commit of a Delta table still in its log: version → list of actions."""
    log = pathlib.Path(path) / "_delta_log"
    return {
        int(file.name[:20]): [json.loads(line) for line in file.read_text().splitlines() if line.strip()]
        for file in sorted(log.glob("*.json"))
        if file.name[:20].isdigit()
    }


def data_versions(destination):
    """The commits that change data, which compaction does not, of every table: {table folder: [versions]}."""
    changes = lambda action: any(
        action[kind].get("dataChange", True) for kind in ("add", "remove") if kind in action
    )
    result = {}
    for log in sorted(pathlib.Path(destination).glob("*/*/_delta_log")):
        if "_freshet" in log.parts:
            continue
        result[str(log.parent.relative_to(destination))] = [
            version
            for version, actions in commits(log.parent).items()
            if any(changes(action) for action in actions)
        ]
    return result


def delta_types(path):
    """Column name → Delta's type name as the table's metadata has it."""
    schema = None
    for actions in commits(path).values():
        for action in actions:
            if "metaData" in action:
                schema = json.loads(action["metaData"]["schemaString"])
    return {f["name"]: _type_name(f["type"]) for f in schema["fields"]}


def inactive_columns(path):
    """Names of the columns that the source has no more, as the table's properties tell."""
    metadata = None
    for actions in commits(path).values():
        for action in actions:
            metadata = action.get("metaData", metadata)
    if metadata is None:
        return set()
    ids = set(metadata["configuration"].get("freshet.inactive", "").split(","))
    fields = json.loads(metadata["schemaString"])["fields"]
    id_of = lambda field: field["metadata"].get("delta.columnMapping.id", field["metadata"].get("freshet.id"))
    return {field["name"] for field in fields if str(id_of(field)) in ids}


def _type_name(kind):
    if not isinstance(kind, dict):
        return kind
    if kind["type"] == "array":
        return f"array<{_type_name(kind['elementType'])}>"
    if kind["type"] == "map":
        return f"map<{_type_name(kind['keyType'])},{_type_name(kind['valueType'])}>"
    fields = ",".join(f"{field['name']}:{_type_name(field['type'])}" for field in kind["fields"])
    return f"struct<{fields}>"
