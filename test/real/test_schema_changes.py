# SPDX-License-Identifier: Apache-2.0
"""What changes about tables themselves: columns, keys, whole tables. Every run ends with 0 and all of them current."""
import pytest
from contents import READERS, assert_equal, commits, duckdb_connection, inactive_columns, scan, table_path
from freshet_command import wait_until

ROWS = 200
TABLES = f"""CREATE TABLE t (id int PRIMARY KEY, v text NOT NULL, n int);
INSERT INTO t SELECT i, 'v' || i, i % 7 FROM generate_series(1, {ROWS}) i; CREATE UNIQUE INDEX t_other ON t (v, id);
CREATE TABLE fine (id int PRIMARY KEY, v text); INSERT INTO fine SELECT i, 'v' FROM generate_series(1, 100) i;
CREATE TABLE bag (a int, b text); ALTER TABLE bag REPLICA IDENTITY FULL;
INSERT INTO bag SELECT i % 10, 'b' FROM generate_series(1, 100) i"""


def read(destination, query, table="t", reader="duckdb"):
    connection = duckdb_connection()
    scan(connection, reader, table_path(destination, "public", table))
    return connection.execute(query).fetchall()


def read_again(run):
    return {event["table"] for event in run.events("refresh_needed")}


# --- followed without reading anything again


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE t DROP COLUMN n",
        "ALTER TABLE t RENAME COLUMN v TO w",
        "ALTER TABLE t RENAME COLUMN id TO number",
        'ALTER TABLE t RENAME COLUMN v TO "Odd Name,;{}()="',
        "ALTER TABLE t RENAME v TO x; ALTER TABLE t RENAME n TO v; ALTER TABLE t RENAME x TO n",
        "ALTER TABLE t ALTER v DROP NOT NULL",
        "ALTER TABLE t ADD COLUMN w int; ALTER TABLE t ALTER n SET NOT NULL",
        "ALTER TABLE t DROP COLUMN n; ALTER TABLE t ADD COLUMN m int",
        "ALTER TABLE t ALTER v TYPE varchar",
        "CLUSTER t USING t_pkey",
    ],
)
@pytest.mark.parametrize("rows", ["with rows", "without"])
def test_followed(database, freshet, change, rows):
    database.execute(TABLES)
    freshet.ingest()
    database.execute("UPDATE t SET v = 'before' WHERE id < 10; DELETE FROM t WHERE id = 10")
    database.execute(change)
    if rows == "with rows":
        key = database.value("SELECT attname FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum = 1")
        database.execute(
            f'DELETE FROM t WHERE "{key}" = 11; UPDATE t SET "{key}" = "{key}" WHERE "{key}" < 20'
        )
    run = freshet.ingest()
    assert not read_again(run), run.describe()
    assert_equal(database.connection, freshet.destination, "public.t", "public.fine", "public.bag")
    assert not freshet.ingest().events("table_committed")


def test_a_dropped_column_keeps_what_it_had(database, freshet):
    database.execute(TABLES)
    freshet.ingest()
    database.execute(
        "ALTER TABLE t DROP COLUMN v; UPDATE t SET n = 100 WHERE id <= 10; INSERT INTO t VALUES (1000, 1)"
    )
    freshet.ingest()
    assert inactive_columns(table_path(freshet.destination, "public", "t")) == {"v"}
    for reader in READERS:
        kept = read(
            freshet.destination, "SELECT count(v), count(*) FROM destination WHERE id > 10", reader=reader
        )
        assert kept == [(ROWS - 10, ROWS - 9)], reader
    database.execute("ALTER TABLE t ADD COLUMN v date; UPDATE t SET v = '2024-01-01' WHERE id <= 10")
    run = freshet.ingest()
    assert not read_again(run), run.describe()
    for reader in READERS:
        aside = read(
            freshet.destination, "SELECT count(v__dropped_1), count(v) FROM destination", reader=reader
        )
        assert aside == [(ROWS - 10, 10)], reader
    assert_equal(database.connection, freshet.destination, "public.t")


