# SPDX-License-Identifier: Apache-2.0
"""The server is as its OpenAPI document says, asked by schemathesis: no 5xx, no status, content type or answer that the
document does not name, and nothing taken that it forbids. The short form sends the same requests each time."""
import json
import os
import pathlib
import subprocess
import sys

import pytest

from freshet_command import PATIENCE

SEED = int(os.environ.get("SEED", 1))
EXAMPLES = int(os.environ.get("EXAMPLES", 100))  # of a route, in the long form
CONFIGURATION = pathlib.Path(__file__).with_name("schemathesis.toml")
# These wait for a source, or begin a process; these have many thousand corners.
SLOW = ["connections.test", "connections.discover", "pipelines.start_update", "pipelines.delete"]
MANIFOLD = ["pipelines.create", "pipelines.update"]


def make_world(api):
    """One of everything; return what stands for the parts of routes, by operation or the group of operations."""

    def post(path, body):
        status, answer, _ = api.request("POST", path, body)
        assert status == 200, (path, answer)
        return answer

    uc = "/api/2.1/unity-catalog/"
    # Nothing listens there.
    options = {"host": "127.0.0.1", "port": "1", "user": "u", "password": "p", "sslmode": "disable"}
    for name in ["shop", "other"]:
        post(uc + "connections", {"name": name, "connection_type": "POSTGRESQL", "options": options})
    post(uc + "schemas", {"catalog_name": "main", "name": "sales"})
    for name in ["raw", "other"]:
        post(uc + "volumes", {"catalog_name": "main", "schema_name": "sales", "name": name})
    schema = {
        "source_catalog": "shop",
        "source_schema": "public",
        "destination_catalog": "main",
        "destination_schema": "sales",
    }
    pipeline = post(
        "/api/2.0/pipelines",
        {
            "name": "ingest",
            "ingestion_definition": {
                "connection_name": "shop",
                "connector_type": "CDC",
                "objects": [{"schema": schema}],
            },
        },
    )["pipeline_id"]
    scim = "/api/2.0/preview/scim/v2/"
    user = post(scim + "Users", {"userName": "ann@example.com"})["id"]
    group = post(scim + "Groups", {"displayName": "team", "members": [{"value": user}]})["id"]
    robot = post(scim + "ServicePrincipals", {"applicationId": "robot"})["id"]
    post("/api/2.0/workspace/mkdirs", {"path": "/Shared/kept"})
    post("/api/2.0/workspace/import", {"path": "/Shared/kept/x", "content": "eA=="})
    found = {
        path: api.request("GET", f"/api/2.0/workspace/get-status?path={path}")[1]["object_id"]
        for path in ["/Shared/kept", "/Shared/kept/x"]
    }
    assert api.request("PUT", "/api/2.0/fs/files/Volumes/main/sales/raw/x", b"x")[0] == 204
    return {
        "catalogs": {"name": "main"},
        "schemas": {"name": "main.sales"},
        "volumes": {"name": "main.sales.raw"},
        "volumes.update": {"name": "main.sales.other"},
        "tables": {"name": "main.sales.orders"},
        "connections": {"name": "shop"},
        "connections.update": {"name": "other"},
        "grants": {"type": "catalog", "name": "main"},
        "metastores": {"id": "none"},
        "pipelines": {"id": pipeline, "update_id": "none", "name": "none"},
        "users": {"id": user},
        "groups": {"id": group},
        "service_principals": {"id": robot},
        "service_principal_secrets": {"service": robot, "secret": "none"},
        "tokens": {"id": "none"},
        "token_management": {"id": "none"},
        "directories": {"id": str(found["/Shared/kept"])},
        "workspace_files": {"id": str(found["/Shared/kept/x"]), "path": "Shared/kept/x"},
        "files": {"path": "Volumes/main/sales/raw/x"},
    }


def planted(document, world):
    """The document, its routes' parts of what is there. What is deleted is not what the others ask for."""
    paths = {}
    for pattern, operations in document["paths"].items():
        for method, operation in operations.items():
            name = operation["operationId"]
            parts = world.get(name, world.get(name.partition(".")[0], {}))
            path = pattern
            for parameter in operation["parameters"]:
                if parameter["in"] != "path":
                    continue
                value = parts[parameter["name"]]
                if method == "delete":
                    value += "-gone"
                path = path.replace("{" + parameter["name"] + "}", value)
            operation["parameters"] = [each for each in operation["parameters"] if each["in"] != "path"]
            paths.setdefault(path, {})[method] = operation
    return {**document, "paths": paths}


def ask(api, slow, examples, random):
    _, document, _ = api.request("GET", "/api/openapi.json", token=False)
    directory = api.data.parent / "asked"
    directory.mkdir()
    (directory / "openapi.json").write_text(json.dumps(planted(document, make_world(api))))
    configuration = CONFIGURATION.read_text()
    for name in [] if slow else SLOW:
        configuration += f'\n[[operations]]\ninclude-operation-id = "{name}"\nenabled = false\n'
    for name in [] if slow else MANIFOLD:
        configuration += (
            f'\n[[operations]]\ninclude-operation-id = "{name}"\nphases.coverage.enabled = false\n'
        )
    (directory / "schemathesis.toml").write_text(configuration)
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", "openapi.json"),
        *("--phases=coverage,fuzzing", f"--max-examples={examples}", *random),
        # A server ends a connection that says nothing for a second, which a busy machine may make of any.
        *(f"--url={api.url}", f"--request-timeout={PATIENCE}", "--request-retries=20", "--no-color"),
    ]
    # Sets are in the same order each time.
    environment = {**os.environ, "FRESHET_TOKEN": api.token, "PYTHONHASHSEED": "0"}
    run = subprocess.run(
        command,
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert run.returncode == 0, f"{random} {run.stdout}"
    assert api.request("GET", "/ready", token=False)[0] == 200
    assert api.stop() == 0
    return run.stdout


def test_the_server_is_as_its_document_says(api):
    ask(api, slow=False, examples=5, random=["--generation-deterministic"])


@pytest.mark.long
def test_the_server_is_as_its_document_says_at_length(api):
    ask(api, slow=True, examples=EXAMPLES, random=[f"--seed={SEED}"])


def test_the_document_is_one(api):
    import schemathesis  # it takes its time
    from jsonschema_rs import meta

    _, document, _ = api.request("GET", "/api/openapi.json", token=False)
    schemathesis.openapi.from_dict(document).validate()
    for schema in document["components"]["schemas"].values():
        meta.validate(schema)
