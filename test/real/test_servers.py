# SPDX-License-Identifier: Apache-2.0
"""Servers in company: a busy neighbour database, a standby as the source, promotion, client certificates."""
import os
import subprocess

import pytest
from contents import assert_equal, commits, data_versions
from freshet_command import wait_until
from postgres_standby import catch_up, make_standby, promote, separate

TABLE = (
    "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' FROM generate_series(1, 500) i"
)
BEHIND = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn) FROM pg_replication_slots WHERE database = %s AND NOT temporary"
MEGABYTE = 1 << 20


@pytest.fixture
def busy_neighbour(server):
    """A function that writes some 4 MB of log in another database of the same server."""
    neighbour = server.create_database()
    neighbour.execute("CREATE TABLE noise (v text)")
    yield lambda: neighbour.execute(
        "INSERT INTO noise SELECT repeat(md5(i::text), 30) FROM generate_series(1, 4000) i"
    )
    neighbour.drop()


def test_a_neighbours_log_is_let_go_by_each_run(database, freshet, busy_neighbour):
    database.execute(TABLE)
    freshet.ingest()
    before = data_versions(freshet.destination)
    for _ in range(2):
        busy_neighbour()
        assert database.value(BEHIND, (database.name,)) > 2 * MEGABYTE
        freshet.ingest()
        # The server hears of the position at the run's end, and a moment passes until it has taken it.
        wait_until(lambda: database.value(BEHIND, (database.name,)) < MEGABYTE, "the release of the log")
    assert data_versions(freshet.destination) == before


def test_a_neighbours_log_is_let_go_while_our_tables_are_idle(database, freshet, busy_neighbour):
    database.execute(TABLE)
    run = freshet.start("--continuous")
    wait_until(lambda: commits(freshet.destination / "public" / "t"), "the table")
    wait_until(
        lambda: any(active and not temporary for _, active, temporary in database.slots()), "the stream"
    )
    for _ in range(2):
        busy_neighbour()
        wait_until(
            lambda: database.value(BEHIND, (database.name,)) < MEGABYTE,
            "the release of the neighbour's log",
        )
    assert run.code is None, run.describe()
    assert run.stop().code == 130
    assert_equal(database.connection, freshet.destination, "public.t")


@pytest.fixture
def standby(server, database):
    """A standby of the server, caught up with what the database held when it was first asked for."""
    running = make_standby(server)
    yield running
    running.destroy()


def ingest_from(standby, database, freshet):
    """A slot on a standby waits for the primary to log which transactions run: it is told to."""
    run = freshet.start("--publication", "given", url=standby.url(database.name))
    wait_until(
        lambda: database.value("SELECT pg_log_standby_snapshot() IS NOT NULL") and run.code is not None,
        "the end of the run",
        interval=0.2,
    )
    assert run.code == 0, run.describe()


def test_a_standby_is_read_by_queries(database, freshet, standby):
    """Of any version and without a slot; late commits of the primary's are found, and a promotion is survived."""
    database.execute("CREATE TABLE q (id int PRIMARY KEY, v text, at timestamptz DEFAULT now())")
    database.execute("INSERT INTO q SELECT i, 'v' FROM generate_series(1, 500) i")
    by = ("--cursor-columns", "at", "--tables", "public.q")
    with database.another() as late:
        late.execute("BEGIN; UPDATE q SET v = 'late' WHERE id < 50")
        catch_up(database, standby)
        freshet.ingest(*by, url=standby.url(database.name))
        database.execute("UPDATE q SET v = 'w', at = now() WHERE id > 400")
        late.execute("COMMIT")
    catch_up(database, standby)
    freshet.ingest(*by, url=standby.url(database.name))
    assert_equal(database.connection, freshet.destination, "public.q")
    promote(standby)
    with standby.connect(database.name) as promoted:
        promoted.execute("INSERT INTO q VALUES (1000, 'after the promotion')")
        freshet.ingest(*by, url=standby.url(database.name))
        assert_equal(promoted, freshet.destination, "public.q")


