# SPDX-License-Identifier: Apache-2.0
"""Bad input: one clear error, the right exit code, nothing left behind at the source or the destination."""
import os
import pathlib
import socket
import struct
import subprocess
import tempfile
import threading

import pytest
from contents import assert_equal, data_versions
from freshet_command import Run, wait_until
from postgres_server import Server

SIMPLE = (
    "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' FROM generate_series(1, 100) i"
)


def refused(freshet, database, expected, code, *options, **keywords):
    """Run, and check error class, exit code, that one error is told, and that the source is as before."""
    before = database.slots() if database else None
    run = freshet.ingest(*options, expect=code, **keywords)
    assert expected in run.error_classes(), f"no {expected}: {run.describe()}"
    if database:
        assert database.slots() == before, f"a slot was left behind: {run.describe()}"
    return run


def test_wrong_host(freshet):
    refused(
        freshet,
        None,
        "SOURCE_UNREACHABLE",
        3,
        "--retry-for",
        "1s",
        url="postgresql://postgres@no-such-host.invalid/db",
    )
    assert not freshet.destination.exists(), "the refused run left something behind"


def test_wrong_port(freshet, server):
    run = refused(
        freshet,
        None,
        "SOURCE_UNREACHABLE",
        3,
        "--retry-for",
        "1s",
        url="postgresql://postgres@127.0.0.1:1,127.0.0.1:2/postgres",
    )
    tried = [
        f'connection to server at "127.0.0.1", port {port} failed: Connection refused' for port in (1, 2)
    ]
    assert "; ".join(tried) in run.stderr, run.describe()
    assert (
        "Is the server running" not in run.stdout + run.stderr
    ), "libpq's question is no part of our sentence"


def test_wrong_database(freshet, server):
    refused(freshet, None, "SOURCE_DATABASE_MISSING", 3, url=server.url("no_such_database"))


def test_wrong_password(freshet, database, server):
    """The server trusts everyone but this role, which must give a password."""
    database.execute("DROP ROLE IF EXISTS guarded; CREATE ROLE guarded LOGIN REPLICATION PASSWORD 'right'")
    rules = server.directory / "data" / "pg_hba.conf"
    former = rules.read_text()
    rules.write_text("host all,replication guarded all scram-sha-256\n" + former)
    try:
        database.execute("SELECT pg_reload_conf()")
        url = f"postgresql://guarded:wrong@127.0.0.1:{server.port}/{database.name}"
        run = refused(freshet, database, "SOURCE_AUTH", 3, url=url)
        assert "wrong" not in (run.stdout + run.stderr).replace(
            "wrong password", ""
        ), "the password was printed"
        refused(freshet, database, "SOURCE_AUTH", 3, url=server.url(database.name, user="guarded"))
        run = freshet.ingest(
            url=server.url(database.name, user="guarded"), environment={"PGPASSWORD": "wrong"}, expect=3
        )
        assert "SOURCE_AUTH" in run.error_classes()
    finally:
        rules.write_text(former)
        database.execute("SELECT pg_reload_conf(); DROP ROLE guarded")


def test_no_such_user(freshet, database, server):
    refused(freshet, database, "SOURCE_AUTH", 3, url=server.url(database.name, user="nobody_here"))


def test_server_without_tls(freshet, database):
    refused(freshet, database, "SOURCE_TLS", 3, url=database.url + "?sslmode=require")


def test_tls_verified(freshet, database, server, tmp_path):
    """verify-full with the CA works and is really verified: another CA, and another host name, are refused."""
    if not database.value("SHOW ssl_library"):
        pytest.skip("this server is built without TLS")
    data = server.directory / "data"
    make = lambda name, subject: subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            f"/CN={subject}",
            "-addext",
            f"subjectAltName=DNS:{subject}",
            "-keyout",
            str(tmp_path / f"{name}.key"),
            "-out",
            str(tmp_path / f"{name}.crt"),
        ],
        check=True,
        capture_output=True,
    )
    make("server", "localhost")
    make("other", "localhost")
    owner = data.stat()
    for name in ("server.key", "server.crt"):
        (data / name).write_bytes((tmp_path / name).read_bytes())
        os.chmod(data / name, 0o600)
        if os.getuid() == 0:
            os.chown(data / name, owner.st_uid, owner.st_gid)
    database.execute(SIMPLE)
    database.execute("ALTER SYSTEM SET ssl = on")
    database.execute("SELECT pg_reload_conf()")
    try:
        url = f"postgresql://postgres@{{}}:{server.port}/{database.name}?sslmode=verify-full&sslrootcert={tmp_path}/{{}}.crt"
        refused(freshet, database, "SOURCE_TLS", 3, url=url.format("localhost", "other"))
        refused(freshet, database, "SOURCE_TLS", 3, url=url.format("127.0.0.1", "server"))
        freshet.ingest(url=url.format("localhost", "server"))
        assert_equal(database.connection, freshet.destination, "public.t")
    finally:
        database.execute("ALTER SYSTEM RESET ssl")
        database.execute("SELECT pg_reload_conf()")


