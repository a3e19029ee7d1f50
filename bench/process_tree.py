# SPDX-License-Identifier: Apache-2.0
"""Run a command and measure its whole process tree: wall and CPU seconds, and the peak of its summed resident memory."""

import os
import resource
import subprocess
import threading
import time
from dataclasses import dataclass


@dataclass
class Usage:
    """What a finished command took. Bytes and seconds; `rss_peak` sums every process alive at one moment, shared pages
    counted in each (so it is never too low)."""

    wall: float
    cpu: float
    rss_peak: int
    status: int
    output: str


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


def _rss_of_tree(root: int) -> int:
    children = _children_of()
    total, todo = 0, [root]
    while todo:
        pid = todo.pop()
        todo += children.get(pid, [])
        try:
            with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
                total += int(statm.read().split()[1]) * resource.getpagesize()
        except (FileNotFoundError, ProcessLookupError, IndexError):
            continue
    return total


def run(command: list[str], timeout: float = 900, **popen) -> Usage:
    """Run to the end; the CPU time is that of the process and every descendant it waited for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **popen)
    peak = 0
    done = threading.Event()

    def sample() -> None:
        nonlocal peak
        while not done.wait(0.05):
            peak = max(peak, _rss_of_tree(process.pid))

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
    return Usage(wall, cpu, peak, process.returncode, output)
