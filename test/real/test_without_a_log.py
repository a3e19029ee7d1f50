# SPDX-License-Identifier: Apache-2.0
"""Tables that the log does not tell of: no key, unlogged, views, materialised views, foreign tables. Each run reads them
again and commits what differs, the user's own statements go on, and one that cannot be read fails alone."""
import collections
import json
import random
import threading

import pytest
from contents import assert_equal, commits, compare, data_versions, table_path
from freshet_command import wait_until
from psycopg import conninfo

TABLES = """
CREATE TABLE orders (id int PRIMARY KEY, customer int, v text);
INSERT INTO orders SELECT i, i % 10, 'v' || i FROM generate_series(1, 300) i;
CREATE TABLE nokey (n int, v text, at timestamptz, f float8, tags text[]);
INSERT INTO nokey SELECT i % 50, 'v', '2024-01-01'::timestamptz + i % 50 * interval '1 day',
       CASE WHEN i % 7 = 0 THEN 'NaN'::float8 ELSE i % 5 END, ARRAY['a', NULL] FROM generate_series(1, 500) i;
CREATE TABLE nothing (id int PRIMARY KEY, v text); ALTER TABLE nothing REPLICA IDENTITY NOTHING;
INSERT INTO nothing VALUES (1, 'a'), (2, 'b');
CREATE UNLOGGED TABLE fleeting (id int PRIMARY KEY, v text);
INSERT INTO fleeting SELECT i, 'v' FROM generate_series(1, 100) i;
CREATE VIEW joined AS SELECT o.id, f.v, o.customer FROM orders o LEFT JOIN fleeting f USING (id);
CREATE MATERIALIZED VIEW kept AS SELECT customer, count(*) AS orders FROM orders GROUP BY 1;
"""
NAMES = ("orders", "nokey", "nothing", "fleeting", "joined", "kept")
ALL = tuple(f"public.{name}" for name in NAMES)
NAMED = ("--tables", "*", "--tables", "public.joined", "--tables", "public.kept")
CHANGES = """
UPDATE nokey SET v = 'w' WHERE n = 3; DELETE FROM nokey WHERE ctid = (SELECT min(ctid) FROM nokey WHERE n = 4);
INSERT INTO nokey SELECT * FROM nokey WHERE n = 5;
UPDATE nothing SET v = 'c' WHERE id = 1; DELETE FROM nothing WHERE id = 2; INSERT INTO nothing VALUES (3, NULL);
UPDATE fleeting SET v = 'w' WHERE id < 10; DELETE FROM fleeting WHERE id > 95;
UPDATE orders SET customer = 11 WHERE id < 5; REFRESH MATERIALIZED VIEW kept;
"""


def version(freshet, name, schema="public"):
    return max(commits(table_path(freshet.destination, schema, name)))


def status_of(freshet, table):
    lines = freshet.command("status", freshet.destination, "--json").stdout.splitlines()
    return next(row for row in map(json.loads, lines) if row.get("table") == table)


def test_each_run_takes_what_differs(database, freshet):
    database.execute(TABLES)
    freshet.ingest(*NAMED)
    assert_equal(database.connection, freshet.destination, *ALL)
    database.execute(CHANGES)  # none of it fails for our sake
    run = freshet.ingest(*NAMED)
    assert_equal(database.connection, freshet.destination, *ALL)
    reread = {event["table"]: event for event in run.events("table_reread")}
    assert set(reread) == set(ALL) - {"public.orders"}
    counts = {
        name: tuple(event[what] for what in ("inserted", "updated", "deleted"))
        for name, event in reread.items()
    }
    assert counts["public.nokey"] == (20, 0, 11) and counts["public.nothing"] == (1, 1, 1), counts
    assert counts["public.fleeting"] == (0, 9, 5), counts
    published = {name for (name,) in database.rows("SELECT tablename FROM pg_publication_tables")}
    assert published == {"orders"}


