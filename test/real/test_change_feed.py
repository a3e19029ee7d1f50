# SPDX-License-Identifier: Apache-2.0
"""The change data feed beside what the source writes down of its own changes: triggers note each row before and after."""
import collections
import pathlib
import subprocess

import pytest
from contents import assert_equal, duckdb_connection, table_path
from freshet_command import ROOT

SPARK = ROOT / ".deps" / "spark"
HERE = pathlib.Path(__file__).parent

ORDERS = """
CREATE TABLE orders (id int PRIMARY KEY, n int, note text);
CREATE SCHEMA audit;
CREATE TABLE audit.changes (at bigserial PRIMARY KEY, step int, was_id int, was_n int, was_note text, id int, n int, note text);
CREATE TABLE audit.step (step int); INSERT INTO audit.step VALUES (0);
CREATE FUNCTION audit.write() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE now int := (SELECT step FROM audit.step); BEGIN
  IF TG_OP = 'DELETE' THEN INSERT INTO audit.changes (step, was_id, was_n, was_note) VALUES (now, OLD.id, OLD.n, OLD.note);
  ELSIF TG_OP = 'INSERT' THEN INSERT INTO audit.changes (step, id, n, note) VALUES (now, NEW.id, NEW.n, NEW.note);
  ELSE INSERT INTO audit.changes (step, was_id, was_n, was_note, id, n, note)
    VALUES (now, OLD.id, OLD.n, OLD.note, NEW.id, NEW.n, NEW.note); END IF;
  RETURN NULL; END $$;
INSERT INTO orders SELECT i, i, 'first' FROM generate_series(1, 200) i;
CREATE TRIGGER rows AFTER INSERT OR UPDATE OR DELETE ON orders FOR EACH ROW EXECUTE FUNCTION audit.write();
"""
# One transaction, and so one commit, each: changes of one key several times, keys that change places, rows that come and go.
STEPS = [
    "UPDATE orders SET n = n + 1 WHERE id % 10 = 0; DELETE FROM orders WHERE id % 50 = 7",
    "INSERT INTO orders SELECT i, i, 'new' FROM generate_series(201, 230) i",
    "UPDATE orders SET note = 'second' WHERE id < 30; UPDATE orders SET n = -n WHERE id < 20; DELETE FROM orders WHERE id = 5;"
    "INSERT INTO orders VALUES (5, 55, 'again'); INSERT INTO orders VALUES (900, 1, 'comes'); DELETE FROM orders WHERE id = 900",
    "UPDATE orders SET id = id + 1000 WHERE id BETWEEN 100 AND 110; UPDATE orders SET note = note WHERE id = 60",
    "DELETE FROM orders WHERE id > 1000; UPDATE orders SET note = NULL WHERE id = 61",
]


def net(rows):
    """What one step's notes come to, key by key: (type, id, n, note) → how often."""
    before, after = {}, {}
    for was_id, was_n, was_note, id_, n, note in rows:
        if was_id is not None:
            before.setdefault(was_id, (was_id, was_n, was_note))
            after[was_id] = None
        if id_ is not None:
            before.setdefault(id_, None)
            after[id_] = (id_, n, note)
    told = collections.Counter()
    for key, old in before.items():
        new = after[key]
        if old and new:
            told[("update_preimage", *old)] += 1
            told[("update_postimage", *new)] += 1
        elif old:
            told[("delete", *old)] += 1
        elif new:
            told[("insert", *new)] += 1
    return told


