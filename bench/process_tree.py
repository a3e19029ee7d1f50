# SPDX-License-Identifier: Apache-2.0
"""Run a command and measure its whole process tree: wall and CPU seconds, the peak of its summed resident memory and of its largest
process; and what a process that goes on has taken so far."""

import os
import pathlib
import resource
import subprocess
import threading
import time
from dataclasses import dataclass


@dataclass
class Usage:
    """What a finished command took. Bytes and seconds; `rss_peak` sums every process alive at one moment, shared pages
    counted in each (so it is never too low); `rss_largest` is the most that any one of them had."""

    wall: float
    cpu: float
    rss_peak: int
    status: int
    output: str
    rss_largest: int = 0


def _children_of() -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as stat:
                parent = int(stat.read().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(parent, []).append(int(name))
    return children


def _rss_of_tree(root: int) -> list[int]:
    """That of every process."""
    children = _children_of()
    found, unseen = [0], [root]
    while unseen:
        pid = unseen.pop()
        unseen += children.get(pid, [])
        try:
            with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
                found.append(int(statm.read().split()[1]) * resource.getpagesize())
        except (FileNotFoundError, ProcessLookupError, IndexError):
            continue
    return found


def rss_peak_of(pid: int) -> int:
    """The most that a living process has held."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def cpu_of(pid: int) -> float:
    """The seconds that a living process has computed, without those of its children."""
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def run(command: list[str], timeout: float = 900, **popen) -> Usage:
    """Run to the end; the CPU time is that of the process and every descendant it waited for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **popen)
    peak = largest = 0
    done = threading.Event()

    def sample() -> None:
        nonlocal peak, largest
        while not done.wait(0.05):
            each = _rss_of_tree(process.pid)
            peak, largest = max(peak, sum(each)), max(largest, *each)

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        output, _ = process.communicate(timeout=timeout)
    finally:
        done.set()
        sampler.join()
        if process.poll() is None:
            process.kill()
    wall = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Usage(wall, cpu, peak, process.returncode, output, largest)