def test_where_nothing_changed_nothing_is_committed(database, freshet):
    database.execute(TABLES)
    freshet.ingest(*NAMED)
    before = data_versions(freshet.destination)
    versions = {name: version(freshet, name) for name in NAMES}
    for _ in range(2):
        run = freshet.ingest(*NAMED)
        assert len(run.events("table_reread")) == len(NAMES) - 1 and not run.events("table_committed")
    assert data_versions(freshet.destination) == before
    assert {name: version(freshet, name) for name in NAMES} == versions
    parts = [path for path in freshet.destination.glob("_freshet/staging/parts/*/*/*") if path.name != "1"]
    assert (
        sum(1 for path in parts if any(path.iterdir())) == len(NAMES) - 1
    ), "of readings only the newest is kept"


def test_status_says_when_they_were_read(database, freshet):
    database.execute(TABLES)
    freshet.ingest(*NAMED)
    freshet.ingest(*NAMED)
    nokey = status_of(freshet, "public.nokey")
    assert nokey["state"] == "current" and nokey["read_at"] > "2024" and nokey["lag_seconds"] >= 0, nokey
    assert status_of(freshet, "public.orders")["read_at"] == ""
    assert nokey["lag_bytes"] == 0 and nokey["rows"] == 500
    assert "read again and again; last" in freshet.command("status", freshet.destination).stdout
    freshet.ingest("--tables", "public.orders")
    assert status_of(freshet, "public.nokey")["read_at"] >= nokey["read_at"]


def test_a_view_is_taken_by_its_name_only(database, freshet):
    database.execute(TABLES)
    freshet.ingest("--tables", "public.*")
    assert not (freshet.destination / "public" / "joined").exists()
    run = freshet.ingest("--tables", "public.j*", expect=2, to=str(freshet.destination) + "-other")
    assert "NO_TABLE_MATCHES" in run.error_classes() and "--tables schema.view" in run.stderr, run.describe()
    spec = freshet.destination.parent / "views.yaml"
    spec.write_text(
        "objects: [{table: {source_schema: public, source_table: joined, destination_table: shown}}]"
    )
    freshet.ingest("--tables", "public.*", "--spec", spec)
    assert commits(table_path(freshet.destination, "public", "shown"))
    assert_equal(database.connection, freshet.destination, "public.nokey")


def test_a_base_table_truncated_under_a_view_is_never_read_as_empty(database, freshet):
    database.execute(TABLES)
    freshet.ingest(*NAMED)
    database.execute("CREATE TABLE again AS TABLE orders")
    stop = threading.Event()
    other = database.another()

    def refill():
        while not stop.is_set():
            other.execute("BEGIN; TRUNCATE orders CASCADE; INSERT INTO orders SELECT * FROM again; COMMIT")
            stop.wait(0.05)

    thread = threading.Thread(target=refill)
    thread.start()
    try:
        for _ in range(4):
            freshet.ingest("--tables", "public.joined", expect=None)
    finally:
        stop.set()
        thread.join()
        other.close()
    path = table_path(freshet.destination, "public", "joined")
    deleted = [
        int(a["commitInfo"]["operationMetrics"]["numTargetRowsDeleted"])
        for actions in commits(path).values()
        for a in actions
        if "commitInfo" in a
    ]
    assert max(deleted) == 0, "the view held the same rows at every moment"
    freshet.ingest(*NAMED)
    assert_equal(database.connection, freshet.destination, *ALL)