def test_a_server_too_old(freshet):
    """A server that says it is PostgreSQL 12 is refused by its version, before anything is asked of it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            connection, _ = listener.accept()
            with connection:
                # Anything before the start-up message asks for encryption, which there is none of.
                while struct.unpack("!II", connection.recv(4096)[:8])[1] != 3 << 16:
                    connection.sendall(b"N")
                version = b"server_version\x0012.22\x00"
                connection.sendall(
                    b"R\x00\x00\x00\x08\x00\x00\x00\x00S" + struct.pack("!I", 4 + len(version)) + version
                )
                connection.sendall(b"Z\x00\x00\x00\x05I")
                connection.recv(4096)

        answering = threading.Thread(target=answer)
        answering.start()
        port = listener.getsockname()[1]
        run = refused(freshet, None, "SOURCE_UNSUPPORTED", 3, url=f"postgresql://me@127.0.0.1:{port}/db")
        answering.join()
    assert "12" in run.stdout + run.stderr


def test_wal_level_replica(freshet):
    own = Server(tempfile.mkdtemp(prefix="freshet-real-"), "wal_level=replica").start()
    try:
        database = own.create_database("plain")
        database.execute(SIMPLE)
        refused(freshet, database, "SOURCE_NOT_LOGICAL", 3, url=database.url)
        assert database.value("SELECT count(*) FROM pg_publication") == 0
    finally:
        own.destroy()


@pytest.mark.parametrize("rights", ["LOGIN", "LOGIN REPLICATION"])
def test_no_rights(freshet, database, server, rights):
    """Without REPLICATION there is no slot; without SELECT there is no snapshot; without ownership no publication."""
    database.execute(SIMPLE)
    database.execute(f"DROP ROLE IF EXISTS weak; CREATE ROLE weak {rights}")
    try:
        refused(freshet, database, "SOURCE_PRIVILEGE", 3, url=server.url(database.name, user="weak"))
        assert database.value("SELECT count(*) FROM pg_publication") == 0
    finally:
        database.execute("DROP ROLE weak")


def test_given_publication_needs_few_rights(freshet, database, server):
    database.execute(
        SIMPLE + "; CREATE PUBLICATION given FOR TABLE t WITH (publish_via_partition_root = true)"
    )
    database.execute(
        "DROP ROLE IF EXISTS modest; CREATE ROLE modest LOGIN REPLICATION; GRANT SELECT ON t TO modest"
    )
    database.execute("SELECT pg_create_logical_replication_slot('given_slot', 'pgoutput')")
    try:
        options = ["--slot", "given_slot", "--publication", "given"]
        freshet.ingest(*options, url=server.url(database.name, user="modest"))
        database.execute("UPDATE t SET v = 'w' WHERE id < 50; DELETE FROM t WHERE id = 60")
        freshet.ingest(*options, url=server.url(database.name, user="modest"))
        assert_equal(database.connection, freshet.destination, "public.t")
    finally:
        database.execute("DROP OWNED BY modest; DROP ROLE modest")


def test_publication_given_but_missing(freshet, database):
    database.execute(SIMPLE)
    refused(freshet, database, "PUBLICATION_MISSING", 3, "--publication", "nowhere")


def test_no_free_slot(freshet, database):
    database.execute(SIMPLE)
    free = database.value(
        "SELECT current_setting('max_replication_slots')::int - count(*) FROM pg_replication_slots"
    )
    for i in range(free):
        database.execute("SELECT pg_create_physical_replication_slot(%s)", (f"filler_{i}",))
    try:
        refused(freshet, database, "SOURCE_NO_FREE_SLOT", 3)
    finally:
        for i in range(free):
            database.execute("SELECT pg_drop_replication_slot(%s)", (f"filler_{i}",))
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.t")


def test_pattern_without_match(freshet, database):
    database.execute(SIMPLE)
    refused(freshet, database, "NO_TABLE_MATCHES", 2, "--tables", "public.nothing_like_it")
    refused(freshet, database, "NO_TABLE_MATCHES", 2, "--tables", "public.t", "--tables", "absent.*")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--tabels", "x"],
        ["--retry-for", "soon"],
        ["--tables"],
        ["--tables", "nodot"],
        ["--spec", "/no/such/file"],
    ],
)
def test_usage(freshet, database, arguments):
    run = freshet.ingest(*arguments, expect=2)
    assert run.stderr.strip() or run.stdout.strip()
    assert database.slots() == [] and not freshet.destination.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["ingest"],
        ["ingest", "mysql://x/y", "--to", "/tmp/x"],
        ["ingest", "postgresql://x/y"],
        ["frobnicate"],
        ["status"],
        ["drop"],
    ],
)
def test_usage_of_commands(arguments):
    run = Run(arguments).wait()
    assert run.code == 2, run.describe()


def test_spec_field_not_built_is_refused_by_name(freshet, database, tmp_path):
    database.execute(SIMPLE)
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "objects:\n- table:\n    source_schema: public\n    source_table: t\n    table_configuration:\n"
        "      clustering_columns: [id]\n"
    )
    run = freshet.ingest("--spec", spec, expect=2)
    assert "clustering_columns" in run.stdout + run.stderr and database.slots() == []


def test_spec_chooses_tables(freshet, database, tmp_path):
    database.execute(SIMPLE + "; CREATE TABLE other (id int PRIMARY KEY)")
    spec = tmp_path / "spec.yaml"
    spec.write_text("objects:\n- table:\n    source_schema: public\n    source_table: t\n")
    freshet.ingest("--spec", spec)
    assert set(data_versions(freshet.destination)) == {"public/t"}


def test_destination_of_another_program(freshet, database):
    """Files of others beside our tables harm nothing; where a table would land they are not touched."""
    database.execute(SIMPLE)
    taken = freshet.destination / "public" / "t"
    taken.mkdir(parents=True)
    (taken / "precious.txt").write_text("mine")
    run = freshet.ingest(expect=4)
    assert "TABLE_FOREIGN" in run.error_classes(), run.describe()
    assert [p.name for p in taken.iterdir()] == ["precious.txt"]


def test_destination_of_another_source(freshet, database, server):
    database.execute(SIMPLE)
    freshet.ingest()
    other = server.create_database()
    try:
        other.execute(SIMPLE + "; DELETE FROM t")
        run = freshet.ingest(url=other.url, expect=None)
        assert run.code in (3, 4) and run.error_classes() & {
            "SOURCE_CHANGED",
            "DESTINATION_FOREIGN",
        }, run.describe()
        assert other.slots() == []
        assert_equal(database.connection, freshet.destination, "public.t")
    finally:
        other.drop()


def test_table_of_another_program(freshet, database):
    import deltalake
    import pyarrow as pa

    database.execute(SIMPLE + "; CREATE TABLE fine (id int PRIMARY KEY); INSERT INTO fine VALUES (1)")
    freshet.ingest("--tables", "public.fine")
    deltalake.write_deltalake(str(freshet.destination / "public" / "t"), pa.table({"id": [1]}))
    run = freshet.ingest(expect=5)
    assert "TABLE_FOREIGN" in run.error_classes(), run.describe()
    assert_equal(database.connection, freshet.destination, "public.fine")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own, made full or read-only by the test."""
    where = tmp_path / "disk"
    where.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(where)], capture_output=True
    ).returncode:
        pytest.skip("this user cannot mount a tmpfs")
    yield where
    subprocess.run(["umount", "-l", str(where)], check=True)


