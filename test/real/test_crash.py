# SPDX-License-Identifier: Apache-2.0
"""Kill -9 and restarts: nothing lost, nothing twice, the next run starts at once."""
import json
import signal
import time

import pytest
from contents import assert_equal, data_versions
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
    wait_until(lambda: not run.leftovers(), 5, "the end of the workers of a killed command")
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
    run.wait(120)
    assert run.code == 0, f"{killed} workers killed: {run.describe()}"
    database.execute(CHANGES)
    settled(database, freshet)


def test_killed_while_its_slot_is_made(database, freshet):
    """The server goes on making the slot for a session without a client; until it is made it has no position."""
    database.execute(TABLE.format(rows=100))
    slot = "SELECT active_pid FROM pg_replication_slots WHERE database = current_database()"
    looks = (
        "SELECT FROM pg_stat_activity WHERE application_name = 'freshet' AND datname = current_database() "
        "AND query LIKE '%%FROM pg_replication_slots s%%' AND pid <> %s"
    )
    with database.another() as writer, writer.transaction():
        # The server makes no slot before this transaction ends.
        writer.execute("UPDATE t SET v = 'open' WHERE id = 1")
        run = freshet.start()
        wait_until(lambda: database.rows(slot), 60, "a slot that is being made")
        making = database.value(slot)
        gateway = run.worker("gateway")
        assert run.kill_worker(gateway)
        wait_until(lambda: database.rows(looks, (making,)), 60, "the next gateway's look at the slot")
    run.wait(120)
    assert run.code == 0, run.describe()
    first = freshet.destination / "_freshet/staging/segments/000000000000/000000000001.json"
    assert not json.loads(first.read_text())["cursor"].startswith("0/0 "), "it began at no position"
    settled(database, freshet)


PARTS, PART_ROWS = 12, 40_000
PARTED = """CREATE TABLE parted (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE small (id int PRIMARY KEY); INSERT INTO small VALUES (1), (2);"""


def in_the_middle(database, freshet):
    """A run that is reading a table of many chunks (its partitions), some of which are read."""
    database.execute(PARTED)
    for part in range(PARTS):
        low, end = part * PART_ROWS, (part + 1) * PART_ROWS
        database.execute(f"CREATE TABLE part{part} PARTITION OF parted FOR VALUES FROM ({low}) TO ({end})")
        database.execute(
            f"INSERT INTO part{part} SELECT i, md5(i::text) FROM generate_series({low}, {end - 1}) i"
        )
    run = freshet.start()
    wait_until(lambda: len(of_parted(run, "snapshot_chunk_read")) >= 3, 60, "some chunks", interval=0.001)
    return run


def of_parted(run, name):
    return [event for event in run.events(name) if event["table"] == "public.parted"]


def test_gateway_killed_while_it_reads(database, freshet):
    """The snapshot outlives its reader: what is staged stays, only what was in flight is read again."""
    run = in_the_middle(database, freshet)
    assert run.kill_worker(run.worker("gateway"))
    database.execute("UPDATE parted SET v = 'late' WHERE id % 7 = 0; DELETE FROM parted WHERE id % 1500 = 1")
    run.wait(120)
    assert run.code == 0, run.describe()
    assert len(of_parted(run, "snapshot_started")) == 1, run.describe()
    assert not of_parted(run, "snapshot_abandoned"), run.describe()
    (resumed,) = of_parted(run, "snapshot_resumed")
    assert 1 <= resumed["chunks_left"] < PARTS, run.describe()
    # A chunk that was read and not yet sealed is read again, one that was sealed is not.
    reads = of_parted(run, "snapshot_chunk_read")
    before = {event["chunk"] for event in reads if event["at"] < resumed["at"]}
    after = [event["chunk"] for event in reads if event["at"] > resumed["at"]]
    assert len(set(after)) == len(after) == resumed["chunks_left"], run.describe()
    assert before | set(after) == set(range(PARTS)), run.describe()
    assert_equal(database.connection, freshet.destination, "public.parted", "public.small")
    settled_sessions(database)
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.parted", "public.small")


def test_holder_killed_while_a_table_is_read(database, freshet):
    """With the view goes what was read of that table: it starts again by itself."""
    run = in_the_middle(database, freshet)
    assert run.kill_worker(run.worker("holder"))
    run.wait(120)
    assert run.code == 0, run.describe()
    assert len(of_parted(run, "snapshot_abandoned")) == 1, run.describe()
    assert len(of_parted(run, "snapshot_started")) == 2, run.describe()
    assert_equal(database.connection, freshet.destination, "public.parted", "public.small")


def test_command_killed_while_a_table_is_read(database, freshet):
    """Nobody is left to hold the snapshot, and nothing of it is left at the server."""
    run = in_the_middle(database, freshet)
    assert run.worker("holder") is not None
    run.kill()
    wait_until(lambda: not run.leftovers(), 5, "the end of the workers")
    settled_sessions(database)
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.parted", "public.small")


def settled_sessions(database):
    """No session of ours stays, idle in a transaction or otherwise."""
    wait_until(
        lambda: database.value(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND application_name = 'freshet'",
            (database.name,),
        )
        == 0,
        10,
        "the end of all sessions",
    )


@pytest.mark.parametrize("how", ["restart", "kill"])
def test_server_restarts_within_a_run(database, freshet, server, how):
    database.execute(TABLE.format(rows=100_000))
    run = freshet.start("--continuous", "--retry-for", "60s")
    time.sleep(0.7)
    getattr(server, how)()
    server.ensure_running()
    database.execute(CHANGES)
    wait_until(
        lambda: all(
            database.rows(
                "SELECT active FROM pg_replication_slots WHERE database = %s AND NOT temporary",
                (database.name,),
            )
        ),
        60,
        "the stream's return",
    )
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
    began = time.monotonic()
    run = freshet.ingest("--retry-for", "3s", expect=3, timeout=60)
    assert time.monotonic() - began < 30 and "SOURCE_UNREACHABLE" in run.error_classes()
    server.start()
    database.execute(CHANGES)
    settled(database, freshet)


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM])
def test_stopped_cleanly(database, freshet, which):
    database.execute(TABLE.format(rows=150_000))
    run = freshet.start()
    wait_until(lambda: len(run.workers()) > 0, 10, "a worker")
    time.sleep(0.5)
    run.process.send_signal(which)
    run.wait(30)
    assert run.code in (130, 0), run.describe()
    wait_until(lambda: not run.leftovers(), 5, "the end of the workers")
    settled(database, freshet)


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM])
def test_stopped_while_it_waits_for_the_source(database, freshet, server, which):
    database.execute(TABLE.format(rows=1000))
    freshet.ingest()
    server.stop()
    run = freshet.start("--retry-for", "60s")
    wait_until(lambda: run.events("source_retried"), 30, "the first retry")
    run.process.send_signal(which)
    assert run.wait(5).code == 130, run.describe()
    server.start()
    settled(database, freshet)


def test_nothing_is_leaked_over_many_kills(database, freshet):
    """Staging and temporary files of killed runs are swept; slots and sessions too."""
    database.execute(TABLE.format(rows=30_000))
    for round_ in range(6):
        run = freshet.start()
        time.sleep(0.15 + round_ * 0.15)
        run.kill()
        wait_until(lambda: not run.leftovers(), 5, "the end of the workers")
    settled(database, freshet)
    stray = [
        str(p)
        for p in freshet.destination.rglob("*")
        if p.is_file() and (".tmp" in p.name or p.name.endswith("~"))
    ]
    assert stray == []
    assert len(database.slots()) == 1, database.slots()