def test_a_view_that_cannot_be_read_fails_alone(database, freshet):
    database.execute(TABLES)
    database.execute("CREATE VIEW shaky AS SELECT id, 10 / (customer - 11) AS share FROM orders")
    freshet.ingest(*NAMED, "--tables", "public.shaky")
    before = version(freshet, "shaky")
    database.execute(CHANGES)
    run = freshet.ingest(*NAMED, "--tables", "public.shaky", expect=5)
    (unread,) = run.events("table_unread")
    assert unread["table"] == "public.shaky" and "division by zero" in unread["reason"] and unread["remedy"]
    assert_equal(database.connection, freshet.destination, *ALL)
    assert version(freshet, "shaky") == before
    assert status_of(freshet, "public.shaky")["state"] == "failed"
    database.execute("UPDATE orders SET customer = 12 WHERE customer = 11")
    freshet.ingest(*NAMED, "--tables", "public.shaky")
    assert_equal(database.connection, freshet.destination, "public.shaky")
    database.execute("DROP VIEW shaky")
    freshet.ingest(*NAMED)
    database.execute(
        "CREATE OR REPLACE VIEW joined AS SELECT o.id, f.v, o.customer, 'x' AS more FROM orders o "
        "LEFT JOIN fleeting f USING (id)"
    )
    freshet.ingest(*NAMED)
    assert_equal(database.connection, freshet.destination, "public.joined")


@pytest.fixture
def far(server, database):
    """Another database, and in the first a foreign table of one there."""
    other = server.create_database(database.name + "_far")
    other.execute(
        "CREATE TABLE there (id int, v text); INSERT INTO there SELECT i % 40, 'v' FROM generate_series(1, 80) i"
    )
    where = conninfo.conninfo_to_dict(other.url)
    database.execute(
        f"""CREATE EXTENSION postgres_fdw;
      CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '{where["host"]}', port '{where["port"]}', dbname '{where["dbname"]}');
      CREATE USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (user '{where["user"]}');
      CREATE FOREIGN TABLE here (id int, v text) SERVER far OPTIONS (table_name 'there');
      CREATE TABLE near (id int PRIMARY KEY); INSERT INTO near VALUES (1)"""
    )
    yield other
    other.drop()


def test_a_foreign_table_and_its_server_down(database, freshet, far):
    tables = ("--tables", "public.*", "--tables", "public.here")
    freshet.ingest(*tables)
    assert_equal(database.connection, freshet.destination, "public.here", "public.near")
    far.execute("DELETE FROM there WHERE id = 7; UPDATE there SET v = 'w' WHERE id = 8")
    freshet.ingest(*tables)
    assert_equal(database.connection, freshet.destination, "public.here")
    before = version(freshet, "here")
    database.execute("ALTER SERVER far OPTIONS (SET port '1'); INSERT INTO near VALUES (2)")
    run = freshet.ingest(*tables, expect=5)
    assert [event["table"] for event in run.events("table_unread")] == ["public.here"], run.describe()
    assert not run.events("worker_restarted"), "it is not our connection that was lost"
    assert_equal(database.connection, freshet.destination, "public.near")
    assert version(freshet, "here") == before
    port = conninfo.conninfo_to_dict(far.url)["port"]
    database.execute(f"ALTER SERVER far OPTIONS (SET port '{port}')")
    far.execute("INSERT INTO there VALUES (99, NULL)")
    freshet.ingest(*tables)
    assert_equal(database.connection, freshet.destination, "public.here")


def test_partitions_that_have_no_log(database, freshet, far):
    """A table of which one partition is unlogged, one foreign: read as a whole, again and again."""
    database.execute(
        """CREATE TABLE parted (id int, v text) PARTITION BY RANGE (id);
      CREATE UNLOGGED TABLE parted_a PARTITION OF parted FOR VALUES FROM (0) TO (10);
      CREATE FOREIGN TABLE parted_b PARTITION OF parted FOR VALUES FROM (10) TO (50) SERVER far OPTIONS (table_name 'there');
      CREATE TABLE parted_c PARTITION OF parted FOR VALUES FROM (50) TO (90);
      INSERT INTO parted SELECT i, 'p' FROM generate_series(50, 70) i; INSERT INTO parted VALUES (1, 'a'), (1, 'a')"""
    )
    far.execute("DELETE FROM there WHERE id < 10")
    for change in (
        "SELECT 1",
        "DELETE FROM parted_a WHERE ctid = '(0,1)'; UPDATE parted SET v = 'q' WHERE id = 60",
        "TRUNCATE parted_c; CREATE TABLE parted_d PARTITION OF parted FOR VALUES FROM (90) TO (99); "
        "INSERT INTO parted VALUES (95, 'd')",
    ):
        database.execute(change)
        freshet.ingest()
        assert_equal(database.connection, freshet.destination, "public.parted", "public.near")