def test_destination_read_only(freshet, database, small_disk):
    database.execute(SIMPLE)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    refused(freshet, database, "STORE_READ_ONLY", 4, to=small_disk / "lake")


def test_destination_is_a_file(freshet, database, tmp_path):
    database.execute(SIMPLE)
    (tmp_path / "file").write_text("")
    run = freshet.ingest(to=tmp_path / "file", expect=4)
    assert database.slots() == [] and run.error_classes()


def test_destination_full_then_freed(freshet, database, small_disk):
    database.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
    to = small_disk / "lake"
    freshet.ingest(to=to)
    database.execute(
        "INSERT INTO t SELECT i, string_agg(md5((i * 1000 + j)::text), '') FROM generate_series(1, 3000) i, generate_series(1, 300) j GROUP BY i"
    )
    run = freshet.ingest("--retry-for", "2s", to=to, expect=4)
    assert "STORE_FULL" in run.error_classes(), run.describe()
    subprocess.run(["mount", "-o", "remount,size=300m", str(small_disk)], check=True)
    freshet.ingest(to=to)
    assert_equal(database.connection, to, "public.t")


def test_two_at_once(freshet, database):
    database.execute(SIMPLE)
    first = freshet.start("--continuous")
    wait_until(lambda: (freshet.destination / "public" / "t" / "_delta_log").exists(), "the first table")
    run = freshet.ingest(expect=4)
    assert "DESTINATION_BUSY" in run.error_classes()
    assert first.stop().code == 130
    freshet.ingest()
    assert_equal(database.connection, freshet.destination, "public.t")


def test_check_tells_every_problem_at_once(freshet, database):
    database.execute(
        SIMPLE
        + "; CREATE TABLE nokey (v text); CREATE VIEW seen AS SELECT * FROM t; CREATE UNLOGGED TABLE fleeting (id int PRIMARY KEY)"
    )
    told = freshet.command("check", database.url)
    text = told.stdout + told.stderr
    for word in ("nokey", "fleeting", "REPLICA IDENTITY", "TABLE_NO_IDENTITY", "TABLE_NOT_LOGGED"):
        assert word in text, f"{word} is missing: {told.describe()}"
    assert (
        "note: table public.nokey" in text and "seen" not in text
    ), "they are read again: nothing is in the way"
    database.execute('CREATE TABLE odd (id int PRIMARY KEY, "__freshet_x" int)')
    told = freshet.command("check", database.url, expect=5)
    assert "COLUMN_RESERVED" in told.stdout + told.stderr
    assert database.slots() == [] and database.value("SELECT count(*) FROM pg_publication") == 0
