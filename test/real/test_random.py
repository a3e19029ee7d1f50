# SPDX-License-Identifier: Apache-2.0
"""Random workloads with kills and restarts: a short round of each kind in every check, ROUNDS (20) long ones in `make real`."""
import os

import pytest
from random_mixed import MixedWorkload
from random_schema import SchemaWorkload
from random_workload import play

FIRST = int(os.environ.get("SEED", 1))


@pytest.mark.parametrize("seed", [FIRST] if "SEED" in os.environ else [1])
def test_random_workload_with_schema_changes(server, seed):
    play(seed, server, length=0.5, rows=4_000, kind=SchemaWorkload)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(FIRST + 300, FIRST + 300 + int(os.environ.get("ROUNDS", 20)) // 2))
def test_long_random_workload_with_schema_changes(server, seed):
    play(seed, server, kind=SchemaWorkload)


@pytest.mark.parametrize("seed", [FIRST] if "SEED" in os.environ else [1])
def test_random_workload_over_every_kind_of_table(server, seed):
    play(seed, server, length=0.5, rows=4_000, kind=MixedWorkload)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(FIRST + 500, FIRST + 500 + int(os.environ.get("ROUNDS", 20))))
def test_long_random_workload_over_every_kind_of_table(server, seed):
    play(seed, server, kind=MixedWorkload)


@pytest.mark.parametrize("seed", [FIRST] if "SEED" in os.environ else [2])
def test_random_workload(server, seed):
    play(seed, server, length=0.5, rows=8_000)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(FIRST + 100, FIRST + 100 + int(os.environ.get("ROUNDS", 20))))
def test_long_random_workload(server, seed):
    play(seed, server)
