# SPDX-License-Identifier: Apache-2.0
"""A plain table that is read in several chunks: ranges of its blocks, or of its keys where the server has no such ranges."""
import json

import pytest
from contents import assert_equal, data_versions
from faulty_proxy import FaultyProxy
from freshet_command import wait_until

CHUNKS, ROWS = 4, 40_000
# A row a block, which makes the table large for few bytes on the wire. Most keys lie close together, a few far apart.
LARGE = f"""CREATE TABLE large (id bigint PRIMARY KEY, v text, n int) WITH (fillfactor = 10);
INSERT INTO large SELECT i + power(1.001::float8, i)::int8, repeat('x', 850), i FROM generate_series(1, {ROWS}) i;
CREATE TABLE small (id int PRIMARY KEY); INSERT INTO small VALUES (1), (2)"""
# Rows that change, go, come (also below and above all that there were) and move from one chunk to another.
LATE = """UPDATE large SET v = 'late' WHERE n % 7 = 0;
DELETE FROM large WHERE n % 1500 = 1;
UPDATE large SET id = -id WHERE n % 3000 = 2;
UPDATE large SET id = id + 1000000000000000000 WHERE n % 3000 = 3;
INSERT INTO large SELECT -i - 5000000000000000000, 'new', -i FROM generate_series(1, 40) i;
INSERT INTO large SELECT i + 6000000000000000000, 'new', -i FROM generate_series(1, 40) i"""
# Each connection passes one chunk (8.5 MB) and stands still in the next.
HOLD_BYTES = 12_000_000
READERS_OF_A_RUN = 2


@pytest.fixture
def middle(database, freshet, server):
    """A run that has read some chunks of the table, and the proxy that lets it read on when it is told to."""
    database.execute(LARGE)
    proxy = FaultyProxy(server)
    proxy.hold_after(HOLD_BYTES)
    run = freshet.start(url=proxy.url(database.name))
    wait_until(
        lambda: proxy.holding() >= READERS_OF_A_RUN and len(done(database, freshet)) >= READERS_OF_A_RUN,
        "some chunks",
    )
    yield run, proxy
    proxy.close()


def entries(database, freshet, *kinds):
    """What staging has for good of the table, in order, each with the gateway that wrote it."""
    table = database.value("SELECT 'large'::regclass::oid::text")
    manifests = sorted(freshet.destination.glob("_freshet/staging/segments/*/*.json"))
    return [
        (manifest["writer_id"], entry)
        for manifest in (json.loads(path.read_text()) for path in manifests)
        for entry in manifest["entries"]
        if entry["kind"] in kinds and entry["table"] == table
    ]


def by_keys(database):
    return database.connection.info.server_version < 140000


def done(database, freshet):
    return entries(database, freshet, "chunk_done")


def planned(database, freshet):
    """The plans of the table's only generation: one, or one more when the rest was planned anew."""
    begun = [entry for _, entry in entries(database, freshet, "generation_begun", "rest_begun")]
    assert len({entry["generation"] for entry in begun}) == 1
    return [entry["plan"] for entry in begun]


def settles(database, freshet):
    assert_equal(database.connection, freshet.destination, "public.large", "public.small")
    before = data_versions(freshet.destination)
    freshet.ingest()
    assert data_versions(freshet.destination) == before
    assert_equal(database.connection, freshet.destination, "public.large", "public.small")


def test_gateway_killed_while_a_large_table_is_read(database, freshet, middle):
    """Chunks keep their bounds: what is staged stays, and all else is read by the same plan."""
    run, proxy = middle
    (plan,) = planned(database, freshet)
    assert len(plan) == CHUNKS
    assert all((" keys=" in text) == by_keys(database) for text in plan), plan
    assert run.kill_worker(run.worker("gateway"))
    database.execute(LATE)
    proxy.release()
    run.wait()
    assert run.code == 0, run.describe()
    assert planned(database, freshet) == [plan]
    chunks = done(database, freshet)
    assert sorted(entry["chunk"] for _, entry in chunks) == list(range(CHUNKS)), run.describe()
    assert sum(entry["rows"] for _, entry in chunks) == ROWS, "each row once, as of the snapshot"
    assert max(entry["rows"] for _, entry in chunks) < ROWS / 2, "no chunk is much larger than the others"
    assert len({writer for writer, _ in chunks}) == 2, run.describe()
    settles(database, freshet)


def test_command_killed_while_a_large_table_is_read(database, freshet, middle):
    """The view is gone, and the rest is read from another; rows of either side have moved to the other."""
    run, proxy = middle
    (plan,) = planned(database, freshet)
    run.kill()
    run.wait_for_workers()
    read = {entry["chunk"] for _, entry in done(database, freshet)}
    proxy.release()
    database.execute(LATE)
    run = freshet.ingest()
    assert run.code == 0, run.describe()
    first, rest = planned(database, freshet)
    assert first == plan
    if by_keys(database):
        assert rest == plan, "a row is where its key is"
    again = [entry["chunk"] for _, entry in done(database, freshet)]
    assert len(again) == len(set(again)) and read < set(again), "no chunk is read twice"
    settles(database, freshet)