def test_in_one_transaction_with_rows(database, freshet):
    database.execute(TABLES)
    freshet.ingest()
    database.execute(
        """BEGIN; UPDATE t SET v = 'first' WHERE id < 50; ALTER TABLE t DROP COLUMN n; INSERT INTO t VALUES (1000, 'a');
        ALTER TABLE t RENAME v TO w; UPDATE t SET w = 'second' WHERE id < 20; ALTER TABLE t ADD COLUMN x int;
        INSERT INTO t VALUES (1001, 'b', 5); DELETE FROM t WHERE id = 30; COMMIT"""
    )
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.t", "public.fine")


# --- read again by themselves


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE t ALTER COLUMN n TYPE bigint",
        "ALTER TABLE t ALTER COLUMN n TYPE text USING 'n' || n",
        "ALTER TABLE t ALTER COLUMN v TYPE int USING length(v)",
        "ALTER TABLE t ALTER COLUMN id TYPE bigint",
        "ALTER TABLE t ALTER COLUMN v TYPE text USING upper(v)",
        "ALTER TABLE t ALTER COLUMN n TYPE int USING n + 1",
        "ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t ADD PRIMARY KEY (v, id)",
        "ALTER TABLE t REPLICA IDENTITY USING INDEX t_other",
        "ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t REPLICA IDENTITY FULL",
        "DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'another life'), (2000, 'x')",
        "DROP TABLE t; CREATE TABLE t (k text PRIMARY KEY, at timestamptz); INSERT INTO t VALUES ('a', now())",
    ],
)
@pytest.mark.parametrize("rows", ["with rows", "without"])
def test_read_again(database, freshet, change, rows):
    """That table only, in one commit; then it goes on as if nothing had been."""
    database.execute(TABLES)
    freshet.ingest()
    path = table_path(freshet.destination, "public", "t")
    before = len(commits(path))
    database.execute("UPDATE fine SET v = 'w' WHERE id < 10")
    database.execute(change)
    if rows == "with rows":
        database.execute("DELETE FROM t WHERE ctid = (SELECT min(ctid) FROM t)")
    run = freshet.ingest()
    assert len(commits(path)) == before + 1
    assert {event["table"] for event in run.events("snapshot_started")} == {"public.t"}, run.describe()
    assert_equal(database.connection, freshet.destination, "public.t", "public.fine", "public.bag")
    database.execute("DELETE FROM t WHERE ctid = (SELECT max(ctid) FROM t)")
    run = freshet.ingest()
    assert not run.events("snapshot_started"), run.describe()
    assert_equal(database.connection, freshet.destination, "public.t")


# --- columns that no change fills


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE t ADD COLUMN w int DEFAULT 7",
        "ALTER TABLE t ADD COLUMN w int DEFAULT (random() * 1000)::int",
        "ALTER TABLE t ADD COLUMN w int DEFAULT (random() * 1000)::int; ALTER TABLE t ALTER COLUMN w DROP DEFAULT",
        "ALTER TABLE t ADD COLUMN w float DEFAULT random(); ALTER TABLE t ALTER w DROP DEFAULT",
        "ALTER TABLE t ADD COLUMN w int DEFAULT 7; ALTER TABLE t ALTER w DROP DEFAULT; CLUSTER t USING t_pkey",
        "ALTER TABLE t ADD COLUMN w int GENERATED ALWAYS AS IDENTITY",
        "ALTER TABLE t ADD COLUMN w text NOT NULL DEFAULT repeat('long ', 1000), ADD COLUMN x date DEFAULT '2024-02-29'",
    ],
)
@pytest.mark.parametrize("rows", ["with rows", "without"])
def test_filled(database, freshet, change, rows):
    """The key and the columns are read, nothing else is, and later changes are not touched by it."""
    database.execute(TABLES)
    freshet.ingest()
    database.execute("UPDATE t SET v = 'before' WHERE id < 10; UPDATE fine SET v = 'w' WHERE id < 10")
    database.execute(change)
    if rows == "with rows":
        database.execute(
            "DELETE FROM t WHERE id = 11; UPDATE t SET n = 12 WHERE id = 12; INSERT INTO t (id, v) VALUES (1000, 'new');"
            "UPDATE t SET id = 1001, v = 'moved' WHERE id = 13"
        )
    run = freshet.ingest()
    assert not read_again(run), run.describe()
    (started,) = run.events("snapshot_started")
    assert started["table"] == "public.t" and started["fills_columns"], run.describe()
    assert len(run.events("columns_filled")) == 1, run.describe()
    assert_equal(database.connection, freshet.destination, "public.t", "public.fine", "public.bag")
    database.execute("UPDATE t SET n = 5 WHERE id < 20; DELETE FROM t WHERE id = 20")
    run = freshet.ingest()
    assert not run.events("snapshot_started"), run.describe()
    assert_equal(database.connection, freshet.destination, "public.t")


