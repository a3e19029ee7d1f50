# SPDX-License-Identifier: Apache-2.0
"""Kill -9 and restarts: nothing lost, nothing twice, the next run starts at once."""
import json
import os
import signal
import time

import pytest
from contents import assert_equal, data_versions
from faulty_proxy import FaultyProxy
from freshet_command import wait_until

TABLE = """CREATE TABLE t (id int PRIMARY KEY, v text, big text); ALTER TABLE t ALTER COLUMN big SET STORAGE EXTERNAL;
INSERT INTO t SELECT i, md5(i::text), repeat('x', 300) FROM generate_series(1, {rows}) i;
CREATE TABLE bag (v text); ALTER TABLE bag REPLICA IDENTITY FULL; INSERT INTO bag SELECT 'x' FROM generate_series(1, 1000)"""
CHANGES = "UPDATE t SET v = v || 'u' WHERE id % 3 = 0; DELETE FROM t WHERE id % 7 = 0; INSERT INTO bag SELECT 'y' FROM generate_series(1, 500)"


def settled(database, freshet):
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.t", "public.bag")
    before = data_versions(freshet.destination)
    freshet.ingest()
    assert data_versions(freshet.destination) == before


@pytest.mark.parametrize("delay", [0.1, 0.4, 0.9, 1.6])
def test_command_killed(database, freshet, delay):
    """The workers die with the command; the next run takes over its own slot."""
    database.execute(TABLE.format(rows=60_000))
    run = freshet.start()
    time.sleep(delay)
    run.kill()
    run.wait_for_workers()
    database.execute(CHANGES)
    run = freshet.start()
    time.sleep(delay)
    run.kill()
    settled(database, freshet)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_workers_killed_within_a_run(database, freshet, which):
    """A worker's crash is not the run's: it is started again and the run ends well."""
    database.execute(TABLE.format(rows=100_000))
    run = freshet.start()
    killed = 0
    for _ in range(4):
        time.sleep(0.35)
        workers = sorted(run.workers())
        if len(workers) > which:
            killed += run.kill_worker(workers[which])
    run.wait()
    assert run.code == 0, f"{killed} workers killed: {run.describe()}"
    database.execute(CHANGES)
    settled(database, freshet)


def test_killed_while_its_slot_is_made(database, freshet):
    """The server goes on making the slot for a session without a client; until it is made it has no position."""
    database.execute(TABLE.format(rows=100))
    slot = (
        "SELECT active_pid FROM pg_replication_slots WHERE database = current_database() AND active_pid <> %s"
    )
    looks = (
        "SELECT FROM pg_stat_activity WHERE application_name = 'freshet' AND datname = current_database() "
        "AND query LIKE '%%FROM pg_replication_slots s%%' AND pid <> %s"
    )
    with database.another() as writer, writer.transaction():
        # The server makes no slot before this transaction ends.
        writer.execute("UPDATE t SET v = 'open' WHERE id = 1")
        run = freshet.start()
        ((making,),) = wait_until(lambda: database.rows(slot, (0,)), "a slot that is being made")
        gateway = run.worker("gateway")
        assert run.kill_worker(gateway)
        # Or it has looked, has ended that session and makes the slot anew.
        wait_until(
            lambda: database.rows(looks, (making,)) or database.rows(slot, (making,)),
            "the next gateway's look at the slot",
        )
    run.wait()
    assert run.code == 0, run.describe()
    first = freshet.destination / "_freshet/staging/segments/000000000000/000000000001.json"
    assert not json.loads(first.read_text())["cursor"].startswith("0/0 "), "it began at no position"
    settled(database, freshet)


PARTS, PART_ROWS = 12, 40_000
PARTED = """CREATE TABLE parted (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE small (id int PRIMARY KEY); INSERT INTO small VALUES (1), (2);"""
# Of the 2 MB that a partition is on the wire: a connection passes two of them and stands still in the third.
HOLD_BYTES = 5_000_000
READERS_OF_A_RUN, CHUNKS_READ_MIN = 2, 4


VIEW = (
    "SELECT FROM pg_stat_activity WHERE datname = %s AND query LIKE '%%pg_export_snapshot%%' "
    "AND pid <> pg_backend_pid()"
)
HISTORY = ("--scd-type", "SCD_TYPE_2")


@pytest.fixture
def middle(database, freshet, server):
    """A run that reads a table of many chunks (its partitions), some of which are read and durable, and the proxy that
    lets it read on when it is told to."""
    yield from in_the_middle(database, freshet, server)


@pytest.fixture
def middle_of_history(database, freshet, server):
    yield from in_the_middle(database, freshet, server, *HISTORY)


