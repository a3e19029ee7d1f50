# SPDX-License-Identifier: Apache-2.0
"""A random workload against a real server while freshet runs, is killed and loses its connections; at the end the tables
are equal by content.

    SEED=17 python random_workload.py             one round, replayed by its seed (the statements, not how they interleave)
    ROUNDS=20 SEED=100 python random_workload.py  rounds 100 … 119; LENGTH=… scales a round
    COPY=1 …                                      beside PostgreSQL's own replication into a second server, which is the oracle
"""
import contextlib
import os
import pathlib
import random
import shutil
import sys
import tempfile
import threading
import time

import psycopg

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from contents import assert_equal, data_versions  # noqa: E402
from faulty_proxy import FaultyProxy  # noqa: E402
from freshet_command import PATIENCE, Freshet, wait_until  # noqa: E402
from native_copy import NativeCopy, subscribing_server  # noqa: E402
from postgres_server import Server  # noqa: E402
from random_chaos import Chaos  # noqa: E402
from random_tables import assert_wanderers_equal, specify, tables_of  # noqa: E402

TABLES = """
CREATE TABLE keyed (id bigint PRIMARY KEY, n int, amount numeric(14,3), note text, at timestamptz, doc jsonb, big text);
ALTER TABLE keyed ALTER COLUMN big SET STORAGE EXTERNAL;
CREATE TABLE pairs (k text, i int, v double precision, tags text[], PRIMARY KEY (i, k));
CREATE TABLE bag (a int, b text, big text);
ALTER TABLE bag REPLICA IDENTITY FULL; ALTER TABLE bag ALTER COLUMN big SET STORAGE EXTERNAL;
CREATE TABLE whole (id int PRIMARY KEY, v text, big text);
ALTER TABLE whole REPLICA IDENTITY FULL; ALTER TABLE whole ALTER COLUMN big SET STORAGE EXTERNAL;
CREATE TABLE indexed (id int PRIMARY KEY, code int NOT NULL, v text, big text);
CREATE UNIQUE INDEX indexed_code ON indexed (code); ALTER TABLE indexed REPLICA IDENTITY USING INDEX indexed_code;
ALTER TABLE indexed ALTER COLUMN big SET STORAGE EXTERNAL;
CREATE TABLE parts (region int, id int, v text, big text, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
CREATE TABLE parts_0 PARTITION OF parts FOR VALUES IN (0); CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2);
CREATE TABLE grows (id int PRIMARY KEY, v text);
CREATE TABLE brief (id int PRIMARY KEY, v text);
"""
ROWS = """
INSERT INTO keyed SELECT i, i % 100, i * 1.125, 'note ' || i, timestamptz '2024-01-01Z' + i * interval '1 ms', '{{"a": 1}}', NULL
  FROM generate_series(1, {rows}) i;
INSERT INTO pairs SELECT 'k' || i % 50, i, i / 3.0, ARRAY['t' || i % 7, NULL] FROM generate_series(1, {rows} / 4) i;
INSERT INTO bag SELECT i % 40, 'b' || i % 5, NULL FROM generate_series(1, {rows} / 4) i;
INSERT INTO whole SELECT i, 'v', CASE WHEN i % 10 = 0 THEN repeat('w', 5000) END FROM generate_series(1, 2000) i;
INSERT INTO indexed SELECT i, i, 'v', CASE WHEN i % 10 = 0 THEN repeat('x', 5000) END FROM generate_series(1, 2000) i;
INSERT INTO parts SELECT i % 3, i, 'v', CASE WHEN i % 20 = 0 THEN repeat('p', 4000) END FROM generate_series(1, 3000) i;
INSERT INTO grows SELECT i, 'v' FROM generate_series(1, 1000) i;
INSERT INTO brief SELECT i, 'v' FROM generate_series(1, 500) i;
"""