@pytest.mark.parametrize(
    "options", [[], ["--scd-type", "SCD_TYPE_2"], ["--profile", "full"], ["--profile", "classic"]]
)
def test_filled_while_rows_change(database, freshet, options):
    database.execute(TABLES)
    database.execute("INSERT INTO t SELECT i, 'v', 0 FROM generate_series(1000, 60000) i")
    options = ["--tables", "public.t", *options]
    run = freshet.start("--continuous", *options)
    wait_until(lambda: run.events("table_current"), "the table")
    database.execute("ALTER TABLE t ADD COLUMN w int DEFAULT 7")
    for i in range(300):
        database.execute(
            f"UPDATE t SET w = {i}, n = {i} WHERE id IN ({1 + i % 200}, {1000 + i}); DELETE FROM t WHERE id = {3000 + i};"
            f"INSERT INTO t VALUES ({100000 + i}, 'new', 1); UPDATE t SET id = {200000 + i} WHERE id = {5000 + i}"
        )
    wait_until(lambda: run.events("columns_filled"), "the column")
    run.stop()
    assert not read_again(run), run.describe()
    freshet.ingest(*options)
    where = " WHERE __END_AT IS NULL" if "SCD_TYPE_2" in options else ""
    rows = database.rows("SELECT id, v, n, w FROM t ORDER BY id")
    assert read(freshet.destination, f"SELECT id, v, n, w FROM destination{where} ORDER BY id") == rows


@pytest.mark.parametrize("which", [0, 1, 2])
def test_filled_after_crashes(database, freshet, which):
    database.execute(TABLES)
    database.execute("INSERT INTO t SELECT i, 'v', 0 FROM generate_series(1000, 300000) i")
    freshet.ingest()
    database.execute("ALTER TABLE t ADD COLUMN w int DEFAULT 7; UPDATE t SET w = 8 WHERE id < 50")
    run = freshet.start()
    wait_until(lambda: run.events("snapshot_started"), "the reading")
    for worker in sorted(run.workers())[which : which + 1]:
        run.kill_worker(worker)
    run.wait()
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.t")


# --- columns that go


def test_inactive_columns_dropped(database, freshet):
    database.execute(TABLES)
    freshet.ingest()
    database.execute("ALTER TABLE t DROP COLUMN n; UPDATE t SET v = 'w' WHERE id < 10")
    freshet.ingest()
    assert columns(freshet.destination) == ["id", "v", "n"]
    run = freshet.ingest("--drop-inactive-columns")
    assert [event["columns"] for event in run.events("columns_dropped")] == ["n"], run.describe()
    database.execute("ALTER TABLE t ADD COLUMN n text; UPDATE t SET n = 'again' WHERE id < 5")
    freshet.ingest("--drop-inactive-columns")
    for reader in READERS:
        rows = read(freshet.destination, "SELECT id, v, n FROM destination ORDER BY id", reader=reader)
        assert rows == database.rows("SELECT id, v, n FROM t ORDER BY id"), reader
    assert_equal(database.connection, freshet.destination, "public.t", "public.fine", "public.bag")


