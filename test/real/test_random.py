# SPDX-License-Identifier: Apache-2.0
"""Random workloads with kills and restarts, the short form. `make real` runs the long one."""
import os

import pytest
from random_workload import play


@pytest.mark.parametrize("seed", [int(os.environ["SEED"])] if "SEED" in os.environ else [1, 2])
def test_random_workload(server, seed):
    play(seed, server, length=0.5, rows=8_000)
