# SPDX-License-Identifier: Apache-2.0
"""What a Delta table says beside its rows: the source's comments, properties, times of commits; and the profiles."""
import json

import pytest
from contents import READERS, assert_equal, commits, duckdb_connection, scan, table_path
from deltalake import DeltaTable

TABLE = """CREATE TABLE t (id int PRIMARY KEY, n smallint, f real, m numeric(6,2), day date, at timestamp, v text);
INSERT INTO t SELECT i, i, i / 4.0, i / 7.0, DATE '2024-01-01' + i, timestamp '2024-01-01' + i * interval '1 us', 'v'
  FROM generate_series(1, 300) i"""


def last(path, kind):
    """The newest action of a kind."""
    return [action[kind] for actions in commits(path).values() for action in actions if kind in action][-1]


def comments(path):
    metadata = last(path, "metaData")
    fields = json.loads(metadata["schemaString"])["fields"]
    return metadata.get("description"), {
        f["name"]: f["metadata"]["comment"] for f in fields if "comment" in f["metadata"]
    }


def test_comments_go_along_and_are_followed(database, freshet):
    database.execute("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a')")
    database.execute("""COMMENT ON TABLE t IS 'it''s "ü"'; COMMENT ON COLUMN t.v IS 'a value'""")
    freshet.ingest()
    path = table_path(freshet.destination, "public", "t")
    assert comments(path) == ("""it's "ü\"""", {"v": "a value"})
    run = freshet.start("--continuous")
    try:
        database.execute(
            "COMMENT ON TABLE t IS NULL; COMMENT ON COLUMN t.v IS NULL; COMMENT ON COLUMN t.id IS 'a number'"
        )
        database.execute("ALTER TABLE t RENAME COLUMN v TO w; UPDATE t SET w = 'b'")
    finally:
        run.stop()
    run = freshet.ingest()
    assert comments(path) == (None, {"id": "a number"})
    assert not run.events("snapshot_started"), run.describe()
    assert DeltaTable(path).metadata().description is None
    assert_equal(database.connection, freshet.destination, "public.t")


def test_times_of_commits_are_read(database, freshet, tmp_path):
    database.execute(TABLE)
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "table_configuration: {table_properties: {delta.enableInCommitTimestamps: true, owner: me}}"
    )
    freshet.ingest("--spec", spec)
    for _ in range(3):
        database.execute("UPDATE t SET v = v || 'u' WHERE id < 50")
        freshet.ingest("--spec", spec)
    path = table_path(freshet.destination, "public", "t")
    times = [actions[0]["commitInfo"]["inCommitTimestamp"] for actions in commits(path).values()]
    assert times == sorted(set(times))
    assert last(path, "metaData")["configuration"]["owner"] == "me"
    assert_equal(database.connection, freshet.destination, "public.t")


def test_full_reads_wider_types_again(database, freshet):
    database.execute(TABLE)
    freshet.ingest("--profile", "full")
    path = table_path(freshet.destination, "public", "t")
    features = set(last(path, "protocol")["writerFeatures"])
    assert {"columnMapping", "typeWidening", "changeDataFeed", "rowTracking", "inCommitTimestamp"} <= features
    for column, type_, more in [
        ("n", "bigint", 5_000_000_000),
        ("f", "double precision", 1.1),
        ("m", "numeric(10,4)", "123456.7891"),
        ("day", "timestamp", "2024-05-05 01:02:03"),
    ]:
        database.execute(f"ALTER TABLE t ALTER {column} TYPE {type_}")
        database.execute(f"UPDATE t SET {column} = '{more}' WHERE id = 7")
    database.execute("DELETE FROM t WHERE id % 9 = 0")
    # What USING makes of the values no log tells.
    database.execute("ALTER TABLE t ALTER id TYPE bigint USING id * 100; UPDATE t SET v = 'w' WHERE id = 700")
    database.execute("ALTER TABLE t ALTER m TYPE numeric(14,4) USING m * 2")
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.t", readers=["duckdb"])
    database.execute("ALTER TABLE t ALTER n TYPE text; UPDATE t SET n = 'x' WHERE id = 700")
    assert freshet.ingest().events("table_refreshed"), "text is no wider number"
    assert_equal(database.connection, freshet.destination, "public.t", readers=["duckdb"])


def test_classic_is_what_the_oldest_readers_read(database, freshet):
    database.execute(TABLE)
    freshet.ingest("--profile", "classic")
    path = table_path(freshet.destination, "public", "t")
    for number in range(4):
        database.execute(
            f"UPDATE t SET v = 'u{number}' WHERE id % 7 = {number}; DELETE FROM t WHERE id = {100 + number}"
        )
        database.execute(
            f"INSERT INTO t SELECT i, 0, 0, 0, NULL, NULL, 'new' FROM generate_series({1000 * (number + 1)}, {1000 * (number + 1) + 5}) i"
        )
        freshet.ingest()
    protocol = last(path, "protocol")
    assert protocol == {"minReaderVersion": 1, "minWriterVersion": 2}
    assert not list(path.glob("deletion_vector_*"))
    connection = duckdb_connection()
    expected = sorted(
        database.rows("SELECT id, n, v, (extract(epoch FROM at) * 1000000)::int8 FROM t"), key=repr
    )
    for reader in READERS:
        scan(connection, reader, path)
        found = connection.execute('SELECT id, n, v, epoch_us("at") FROM destination').fetchall()
        assert sorted(found, key=repr) == expected, reader
    # The plain Arrow reader of delta-rs refuses deletion vectors.
    arrow = DeltaTable(path).to_pyarrow_table()
    assert arrow.num_rows == len(expected) and str(arrow.schema.field("at").type) == "timestamp[us, tz=UTC]"
    database.execute('ALTER TABLE t RENAME COLUMN v TO "a b"; UPDATE t SET "a b" = NULL WHERE id = 1')
    run = freshet.ingest()
    assert last(path, "protocol") == {"minReaderVersion": 2, "minWriterVersion": 5}
    assert "columnMapping" in run.events("table_upgraded")[0]["features"]


@pytest.mark.parametrize("before, after", [("full", "portable"), ("classic", "full"), (None, "classic")])
def test_a_profile_only_grows(database, freshet, before, after):
    database.execute(TABLE)
    freshet.ingest(*(["--profile", before] if before else []))
    run = freshet.ingest("--profile", after, expect=2)
    assert run.error_classes() == {"INVALID_ARGUMENT"}
    freshet.ingest()


def test_portable_becomes_full(database, freshet):
    database.execute(TABLE)
    freshet.ingest()
    database.execute("UPDATE t SET v = 'u' WHERE id < 10")
    run = freshet.ingest("--profile", "full")
    (event,) = run.events("table_upgraded")
    assert "rowTracking" in event["features"] and "delta-rs" in event["loses"], event
    path = table_path(freshet.destination, "public", "t")
    ids = [
        add["baseRowId"]
        for actions in commits(path).values()
        for a in actions
        if (add := a.get("add")) and "baseRowId" in add
    ]
    assert ids
    database.execute("CREATE TABLE u (id int PRIMARY KEY); INSERT INTO u VALUES (1)")
    freshet.ingest()
    features = last(table_path(freshet.destination, "public", "u"), "protocol")["writerFeatures"]
    assert "rowTracking" in features, "the destination remembers it"
    assert_equal(database.connection, freshet.destination, "public.t", readers=["duckdb"])