def test_a_name_that_returns_before_the_next_row(database, freshet):
    """Whose values the rows hold cannot be told then; where no row came it can."""
    database.execute(TABLES)
    freshet.ingest()
    database.execute("ALTER TABLE t DROP COLUMN n; ALTER TABLE t ADD COLUMN n int")
    assert not read_again(freshet.ingest())
    assert_equal(database.connection, freshet.destination, "public.t")
    database.execute(
        "ALTER TABLE t DROP COLUMN n; ALTER TABLE t ADD COLUMN n int; UPDATE t SET n = 5 WHERE id < 9"
    )
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.t")
    database.execute("UPDATE t SET n = 6 WHERE id < 5")
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.t")


def test_a_column_of_a_table_without_a_key(database, freshet):
    database.execute(TABLES)
    freshet.ingest()
    database.execute("ALTER TABLE bag DROP COLUMN b; DELETE FROM bag WHERE a = 3")
    run = freshet.ingest()
    assert read_again(run) == {"public.bag"}
    database.execute(
        "ALTER TABLE bag RENAME a TO c; INSERT INTO bag VALUES (1), (1), (99); DELETE FROM bag WHERE c = 4"
    )
    assert not read_again(freshet.ingest())
    assert_equal(database.connection, freshet.destination, "public.bag")


def test_readers_see_the_old_table_until_the_new_one_is_complete(database, freshet):
    database.execute(TABLES)
    freshet.ingest()
    run = freshet.start("--continuous")
    wait_until(lambda: run.events("table_current"), "the first look")
    database.execute(
        "ALTER TABLE t ALTER COLUMN n TYPE text USING 'n' || n; UPDATE t SET v = 'w' WHERE id = 1"
    )
    wait_until(lambda: run.events("table_refreshed"), "the swap")
    database.execute("ALTER TABLE fine DROP COLUMN v")  # and no row after it
    wait_until(lambda: run.events("shape_changed"), "a look at the catalog")
    database.execute("INSERT INTO fine VALUES (1000)")
    wait_until(
        lambda: read(freshet.destination, "SELECT 1 FROM destination WHERE id = 1000", "fine"), "the row"
    )
    run.stop()
    versions = [
        len(actions)
        for actions in commits(table_path(freshet.destination, "public", "t")).values()
        if any("metaData" in action for action in actions) and any("remove" in action for action in actions)
    ]
    assert len(versions) == 1, "the new generation came in one commit"
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.t", "public.fine")


def test_everything_at_once_while_nobody_looks(database, freshet):
    database.execute(TABLES)
    freshet.ingest()
    for step in [
        "ALTER TABLE t ADD COLUMN x int; UPDATE t SET x = id WHERE id < 50",
        "ALTER TABLE t DROP COLUMN n; INSERT INTO t VALUES (1000, 'a', 1)",
        "ALTER TABLE t ADD COLUMN n text DEFAULT 'n'; DELETE FROM t WHERE id = 3",
        "ALTER TABLE t RENAME v TO w; UPDATE t SET w = 'u' WHERE id = 4",
        "ALTER TABLE t ALTER x TYPE bigint; ALTER TABLE t DROP COLUMN x; ALTER TABLE t ADD COLUMN x int",
        "DROP TABLE fine; CREATE TABLE fine (id int PRIMARY KEY); INSERT INTO fine VALUES (7)",
        "ALTER TABLE bag ADD COLUMN c int; DELETE FROM bag WHERE a = 1",
    ]:
        database.execute(step)
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.t", "public.fine", "public.bag")
    assert not freshet.ingest().events("table_committed")


def test_a_table_recreated_again_and_again(database, freshet):
    database.execute(TABLES)
    freshet.ingest()
    for life in range(3):
        database.execute(
            f"DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, life{life} int); INSERT INTO t VALUES (1, {life})"
        )
        freshet.ingest()
        assert_equal(database.connection, freshet.destination, "public.t")
    database.execute("DROP TABLE t")
    freshet.ingest()
    assert read(freshet.destination, "SELECT id, life2 FROM destination") == [(1, 2)]
    database.execute("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (5, 'back')")
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.t", "public.fine")
    told = freshet.command("status", freshet.destination).stdout
    assert told.count("public.t") == 1, told


