# SPDX-License-Identifier: Apache-2.0
"""What `make check` and `make real` share: the files of test/real as ctest tests, each within a budget of its own."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PYTHON = str(ROOT / ".deps/python/bin/python")
# Plugins that came with other packages are none of the tests', and take longer to load than some of them.
PYTEST = [PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--disable-plugin-autoload"]
JOBS = os.environ.get("JOBS", str(os.cpu_count()))

# A suite's budget ends one that hangs. It is four times and more what the suite takes on two cores: a machine that is
# slow, or busy with other things, is no defect of ours.
REAL_MINUTES = 8  # a file of test/real, unless it has its own budget here
REAL_MINUTES_OF = {
    "test_random": 15,
    "test_crash": 10,
    "test_bad_input": 10,
    "test_schema_changes": 15,
    "test_without_a_log": 10,
}
MEMORY = pathlib.Path("/dev/shm")
REAL_ALONE = {"test_freshness"}  # measures how fresh the tables are
# A round lasts so many seconds, in which files in memory let far more happen than it was made for: it keeps to a disk.
REAL_ON_DISK = {"test_random"}


def real_test(path, marks):
    """The command that runs a file's tests which pytest's `marks` chooses."""
    return [*PYTEST, "-m", marks, str(path.relative_to(ROOT))]


def real_tests():
    """What is not long of every file: its name, command and minutes."""
    for path in sorted((ROOT / "test/real").glob("test_*.py")):
        if "pytestmark = pytest.mark.long" in path.read_text():
            continue
        on_disk = ["env", "-u", "TMPDIR"] if path.stem in REAL_ON_DISK else []
        minutes = REAL_MINUTES_OF.get(path.stem, REAL_MINUTES)
        yield path.stem, [*on_disk, *real_test(path, "not long")], minutes


def on_version(version, tests):
    for name, command, minutes in tests:
        yield name, ["env", f"FRESHET_PG={version}", *command], minutes


def write_ctest(folder, label, tests):
    """Register commands as ctest tests, each with its budget; what may take longest begins first."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for name, command, minutes in tests:
        words = " ".join(f"[==[{word}]==]" for word in command)
        alone = " RUN_SERIAL TRUE" if name in REAL_ALONE else ""
        lines.append(
            f"add_test({label}.{name.removeprefix('test_')} {words})\n"
            f"set_tests_properties({label}.{name.removeprefix('test_')} PROPERTIES LABELS {label}"
            f" TIMEOUT {minutes * 60} COST {minutes * 60} WORKING_DIRECTORY [==[{ROOT}]==]{alone})\n"
        )
    (folder / "CTestTestfile.cmake").write_text("".join(lines))


def ctest(folder, jobs=JOBS):
    return [
        "ctest",
        "--test-dir",
        str(folder),
        "--output-on-failure",
        "--no-label-summary",
        "-j",
        str(jobs),
    ]


def write_parts(folder, parts):
    """One ctest run over several folders."""
    (folder / "CTestTestfile.cmake").write_text("".join(f"subdirs([==[{part}]==])\n" for part in parts))


def memory_available():
    """How many bytes new files in memory can take."""
    found = re.search(r"MemAvailable: *(\d+) kB", pathlib.Path("/proc/meminfo").read_text())
    free = shutil.disk_usage(MEMORY).free if MEMORY.is_dir() else 0
    return min(free, int(found[1]) * 1024)


@contextlib.contextmanager
def scratch_folder(memory_needed):
    """Where the tests keep their files: in memory where it has room, for on a disk they wait longer for that than for
    anything else. What they prove is the same: a process that is killed takes nothing with it that it had written.
    """
    parent = MEMORY if memory_needed and memory_available() >= memory_needed else None
    folder = tempfile.mkdtemp(prefix="freshet-", dir=parent)
    os.chmod(folder, 0o1777)  # PostgreSQL runs as somebody else
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_tests(folder, minutes, memory_needed=None):
    """Run every test of a folder, two more at a time than there are cores: most wait for a server half of their time.
    Their files are in memory if that many bytes of it are available."""
    with scratch_folder(memory_needed) as scratch:
        process = subprocess.Popen(
            ctest(folder, int(JOBS) + 2),
            cwd=ROOT,
            env={**os.environ, "TMPDIR": scratch},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        # Whoever ends this one means the tests, too, and leaves their files to nobody.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        try:
            return process.wait(minutes * 60)
        except subprocess.TimeoutExpired:
            print(f"killed: the tests exceeded their {minutes} minutes", file=sys.stderr)
            return 1
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
