# SPDX-License-Identifier: Apache-2.0
"""The server and what it runs are killed at random under writes: source and tables are equal after each round."""
import os
import random
import signal
import threading

import pytest

from contents import assert_equal
from freshet_command import children, wait_until
from test_api_catalog import make_connection
from test_api_gateways import make_gateway, make_pipeline, over, schema, slot_names
from test_api_pipelines import TABLES, create, equal, fill

SEED = int(os.environ.get("SEED", random.randrange(1 << 30)))


class Writer:
    """Changes both tables until it is told to pause; `paused` holds it still while tables are compared."""

    def __init__(self, database, dice):
        self.connection, self.dice = database.another(), dice
        self.gate, self.ended = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._write)
        self.still = threading.Lock()
        self.thread.start()

    def _write(self):
        number = 100_000
        while not self.ended.is_set():
            if not self.gate.wait(0.05):
                continue
            with self.still:
                number += 1
                self.connection.execute("INSERT INTO orders VALUES (%s, 1, 1, now())", (number,))
                chosen = self.dice.randrange(3000)
                self.connection.execute("UPDATE orders SET amount = amount + 1 WHERE id = %s", (chosen,))
                self.connection.execute("DELETE FROM orders WHERE id = %s", (self.dice.randrange(3000),))
                self.connection.execute(
                    "UPDATE customers SET name = name || '.' WHERE id = %s", (chosen % 100,)
                )

    def close(self):
        self.ended.set()
        self.thread.join()
        self.connection.close()


def kill_something(api, dice):
    """The server, its run, or one of the run's workers, whichever there is."""
    runs = children(api.process.pid)
    workers = [worker for run in runs for worker in children(run)]
    victim = dice.choice([api.process.pid, *runs, *workers])
    if victim == api.process.pid:
        api.kill()
        api.start()
        return "server"
    try:
        os.kill(victim, signal.SIGKILL)
    except ProcessLookupError:
        return "nothing"
    return "run" if victim in runs else "worker"


def alone(client, database):
    """A pipeline that captures by itself; return all that runs, the last first to be deleted."""
    return [create(client, database, continuous=True)]


def over_a_gateway(client, database):
    gateway = make_gateway(client)
    return [gateway, make_pipeline(client, over(gateway, schema(database)), continuous=True)]


def rounds(api, database, server, count, make):
    dice = random.Random(SEED)
    fill(database)
    client = api.client()
    make_connection(client, server)
    pipelines = make(client, database)
    writer = Writer(database, random.Random(SEED + 1))
    done = []
    try:
        for _ in range(count):
            writer.gate.set()
            for _ in range(dice.randrange(1, 4)):
                threading.Event().wait(dice.random() * 2)
                done.append(kill_something(api, dice))
            writer.gate.clear()
            with writer.still:
                lake = api.data / "tables" / "main"
                told = f"SEED={SEED}: equal tables after {' '.join(done)}"
                wait_until(lambda: equal(database, lake), told, 0.2)
                assert_equal(database.connection, lake, *TABLES)
    finally:
        writer.close()
    # One update took it all, one slot is there, and nothing was done twice.
    client = api.client()
    for pipeline in pipelines:
        assert len(client.pipelines.list_updates(pipeline).updates) == 1, f"SEED={SEED} {done}"
    assert len(slot_names(database)) == 1
    for pipeline in reversed(pipelines):
        client.pipelines.stop_and_wait(pipeline)
        client.pipelines.delete(pipeline)
    wait_until(lambda: database.slots() == [], "the end of the slots")


@pytest.mark.parametrize("make", [alone, over_a_gateway])
def test_a_few_rounds(api, database, server, make):
    rounds(api, database, server, 3, make)


@pytest.mark.long
@pytest.mark.parametrize("make", [alone, over_a_gateway])
def test_many_rounds(api, database, server, make):
    rounds(api, database, server, int(os.environ.get("ROUNDS", 100)), make)