def test_a_standby_is_a_source(database, freshet, standby):
    """From version 16 on, and it goes on to be one when it is promoted; older ones are refused."""
    database.execute(
        TABLE + "; CREATE PUBLICATION given FOR TABLE t WITH (publish_via_partition_root = true)"
    )
    catch_up(database, standby)
    url = standby.url(database.name)
    refused = freshet.ingest(url=url, expect=3)
    assert "SOURCE_UNSUPPORTED" in refused.error_classes() and "primary" in refused.stdout + refused.stderr
    if database.connection.info.server_version < 160000:
        return
    ingest_from(standby, database, freshet)
    assert_equal(database.connection, freshet.destination, "public.t")
    database.execute("UPDATE t SET v = 'w' WHERE id < 100; DELETE FROM t WHERE id > 400")
    catch_up(database, standby)
    ingest_from(standby, database, freshet)
    assert_equal(database.connection, freshet.destination, "public.t")
    promote(standby)
    with standby.connect(database.name) as promoted:
        promoted.execute("INSERT INTO t VALUES (1000, 'after the promotion')")
        freshet.ingest("--publication", "given", url=url)
        assert_equal(promoted, freshet.destination, "public.t")


def test_a_promoted_server_that_lacks_what_was_read_is_refused(database, freshet, standby):
    """Else rows would stay at the destination that no server has."""
    database.execute(TABLE)
    freshet.ingest()
    catch_up(database, standby)
    separate(standby)
    database.execute("INSERT INTO t VALUES (1000, 'only the former primary has it')")
    freshet.ingest()
    before = data_versions(freshet.destination)
    promote(standby)
    run = freshet.ingest(url=standby.url(database.name), expect=3)
    assert "SOURCE_CHANGED" in run.error_classes(), run.describe()
    assert data_versions(freshet.destination) == before


def test_client_certificate(database, freshet, server, tmp_path):
    """The user is known by a certificate alone: without it, or by another's, there is no way in."""
    if not database.value("SHOW ssl_library"):
        pytest.skip("this server is built without TLS")
    data = server.directory / "data"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    for name, subject in (("server", "localhost"), ("client", "certified"), ("other", "certified")):
        files = ["-keyout", str(tmp_path / f"{name}.key"), "-out", str(tmp_path / f"{name}.crt")]
        subprocess.run([*request, "-subj", f"/CN={subject}", *files], check=True, capture_output=True)
        os.chmod(tmp_path / f"{name}.key", 0o600)
    owner = data.stat()
    for name in ("server.key", "server.crt", "client.crt"):
        (data / name).write_bytes((tmp_path / name).read_bytes())
        os.chmod(data / name, 0o600)
        if os.getuid() == 0:
            os.chown(data / name, owner.st_uid, owner.st_gid)
    rules = data / "pg_hba.conf"
    former = rules.read_text()
    database.execute(TABLE + "; CREATE ROLE certified LOGIN SUPERUSER")
    rules.write_text("hostssl all,replication certified all cert\n" + former)
    database.execute("ALTER SYSTEM SET ssl = on")
    database.execute("ALTER SYSTEM SET ssl_ca_file = 'client.crt'")
    database.execute("SELECT pg_reload_conf()")
    try:
        url = server.url(database.name, user="certified") + "?sslmode=require"
        by = lambda name: url + f"&sslcert={tmp_path}/{name}.crt&sslkey={tmp_path}/{name}.key"
        assert "SOURCE_AUTH" in freshet.ingest(url=url, expect=3).error_classes()
        assert freshet.ingest(url=by("other"), expect=3).error_classes() & {"SOURCE_TLS", "SOURCE_AUTH"}
        freshet.ingest(url=by("client"))
        assert_equal(database.connection, freshet.destination, "public.t")
    finally:
        rules.write_text(former)
        database.execute("ALTER SYSTEM RESET ssl")
        database.execute("ALTER SYSTEM RESET ssl_ca_file")
        database.execute("SELECT pg_reload_conf()")
        database.execute("DROP OWNED BY certified; DROP ROLE certified")
