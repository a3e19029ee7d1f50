# SPDX-License-Identifier: Apache-2.0
"""Run bin/freshet: its events, its exit code, its processes."""
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("FRESHET", ROOT / "bin" / "freshet"))
ERROR_CLASSES = set(re.findall(r"ERROR_CLASS\((\w+),", (ROOT / "src/base/error_classes.def").read_text())) - {
    "name"
}


# Seconds for whatever is sure to come, on a slow machine that is busy with other things too: only what never comes
# takes so long. How quick something is, is no matter of waiting for it.
PATIENCE = 240


def wait_until(condition, what="the condition", interval=0.02):
    """Poll until `condition()` is truthy; return what it returned."""
    end = time.monotonic() + PATIENCE
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come within {PATIENCE} s")
        time.sleep(interval)


def process_fields(pid):
    """Fields of /proc/PID/stat after the name: state, parent, group …; None when it is gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _living():
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            fields = process_fields(entry)
            if fields and fields[0] not in "ZX":
                yield int(entry), fields


def children(pid):
    return [process for process, fields in _living() if int(fields[1]) == pid]


def group_members(group):
    return [process for process, fields in _living() if int(fields[2]) == group]


class Run:
    """One process of freshet, in a process group of its own."""

    def __init__(self, arguments, environment=None, json_events=True):
        self.arguments = [str(a) for a in arguments]
        self.json_events = json_events
        self.started_at = time.monotonic()
        self._out = tempfile.TemporaryFile()
        self._err = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [str(BINARY), *self.arguments],
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=self._err,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
        self.pid = self.process.pid
        self._gone = False  # with all of its group: the number may be another's by now

    @property
    def code(self):
        return self.process.poll()

    @staticmethod
    def _read(file):
        return os.pread(file.fileno(), 64 << 20, 0).decode(errors="replace")

    @property
    def stdout(self):
        return self._read(self._out)

    @property
    def stderr(self):
        return self._read(self._err)

    def events(self, name=None):
        found = []
        for line in self.stdout.splitlines():
            try:
                event = json.loads(line)
            except json.JSONDecodeError:
                continue
            if isinstance(event, dict) and (
                name is None or name in (event.get("event"), event.get("name"), event.get("type"))
            ):
                found.append(event)
        return found

    def error_classes(self):
        """Every error class that the run spoke of, in events or in words."""
        return set(re.findall(r"\b[A-Z][A-Z_]+[A-Z]\b", self.stdout + self.stderr)) & ERROR_CLASSES

    def workers(self):
        return children(self.pid) if self.code is None else []

    @staticmethod
    def kill_worker(process):
        """Whether it was there to be killed: a worker may end by itself at any moment."""
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    def worker(self, role):
        """The process of one role; None while there is none."""
        for process in self.workers():
            try:
                words = pathlib.Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if words[1:3] == [b"worker", role.encode()]:
                return process
        return None

    def ends_within(self, seconds):
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def wait(self, timeout=PATIENCE):
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            told = self.describe()
            self.kill_all()
            raise AssertionError(f"no end within {timeout} s: {told}") from None
        return self

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def kill(self):
        """SIGKILL the command only; its workers must end by themselves."""
        self.process.kill()
        self.process.wait()

    def kill_all(self):
        """Leave nothing behind, whatever state things are in: a killed process may have a write to finish."""
        if self._gone:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()
        self.wait_for_workers()

    def leftovers(self):
        members = [] if self._gone or not self._group_exists() else group_members(self.pid)
        self._gone = self.code is not None and not members
        return members

    def _group_exists(self):
        """Cheaper than to look at every process; one that has ended and waits for its parent counts."""
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def wait_for_workers(self):
        """Workers outlive their command by a moment, and by no more."""
        wait_until(lambda: not self.leftovers(), "the end of all workers")

    def describe(self):
        return (
            f"freshet {' '.join(self.arguments)} → {self.code}\n--- stdout\n{self.stdout[-6000:]}\n--- stderr\n"
            f"{self.stderr[-4000:]}"
        )


class Freshet:
    """freshet with one source and one destination; every run it starts ends with it."""

    def __init__(self, url, destination):
        self.url = url
        self.destination = pathlib.Path(destination)
        self.runs = []

    def start(self, *options, url=None, to=None, json_events=True, environment=None):
        arguments = ["ingest", url or self.url, "--to", to or self.destination, *options]
        run = Run(arguments + (["--json"] if json_events else []), environment)
        self.runs.append(run)
        return run

    def ingest(self, *options, expect=0, **keywords):
        run = self.start(*options, **keywords).wait()
        assert expect is None or run.code == expect, f"expected exit code {expect}: {run.describe()}"
        run.wait_for_workers()
        return run

    def command(self, *arguments, expect=0, environment=None):
        run = Run(arguments, environment)
        self.runs.append(run)
        run.wait()
        run.wait_for_workers()
        assert expect is None or run.code == expect, f"expected exit code {expect}: {run.describe()}"
        return run

    def close(self):
        for run in self.runs:
            run.kill_all()
