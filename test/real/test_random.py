# SPDX-License-Identifier: Apache-2.0
"""Random workloads with kills and restarts: a short round of each kind in every check, ROUNDS (20) long ones in `make real`."""
import os
import random

import pytest
from random_mixed import MixedWorkload
from random_schema import SchemaWorkload
from random_workload import play

FIRST = int(os.environ.get("SEED", 1))


@pytest.fixture
def subscriber_of(request):
    """Half of the seeds have native replication beside them: the others leave the machine to us alone."""
    return lambda seed: (
        request.getfixturevalue("subscriber") if random.Random(f"copy {seed}").random() < 0.5 else None
    )


@pytest.mark.parametrize("seed", [FIRST] if "SEED" in os.environ else [1])
def test_random_workload_with_schema_changes(server, seed):
    play(seed, server, length=0.5, rows=4_000, kind=SchemaWorkload)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(FIRST + 300, FIRST + 300 + int(os.environ.get("ROUNDS", 20)) // 2))
def test_long_random_workload_with_schema_changes(server, subscriber_of, seed):
    play(seed, server, kind=SchemaWorkload, subscriber=subscriber_of(seed))


@pytest.mark.parametrize("seed", [FIRST] if "SEED" in os.environ else [1])
def test_random_workload_over_every_kind_of_table(server, seed):
    play(seed, server, length=0.5, rows=4_000, kind=MixedWorkload)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(FIRST + 500, FIRST + 500 + int(os.environ.get("ROUNDS", 20))))
def test_long_random_workload_over_every_kind_of_table(server, subscriber_of, seed):
    play(seed, server, kind=MixedWorkload, subscriber=subscriber_of(seed))


@pytest.mark.parametrize("seed", [FIRST] if "SEED" in os.environ else [2])
def test_random_workload(server, seed):
    play(seed, server, length=0.5, rows=8_000)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(FIRST + 100, FIRST + 100 + int(os.environ.get("ROUNDS", 20))))
def test_long_random_workload(server, subscriber_of, seed):
    play(seed, server, subscriber=subscriber_of(seed))