def in_the_middle(database, freshet, server, *options):
    database.execute(PARTED)
    for part in range(PARTS):
        low, end = part * PART_ROWS, (part + 1) * PART_ROWS
        database.execute(f"CREATE TABLE part{part} PARTITION OF parted FOR VALUES FROM ({low}) TO ({end})")
        database.execute(
            f"INSERT INTO part{part} SELECT i, md5(i::text) FROM generate_series({low}, {end - 1}) i"
        )
    proxy = FaultyProxy(server)
    proxy.hold_after(HOLD_BYTES)
    run = freshet.start(*options, url=proxy.url(database.name))
    wait_until(
        lambda: proxy.holding() >= READERS_OF_A_RUN and len(sealed(database, freshet)) >= CHUNKS_READ_MIN,
        "some chunks",
    )
    yield run, proxy
    proxy.close()


def of_parted(run, name):
    return [event for event in run.events(name) if event.get("table") == "public.parted"]


def sealed(database, freshet):
    """The chunks of the table that staging has for good, in order, each with the gateway that read it."""
    table = database.value("SELECT 'parted'::regclass::oid::text")
    manifests = sorted(freshet.destination.glob("_freshet/staging/segments/*/*.json"))
    return [
        (manifest["writer_id"], entry["chunk"])
        for manifest in (json.loads(path.read_text()) for path in manifests)
        for entry in manifest["entries"]
        if entry["kind"] == "chunk_done" and entry["table"] == table
    ]


def test_gateway_killed_while_it_reads(database, freshet, middle):
    """The snapshot outlives its reader: what is staged stays, only what was in flight is read again."""
    run, proxy = middle
    assert run.kill_worker(run.worker("gateway"))
    # Before the run goes on: it need not wait for what is committed after it has caught up.
    database.execute("UPDATE parted SET v = 'late' WHERE id % 7 = 0; DELETE FROM parted WHERE id % 1500 = 1")
    proxy.release()
    run.wait()
    assert run.code == 0, run.describe()
    assert len(of_parted(run, "snapshot_started")) == 1, run.describe()
    assert not of_parted(run, "snapshot_abandoned"), run.describe()
    (resumed,) = of_parted(run, "snapshot_resumed")
    # What the first one had sealed is not read again, all else is.
    chunks = sealed(database, freshet)
    left = [chunk for writer, chunk in chunks if writer != chunks[0][0]]
    assert sorted(chunk for _, chunk in chunks) == list(range(PARTS)), run.describe()
    assert len(left) == resumed["chunks_left"] <= PARTS - CHUNKS_READ_MIN, run.describe()
    story = of_parted(run, None)
    again = [
        each["chunk"] for each in story[story.index(resumed) :] if each["event"] == "snapshot_chunk_read"
    ]
    assert sorted(again) == sorted(left), run.describe()
    assert_equal(database.connection, freshet.destination, "public.parted", "public.small")
    settled_sessions(database)
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.parted", "public.small")


def test_holder_killed_while_a_table_is_read(database, freshet, middle):
    """The view is gone: what was read of the table stays, and the rest is read at a later moment."""
    run, proxy = middle
    assert database.rows(VIEW, (database.name,))
    read = len(sealed(database, freshet))
    end_the_view(database, run, proxy)
    run.wait()
    assert run.code == 0, run.describe()
    reads_on(database, freshet, run, read)


def end_the_view(database, run, proxy):
    """Kill who holds it, change what it showed, and let the run go on to its end."""
    assert run.kill_worker(run.worker("holder"))
    wait_until(lambda: not database.rows(VIEW, (database.name,)), "the end of the view")
    # Some of them lie in what is read already, some in what is not, and some move from here to there.
    database.execute(LATE)
    proxy.release()


def reads_on(database, freshet, run, read):
    """What had been read before is not read again, but for what the table has grown by."""
    assert not of_parted(run, "snapshot_abandoned"), run.describe()
    grown = PARTS  # at most a chunk for each
    (resumed, *_) = of_parted(run, "snapshot_resumed")
    assert resumed["chunks_left"] <= PARTS - read + grown, run.describe()
    done = [chunk for _, chunk in sealed(database, freshet)]
    assert len(done) == len(set(done)), run.describe()
    assert_equal(database.connection, freshet.destination, "public.parted", "public.small")
    settled_sessions(database)
    before = data_versions(freshet.destination)
    freshet.ingest()
    assert data_versions(freshet.destination) == before
    assert_equal(database.connection, freshet.destination, "public.parted", "public.small")


LATE = """UPDATE parted SET v = 'late' WHERE id % 7 = 0;
DELETE FROM parted WHERE id % 1500 = 1;
DELETE FROM parted WHERE id >= 400000 AND id % 3000 = 1002;
UPDATE parted SET id = id + 400000 WHERE id % 3000 = 2 AND id < 80000;
INSERT INTO parted SELECT i, 'new' FROM generate_series(1, 480000, 1500) i"""


def test_holder_killed_while_a_table_with_a_history_is_read(database, freshet, middle_of_history):
    """Versions of two moments would say what never was: it is read anew."""
    run, proxy = middle_of_history
    end_the_view(database, run, proxy)
    is_read_anew(database, freshet, run.wait())