def test_a_key_taken_away_and_given_back(database, freshet):
    """While it has none the table is left out; once it has one again it is read again by itself."""
    database.execute(TABLES)
    freshet.ingest()
    database.execute("ALTER TABLE t DROP CONSTRAINT t_pkey")
    run = freshet.ingest(expect=5)
    assert "TABLE_NO_IDENTITY" in run.error_classes(), run.describe()
    database.execute("UPDATE t SET v = 'works' WHERE id = 1; ALTER TABLE t ADD PRIMARY KEY (id)")
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.t", "public.fine")


# --- what a user says of it


def test_a_table_waits_when_it_is_told_to(database, freshet):
    database.execute(TABLES)
    freshet.ingest()
    database.execute(
        "ALTER TABLE t ADD COLUMN w int; INSERT INTO t VALUES (1000, 'a', 1, 1); UPDATE fine SET v = 'w'"
    )
    for _ in range(2):
        run = freshet.ingest("--on-schema-change", "pause", expect=5)
        assert "SCHEMA_CHANGE_PAUSED" in run.error_classes(), run.describe()
        assert_equal(database.connection, freshet.destination, "public.fine")
    freshet.ingest("--on-schema-change", "pause", "--refresh", "public.t")
    assert_equal(database.connection, freshet.destination, "public.t", "public.fine")
    database.execute("ALTER TABLE t RENAME w TO x; UPDATE t SET x = 2")
    freshet.ingest("--on-schema-change", "pause", expect=5)
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.t")


def test_a_table_keeps_its_columns_when_it_is_told_to(database, freshet):
    database.execute(TABLES)
    freshet.ingest()
    database.execute(
        "ALTER TABLE t ADD COLUMN w int; ALTER TABLE t DROP COLUMN n; UPDATE t SET w = 1, v = 'new' WHERE id = 1;"
        "ALTER TABLE t RENAME v TO x; INSERT INTO t VALUES (1000, 'y', 1)"
    )
    for _ in range(2):
        freshet.ingest("--on-schema-change", "ignore")
        seen = read(freshet.destination, "SELECT * FROM destination WHERE id IN (1, 2, 1000) ORDER BY id")
        assert seen == [(1, "new", None), (2, "v2", 2), (1000, "y", None)]
        database.execute("UPDATE t SET w = 5 WHERE id = 1000")
    database.execute("ALTER TABLE t ALTER x TYPE int USING 1")
    run = freshet.ingest("--on-schema-change", "ignore", expect=5)
    assert "SCHEMA_CHANGE_PAUSED" in run.error_classes(), run.describe()
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.t")


def test_a_broken_table_is_mended_by_a_refresh(database, freshet):
    database.execute(TABLES)
    freshet.ingest()
    publication = database.value("SELECT pubname FROM pg_publication")
    database.execute(f'ALTER PUBLICATION "{publication}" DROP TABLE t')
    database.execute("UPDATE t SET v = 'lost'")
    run = freshet.ingest(expect=5)
    assert "PUBLICATION_MISSING" in run.error_classes(), run.describe()
    freshet.ingest(expect=5)
    freshet.ingest("--refresh", "public.t")
    assert_equal(database.connection, freshet.destination, "public.t", "public.fine")


LOSSES = {
    "publication": ("ALTER PUBLICATION {publication} DROP TABLE t", 5, "PUBLICATION_MISSING"),
    "slot": ("SELECT pg_drop_replication_slot('{slot}')", 3, "SLOT_LOST"),
}


@pytest.mark.parametrize("loss", list(LOSSES))
def test_losses_are_mended_by_themselves_where_that_is_wanted(database, freshet, loss):
    """At most once in so many hours."""
    statement, code, error_class = LOSSES[loss]
    database.execute(TABLES)
    freshet.ingest()

    def lose():
        database.execute(
            statement.format(
                publication='"' + database.value("SELECT pubname FROM pg_publication") + '"',
                slot=database.free_slot(),
            )
        )
        database.execute("UPDATE t SET v = v || 'lost'; DELETE FROM t WHERE id = (SELECT min(id) FROM t)")

    lose()
    for options in [(), ("--auto-full-refresh", "24")]:
        run = freshet.ingest(*options, expect=code)
        assert error_class in run.error_classes(), run.describe()
    freshet.ingest("--auto-full-refresh", "0")
    assert_equal(database.connection, freshet.destination, "public.t", "public.fine", "public.bag")
    database.execute("UPDATE t SET v = 'goes on' WHERE id = 50; UPDATE fine SET v = 'w'")
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.t", "public.fine", "public.bag")