def test_continuous_reads_them_at_the_interval(database, freshet):
    database.execute(TABLES)
    run = freshet.start(*NAMED, "--continuous", "--reread-interval", "1s")

    def readings():
        return collections.Counter(event["table"] for event in run.events("table_reread"))

    reread = set(ALL) - {"public.orders"}
    wait_until(lambda: set(readings()) == reread, "a reading of each")
    database.execute(CHANGES)
    seen = readings()
    # The first of them may have begun before the changes.
    wait_until(
        lambda: all(readings()[name] >= seen[name] + 3 for name in reread), "three more readings of each"
    )
    wait_until(
        lambda: not compare(
            database.connection, freshet.destination, "public", "orders", readers=("duckdb",)
        ),
        "the changes of the table beside them",
        interval=0.5,
    )
    assert run.stop().code == 130, run.describe()
    assert_equal(database.connection, freshet.destination, *ALL)
    assert not run.events("worker_restarted"), run.describe()


def test_kills_in_the_middle(database, freshet):
    """Workers and commands are killed at random while everything changes; the next run that ends has it right."""
    database.execute(TABLES)
    chance = random.Random(1)
    for _ in range(8):
        database.execute(
            CHANGES.replace("INSERT INTO nothing VALUES (3, NULL)", "INSERT INTO nothing VALUES (2, NULL)")
        )
        run = freshet.start(*NAMED, "--continuous", "--reread-interval", "1s")
        for _ in range(3):
            threading.Event().wait(chance.uniform(0.1, 1.2))
            workers = run.workers()
            if workers:
                run.kill_worker(chance.choice(workers))
            database.execute("INSERT INTO nokey VALUES (6, 'again'), (6, 'again')")
        run.kill_all()
    freshet.ingest(*NAMED)
    assert_equal(database.connection, freshet.destination, *ALL)
    before = data_versions(freshet.destination)
    freshet.ingest(*NAMED)
    assert data_versions(freshet.destination) == before


def test_one_that_gets_a_key_is_followed_from_then_on(database, freshet):
    database.execute(TABLES)
    freshet.ingest()
    database.execute(
        """ALTER TABLE nokey ADD COLUMN id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY;
      ALTER TABLE fleeting SET LOGGED; ALTER TABLE nothing REPLICA IDENTITY DEFAULT"""
    )
    run = freshet.ingest()
    assert {event["table"] for event in run.events("table_refreshed")} == {
        "public.nokey",
        "public.fleeting",
        "public.nothing",
    }
    tables = ("public.nokey", "public.fleeting", "public.nothing")
    assert_equal(database.connection, freshet.destination, *tables)
    database.execute(
        "UPDATE nokey SET v = 'x' WHERE n = 9; DELETE FROM fleeting WHERE id = 50; UPDATE nothing SET v = 'z'"
    )
    run = freshet.ingest()
    assert not run.events("snapshot_started") and not run.events("table_reread"), run.describe()
    assert_equal(database.connection, freshet.destination, *tables)


def test_a_long_transaction_leaves_them_unread_and_the_others_current(database, freshet):
    database.execute(TABLES)
    freshet.ingest()
    holder = database.another()
    holder.execute("BEGIN; INSERT INTO orders VALUES (1000, 1, 'open')")
    try:
        database.execute("UPDATE orders SET v = 'w' WHERE id = 1")
        run = freshet.ingest("--tables", "public.orders", "--tables", "public.nokey", expect=5)
        assert {event["table"] for event in run.events("table_unread")} == {"public.nokey"}, run.describe()
        assert "SOURCE_BLOCKED" in run.error_classes()
        assert_equal(database.connection, freshet.destination, "public.orders")
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.orders", "public.nokey")