def test_what_is_to_be_read_anew_when_nobody_reads_any_more(database, freshet, middle_of_history):
    """The update learns of it when the gateway has ended: the run does its work once more."""
    run, proxy = middle_of_history
    update = run.worker("update")
    os.kill(update, signal.SIGSTOP)
    end_the_view(database, run, proxy)
    wait_until(lambda: run.worker("gateway") is None, "the end of the gateway")
    os.kill(update, signal.SIGCONT)
    is_read_anew(database, freshet, run.wait())
    assert [event["class"] for event in run.events("table_failed")] == ["SNAPSHOT_STALE"], run.describe()


def is_read_anew(database, freshet, run):
    assert run.code == 0, run.describe()
    assert of_parted(run, "refresh_asked"), run.describe()
    assert_equal(database.connection, freshet.destination, "public.parted", "public.small")
    settled_sessions(database)
    before = data_versions(freshet.destination)
    freshet.ingest(*HISTORY)
    assert data_versions(freshet.destination) == before
    assert_equal(database.connection, freshet.destination, "public.parted", "public.small")


@pytest.mark.parametrize("how", ["restart", "kill"])
def test_server_restarts_while_a_table_is_read(database, freshet, server, middle, how):
    """As when the holder dies: a table that is read for days does not begin at zero."""
    run, proxy = middle
    read = len(sealed(database, freshet))
    getattr(server, how)()
    server.ensure_running()
    database.execute(LATE)
    proxy.release()
    run.wait()
    assert run.code == 0, run.describe()
    reads_on(database, freshet, run, read)


def test_command_killed_while_a_table_is_read(database, freshet, middle):
    """Nobody is left to hold the snapshot, and nothing of it is left at the server: the next run reads the rest."""
    run, _ = middle
    assert run.worker("holder") is not None
    read = len(sealed(database, freshet))
    run.kill()
    run.wait_for_workers()
    settled_sessions(database)
    database.execute(LATE)
    reads_on(database, freshet, freshet.ingest(), read)


def settled_sessions(database):
    """No session of ours stays, idle in a transaction or otherwise."""
    wait_until(
        lambda: database.value(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND application_name = 'freshet'",
            (database.name,),
        )
        == 0,
        "the end of all sessions",
    )


def streams(database):
    """Whether the slot that stays is being read."""
    return database.rows(
        "SELECT FROM pg_replication_slots WHERE database = %s AND NOT temporary AND active", (database.name,)
    )


@pytest.mark.parametrize("how", ["restart", "kill"])
def test_server_restarts_within_a_run(database, freshet, server, how):
    database.execute(TABLE.format(rows=100_000))
    run = freshet.start("--continuous", "--retry-for", "600s")
    time.sleep(0.7)
    getattr(server, how)()
    server.ensure_running()
    database.execute(CHANGES)
    wait_until(lambda: streams(database), "the stream's return")
    time.sleep(1)
    getattr(server, how)()
    server.ensure_running()
    time.sleep(1)
    assert run.code is None, run.describe()
    assert run.stop().code == 130, run.describe()
    settled(database, freshet)


def test_server_away_for_longer_than_retries(database, freshet, server):
    database.execute(TABLE.format(rows=1000))
    freshet.ingest()
    server.stop()
    run = freshet.start("--retry-for", "3s")
    assert run.ends_within(100), "it is retried for two minutes when nothing is said"
    assert run.code == 3 and "SOURCE_UNREACHABLE" in run.error_classes(), run.describe()
    run.wait_for_workers()
    server.start()
    database.execute(CHANGES)
    settled(database, freshet)


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM])
def test_stopped_cleanly(database, freshet, which):
    database.execute(TABLE.format(rows=150_000))
    run = freshet.start()
    wait_until(lambda: len(run.workers()) > 0, "a worker")
    time.sleep(0.5)
    run.process.send_signal(which)
    run.wait()
    assert run.code in (130, 0), run.describe()
    run.wait_for_workers()
    settled(database, freshet)


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM])
def test_stopped_while_it_waits_for_the_source(database, freshet, server, which):
    database.execute(TABLE.format(rows=1000))
    freshet.ingest()
    server.stop()
    run = freshet.start("--retry-for", "1h")
    wait_until(lambda: run.events("source_retried"), "the first retry")
    run.process.send_signal(which)
    assert run.wait().code == 130, run.describe()
    server.start()
    settled(database, freshet)


def test_nothing_is_leaked_over_many_kills(database, freshet):
    """Staging and temporary files of killed runs are swept; slots and sessions too."""
    database.execute(TABLE.format(rows=30_000))
    for round_ in range(6):
        run = freshet.start()
        time.sleep(0.15 + round_ * 0.15)
        run.kill()
        run.wait_for_workers()
    settled(database, freshet)
    stray = [
        str(p)
        for p in freshet.destination.rglob("*")
        if p.is_file() and (".tmp" in p.name or p.name.endswith("~"))
    ]
    assert stray == []
    wait_until(lambda: len(database.slots()) == 1, "the end of all slots but one")
