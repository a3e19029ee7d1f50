# SPDX-License-Identifier: Apache-2.0
"""What disturbs a random workload's runs."""
import random
import time


class Chaos:
    """Kills workers, the whole command and the server, and disturbs the network, at random moments of a run."""

    def __init__(self, seed, server, proxy):
        self.random = random.Random(f"chaos {seed}")
        self.server, self.proxy = server, proxy
        self.told = {"workers": 0, "commands": 0, "servers": 0, "network": 0}

    def disturb(self, run, quiet_max, end):
        """Until a moment, then leave it in peace; return once it ended: whether its exit code is still its own."""
        while True:
            if run.ends_within(self.random.uniform(0.05, quiet_max)):
                return True
            if time.monotonic() > end:
                continue
            act = self.random.choices(
                ["worker", "command", "server", "terminate", "network", "nothing"], [6, 1, 1, 1, 5, 2]
            )[0]
            workers = run.workers()
            if act == "worker" and workers:
                self.told["workers"] += run.kill_worker(self.random.choice(workers))
            elif act == "command":
                run.kill()
                self.told["commands"] += 1
                run.wait_for_workers()
                return False
            elif act == "terminate":
                run.process.terminate()
                run.wait()
                return False
            elif act == "network":
                self.told["network"] += 1
                self.disturb_network()
            elif act == "server":
                self.told["servers"] += 1
                if self.random.random() < 0.5:
                    self.server.kill()
                    self.server.start()
                else:
                    self.server.restart()

    def disturb_network(self):
        fault = self.random.choice(["cut", "cut_within", "stall", "slow"])
        if fault in ("stall", "slow"):
            getattr(self.proxy, fault)(self.random.uniform(0.1, 3))
        else:
            getattr(self.proxy, fault)()
