# SPDX-License-Identifier: Apache-2.0
"""Who changed what: the audit log through a restart, without secrets; and how much one client may ask."""
import itertools

import pytest
from databricks.sdk import errors

from freshet_server import ServerProcess
from test_api_access import another
from test_api_catalog import make_connection
from test_api_identity import machine, secret_of
from test_api_server import PLANTED

AUDIT = "/api/2.0/audit-log"


def entries(api, query=""):
    status, body, _ = api.request("GET", AUDIT + query)
    assert status == 200, body
    return body["entries"]


def test_every_change_is_told_with_who_and_how_it_ended(api, server):
    client = api.client()
    make_connection(client, server, password=PLANTED)
    robot = client.service_principals.create(display_name="Robot")
    secret = secret_of(client, robot)
    other = machine(api, robot, secret)
    with pytest.raises(errors.PermissionDenied):
        other.connections.delete("shop")
    with pytest.raises(errors.PermissionDenied):
        other.api_client.do("GET", AUDIT)
    with pytest.raises(errors.ResourceConflict):
        make_connection(client, server)
    told = entries(api)
    assert [(each["operation"], each["outcome"]) for each in told] == [
        ("connections.create", "REFUSED"),
        ("connections.delete", "REFUSED"),
        ("oauth.token", "DONE"),
        ("service_principal_secrets.create", "DONE"),
        ("service_principals.create", "DONE"),
        ("connections.create", "DONE"),
    ]
    assert told[1]["principal"] == robot.application_id and told[1]["error_code"] == "PERMISSION_DENIED"
    assert (
        told[1]["path"] == "/api/2.1/unity-catalog/connections/shop" and told[1]["source_ip"] == "127.0.0.1"
    )
    assert told[-1]["parameters"]["name"] == "shop" and told[-1]["result"]["full_name"] == "shop"
    assert told[-1]["timestamp"].endswith("Z") and told[-1]["status"] == 200
    text = str(told)
    assert PLANTED not in text and secret.secret not in text
    assert [each["operation"] for each in entries(api, f"?principal={robot.application_id}")] == [
        "connections.delete"
    ]
    assert len(entries(api, "?operation=connections.create")) == 2
    assert entries(api, "?principal=%27%20OR%201=1%20--") == []
    assert told[2]["parameters"] == {"client_id": robot.application_id}
    # It stays through a crash.
    api.kill()
    api.start()
    assert entries(api) == told
    status, body, _ = api.request("GET", AUDIT + "?max_results=4")
    assert len(body["entries"]) == 4
    assert len(entries(api, f"?page_token={body['next_page_token']}")) == 2


def test_one_client_does_not_take_it_all(tmp_path):
    api = ServerProcess(tmp_path / "data", "--requests-per-minute", "20").start()
    try:
        for number in itertools.count():
            status, body, headers = api.request("GET", "/api/2.0/token/list")
            if status != 200:
                break
            assert number < 1000
        assert status == 429 and body["error_code"] == "REQUEST_LIMIT_EXCEEDED", body
        assert 1 <= int(headers["Retry-After"]) <= 3
        # Nobody else's matter, and whether it lives is always told.
        assert api.request("GET", "/api/2.0/token/list", token="wrong")[0] == 401
        assert api.request("GET", "/health", token=False)[0] == 200
    finally:
        api.close()


def test_machines_are_told_apart_by_who_they_are(tmp_path):
    api = ServerProcess(tmp_path / "data", "--requests-per-minute", "60").start()
    try:
        _, other = another(api, api.client(), "robot")
        while api.request("GET", "/api/2.0/token/list")[0] == 200:
            pass
        assert other.current_user.me().display_name == "robot"
    finally:
        api.close()
