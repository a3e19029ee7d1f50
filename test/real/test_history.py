# SPDX-License-Identifier: Apache-2.0
"""What tables keep of their rows' past. SCD type 2 beside a history that the source keeps of itself: triggers write down
every state with its transaction, the server the time of each commit; what must be in the table follows from that, to
the microsecond."""
import datetime
import random
import tempfile
import threading
import time

import psycopg
import pytest
from contents import READERS, duckdb_connection, scan, table_path
from freshet_command import Freshet, wait_until
from postgres_server import Server

ITEMS = """CREATE TABLE items (id int PRIMARY KEY, n int, note text, big text);
ALTER TABLE items ALTER COLUMN big SET STORAGE EXTERNAL;
CREATE SCHEMA audit;
CREATE TABLE audit.states (at bigserial PRIMARY KEY, xid xid8 NOT NULL DEFAULT pg_current_xact_id(), id int, was int,
  n int, note text, big text);
CREATE FUNCTION audit.write() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF TG_OP = 'TRUNCATE' THEN INSERT INTO audit.states (id) VALUES (NULL);
  ELSIF TG_OP = 'DELETE' THEN INSERT INTO audit.states (was) VALUES (OLD.id);
  ELSIF TG_OP = 'INSERT' THEN INSERT INTO audit.states (id, n, note, big) VALUES (NEW.id, NEW.n, NEW.note, NEW.big);
  ELSE INSERT INTO audit.states (id, was, n, note, big) VALUES (NEW.id, OLD.id, NEW.n, NEW.note, NEW.big); END IF;
  RETURN NULL; END $$;
CREATE TRIGGER rows AFTER INSERT OR UPDATE OR DELETE ON items FOR EACH ROW EXECUTE FUNCTION audit.write();
CREATE TRIGGER truncates AFTER TRUNCATE ON items FOR EACH STATEMENT EXECUTE FUNCTION audit.write();
INSERT INTO items SELECT i, i, 'first', repeat(md5(i::text), 100) FROM generate_series(1, 60) i"""
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
TIMES = "epoch_us(__START_AT), epoch_us(__END_AT)"


@pytest.fixture(scope="module")
def timed_server():
    # Not below pytest's directory, which each other run of pytest closes to the server's user when it begins.
    server = Server(tempfile.mkdtemp(prefix="freshet-real-"), "track_commit_timestamp=on").start()
    yield server
    server.destroy()


@pytest.fixture
def timed(timed_server, tmp_path):
    """A database whose server knows when each transaction was committed, and freshet with it."""
    database = timed_server.create_database()
    freshet = Freshet(database.url, tmp_path / "lake")
    yield database, freshet
    freshet.close()
    database.drop()


def read(freshet, table, columns, reader="duckdb"):
    connection = duckdb_connection()
    scan(connection, reader, table_path(freshet.destination, "public", table))
    return sorted(connection.execute(f"SELECT {columns} FROM destination").fetchall(), key=repr)


class History:
    """The versions that the audit makes of the rows, by code that knows nothing of ours."""

    def __init__(self, rows, start):
        self.versions = [[*row, start, None] for row in rows]
        self.open = {version[0]: version for version in self.versions}
        self.last = {key: start for key in self.open}
        self.now = {version[0]: tuple(version[1:4]) for version in self.versions}

    def take(self, states):
        """States of (transaction, commit time, id, was, n, note, big), in the order in which rows took them. Of two
        transactions that change one row the later waits for the earlier's end."""
        transactions = {}
        for state in states:
            transactions.setdefault(state[0], []).append(state)
        for changes in sorted(transactions.values(), key=lambda states: states[0][1]):
            self._commit(changes)

    def _commit(self, changes):
        before, committed = dict(self.now), changes[0][1]
        for _, _, key, was, *content in changes:
            if key is None and was is None:
                self.now.clear()
            if was is not None and was != key:
                self.now.pop(was, None)
            if key is not None:
                self.now[key] = tuple(content)
        for key in before.keys() | self.now.keys():
            if before.get(key) != self.now.get(key):
                self._event(key, committed)

    def _event(self, key, committed):
        at = max(committed, self.last[key] + 1) if key in self.last else committed
        self.last[key] = at
        if key in self.open:
            self.open.pop(key)[5] = at
        if key in self.now:
            self.open[key] = [key, *self.now[key], at, None]
            self.versions.append(self.open[key])


