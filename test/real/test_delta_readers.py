# SPDX-License-Identifier: Apache-2.0
"""Our Delta writer and reader beside others, without a source: what `delta_tables write` made is read by DuckDB and
delta-rs and compared with the same rows made here from the same rule; what delta-rs and DuckDB write is read by us.
Filters at the edges of every type ask for rows that a wrong statistic would skip."""
import decimal
import os
import pathlib
import shutil
import subprocess

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from contents import READERS, duckdb_connection, scan
from deltalake import DeltaTable, QueryBuilder, write_deltalake

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = pathlib.Path(os.environ.get("DELTA_TABLES", ROOT / "build/dev/bin/delta_tables"))
NAMES = [
    "a b",
    "a,b",
    "a;b",
    "a{b}",
    "a(b)",
    "a\tb",
    "a\nb",
    "a=b",
    "a.b",
    'a"b',
    "a`b",
    "a'b",
    "aüb",
    "a%41",
    "a/b",
    "a\\b",
    "A b",
    "[a]",
    "#a",
    "a:b",
    "a b,c",
    " a ",
    "$a",
    "数 据",
]
MICROS_MIN, MICROS_MAX = -62_135_596_799_999_999, 253_402_300_799_999_999
HUGE = 10**38 - 1


def run(*words):
    done = subprocess.run(
        [str(PROGRAM), *map(str, words)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def tables(tmp_path_factory):
    assert PROGRAM.exists(), f"{PROGRAM} is not built: tools/build dev delta_tables"
    directory = tmp_path_factory.mktemp("delta")
    run("write", directory)
    return directory


@pytest.fixture
def connection():
    return duckdb_connection()


def unscaled(value, scale):
    with decimal.localcontext(prec=60):
        return decimal.Decimal(value).scaleb(-scale)


def edges(i, low, high, otherwise):
    return low if i == 0 else high if i == 1 else otherwise


def value_of(name, i):
    """Row i's value of a column, as delta_tables.cc makes it."""
    if name == "id":
        return i
    if i % 7 == 3:
        return None
    lists = {"words": lambda: f"w{i}", "sums": lambda: unscaled(i * 12345, 4), "times": lambda: i * 1_000_001}
    if name in lists:
        return [lists[name](), None][: i % 3]
    real = {0: float("nan"), 1: float("inf"), 2: -0.0}.get(i, 0.5 * i)
    return {
        "flag": i % 2 == 0,
        "tiny": edges(i, -(2**7), 2**7 - 1, i % 100),
        "small": edges(i, -(2**15), 2**15 - 1, i),
        "whole": edges(i, -(2**31), 2**31 - 1, i),
        "big": edges(i, -(2**63), 2**63 - 1, i),
        "real": real,
        "double": real,
        "text": edges(i, "", "ä" * 40, f"text {i} of a row that is longer than thirty-two"),
        "bytes": b"\0\xff" + str(i).encode(),
        "day": edges(i, -719_162, 2_932_896, i),
        "local": edges(i, MICROS_MIN, MICROS_MAX, i * 1_000_001),
        "moment": edges(i, MICROS_MIN, MICROS_MAX, i * 1_000_001),
        "money": unscaled(i * 101 - 500, 2),
        "huge": unscaled(edges(i, -HUGE, HUGE, i * 10**10 + i), 10),
    }[name]


TYPES = {
    "id": pa.int64(),
    "flag": pa.bool_(),
    "tiny": pa.int8(),
    "small": pa.int16(),
    "whole": pa.int32(),
    "big": pa.int64(),
    "real": pa.float32(),
    "double": pa.float64(),
    "text": pa.string(),
    "bytes": pa.binary(),
    "day": pa.date32(),
    "local": pa.timestamp("us"),
    "moment": pa.timestamp("us", "UTC"),
    "money": pa.decimal128(9, 2),
    "huge": pa.decimal128(38, 10),
    "words": pa.list_(pa.string()),
    "sums": pa.list_(pa.decimal128(18, 4)),
    "times": pa.list_(pa.timestamp("us")),
}


def live_ids():
    return [i for i in range(2000) if not (0 < i < 1000 and i % 10 == 0) and i != 1003]


def expected(ids):
    return pa.table({name: pa.array([value_of(name, i) for i in ids], kind) for name, kind in TYPES.items()})


def differences(connection, seen, wanted):
    """Rows that are in one and not in the other, as multisets; a few of each."""
    connection.register("seen", seen)
    connection.register("wanted", wanted)
    columns = ", ".join(f'"{name}"' for name in wanted.column_names)
    both = []
    for a, b in (("seen", "wanted"), ("wanted", "seen")):
        both += connection.execute(
            f"SELECT {columns} FROM {a} EXCEPT ALL SELECT {columns} FROM {b}"
        ).fetchmany(3)
    return both


@pytest.mark.parametrize("reader", READERS)
def test_every_type_and_every_dead_row(tables, connection, reader):
    scan(connection, reader, tables / "types")
    seen = connection.execute("SELECT * FROM destination").to_arrow_table()
    assert not differences(connection, seen, expected(live_ids()))
    if reader == "duckdb":
        kinds = dict(
            connection.execute("SELECT column_name, column_type FROM (DESCRIBE destination)").fetchall()
        )
        assert kinds["local"] == "TIMESTAMP" and kinds["moment"] == "TIMESTAMP WITH TIME ZONE"
        assert (
            kinds["huge"] == "DECIMAL(38,10)"
            and kinds["times"] == "TIMESTAMP[]"
            and kinds["tiny"] == "TINYINT"
        )


def literal(reader, name, value):
    kind = TYPES[name]
    if isinstance(value, bool) or name in ("tiny", "small", "whole", "big"):
        return f"CAST('{value}' AS {'BOOLEAN' if isinstance(value, bool) else 'BIGINT'})"
    if pa.types.is_decimal(kind):
        return f"CAST('{value:f}' AS DECIMAL({kind.precision},{kind.scale}))"
    if name == "text":
        return f"'{value}'"
    if name in ("real", "double"):
        return f"CAST({value!r} AS {'REAL' if name == 'real' else 'DOUBLE'})"
    text = str(pa.scalar(value, pa.date32() if name == "day" else pa.timestamp("us")))
    if name == "day":
        return f"DATE '{text}'"
    if reader == "duckdb":
        return f"TIMESTAMP '{text}'" if name == "local" else f"TIMESTAMPTZ '{text}+00'"
    zone = "None" if name == "local" else 'Some("UTC")'
    return (
        f"arrow_cast(arrow_cast('{text}', 'Timestamp(Microsecond, None)'), 'Timestamp(Microsecond, {zone})')"
    )


@pytest.mark.parametrize("reader", READERS)
def test_filters_at_the_edges_find_their_rows(tables, connection, reader):
    """A bound that is too low or too high by anything makes a reader skip the file that holds the row."""
    path = tables / "types"
    source = f"delta_scan('{path}')" if reader == "duckdb" else "t"
    other = QueryBuilder().register("t", DeltaTable(str(path)))
    missed = []
    for name in (
        "tiny",
        "small",
        "whole",
        "big",
        "real",
        "double",
        "text",
        "day",
        "local",
        "moment",
        "money",
        "huge",
    ):
        for i in (0, 1, 2, 5, 995, 999, 1000, 1001, 1999):
            value = value_of(name, i)
            if value is None or value != value or value == float("inf"):
                continue
            for compare in ("=", ">=", "<="):
                query = f'SELECT "id" FROM {source} WHERE "{name}" {compare} {literal(reader, name, value)}'
                if reader == "duckdb":
                    ids = {row[0] for row in connection.execute(query).fetchall()}
                else:
                    ids = set(pa.table(other.execute(query)).column("id").to_pylist())
                if i not in ids:
                    missed.append(f"{i}: {query}")
    assert not missed, missed[:5]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("physical", ["same", "clean"])
def test_odd_column_names(tables, connection, reader, physical):
    """Mapped columns, the physical name being the odd name itself or a plain one: both are read alike."""
    ids = [i for i in range(100) if i != 7]
    for number, name in enumerate(NAMES):
        scan(connection, reader, tables / "names" / f"{physical}_{number}")
        seen = connection.execute("SELECT * FROM destination").to_arrow_table()
        assert seen.column_names == ["id", name]
        wanted = pa.table({"id": ids, "text": pa.array([value_of("text", i) for i in ids], pa.string())})
        assert not differences(connection, seen.rename_columns(["id", "text"]), wanted), name


def read_by_us(table, out):
    run("read", table, out)
    return pq.read_table(out)


def test_our_reader_reads_ours(tables, connection, tmp_path):
    seen = read_by_us(tables / "types", tmp_path / "out.parquet")
    assert not differences(connection, seen, expected(live_ids()))


def foreign_rows(ids):
    """Types that delta-rs writes as they are."""
    return expected(ids).drop_columns(["times"])


@pytest.mark.parametrize("checkpoint", ["none", "theirs", "ours"])
def test_our_reader_reads_delta_rs(connection, tmp_path, checkpoint):
    path = str(tmp_path / "table")
    write_deltalake(
        path, foreign_rows(range(0, 500)), configuration={"delta.logRetentionDuration": "interval 0 days"}
    )
    write_deltalake(path, foreign_rows(range(500, 1000)), mode="append")
    DeltaTable(path).delete("id % 10 = 3")
    DeltaTable(path).optimize.compact()
    if checkpoint == "ours":
        run("checkpoint", path)
    if checkpoint == "theirs":
        DeltaTable(path).create_checkpoint()
    if checkpoint != "none":  # the commits that the checkpoint stands for are gone, as after a clean-up
        log = pathlib.Path(path) / "_delta_log"
        for commit in sorted(log.glob("*.json"))[:-1]:
            commit.unlink()
    write_deltalake(path, foreign_rows(range(2000, 2100)), mode="append")
    ids = [i for i in [*range(1000), *range(2000, 2100)] if i >= 2000 or i % 10 != 3]
    seen = read_by_us(path, tmp_path / "out.parquet")
    assert not differences(connection, seen, foreign_rows(ids))
    if checkpoint == "ours":
        scan(connection, "delta-rs", path)
        assert not differences(
            connection, connection.execute("SELECT * FROM destination").to_arrow_table(), foreign_rows(ids)
        )


def test_our_reader_reads_what_duckdb_appends(tables, connection, tmp_path):
    path = tmp_path / "table"
    write_deltalake(str(path), foreign_rows(range(100)).select(["id", "text", "money", "day"]))
    connection.execute(f"ATTACH '{path}' AS other (TYPE delta)")
    connection.execute("INSERT INTO other VALUES (1000, 'von DuckDB', 12.34, DATE '2024-02-29')")
    seen = read_by_us(path, tmp_path / "out.parquet")
    assert seen.num_rows == 101
    assert connection.execute("SELECT text, money, day::VARCHAR FROM seen WHERE id = 1000").fetchall() == [
        ("von DuckDB", decimal.Decimal("12.34"), "2024-02-29")
    ]


@pytest.mark.long
def test_spark_goes_on_and_we_read_on(tables, connection, tmp_path):
    """Spark deletes, compacts and writes V2 checkpoints on a table of ours; of its log only the last is left."""
    subprocess.run([str(ROOT / "tools/spark-setup")], check=True, timeout=900)
    path = tmp_path / "types"
    shutil.copytree(tables / "types", path)
    done = subprocess.run(
        [str(ROOT / ".deps/spark/bin/python"), str(ROOT / "test/real/spark_changes.py"), str(path)],
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    log = path / "_delta_log"
    newest = sorted(log.glob("*.checkpoint.*"))[-1]
    assert newest.suffix == ".json" and any((log / "_sidecars").iterdir()), "a V2 checkpoint with sidecars"
    for file in log.iterdir():
        if file.is_file() and file.name[:20].isdigit() and file.name[:20] < newest.name[:20]:
            file.unlink()
    ids = [i for i in live_ids() if i not in (5, 6)]
    texts = ["spark" if 1510 <= i < 1514 else value_of("text", i) for i in ids]
    place = list(TYPES).index("text")
    wanted = expected(ids).set_column(place, "text", pa.array(texts, pa.string()))
    seen = read_by_us(path, tmp_path / "out.parquet")
    assert not differences(connection, seen, wanted)
    run("checkpoint", path)
    newest.unlink()
    assert not differences(connection, read_by_us(path, tmp_path / "again.parquet"), wanted)
    scan(connection, "duckdb", path)
    assert not differences(
        connection, connection.execute("SELECT * FROM destination").to_arrow_table(), wanted
    )
