# SPDX-License-Identifier: Apache-2.0
"""What a change stream does to tables: TOAST, keys, no keys, truncate, partitions, new columns, big transactions."""
import pytest
from contents import assert_equal, commits, data_versions

EXTERNAL = "ALTER TABLE {} ALTER COLUMN big SET STORAGE EXTERNAL"


def follow(database, freshet, tables, *steps):
    """Ingest, then each step and ingest again, comparing after each; a last run finds nothing.

    A step is one transaction, or a list of them.
    """
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, *tables)
    for step in steps:
        for transaction in step if isinstance(step, list) else [step]:
            database.execute(transaction)
        freshet.ingest()
        assert_equal(database.connection, freshet.destination, *tables)
    before = data_versions(freshet.destination)
    freshet.ingest()
    assert data_versions(freshet.destination) == before


@pytest.mark.parametrize("identity", ["DEFAULT", "FULL", "USING INDEX wide_code"])
def test_unchanged_toast_is_kept(database, freshet, identity):
    database.execute(
        f"""
      CREATE TABLE wide (id int PRIMARY KEY, code int NOT NULL, n int, big text, big2 text);
      CREATE UNIQUE INDEX wide_code ON wide (code);
      ALTER TABLE wide REPLICA IDENTITY {identity};
      {EXTERNAL.format('wide')}; ALTER TABLE wide ALTER COLUMN big2 SET STORAGE EXTERNAL;
      INSERT INTO wide SELECT i, i * 10, 0, repeat(chr(65 + i % 26), 9000 + i), repeat('z', 5000) FROM generate_series(1, 40) i"""
    )
    follow(
        database,
        freshet,
        ["public.wide"],
        "UPDATE wide SET n = 1 WHERE id % 2 = 0",
        # insert and partial update in one run, and in one transaction
        [
            "INSERT INTO wide VALUES (100, 1000, 0, repeat('q', 20000), repeat('r', 20000))",
            "UPDATE wide SET n = 2 WHERE id = 100",
        ],
        "BEGIN; INSERT INTO wide VALUES (101, 1010, 0, repeat('q', 20000), repeat('r', 20000)); UPDATE wide SET n = 3 WHERE id = 101; COMMIT",
        # one of the two changes
        "UPDATE wide SET big = repeat('n', 12000) WHERE id < 5; UPDATE wide SET n = 4 WHERE id < 5",
        # the key changes and the large values do not: alone, chained, and onto a key that was just freed
        "UPDATE wide SET id = id + 1000, code = code + 10000 WHERE id BETWEEN 10 AND 15",
        [
            "UPDATE wide SET id = 2000, code = 20000 WHERE id = 1010",
            "UPDATE wide SET id = 2001, code = 20010 WHERE id = 2000",
            "UPDATE wide SET n = 9 WHERE id = 2001",
        ],
        "BEGIN; UPDATE wide SET id = 3000, code = 30000 WHERE id = 20; UPDATE wide SET id = 20, code = 200 WHERE id = 21; "
        "UPDATE wide SET id = 21, code = 210 WHERE id = 3000; COMMIT",
        [
            "DELETE FROM wide WHERE id = 22",
            "INSERT INTO wide VALUES (22, 220, 7, repeat('m', 15000), NULL)",
            "UPDATE wide SET n = 8 WHERE id = 22",
        ],
        "UPDATE wide SET big = NULL WHERE id = 23; UPDATE wide SET n = 5 WHERE id = 23",
    )


