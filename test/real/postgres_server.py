# SPDX-License-Identifier: Apache-2.0
"""A throwaway PostgreSQL of its own (tools/postgres-real.sh) and databases on it."""
import contextlib
import itertools
import os
import pathlib
import shutil
import signal
import subprocess

import psycopg
import psycopg.conninfo
from psycopg import sql

from freshet_command import ROOT, children, process_fields, wait_until

SCRIPT = ROOT / "tools" / "postgres-real.sh"


class Server:
    """One server in a directory; `settings` are `name=value` for its configuration and stay through restarts."""

    def __init__(self, directory, *settings):
        self.directory = pathlib.Path(directory)
        self.settings = list(settings)
        self._numbers = itertools.count(1)
        self.host, self.user, self.port = "127.0.0.1", "postgres", None

    def _script(self, command, *settings, timeout=300):
        options = [word for setting in settings for word in ("-c", setting)]
        done = subprocess.run(
            [str(SCRIPT), command, str(self.directory), *options],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=timeout,
        )
        assert done.returncode == 0, f"{SCRIPT.name} {command}: {done.stdout}{done.stderr}"
        return done.stdout

    def start(self):
        self.port = psycopg.conninfo.conninfo_to_dict(self._script("start", *self.settings).strip())["port"]
        return self

    def stop(self):
        self._script("stop")

    def kill(self):
        """End it at once: what a power cut leaves behind."""
        self._script("kill")

    def crash(self):
        """SIGKILL every process of it: none writes, sends or cleans up anything more."""
        first = int((self.directory / "data" / "postmaster.pid").read_text().split()[0])
        processes = [first, *children(first)]
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        wait_until(
            lambda: all((process_fields(process) or "Z")[0] in "ZX" for process in processes),
            "the end of all processes",
        )

    def restart(self):
        self._script("restart")

    def ensure_running(self):
        try:
            self.connect("postgres").close()
        except psycopg.OperationalError:
            self.start()

    def destroy(self):
        try:
            self.kill()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def connect(self, name, **keywords):
        return psycopg.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            dbname=name,
            autocommit=True,
            connect_timeout=60,
            **keywords,
        )

    def url(self, name, user=None, host=None):
        return f"postgresql://{user or self.user}@{host or self.host}:{self.port}/{name}"

    def create_database(self, name=None):
        return Database(self, name or f"test_{next(self._numbers)}")


class Database:
    """One database and one autocommit connection to it, opened again after a restart."""

    def __init__(self, server, name):
        self.server, self.name = server, name
        self.url = server.url(name)
        with server.connect("postgres") as admin:
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        self._connection = None

    @property
    def connection(self):
        if self._connection is not None:
            try:
                self._connection.execute("SELECT 1")
            except psycopg.OperationalError:
                self._connection.close()
                self._connection = None
        if self._connection is None:
            self._connection = self.server.connect(self.name)
        return self._connection

    def execute(self, query, parameters=None):
        return self.connection.execute(query, parameters)

    def rows(self, query, parameters=None):
        return self.execute(query, parameters).fetchall()

    def value(self, query, parameters=None):
        return self.execute(query, parameters).fetchone()[0]

    def another(self):
        """A second connection."""
        return self.server.connect(self.name)

    def slots(self):
        return self.rows(
            "SELECT slot_name, active, temporary FROM pg_replication_slots WHERE database = %s", (self.name,)
        )

    def free_slot(self):
        """The one slot, once the server has noticed that its last session ended."""
        wait_until(lambda: [active for _, active, _ in self.slots()] == [False], "the release of the slot")
        return self.slots()[0][0]

    def drop(self):
        if self._connection is not None:
            self._connection.close()
        with self.server.connect("postgres") as admin:
            wait_until(lambda: self._let_go(admin), "the end of all sessions and slots")
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(self.name)))

    def _let_go(self, admin):
        """Whether nobody is left: a session ends, and a temporary slot goes with it, a moment after it was told to."""
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (self.name,)
        )
        with contextlib.suppress(psycopg.errors.ObjectInUse, psycopg.errors.UndefinedObject):
            admin.execute(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots "
                "WHERE database = %s AND NOT active AND NOT temporary",
                (self.name,),
            )
        left = "SELECT FROM pg_replication_slots WHERE database = %s"
        return not admin.execute(left, (self.name,)).fetchall()