def states_of(database, after=0):
    states = database.rows(
        "SELECT xid::text, pg_xact_commit_timestamp(xid::xid), id, was, n, note, big FROM audit.states "
        "WHERE at > %s ORDER BY at",
        (after,),
    )
    return [(xid, micros(at), *rest) for xid, at, *rest in states]


def micros(time):
    return (time - EPOCH) // datetime.timedelta(microseconds=1)


def change(connection, chance):
    """One transaction of several changes, rows in ascending order so that no two wait for each other."""
    keys = sorted(chance.sample(range(1, 90), chance.randrange(1, 5)))
    with connection.transaction():
        for key in keys:
            for _ in range(chance.choice((1, 1, 2))):
                act(connection, chance, key)


def act(connection, chance, key):
    kind = chance.random()
    if kind < 0.45:
        connection.execute(
            "UPDATE items SET n = %s, note = %s WHERE id = %s", (chance.randrange(9), "u", key)
        )
    elif kind < 0.55:
        big = chance.choice("xyz") * 4000
        connection.execute("UPDATE items SET big = %s WHERE id = %s", (big, key))
    elif kind < 0.75:
        connection.execute("DELETE FROM items WHERE id = %s", (key,))
    elif kind < 0.97:
        connection.execute(
            "INSERT INTO items VALUES (%s, 1, 'new', 'small') ON CONFLICT (id) DO UPDATE SET note = 'again'",
            (key,),
        )
    else:
        # Out of the range that others take: nobody waits for it.
        connection.execute(
            "UPDATE items SET id = id + 1000 + %s WHERE id = %s", (chance.randrange(10**6), key)
        )


def assert_history(history, freshet):
    expected = sorted((tuple(version) for version in history.versions), key=repr)
    for reader in READERS:
        assert read(freshet, "items", f"id, n, note, big, {TIMES}", reader) == expected, reader


