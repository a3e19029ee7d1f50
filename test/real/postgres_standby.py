# SPDX-License-Identifier: Apache-2.0
"""A standby of a throwaway server, by streaming replication."""
import os
import pathlib
import subprocess
import tempfile

from freshet_command import ROOT, wait_until
from postgres_server import Server


def make_standby(primary, *settings):
    """Start a standby of `primary`, which it reaches as a session of database `postgres`."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="freshet-standby-"))
    data = directory / "data"
    base_backup = ROOT / ".deps" / "postgres" / "18" / "bin" / "pg_basebackup"
    where = ["-h", primary.host, "-p", str(primary.port), "-U", primary.user]
    subprocess.run(
        [str(base_backup), "-D", str(data), "-c", "fast", *where],
        check=True,
        capture_output=True,
        timeout=300,
    )
    (data / "standby.signal").touch()
    owner = (primary.directory / "data").stat()
    if os.getuid() == 0:
        for path in [data, *data.rglob("*")]:
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
    upstream = f"host={primary.host} port={primary.port} user={primary.user} dbname=postgres"
    # It tells at once what it reads, or the primary's vacuum may take that away before the first word.
    feedback = ("hot_standby_feedback=on", "wal_receiver_status_interval=1s")
    return Server(directory, f"primary_conninfo={upstream}", *feedback, *settings).start()


def catch_up(database, standby):
    """Wait until the standby has replayed what the database's server has written."""
    written = database.value("SELECT pg_current_wal_lsn()")
    with standby.connect("postgres") as there:
        wait_until(
            lambda: there.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", (written,)).fetchone()[0],
            "the standby",
        )


def separate(standby):
    """Leave the standby without its primary, as it is."""
    with standby.connect("postgres") as there:
        there.execute("ALTER SYSTEM SET primary_conninfo = ''")
        there.execute("SELECT pg_reload_conf()")
        wait_until(
            lambda: not there.execute("SELECT 1 FROM pg_stat_wal_receiver").fetchall(),
            "the standby's separation",
        )


def promote(standby):
    with standby.connect("postgres") as there:
        assert there.execute("SELECT pg_promote(true, 240)").fetchone()[0]