class Workload:
    """Random transactions: the same seed gives the same statements."""

    more = ""  # tables of a kind that has more
    views = ()  # that are read as tables are
    schemas = ("public",)
    # Tables that native replication keeps equal too: their columns stay, and no partition leaves; and what it needs for it.
    replicated = ("keyed", "pairs", "bag", "whole", "indexed", "brief")
    replica = ""

    def __init__(self, seed, large_rows, without=()):
        self.random = random.Random(f"workload {seed}")
        self.large_rows = large_rows
        self.new_id = 10_000_000
        self.columns_added = self.tables_made = 0
        self.statements_by_name = {
            "insert": 12,
            "update": 14,
            "delete": 8,
            "key": 6,
            "toast": 8,
            "bag": 10,
            "whole": 6,
            "index_key": 5,
            "part_move": 6,
            "part_truncate": 1,
            "part_detach": 1,
            "pairs": 6,
            "chain": 4,
            "swap": 3,
            "truncate": 2,
            "add_column": 1,
            "new_table": 1,
            "grows": 5,
            "large": 1,
            "large_undone": 1,
        }
        for name in without:
            del self.statements_by_name[name]

    def statements(self):
        """The SQL of one random act: one or more statements that belong together."""
        name = self.random.choices(list(self.statements_by_name), list(self.statements_by_name.values()))[0]
        made = getattr(self, "_" + name)()
        return [made] if isinstance(made, str) else made

    def _id(self, count=1):
        self.new_id += count
        return self.new_id - count + 1

    def _low(self, top=3000):
        return self.random.randint(1, top)

    def _some(self):
        """A selection of a few rows by id."""
        if self.random.random() < 0.3:
            return f"id > 10000000 AND id % {self.random.randint(2, 9)} = 0"
        low = self._low()
        return f"id BETWEEN {low} AND {low + self.random.choice([0, 3, 40])}"

    def _big(self):
        return f"repeat('{self.random.choice('abcdef')}', {self.random.choice([3000, 9000, 30000])})"

    def _insert(self):
        count = self.random.choice([1, 1, 5, 200])
        first = self._id(count)
        big = self._big() if count < 10 else "NULL"
        return (
            f"INSERT INTO keyed SELECT i, i % 100, i / 8.0, 'new', timestamptz '2024-06-01Z' + i * interval '1 us', '[{first}]', {big} "
            f"FROM generate_series({first}, {first + count - 1}) i"
        )

    def _update(self):
        return f"UPDATE keyed SET n = n + 1, note = note || '.', amount = -amount WHERE {self._some()}"

    def _delete(self):
        return f"DELETE FROM keyed WHERE {self._some()}"

    def _key(self):
        low, first = self._low(), self._id(5)
        return f"UPDATE keyed SET id = id - {low} + {first} WHERE id BETWEEN {low} AND {low + 4}"

    def _toast(self):
        some = self._some()
        return [
            f"UPDATE keyed SET big = {self._big()} WHERE {some}",
            f"UPDATE keyed SET n = n + 7 WHERE {some}",
        ][self.random.randint(0, 1) :]

    def _chain(self):
        """One row through several keys in one transaction; its large value is never sent again."""
        first, a = self._id(3), self._low()
        return [
            f"UPDATE keyed SET id = {first} WHERE id = {a}",
            f"UPDATE keyed SET id = {first + 1}, n = 0 WHERE id = {first}",
            f"UPDATE keyed SET id = {a} WHERE id = {first + 1}",
            f"UPDATE keyed SET n = n + 1 WHERE id = {a}",
        ]

    def _swap(self):
        a, b, hole = self._low(), self._low(), self._id()
        return [
            f"UPDATE keyed SET id = {hole} WHERE id = {a}",
            f"UPDATE keyed SET id = {a} WHERE id = {b}",
            f"UPDATE keyed SET id = {b} WHERE id = {hole}",
        ]

    def _bag(self):
        limit = self.random.choice([1, 3, 20])
        some = f"ctid IN (SELECT ctid FROM bag WHERE a = {self.random.randint(0, 39)} ORDER BY ctid LIMIT {limit})"
        return self.random.choice(
            [
                f"INSERT INTO bag SELECT {self.random.randint(0, 39)}, 'b1', {self.random.choice(['NULL', self._big()])} FROM generate_series(1, {limit})",
                f"UPDATE bag SET b = b || 'u' WHERE {some}",
                f"UPDATE bag SET a = (a + 1) % 40 WHERE {some}",
                f"DELETE FROM bag WHERE {some}",
                f"UPDATE bag SET big = {self._big()} WHERE {some}",
            ]
        )

    def _whole(self):
        low = self._low(2000)
        return self.random.choice(
            [
                f"UPDATE whole SET v = v || 'x' WHERE id BETWEEN {low} AND {low + 10}",
                f"DELETE FROM whole WHERE id = {low}",
                f"UPDATE whole SET id = {self._id()} WHERE id = {low}",
                f"INSERT INTO whole VALUES ({self._id()}, 'n', {self._big()})",
            ]
        )

    def _index_key(self):
        low = self._low(2000)
        return self.random.choice(
            [
                f"UPDATE indexed SET code = {self._id()} WHERE id = {low}",
                f"UPDATE indexed SET id = {self._id()} WHERE id = {low}",
                f"UPDATE indexed SET v = v || 'x' WHERE id BETWEEN {low} AND {low + 10}",
                f"DELETE FROM indexed WHERE code = {low}",
            ]
        )

    def _part_move(self):
        low = self._low()
        return self.random.choice(
            [
                f"UPDATE parts SET region = (region + 1) % 3 WHERE id BETWEEN {low} AND {low + 5}",
                f"UPDATE parts SET v = v || 'x' WHERE id BETWEEN {low} AND {low + 20}",
                f"DELETE FROM parts WHERE id = {low}",
                f"INSERT INTO parts VALUES ({self.random.randint(0, 2)}, {self._id()}, 'new', {self._big()})",
                f"UPDATE parts SET id = {self._id()}, region = (region + 1) % 3 WHERE id = {low}",
            ]
        )

    def _part_truncate(self):
        return f"TRUNCATE parts_{self.random.randint(0, 2)}"

    def _part_detach(self):
        """A partition leaves, loses and gets rows alone, and comes back; a new one, or one that was loaded before, takes its place."""
        n, low = self.random.randint(0, 2), self._low()
        away = f"ALTER TABLE parts DETACH PARTITION parts_{n}"
        back = f"ALTER TABLE parts ATTACH PARTITION parts_{n} FOR VALUES IN ({n})"
        alone = [
            f"DELETE FROM parts_{n} WHERE id BETWEEN {low} AND {low + 100}",
            f"INSERT INTO parts_{n} VALUES ({n}, {self._id()}, 'alone', {self._big()})",
            f"UPDATE parts_{n} SET v = v || 'a' WHERE id < {low}",
        ]
        made = f"CREATE TABLE parts_{n} PARTITION OF parts FOR VALUES IN ({n})"
        loaded = f"CREATE TABLE parts_{n} (LIKE parts INCLUDING ALL)"
        drop = f"DROP TABLE parts_{n}"
        return self.random.choice(
            [[away, *alone, back], [drop, made, alone[1]], [away, drop, loaded, *alone, back, alone[2]]]
        )

    def _pairs(self):
        low = self._low()
        return self.random.choice(
            [
                f"UPDATE pairs SET v = v * 2, tags = tags || ARRAY['more'] WHERE i BETWEEN {low} AND {low + 30}",
                f"UPDATE pairs SET k = k || '''' WHERE i = {low}",
                f"DELETE FROM pairs WHERE i BETWEEN {low} AND {low + 3}",
                f"INSERT INTO pairs VALUES ('new', {self._id()}, 'NaN', '{{}}')",
            ]
        )

    def _truncate(self):
        table = self.random.choice(["brief", "brief", "bag", "parts", "grows"])
        count = self.random.randint(0, 30)
        return [f"TRUNCATE {table}"] + (
            [f"INSERT INTO brief SELECT i, 'after' FROM generate_series({self._id(count)}, {self.new_id}) i"]
            if table == "brief" and count
            else []
        )

    def _add_column(self):
        self.columns_added += 1
        name = f"c{self.columns_added}"
        return [
            f"ALTER TABLE grows ADD COLUMN {name} {self.random.choice(['int', 'text', 'timestamp', 'numeric(9,2)'])}",
            f"INSERT INTO grows (id, v) SELECT i, '{name}' FROM generate_series({self._id(20)}, {self.new_id}) i",
        ]

    def _grows(self):
        low = self._low(1000)
        return self.random.choice(
            [
                f"UPDATE grows SET v = v || 'x' WHERE id BETWEEN {low} AND {low + 5}",
                f"DELETE FROM grows WHERE id = {low}",
                f"INSERT INTO grows (id, v) VALUES ({self._id()}, 'n')",
            ]
        )

    def _new_table(self):
        self.tables_made += 1
        name = f"made_{self.tables_made}"
        return [
            f"CREATE TABLE {name} (id int PRIMARY KEY, v text)",
            f"INSERT INTO {name} SELECT i, 'made' FROM generate_series(1, 300) i",
            f"UPDATE {name} SET v = 'changed' WHERE id % 3 = 0",
        ]

    def _large(self):
        first = self._id(self.large_rows)
        return [
            f"INSERT INTO keyed SELECT i, 0, 0, md5(i::text), now(), NULL, repeat('L', 600) FROM generate_series({first}, {self.new_id}) i",
            f"UPDATE keyed SET n = -1 WHERE id >= {first} AND id % 2 = 0",
            f"DELETE FROM keyed WHERE id >= {first} AND id % 3 = 0",
        ]

    def _large_undone(self):
        """Large pieces between savepoints, some rolled back; one that was released, within one that may be."""

        def piece(name, end):
            first = self._id(max(300, self.large_rows // 8))
            return [
                f"SAVEPOINT {name}",
                f"INSERT INTO keyed SELECT i, 1, 1, md5(i::text), now(), NULL, repeat('S', 600) FROM generate_series({first}, {self.new_id}) i",
                f"UPDATE whole SET v = v || 'u' WHERE id % 3 = {first % 3}",
                f"{end} {name}",
            ]

        ends = self.random.choices(["RELEASE", "ROLLBACK TO"], k=4)
        outer = ["SAVEPOINT o", *piece("a", ends[0]), *piece("b", "RELEASE"), f"{ends[1]} o"]
        return outer + piece("c", ends[2]) + piece("d", ends[3])

    def transaction(self, connection):
        """Run one transaction: acts, some of them under savepoints that are rolled back; some roll back as a whole."""
        chance = self.random.random
        plan = []
        for _ in range(self.random.choice([1, 1, 2, 5])):
            plan.append((self.statements(), chance() < 0.2, chance() < 0.5))
        undone = chance() < 0.1
        with connection.transaction(force_rollback=undone):
            for statements, guarded, kept in plan:
                # A clash of keys, a lock not given, XML where the server is built without: only this act is undone.
                with contextlib.suppress(
                    psycopg.errors.IntegrityError,
                    psycopg.errors.LockNotAvailable,
                    psycopg.errors.FeatureNotSupported,
                ), connection.transaction(force_rollback=guarded and not kept):
                    for statement in statements:
                        connection.execute(statement)


class Writer(threading.Thread):
    """Runs the workload until told to stop, through restarts of the server."""

    def __init__(self, database, workload, pause):
        super().__init__(daemon=True)
        self.database, self.workload, self.pause = database, workload, pause
        self.stopping = threading.Event()
        self.transactions = 0
        self.failure = None

    def run(self):
        while not self.stopping.is_set():
            try:
                with self.database.another() as connection:
                    connection.execute("SET lock_timeout = '2s'; SET synchronous_commit = off")
                    while not self.stopping.wait(self.pause):
                        self.workload.transaction(connection)
                        self.transactions += 1
            except psycopg.OperationalError:
                self.stopping.wait(0.1)
            except Exception as failure:
                self.failure = failure
                return

    def stop(self):
        self.stopping.set()
        self.join(PATIENCE)
        assert not self.is_alive(), "the writer does not end"
        if self.failure:
            raise self.failure


def terminate(run):
    """Not before the command has begun: until then a signal ends it as it ends any program."""
    wait_until(lambda: run.stdout or run.code is not None, "the command's first word")
    run.process.terminate()


def ended_well(run):
    """Whether a run that ended by itself had nothing to say, or what the workload and its disturber may cause."""
    # A server that is away when a run begins ends it at once; only within a run it is waited for.
    away = run.code == 3 and run.error_classes() == {"SOURCE_UNREACHABLE"} and not run.events("table_found")
    # A table that was dropped before it was ever read; what the server's restarts say beside it was got over.
    failed = [*run.events("table_failed"), *run.events("table_left_out"), *run.events("table_unread")]
    gone = run.code == 5 and {event["class"] for event in failed} == {"NOT_FOUND"}
    return run.code in (0, 130) or away or gone


def settle(freshet, last, spec):
    """Run on while the last run read a table that has to be read again: that waits for the next."""
    for _ in range(3):
        if last.events("snapshot_abandoned"):
            last = freshet.ingest(*spec)


def set_up(database, seed, rows, more):
    """Make the tables. Returns beyond what size the server, from 14 on, streams a transaction before its commit."""
    memory = random.Random(f"memory {seed}").choice(["64kB", "64kB", "4MB", "64MB"])
    database.execute(f"ALTER DATABASE {database.name} SET logical_decoding_work_mem = '{memory}'")
    database.execute(TABLES + more + ROWS.format(rows=rows))
    return memory


def play(seed, server, length=1.0, rows=40_000, say=print, kind=Workload, subscriber=None):
    """One round, whose runs retry for longer than it lasts; raises AssertionError with what differs, from what is at the
    source or from what native replication made of the same changes at a subscribing server."""
    began = time.monotonic()
    choose = random.Random(f"round {seed}")
    database = server.create_database(f"random_{seed}")
    directory = pathlib.Path(tempfile.mkdtemp(prefix="freshet-random-"))
    proxy = FaultyProxy(server, seed)
    freshet = Freshet(proxy.url(database.name), directory / "lake")
    memory = set_up(database, seed, rows, kind.more)
    copy = subscriber and NativeCopy(subscriber, database, TABLES + kind.more + kind.replica, kind.replicated)
    workload = kind(
        seed, large_rows=choose.choice([2_000, 20_000] if length < 1 else [5_000, 60_000, 170_000])
    )
    writer = Writer(database, workload, pause=choose.choice([0.002, 0.01, 0.03]))
    chaos = Chaos(seed, server, proxy)
    spec, drawn, readers = specify(seed, directory / "spec.json", kind.views, kind.schemas)
    runs = 0
    try:
        writer.start()
        end = time.monotonic() + 25 * length
        while time.monotonic() < end:
            options = [*spec, "--retry-for", "1h"] + (["--continuous"] if choose.random() < 0.3 else [])
            run = freshet.start(*options)
            runs += 1
            timer = threading.Timer(
                max(1, min(end - time.monotonic(), 12 * length)) if "--continuous" in options else 150,
                terminate,
                [run],
            )
            timer.start()
            own = chaos.disturb(run, choose.choice([0.3, 1.0, 3.0]), end + 12 * length)
            timer.cancel()
            assert not own or ended_well(run), run.describe()
            assert "POSITION_LOST" not in run.error_classes(), run.describe()
        writer.stop()
        last = freshet.ingest(*spec, "--retry-for", "60s")
        tables = tables_of(database, kind.views)
        try:
            assert_equal(database.connection, freshet.destination, *tables, readers=readers)
            assert_wanderers_equal(database, freshet.destination, readers)
            if copy:
                copy.assert_equal(freshet.destination, readers)
        except AssertionError as difference:
            raise AssertionError(
                f"seed {seed} ({drawn}): {difference}\nlast run: {last.describe()}"
            ) from None
        settle(freshet, last, spec)
        before = data_versions(freshet.destination)
        freshet.ingest(*spec)
        assert data_versions(freshet.destination) == before, f"seed {seed}: one more run committed data"
        say(
            f"seed {seed}: equal after {writer.transactions} transactions, {runs} runs, killed {chaos.told}, {len(tables)} tables, "
            f"streamed beyond {memory}, {drawn},{' as native replication,' if copy else ''} {time.monotonic() - began:.0f} s"
        )
    except BaseException:
        say(f"seed {seed}: FAILED; destination kept in {directory}; replay with SEED={seed}")
        directory = None
        raise
    finally:
        writer.stopping.set()
        freshet.close()
        proxy.close()
        server.ensure_running()
        writer.join(PATIENCE)
        if copy:
            copy.drop()
        database.drop()
        if directory:
            shutil.rmtree(directory, ignore_errors=True)


def main(kind=Workload):
    first = int(os.environ.get("SEED", random.SystemRandom().randint(1, 1_000_000)))
    rounds = int(os.environ.get("ROUNDS", 1))
    length = float(os.environ.get("LENGTH", 1))
    server = Server(tempfile.mkdtemp(prefix="freshet-real-")).start()
    subscriber = subscribing_server() if os.environ.get("COPY") else None
    failed = []
    try:
        for seed in range(first, first + rounds):
            try:
                say = lambda line: print(line, flush=True)
                play(seed, server, length, say=say, kind=kind, subscriber=subscriber)
            except AssertionError as failure:
                failed.append(seed)
                print(str(failure)[:12000], flush=True)
    finally:
        server.destroy()
        if subscriber:
            subscriber.destroy()
    print(f"{rounds - len(failed)} of {rounds} rounds equal" + (f"; failed seeds {failed}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