def test_rows_without_key_keep_their_number(database, freshet):
    database.execute(
        """
      CREATE TABLE bag (a int, b text, big text); ALTER TABLE bag REPLICA IDENTITY FULL;
      ALTER TABLE bag ALTER COLUMN big SET STORAGE EXTERNAL;
      INSERT INTO bag SELECT i % 5, 'b' || i % 3, NULL FROM generate_series(1, 300) i;
      INSERT INTO bag SELECT 1, 'big', repeat('t', 8000) FROM generate_series(1, 3) i;
      INSERT INTO bag VALUES (NULL, NULL, NULL), (NULL, NULL, NULL)"""
    )
    follow(
        database,
        freshet,
        ["public.bag"],
        "INSERT INTO bag SELECT 1, 'b1', NULL FROM generate_series(1, 7)",
        "DELETE FROM bag WHERE ctid IN (SELECT ctid FROM bag WHERE a = 2 LIMIT 5)",
        "UPDATE bag SET b = 'u' WHERE ctid IN (SELECT ctid FROM bag WHERE a = 3 LIMIT 6)",
        "UPDATE bag SET a = a + 1 WHERE b = 'big'; DELETE FROM bag WHERE ctid = (SELECT min(ctid) FROM bag WHERE a IS NULL)",
        "UPDATE bag SET a = 0; UPDATE bag SET a = 1 WHERE b = 'u'; DELETE FROM bag WHERE b = 'b2'",
        "DELETE FROM bag",
        "INSERT INTO bag VALUES (1, 'x', NULL), (1, 'x', NULL)",
    )


def test_keys_of_many_columns_and_types(database, freshet):
    database.execute(
        """
      CREATE TABLE pairs (b text, x int, a uuid DEFAULT gen_random_uuid(), v int, PRIMARY KEY (a, b));
      INSERT INTO pairs SELECT 'k' || i, i, ('00000000-0000-0000-0000-' || lpad(i::text, 12, '0'))::uuid, i FROM generate_series(1, 200) i;
      CREATE TABLE amounts (k numeric(20,4) PRIMARY KEY, at timestamp, v text);
      INSERT INTO amounts SELECT i / 7.0, timestamp '2000-01-01' + i * interval '1 us', 'v' FROM generate_series(1, 200) i;
      CREATE TABLE days (d date, t timestamptz, raw bytea, flag bool, v int, PRIMARY KEY (d, t, raw, flag));
      INSERT INTO days SELECT DATE '1969-12-25' + i, timestamptz '1970-01-01Z' - i * interval '1 s', decode(lpad(to_hex(i), 8, '0'), 'hex'), i % 2 = 0, i
        FROM generate_series(1, 200) i"""
    )
    follow(
        database,
        freshet,
        ["public.pairs", "public.amounts", "public.days"],
        "UPDATE pairs SET v = -v WHERE x % 3 = 0; DELETE FROM pairs WHERE x % 5 = 0; UPDATE pairs SET b = b || '''' WHERE x < 9",
        "UPDATE amounts SET k = -k WHERE k < 3; UPDATE amounts SET v = 'w' WHERE k > 20; DELETE FROM amounts WHERE k > 25",
        "UPDATE days SET flag = NOT flag WHERE v < 20; UPDATE days SET v = 0 WHERE v > 150; DELETE FROM days WHERE v BETWEEN 50 AND 70",
    )


def test_truncate_is_a_barrier(database, freshet):
    database.execute(
        """
      CREATE TABLE logs (id int PRIMARY KEY, v text); INSERT INTO logs SELECT i, 'old' FROM generate_series(1, 500) i;
      CREATE TABLE bag (v text); ALTER TABLE bag REPLICA IDENTITY FULL; INSERT INTO bag SELECT 'x' FROM generate_series(1, 50)"""
    )
    follow(
        database,
        freshet,
        ["public.logs", "public.bag"],
        "TRUNCATE logs",
        [
            "INSERT INTO logs SELECT i, 'a' FROM generate_series(1, 20) i",
            "TRUNCATE logs",
            "INSERT INTO logs VALUES (3, 'b'), (4, 'c')",
            "UPDATE logs SET v = 'd' WHERE id = 4",
        ],
        "BEGIN; INSERT INTO logs VALUES (9, 'in'); TRUNCATE logs, bag; INSERT INTO logs VALUES (9, 'again'); INSERT INTO bag VALUES ('y'), ('y'); COMMIT",
        "BEGIN; TRUNCATE logs; ROLLBACK; INSERT INTO logs VALUES (10, 'after')",
    )