# --- columns that are selected


def columns(destination, table="t"):
    return [name for name, *_ in read(destination, "SELECT * FROM (DESCRIBE destination)", table)]


def staged_bytes(destination):
    return b"".join(
        file.read_bytes() for file in (destination / "_freshet" / "staging").rglob("*") if file.is_file()
    )


def test_deselected_columns_are_never_read(database, freshet):
    database.execute(TABLES)
    database.execute(
        "ALTER TABLE t ADD COLUMN secret text DEFAULT 'hush-hush'; ALTER TABLE fine ADD COLUMN secret int"
    )
    freshet.ingest("--exclude-columns", "secret,n")
    database.execute(
        "UPDATE t SET secret = 'hush-two', v = 'w' WHERE id < 10; INSERT INTO t VALUES (1000, 'x', 5, 'hush-three')"
    )
    database.execute("ALTER TABLE t ADD COLUMN later int; UPDATE t SET later = 1 WHERE id = 5")
    freshet.ingest("--exclude-columns", "secret,n")
    assert columns(freshet.destination) == ["id", "v", "later"] and columns(freshet.destination, "fine") == [
        "id",
        "v",
    ]
    assert b"hush" not in staged_bytes(freshet.destination) and b"secret" not in staged_bytes(
        freshet.destination
    )
    rows = database.rows("SELECT id, v, later FROM t ORDER BY id")
    assert read(freshet.destination, "SELECT id, v, later FROM destination ORDER BY id") == rows
    # Selected later: filled for the rows that are there.
    run = freshet.ingest("--exclude-columns", "secret")
    filled = {event["table"]: event["fills_columns"] for event in run.events("snapshot_started")}
    assert filled == {"public.t": True}, run.describe()
    assert_equal(database.connection, freshet.destination, "public.bag")
    rows = database.rows("SELECT id, v, n, later FROM t ORDER BY id")
    assert read(freshet.destination, "SELECT id, v, n, later FROM destination ORDER BY id") == rows
    # Deselected later: inactive.
    database.execute("UPDATE t SET n = 77, v = 'z' WHERE id = 6")
    freshet.ingest("--exclude-columns", "secret,n")
    assert inactive_columns(table_path(freshet.destination, "public", "t")) == {"n"}
    assert read(freshet.destination, "SELECT v, n FROM destination WHERE id = 6") == [("z", None)]


def test_columns_of_one_table_in_a_specification(database, freshet, tmp_path):
    database.execute(TABLES)
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        """objects:
  - table: {source_schema: public, source_table: t, table_configuration: {include_columns: [id, n]}}
  - schema: {source_schema: public}
"""
    )
    freshet.ingest("--spec", spec)
    database.execute(
        "UPDATE t SET v = 'w'; ALTER TABLE t ADD COLUMN more int; UPDATE t SET more = 1, n = 2 WHERE id = 1"
    )
    freshet.ingest("--spec", spec)
    assert columns(freshet.destination) == ["id", "n"]
    assert read(freshet.destination, "SELECT id, n FROM destination ORDER BY id") == database.rows(
        "SELECT id, n FROM t ORDER BY id"
    )
    assert_equal(database.connection, freshet.destination, "public.fine", "public.bag")


def test_a_key_cannot_be_deselected(database, freshet):
    database.execute(TABLES)
    run = freshet.ingest("--exclude-columns", "id", expect=2)
    told = run.stdout + run.stderr
    assert (
        "KEY_NOT_SELECTED" in run.error_classes() and "public.fine" in told or "public.t" in told
    ), run.describe()
    assert database.slots() == []
    freshet.ingest("--include-columns", "id,v", "--exclude-columns", "n", expect=2)