def spark(*arguments):
    subprocess.run([str(ROOT / "tools" / "spark-setup")], check=True, timeout=900)
    done = subprocess.run(
        [str(SPARK / "bin" / "python"), str(HERE / "spark_feed.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=540,
    )
    assert done.returncode == 0, done.stderr[-4000:]


def told(folder, columns="id, n, note"):
    """Spark's feed, version by version."""
    versions = collections.defaultdict(collections.Counter)
    query = f"SELECT _commit_version, _change_type, {columns} FROM read_parquet('{folder}/*.parquet')"
    for version, *row in duckdb_connection().execute(query).fetchall():
        versions[version][tuple(row)] += 1
    return versions


def replayed(versions):
    """The rows that the feed makes, from the first version on."""
    rows = collections.Counter()
    for version in sorted(versions):
        for kind in ("update_preimage", "delete", "update_postimage", "insert"):
            for (type_, *row), times in versions[version].items():
                if type_ != kind:
                    continue
                rows[tuple(row)] += times if kind in ("insert", "update_postimage") else -times
        assert all(times >= 0 for times in rows.values()), version
    return +rows


def follow(database, freshet, *options):
    """Take the steps, one commit each; return the versions they became."""
    versions = []
    for number, step in enumerate(STEPS, 1):
        database.execute(f"UPDATE audit.step SET step = {number}")
        database.execute(f"BEGIN; {step}; COMMIT")
        run = freshet.ingest("--tables", "public.orders", *options)
        versions.append(max(event["version"] for event in run.events("table_committed")))
    return versions


@pytest.mark.long
def test_spark_reads_the_source_s_own_changes(database, freshet, tmp_path):
    """As a batch and as a stream."""
    database.execute(ORDERS)
    freshet.ingest("--tables", "public.orders", "--change-data-feed")
    versions = follow(database, freshet, "--change-data-feed")
    table = table_path(freshet.destination, "public", "orders")
    spark(tmp_path / "first", table)
    rows = database.rows("SELECT id, n, note FROM orders")
    for way in ("batch", "stream"):
        feed = told(tmp_path / "first" / f"0.{way}")
        for number, version in enumerate(versions, 1):
            changes = database.connection.execute(
                "SELECT was_id, was_n, was_note, id, n, note FROM audit.changes WHERE step = %s ORDER BY at",
                (number,),
            ).fetchall()
            assert feed[version] == net(changes), (way, number)
        assert replayed(feed) == collections.Counter(rows), way


@pytest.mark.long
def test_spark_reads_versions_and_a_table_read_again(database, freshet, tmp_path):
    database.execute(ORDERS)
    database.execute("CREATE TABLE bag (v text, n int); ALTER TABLE bag REPLICA IDENTITY FULL")
    database.execute("INSERT INTO bag SELECT 'x', i % 3 FROM generate_series(1, 30) i")
    options = ["--change-data-feed", "--scd-type", "SCD_TYPE_2"]
    freshet.ingest("--tables", "public.orders", *options)
    bags = freshet.destination.parent / "bags"
    freshet.ingest("--tables", "public.bag", "--change-data-feed", to=bags)
    follow(database, freshet, *options)
    database.execute("DELETE FROM bag WHERE n = 1; UPDATE bag SET v = 'y' WHERE n = 2")
    freshet.ingest("--tables", "public.bag", "--change-data-feed", to=bags)
    freshet.ingest("--tables", "public.bag", "--change-data-feed", "--refresh", "public.bag", to=bags)
    table, bag = table_path(freshet.destination, "public", "orders"), table_path(bags, "public", "bag")
    spark(tmp_path / "out", table, bag)
    connection = duckdb_connection()
    columns = "id, n, note, epoch_us(__START_AT), epoch_us(__END_AT)"
    rows = connection.execute(f"SELECT {columns} FROM delta_scan('{table}')").fetchall()
    bagged = connection.execute(f"SELECT v, n FROM delta_scan('{bag}')").fetchall()
    assert len(rows) > 200 and len(bagged) == 20
    for way in ("batch", "stream"):
        assert replayed(told(tmp_path / "out" / f"0.{way}", columns)) == collections.Counter(rows), way
        assert replayed(told(tmp_path / "out" / f"1.{way}", "v, n")) == collections.Counter(bagged), way


def test_readers_read_tables_that_keep_a_feed(database, freshet):
    database.execute(ORDERS)
    freshet.ingest("--tables", "public.orders", "--change-data-feed")
    follow(database, freshet)
    assert_equal(database.connection, freshet.destination, "public.orders")
    changes = list(
        (table_path(freshet.destination, "public", "orders") / "_change_data").glob("cdc-*.parquet")
    )
    assert len(changes) == len([step for step in STEPS if "UPDATE" in step or "DELETE" in step])