BY_NAME = """CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100); CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (200);
INSERT INTO p SELECT i, 'v' FROM generate_series(1, 199) i"""


def test_a_partition_by_its_own_name(database, freshet):
    """It is a table of its own then."""
    database.execute(BY_NAME)
    freshet.ingest("--tables", "public.p1")
    database.execute(
        "UPDATE p SET v = 'w' WHERE id % 10 = 0; UPDATE p SET id = 0 WHERE id = 150; DELETE FROM p WHERE id = 7"
    )
    freshet.ingest("--tables", "public.p1")
    assert_equal(database.connection, freshet.destination, "public.p1")


def test_a_partition_beside_its_table(database, freshet):
    """Its changes are sent once, and are the table's: it is refused by name."""
    database.execute(BY_NAME)
    run = freshet.ingest("--tables", "public.p", "--tables", "public.p1", expect=5)
    assert {event["class"] for event in run.events("table_left_out")} == {
        "PARTITION_OF_ANOTHER"
    }, run.describe()
    assert_equal(database.connection, freshet.destination, "public.p")


def test_partitions_land_under_their_root(database, freshet):
    database.execute(
        """
      CREATE TABLE sales (region text, id int, v text, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
      CREATE TABLE sales_eu PARTITION OF sales FOR VALUES IN ('eu');
      CREATE TABLE sales_us PARTITION OF sales FOR VALUES IN ('us', 'ca') PARTITION BY RANGE (id);
      CREATE TABLE sales_us_low PARTITION OF sales_us FOR VALUES FROM (0) TO (100);
      CREATE TABLE sales_us_high PARTITION OF sales_us FOR VALUES FROM (100) TO (100000);
      INSERT INTO sales SELECT CASE i % 3 WHEN 0 THEN 'eu' WHEN 1 THEN 'us' ELSE 'ca' END, i, 'v' FROM generate_series(1, 300) i"""
    )
    follow(
        database,
        freshet,
        ["public.sales"],
        "UPDATE sales SET region = 'us' WHERE region = 'eu' AND id % 2 = 0",
        "UPDATE sales SET id = id + 1000 WHERE region = 'ca' AND id < 50; DELETE FROM sales WHERE region = 'us' AND id % 5 = 0",
        "INSERT INTO sales VALUES ('eu', 1, 'again')",
        "CREATE TABLE sales_asia PARTITION OF sales FOR VALUES IN ('asia'); INSERT INTO sales VALUES ('asia', 99999, 'first'); "
        "UPDATE sales SET region = 'asia' WHERE region = 'eu'",
        "TRUNCATE sales",
    )
    assert set(data_versions(freshet.destination)) == {"public/sales"}


PARTED = """
  CREATE TABLE sales (region text, id int, v text, big text, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
  ALTER TABLE sales ALTER COLUMN big SET STORAGE EXTERNAL;
  CREATE TABLE sales_eu PARTITION OF sales FOR VALUES IN ('eu');
  CREATE TABLE sales_us PARTITION OF sales FOR VALUES IN ('us') PARTITION BY RANGE (id);
  CREATE TABLE sales_us_low PARTITION OF sales_us FOR VALUES FROM (0) TO (100);
  CREATE TABLE sales_us_high PARTITION OF sales_us FOR VALUES FROM (100) TO (100000);
  INSERT INTO sales SELECT CASE i % 2 WHEN 0 THEN 'eu' ELSE 'us' END, i, 'v', repeat('x', 4000) FROM generate_series(1, 300) i"""
LOAD_ASIA = """CREATE TABLE sales_asia (big text, region text NOT NULL, v text, id int NOT NULL);
  INSERT INTO sales_asia SELECT repeat('y', 4000), 'asia', 'v', i FROM generate_series(1, 100) i"""
