#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `make check` and CI run, each step within a budget that is enforced: what exceeds it is killed and failed.

  lint      formatting, the repository's linter, the generated pages      (seconds, first: fails early)
  build     dev (ASan + UBSan) everything; release bin/freshet and the simulation; tsan the threaded modules; the fuzz targets
  tests     one ctest run over all of them: units and cases of dev and tsan, the simulation, then the fast part of
            the tests on real servers and readers; a suite is one ctest test with a time-out of its own

The last lines are ctest's summary.
"""

import os
import signal
import subprocess
import sys
import time

from suites import PYTEST, PYTHON, ROOT, ctest, on_version, real_tests, run_tests, write_ctest, write_parts

LOGS = ROOT / "build/check"

BUILDS = [  # preset, targets, minutes
    ("release", ["freshet", "sim_test"], 20),
    ("dev", [], 45),
    ("tsan", [], 20),
    ("fuzz", [], 15),
]
TESTS_MINUTES = 60
# What their files and they themselves may take at a time; long ones, in `make real`, keep more than any memory has.
TESTS_MEMORY = 12 << 30
# What runs on the newest server too; `make real` runs all of them on every version.
NEWEST = "18"
ON_NEWEST = {"test_basics", "test_types", "test_servers"}


def run_within(command, minutes, log):
    """Run a command with its output in a log; kill its process group beyond the budget. Return how it ended."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            return "ok" if process.wait(minutes * 60) == 0 else "failed"
        except subprocess.TimeoutExpired:
            return f"killed: it exceeded its {minutes} minutes"
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def step(name, command, minutes):
    log = LOGS / f"{name.replace(' ', '_')}.log"
    started = time.monotonic()
    end = run_within(command, minutes, log)
    print(f"check: {name:<16} {time.monotonic() - started:6.0f} s  {end}", flush=True)
    if end != "ok":
        lines = log.read_text(errors="replace").splitlines()
        telling = [line for line in lines if "error:" in line or "FAILED" in line][:20]
        print("\n".join([*telling, "…", *lines[-40:]]))
        print(f"check: {name} {end}; all of its output: {log.relative_to(ROOT)}")
        sys.exit(1)


def lint_tests():
    yield "format", ["tools/fmt", "--check"], 1
    yield "tidy", [PYTHON, "tools/tidy.py"], 1
    yield "errors_page", [PYTHON, "tools/errors_doc.py", "--check"], 1
    yield "tools", [*PYTEST, "tools"], 2


def real_tests_on_newest():
    return on_version(NEWEST, (test for test in real_tests() if test[0] in ON_NEWEST))


def main():
    LOGS.mkdir(parents=True, exist_ok=True)
    write_ctest(LOGS / "lint", "lint", lint_tests())
    write_ctest(LOGS / "real", "real", real_tests())
    write_ctest(LOGS / "newest", f"real{NEWEST}", real_tests_on_newest())
    builds = [ROOT / "build" / preset for preset in ("release", "dev", "tsan", "fuzz")]
    folders = [*builds, LOGS / "lint", LOGS / "real", LOGS / "newest"]
    write_parts(LOGS, folders)
    started = time.monotonic()
    step("lint", ctest(LOGS / "lint"), 3)
    for preset, targets, minutes in BUILDS:
        step(f"build {preset}", ["tools/build", preset, *targets], minutes)
    print(f"check: built after {time.monotonic() - started:.0f} s; now every test", flush=True)
    return run_tests(LOGS, TESTS_MINUTES, TESTS_MEMORY)


if __name__ == "__main__":
    sys.exit(main())