def test_versions_are_those_of_the_sources_own_audit(timed):
    database, freshet = timed
    database.execute(ITEMS)
    rows = database.rows("SELECT id, n, note, big FROM items ORDER BY id")
    before = micros(database.value("SELECT clock_timestamp()"))
    freshet.ingest("--tables", "public.*", "--scd-type", "SCD_TYPE_2")
    after = micros(database.value("SELECT clock_timestamp()"))
    ((start,),) = read(freshet, "items", "DISTINCT epoch_us(__START_AT)")
    assert before < start < after
    seen = database.value("SELECT max(at) FROM audit.states")
    history = History(rows, start)
    chance = random.Random(5)
    run = freshet.start(
        "--continuous", "--retry-for", "1h", "--tables", "public.*", "--scd-type", "SCD_TYPE_2"
    )
    killed, enough = 0, threading.Event()
    writers = [threading.Thread(target=write, args=(database, seed, enough)) for seed in (1, 2, 3)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        time.sleep(0.7)
        worker = run.worker(chance.choice(("gateway", "update")))
        killed += worker is not None and run.kill_worker(worker)
        if killed > 2:
            enough.set()
    database.execute("TRUNCATE items")
    database.execute("INSERT INTO items VALUES (1, 1, 'after', NULL)")
    run.stop()
    assert killed > 2, "nothing was killed"
    freshet.ingest("--tables", "public.*", "--scd-type", "SCD_TYPE_2")
    history.take(states_of(database, seen))
    assert len(history.versions) > 400
    assert_history(history, freshet)
    # Read again, the table finds nothing that differs.
    freshet.ingest("--tables", "public.*", "--scd-type", "SCD_TYPE_2", "--refresh", "public.items")
    assert_history(history, freshet)


def write(database, seed, enough):
    """Write so many transactions, and on until the workers were killed often enough."""
    chance = random.Random(seed)
    with database.another() as connection:
        for number in range(20_000):
            if number >= 250 and enough.is_set():
                break
            try:
                change(connection, chance)
            except psycopg.errors.DeadlockDetected:
                pass


def test_from_type_1_to_type_2_and_not_back(timed):
    database, freshet = timed
    database.execute(ITEMS)
    freshet.ingest("--tables", "public.*")
    database.execute("UPDATE items SET note = 'second' WHERE id = 1")
    (state,) = states_of(database, 60)
    freshet.ingest("--tables", "public.*")
    database.execute("UPDATE items SET note = 'third' WHERE id = 1; DELETE FROM items WHERE id = 2")
    freshet.ingest("--tables", "public.*", "--scd-type", "SCD_TYPE_2")
    at = states_of(database, 61)[0][1]
    found = read(freshet, "items", f"id, note, {TIMES}")
    assert [row for row in found if row[0] < 4] == [
        (1, "second", state[1], at),
        (1, "third", at, None),
        (2, "first", state[1], at),
        (3, "first", state[1], None),
    ]
    run = freshet.ingest("--tables", "public.*", expect=5)
    assert run.error_classes() == {"HISTORY_MODE_CHANGED"}


SPEC = """
table_configuration: {sequence_by: [v]}
objects:
  - schema:
      source_schema: public
      table_configuration: {soft_delete: true}
  - table:
      source_schema: public
      source_table: versions
      table_configuration: {scd_type: SCD_TYPE_2}
  - table:
      source_schema: public
      source_table: log
      table_configuration: {scd_type: APPEND_ONLY}
"""


def test_modes_by_specification(timed, tmp_path):
    """Three layers: what is said of a table comes before what is said of its schema, and that before the rest."""
    database, freshet = timed
    for table in ("rows", "versions", "log"):
        database.execute(f"CREATE TABLE {table} (id int PRIMARY KEY, v int, note text)")
        database.execute(f"INSERT INTO {table} VALUES (1, 5, 'a'), (2, 5, 'b')")
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC)
    freshet.ingest("--spec", spec)
    for table in ("rows", "versions", "log"):
        database.execute(f"UPDATE {table} SET v = 4, note = 'late' WHERE id = 1")
        database.execute(f"UPDATE {table} SET v = 7, note = 'c' WHERE id = 1")
        database.execute(f"DELETE FROM {table} WHERE id = 2")
    freshet.ingest("--spec", spec)
    for reader in READERS:
        assert read(freshet, "rows", "id, v, note, __DELETED_AT IS NOT NULL", reader) == [
            (1, 7, "c", False),
            (2, 5, "b", True),
        ]
        assert read(freshet, "versions", "id, v, note, __START_AT, __END_AT", reader) == [
            (1, 5, "a", 5, 7),
            (1, 7, "c", 7, None),
            (2, 5, "b", 5, 5),
        ]
        assert read(freshet, "log", "id, v, note", reader) == [
            (1, 4, "late"),
            (1, 5, "a"),
            (1, 7, "c"),
            (2, 5, "b"),
        ]


def test_a_table_without_a_key_says_why(timed):
    database, freshet = timed
    database.execute(
        "CREATE TABLE bag (v text); ALTER TABLE bag REPLICA IDENTITY FULL; INSERT INTO bag VALUES ('x')"
    )
    run = freshet.ingest("--scd-type", "SCD_TYPE_2", expect=5)
    assert run.error_classes() == {"HISTORY_NEEDS_KEY"}
    run.wait_for_workers()