ATTACH_ASIA = "ALTER TABLE sales ATTACH PARTITION sales_asia FOR VALUES IN ('asia')"


def read_again(run):
    return {event["table"] for event in run.events("snapshot_abandoned")}


@pytest.mark.parametrize(
    "step",
    [
        "TRUNCATE sales_eu; INSERT INTO sales VALUES ('eu', 7, 'after', NULL)",
        # nobody sends the large values of rows that came untold
        f"{LOAD_ASIA}; {ATTACH_ASIA}; UPDATE sales SET v = 'w' WHERE region = 'asia' AND id < 50",
        f"BEGIN; {LOAD_ASIA}; {ATTACH_ASIA}; COMMIT; UPDATE sales SET v = 'w' WHERE region = 'asia'",
        "ALTER TABLE sales DETACH PARTITION sales_eu; UPDATE sales_eu SET v = 'alone'; UPDATE sales SET v = 'w'",
        "ALTER TABLE sales DETACH PARTITION sales_us CONCURRENTLY",
        "DROP TABLE sales_us_low; UPDATE sales SET v = 'w' WHERE region = 'us'",
        "ALTER TABLE sales DETACH PARTITION sales_eu; DELETE FROM sales_eu WHERE id < 50; "
        "ALTER TABLE sales ATTACH PARTITION sales_eu FOR VALUES IN ('eu')",
    ],
)
def test_rows_that_come_and_go_with_partitions(database, freshet, step):
    if "CONCURRENTLY" in step and database.connection.info.server_version < 140000:
        pytest.skip("this server detaches no partition concurrently")
    database.execute(PARTED)
    freshet.ingest()
    database.execute(step)
    run = freshet.ingest()
    assert read_again(run) == {"public.sales"}, run.describe()
    assert_equal(database.connection, freshet.destination, "public.sales")
    database.execute("UPDATE sales SET v = 'x' WHERE id % 3 = 0")
    run = freshet.ingest()
    assert not read_again(run), run.describe()
    assert_equal(database.connection, freshet.destination, "public.sales")


def test_partitions_that_bring_no_rows_cost_nothing(database, freshet):
    database.execute(PARTED)
    freshet.ingest()
    database.execute(
        "CREATE TABLE sales_asia PARTITION OF sales FOR VALUES IN ('asia'); INSERT INTO sales VALUES ('asia', 1, 'first', NULL)"
    )
    database.execute("ALTER TABLE sales ALTER COLUMN v SET STATISTICS 10")
    database.execute(
        "CREATE TABLE sales_africa (LIKE sales INCLUDING ALL); ALTER TABLE sales ATTACH PARTITION sales_africa FOR VALUES IN ('africa')"
    )
    run = freshet.ingest()
    assert not read_again(run), run.describe()
    database.execute("INSERT INTO sales VALUES ('africa', 1, 'first', NULL); TRUNCATE sales")
    run = freshet.ingest()
    assert not read_again(run), run.describe()
    assert_equal(database.connection, freshet.destination, "public.sales")


def test_columns_are_added(database, freshet):
    database.execute(
        "CREATE TABLE grows (id int PRIMARY KEY, v text); INSERT INTO grows SELECT i, 'v' FROM generate_series(1, 100) i; "
        "CREATE TABLE bag (v text); ALTER TABLE bag REPLICA IDENTITY FULL; INSERT INTO bag VALUES ('a'), ('a'), ('b')"
    )
    follow(
        database,
        freshet,
        ["public.grows", "public.bag"],
        [
            "ALTER TABLE grows ADD COLUMN n int",
            "INSERT INTO grows VALUES (200, 'w', 7)",
            "UPDATE grows SET n = 1 WHERE id < 10",
        ],
        "INSERT INTO grows VALUES (201, 'w', 7); ALTER TABLE grows ADD COLUMN at timestamptz, ADD COLUMN tags text[]; "
        "UPDATE grows SET at = now(), tags = '{a,b}' WHERE id = 201; DELETE FROM grows WHERE id = 1",
        "ALTER TABLE bag ADD COLUMN n int; INSERT INTO bag VALUES ('a', NULL), ('a', 1); DELETE FROM bag WHERE v = 'b'; "
        "DELETE FROM bag WHERE ctid = (SELECT min(ctid) FROM bag WHERE v = 'a' AND n IS NULL)",
        'ALTER TABLE grows ADD COLUMN "Odd Name,;{}()=" text; UPDATE grows SET "Odd Name,;{}()=" = \'x\' WHERE id = 2',
    )


