#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `make real` runs: every test on real servers and readers, on every PostgreSQL that tools/postgres.txt pins.

  real.py [VERSION...]    15 (Debian's) with the long ones: random rounds, Spark, a server killed many times; the others
                          without. ROUNDS (20) and SEED (1) are those of the random workloads.

One ctest run, several tests at a time; its last lines are ctest's summary, its output lies in build/real.
"""

import os
import sys

from suites import (
    JOBS,
    ROOT,
    on_version,
    real_test,
    real_tests,
    run_tests,
    write_ctest,
    write_parts,
)

FOLDER = ROOT / "build/real"
LONG_ON = "15"
VERSIONS = [LONG_ON, "18", "17", "16", "14", "13"]
MINUTES = 6 * 60
LONG_MINUTES = 60
SERVER_MINUTES = 15
ROUNDS = int(os.environ.get("ROUNDS", 20))
ROUNDS_OF_A_TEST = 2  # so that several run at a time


def long_tests():
    for path in sorted((ROOT / "test/real").glob("test_*.py")):
        if "pytest.mark.long" not in path.read_text():
            continue
        if path.stem != "test_random":
            yield f"{path.stem}_long", real_test(path, "long"), LONG_MINUTES
            continue
        for first in range(0, ROUNDS, ROUNDS_OF_A_TEST):
            seed = int(os.environ.get("SEED", 1)) + first
            rounds = ["env", f"SEED={seed}", f"ROUNDS={min(ROUNDS_OF_A_TEST, ROUNDS - first)}"]
            yield f"{path.stem}_long_{seed}", [*rounds, *real_test(path, "long")], LONG_MINUTES


def source_tests():
    """The PostgreSQL source alone, under sanitizers."""
    program = str(ROOT / "build/dev/bin/postgres_real_test")
    yield "source", [str(ROOT / "test/real/with_postgres.sh"), program], SERVER_MINUTES


def main(versions):
    strange = sorted(set(versions) - set(VERSIONS))
    if strange:
        print(f"real: no PostgreSQL {', '.join(strange)}: there are {', '.join(VERSIONS)}", file=sys.stderr)
        return 2
    parts = []
    for version in versions or VERSIONS:
        tests = [*(long_tests() if version == LONG_ON else ()), *source_tests(), *real_tests()]
        write_ctest(FOLDER / version, f"pg{version}", on_version(version, tests))
        parts.append(FOLDER / version)
    write_parts(FOLDER, parts)
    print(f"real: {int(JOBS) + 2} tests at a time, at most {MINUTES} minutes", flush=True)
    return run_tests(FOLDER, MINUTES)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
