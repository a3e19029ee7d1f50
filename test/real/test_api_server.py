# SPDX-License-Identifier: Apache-2.0
"""The server as a process: who may ask, what it survives, what it refuses, what it never tells."""
import os
import pathlib
import socket
import sqlite3
import stat
import subprocess
import threading
import time

import pytest
from databricks.sdk import errors

from freshet_command import BINARY, PATIENCE, process_fields
from freshet_server import ServerProcess, make_certificate
from test_api_catalog import make_connection

PLANTED = "pl4nted-s3cret-that-must-not-be-f0und"


def mode_of(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def raw(api, text):
    """Send bytes as they are; return all that comes back."""
    host, port = api.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
        connection.sendall(text)
        answer = b""
        while True:
            try:
                more = connection.recv(65536)
            except (ConnectionResetError, TimeoutError):
                break
            if not more:
                break
            answer += more
        return answer


def test_first_start_and_later_ones(api):
    token = api.token
    assert (api.data / "admin.token").read_text() == token + "\n"
    for name in ["admin.token", "master.key", "freshet.db"]:
        assert mode_of(api.data / name) == 0o600, name
    assert api.stop() == 0
    assert api.process.returncode == 0
    (api.data / "admin.token").unlink()
    api.start()
    # A token is told once: later starts make none.
    assert not (api.data / "admin.token").exists()
    assert api.request("GET", "/api/2.0/preview/scim/v2/Me", token=token)[0] == 200
    assert api.request("GET", "/ready", token=False)[:2] == (200, {"status": "ready"})
    assert api.request("GET", "/health", token=False)[:2] == (200, {"status": "ok"})
    # Only its hash is kept.
    assert token.encode() not in b"".join(file.read_bytes() for file in api.data.glob("freshet.db*"))


def test_a_second_server_is_refused(api):
    second = subprocess.run(
        [str(BINARY), "server", "--data", str(api.data), "--port", "0"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert second.returncode != 0 and second.stdout == ""
    assert second.stderr.count("error:") == 1 and "DESTINATION_BUSY" in second.stderr, second.stderr
    # So is one on a port that is taken.
    port = api.url.rsplit(":", 1)[1]
    other = subprocess.run(
        [str(BINARY), "server", "--data", f"{api.data}-2", "--port", port],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert other.returncode == 2 and "cannot listen on" in other.stderr, other.stderr
    assert api.request("GET", "/health", token=False)[0] == 200


def test_a_killed_server_has_lost_nothing(api):
    client = api.client()
    for number in range(5):
        client.catalogs.create(f"c{number}")
    api.kill()
    client = api.start().client()
    assert [each.name for each in client.catalogs.list()] == [f"c{number}" for number in range(5)] + ["main"]


def test_every_route_asks_for_a_token(api):
    _, document, _ = api.request("GET", "/api/openapi.json")
    asked = 0
    for pattern, operations in document["paths"].items():
        for method, operation in operations.items():
            path = pattern.replace("{", "").replace("}", "")
            # What is open answers, if only that it is not ready, or that the request is no log-in.
            expected = (200, 400, 503) if operation.get("security") == [] else (401,)
            for token in [False, "dapi0000", "x" * 4000]:
                status, body, _ = api.request(method.upper(), path, b"{}" if method != "get" else None, token)
                assert status in expected, (method, path, status)
                asked += status == 401 and body["error_code"] == "UNAUTHENTICATED"
    assert asked > 60
    with pytest.raises(errors.Unauthenticated):
        api.client("dapi0000").current_user.me()


def test_bad_requests_are_refused_in_the_published_form(api):
    path = "/api/2.1/unity-catalog/catalogs"
    for body in [b"{", b"[]", b"nonsense", b'{"name": "\xff"}', b'{"a":' + b"[" * 200000, b'{"name": 1}']:
        status, answer, _ = api.request("POST", path, body)
        assert (
            status == 400 and answer["error_code"] == "INVALID_PARAMETER_VALUE" and answer["message"]
        ), body[:20]
    for target in [
        "/../../etc/passwd",
        "/api/%2e%2e/x",
        "/%00",
        "/api/2.1/unity-catalog/catalogs/..%2f..%2fetc",
    ]:
        status, answer, _ = api.request("GET", target)
        assert status in (400, 404) and answer["error_code"], target
    status, answer, _ = api.request("GET", "/no/such/route")
    assert status == 404 and answer["error_code"] == "ENDPOINT_NOT_FOUND"
    status, answer, _ = api.request(
        "POST", path, b"x", headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    assert status == 415 and answer["error_code"]
    assert api.request("DELETE", path + "/none")[0] == 404
    assert api.request("GET", "/health", token=False)[0] == 200


def test_large_and_slow_bodies(api):
    head = (
        f"POST /api/2.1/unity-catalog/catalogs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.token}\r\n"
    )
    # By its length, and by what comes although no length was said.
    large = raw(api, (head + "Content-Length: 99999999999\r\n\r\n{").encode())
    assert large.split(b" ", 2)[1] == b"413", large[:80]
    # Who says no good token is not listened to.
    began = time.monotonic()
    stranger = raw(api, b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
    assert stranger.split(b" ", 2)[1] == b"401" and time.monotonic() - began < 5, stranger[:80]
    chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    try:
        large = raw(api, (head + "Transfer-Encoding: chunked\r\n\r\n").encode() + chunk * 12)
    except (BrokenPipeError, ConnectionResetError):
        large = b"HTTP/1.1 413"
    assert large == b"" or large.split(b" ", 2)[1] == b"413", large[:80]
    # A request behind a refused one on the same connection is not heard.
    two = raw(
        api, (head + "Content-Length: 1\r\n\r\n{").encode() + b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    )
    assert two.count(b"HTTP/1.1 ") == 1, two
    # One that never sends the rest is answered, and let go, by the server.
    assert raw(api, (head + "Content-Length: 10\r\n\r\n{").encode()) != b""
    assert raw(api, b"NONSENSE\r\n\r\n")[:12] in (b"", b"HTTP/1.1 400")
    assert api.request("GET", "/health", token=False)[0] == 200
    assert process_fields(api.process.pid), "the server is gone"


def test_a_client_that_holds_on_does_not_keep_it_from_ending(api):
    head = f"POST /api/2.1/unity-catalog/catalogs HTTP/1.1\r\nAuthorization: Bearer {api.token}\r\n"
    host, port = api.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
        connection.sendall((head + "Content-Length: 1000\r\n\r\n").encode())
        ended = threading.Event()

        def drip():
            while not ended.wait(1):
                try:
                    connection.sendall(b" ")
                except OSError:
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            began = time.monotonic()
            assert api.stop() == 0
            assert time.monotonic() - began < 20
        finally:
            ended.set()
            dripping.join()


def test_a_planted_secret_is_found_nowhere(api, server, database):
    client = api.client()
    make_connection(client, server, password=PLANTED)
    answers = []
    for method, path, body in [
        ("GET", "/api/2.1/unity-catalog/connections", None),
        ("GET", "/api/2.1/unity-catalog/connections/shop", None),
        ("PATCH", "/api/2.1/unity-catalog/connections/shop", {"options": {"host": "h", "password": PLANTED}}),
        ("PATCH", "/api/2.1/unity-catalog/connections/shop", {"options": {"host": "h", "pasword": PLANTED}}),
        ("POST", "/api/2.1/unity-catalog/connections/shop/test", {"source_catalog": database.name}),
        ("GET", f"/api/2.1/unity-catalog/connections/{PLANTED}?password={PLANTED}", None),
    ]:
        answers.append(str(api.request(method, path, body)[1:]))
    assert not any(PLANTED in answer for answer in answers[:-1]), answers
    words = pathlib.Path(f"/proc/{api.process.pid}/cmdline").read_bytes()
    assert PLANTED.encode() not in words
    assert api.stop() == 0
    # What a client writes into a path is its own word; a query is not logged at all.
    assert f"password={PLANTED}" not in api.log_text()
    assert api.log_text().count(PLANTED) == 1 and api.log_text().count("\n") > 5
    for file in api.data.rglob("*"):
        assert not file.is_file() or PLANTED.encode() not in file.read_bytes(), file


def test_the_log_is_one_object_a_line(api):
    import json

    api.request("GET", '/api/"quoted"\\path')
    assert api.stop() == 0
    lines = [json.loads(line) for line in api.log_text().splitlines()]
    assert {"at", "level", "message"} == set(lines[0])
    assert any("status=404" in line["message"] for line in lines)


def test_the_master_key_rotates_and_is_needed(api, server):
    client = api.client()
    make_connection(client, server, password="unused")
    assert api.stop() == 0
    run = lambda *words, **more: subprocess.run(  # noqa: E731
        [str(BINARY), "server", *words, "--data", str(api.data)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        **more,
    )
    before = (api.data / "master.key").read_text()
    assert run("rotate-key").returncode == 0
    assert (api.data / "master.key").read_text() != before and mode_of(api.data / "master.key") == 0o600
    api.start()
    busy = run("rotate-key")
    assert busy.returncode != 0 and "DESTINATION_BUSY" in busy.stderr
    test = "/api/2.1/unity-catalog/connections/shop/test"
    status, body, _ = api.request("POST", test, {"source_catalog": "postgres"})
    assert status == 200 and body["passed"], body
    api.stop()
    (api.data / "master.key").write_text(before)
    wrong = run("--port", "0")
    assert wrong.returncode != 0 and "DATA_CORRUPT" in wrong.stderr and "not the one" in wrong.stderr


def test_a_key_from_the_environment_is_on_no_disk(tmp_path):
    key = "ab" * 32
    api = ServerProcess(tmp_path / "data", environment={"FRESHET_MASTER_KEY": key}).start()
    try:
        assert not (tmp_path / "data" / "master.key").exists()
        # Out of its environment too: of what it starts, and of what the kernel shows.
        assert key.encode() not in pathlib.Path(f"/proc/{api.process.pid}/environ").read_bytes()
        assert api.request("GET", "/api/2.0/preview/scim/v2/Me")[0] == 200
        assert api.stop() == 0
        for file in (tmp_path / "data").rglob("*"):
            assert not file.is_file() or key.encode() not in file.read_bytes()
    finally:
        api.close()


def test_a_backup_is_taken_while_it_runs(api, tmp_path):
    api.client().catalogs.create("kept")
    copy = tmp_path / "copy.db"
    words = [str(BINARY), "server", "backup", "--data", str(api.data), "--to", str(copy)]
    assert subprocess.run(words, timeout=PATIENCE).returncode == 0
    with sqlite3.connect(copy) as database:
        assert database.execute("SELECT count(*) FROM securables WHERE path = 'kept'").fetchone() == (1,)
    assert mode_of(copy) == 0o600
    again = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE)
    assert again.returncode != 0 and "ALREADY_EXISTS" in again.stderr


def test_options_come_from_three_places(tmp_path):
    config = tmp_path / "freshet.conf"
    config.write_text(f"# the server\ndata = {tmp_path}/from-file\nlog-level = error\n")
    words = [str(BINARY), "server", "--port", "0", "--config", str(config)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline().startswith("listening on http://127.0.0.1:")
    process.terminate()
    assert process.communicate(timeout=PATIENCE)[1] == "" and process.returncode == 0
    assert (tmp_path / "from-file" / "admin.token").exists()
    environment = {**os.environ, "FRESHET_DATA": str(tmp_path / "from-variable")}
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment)
    process.stdout.readline()
    process.terminate()
    process.communicate(timeout=PATIENCE)
    assert (tmp_path / "from-variable" / "admin.token").exists()
    for line, why in [("prot = 1", "line 1: prot"), ("port = x", "line 1: port"), ("port", "line 1: port")]:
        config.write_text(line + "\n")
        wrong = subprocess.run(words[:2] + words[4:], capture_output=True, text=True, timeout=PATIENCE)
        assert wrong.returncode == 2 and why in wrong.stderr, wrong.stderr
    config.write_text(f"tls-key = {tmp_path}/key.pem\n")
    half = [*words[:2], "--data", str(tmp_path / "half"), "--port", "0", "--config", str(config)]
    wrong = subprocess.run(half, capture_output=True, text=True, timeout=PATIENCE)
    assert wrong.returncode == 2 and "tls-cert and tls-key" in wrong.stderr, wrong.stderr
    wrong = subprocess.run([str(BINARY), "server"], capture_output=True, text=True, timeout=PATIENCE)
    assert wrong.returncode == 2 and "--data" in wrong.stderr


def test_tls(tmp_path):
    certificate, key = make_certificate(tmp_path)
    api = ServerProcess(tmp_path / "data", "--tls-cert", str(certificate), "--tls-key", str(key)).start()
    try:
        import ssl
        import urllib.request

        assert api.url.startswith("https://")
        context = ssl.create_default_context(cafile=str(certificate))
        with urllib.request.urlopen(api.url + "/health", context=context, timeout=PATIENCE) as answer:
            assert answer.status == 200
    finally:
        api.close()
    wrong = subprocess.run(
        [
            str(BINARY),
            "server",
            "--data",
            str(tmp_path / "d2"),
            "--port",
            "0",
            "--tls-cert",
            "/none",
            "--tls-key",
            "/none",
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert wrong.returncode == 2 and "TLS certificate" in wrong.stderr