def test_a_column_added_while_nothing_changes(database, freshet):
    database.execute("CREATE TABLE grows (id int PRIMARY KEY); INSERT INTO grows VALUES (1)")
    freshet.ingest()
    database.execute("ALTER TABLE grows ADD COLUMN n int; INSERT INTO grows VALUES (2, 2)")
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.grows")


def test_new_tables_are_read_in_the_same_run(database, freshet):
    database.execute("CREATE TABLE first (id int PRIMARY KEY); INSERT INTO first VALUES (1)")
    freshet.ingest()
    database.execute(
        "CREATE SCHEMA s2; CREATE TABLE s2.second (id int PRIMARY KEY, v text); "
        "INSERT INTO s2.second SELECT i, 'x' FROM generate_series(1, 1000) i; UPDATE s2.second SET v = 'y' WHERE id < 10"
    )
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.first", "s2.second")


def test_rollbacks_and_savepoints(database, freshet):
    database.execute(
        "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' FROM generate_series(1, 50) i"
    )
    follow(
        database,
        freshet,
        ["public.t"],
        "BEGIN; INSERT INTO t VALUES (100, 'no'); SAVEPOINT a; INSERT INTO t VALUES (101, 'no'); ROLLBACK",
        "BEGIN; INSERT INTO t VALUES (100, 'yes'); SAVEPOINT a; DELETE FROM t WHERE id < 10; ROLLBACK TO a; UPDATE t SET v = 'w' WHERE id = 1; "
        "SAVEPOINT b; INSERT INTO t VALUES (102, 'yes'); RELEASE b; COMMIT",
    )


def test_a_transaction_of_100_mb(database, freshet):
    database.execute(
        "CREATE TABLE large (id int PRIMARY KEY, v text); ALTER TABLE large ALTER COLUMN v SET STORAGE EXTERNAL; "
        "CREATE TABLE small (id int PRIMARY KEY); INSERT INTO large SELECT i, 'old' FROM generate_series(1, 1000) i"
    )
    freshet.ingest()
    database.execute(
        """BEGIN;
      INSERT INTO large SELECT i, repeat(md5(i::text), 16) FROM generate_series(1001, 180000) i;
      UPDATE large SET v = repeat('u', 1000) WHERE id <= 12000; DELETE FROM large WHERE id % 10 = 3; INSERT INTO small VALUES (1); COMMIT"""
    )
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.large", "public.small")
    grown = [
        version
        for version, actions in commits(freshet.destination / "public" / "large").items()
        if any("add" in action for action in actions)
    ]
    assert len(grown) <= 3, f"one transaction of the source was spread over several commits: {grown}"


def test_rows_of_two_megabytes(database, freshet):
    database.execute(
        "CREATE TABLE fat (id int PRIMARY KEY, n int, big text, raw bytea); ALTER TABLE fat ALTER COLUMN big SET STORAGE EXTERNAL; "
        "INSERT INTO fat SELECT i, 0, repeat(md5(i::text), 65536), decode(repeat(md5(i::text), 1000), 'hex') FROM generate_series(1, 12) i"
    )
    follow(
        database,
        freshet,
        ["public.fat"],
        "UPDATE fat SET n = 1",
        "INSERT INTO fat SELECT i, 0, repeat(md5(i::text), 65536), NULL FROM generate_series(13, 18) i; UPDATE fat SET id = id + 100 WHERE id < 4",
    )
