# SPDX-License-Identifier: Apache-2.0
"""Every route of the OpenAPI document under random requests: always an answer in the published form, never a 5xx."""
import os
import random
import string
import urllib.parse

from freshet_command import process_fields

SEED = int(os.environ.get("SEED", random.randrange(1 << 30)))
REQUESTS = int(os.environ.get("REQUESTS", 12))  # a route
NAMES = [
    "main",
    "default",
    "MAIN.default",
    "shop",
    "p",
    "none",
    "main.default.t",
    "`a.b`.c",
    "`",
    "metastore",
    "catalog",
]
TEXTS = [
    "",
    " ",
    "x",
    "ä\u0000",
    "'",
    '"',
    "`",
    "%",
    "..",
    "a/b",
    "file:///srv/x",
    "s3://b",
    "\ud7ff",
    "x" * 300,
    "true",
    "-1",
]
FIELDS = """name comment properties options storage_root catalog_name schema_name volume_type storage_location owner new_name
connection_type read_only changes principal add remove lifetime_seconds token_id source_catalog ingestion_definition objects
connection_name connector_type table schema report source_schema source_table destination_catalog destination_schema
destination_table table_configuration scd_type sequence_by include_columns source_configurations catalog postgres slot_config
continuous dry_run run_as parameters tags full_refresh validate_only refresh_selection full_refresh_selection cause expected_last_modified
userName displayName members value Operations op path active application_id access_control_list group_name
permission_level clusters libraries notifications filters user_name id storage query_based_connector_config auto_full_refresh_policy""".split()


def text(dice):
    letters = string.ascii_letters + string.digits + " .,;:/\\'\"`%_-[]{}()*$\n\t\u00e4\u4e2d"
    made = "".join(dice.choice(letters) for _ in range(dice.randrange(12)))
    return dice.choice([made, dice.choice(TEXTS), dice.choice(NAMES)])


def value(dice, depth=0):
    kinds = ["text", "text", "number", "flag", "null"] + (["list", "map", "map"] if depth < 5 else [])
    kind = dice.choice(kinds)
    if kind == "text":
        return text(dice)
    if kind == "number":
        return dice.choice([0, 1, -1, 1 << 62, 1 << 64, -(1 << 63), 1.5, 1e308])
    if kind == "flag":
        return dice.random() < 0.5
    if kind == "list":
        return [value(dice, depth + 1) for _ in range(dice.randrange(3))]
    if kind == "map":
        return {
            dice.choice(FIELDS) if dice.random() < 0.9 else text(dice): value(dice, depth + 1)
            for _ in range(dice.randrange(5))
        }
    return None


def body_of(dice):
    """Often something that is nearly right, so that it gets beyond the first check."""
    nearly = [
        {
            "name": text(dice),
            "connection_type": "POSTGRESQL",
            "options": {"host": "h", "user": "u", "password": "p"},
        },
        {"name": text(dice), "catalog_name": "main", "schema_name": "default", "volume_type": "MANAGED"},
        {"changes": [{"principal": text(dice), "add": ["SELECT"]}]},
        {
            "name": text(dice),
            "ingestion_definition": {
                "connection_name": "shop",
                "connector_type": "CDC",
                "objects": [{"table": value(dice)}, {"schema": value(dice)}],
            },
        },
    ]
    body = dice.choice([*nearly, {}])
    extra = value(dice)
    return {**body, **extra} if isinstance(extra, dict) and dice.random() < 0.8 else body


def test_no_request_is_more_than_the_server_can_take(api):
    dice = random.Random(SEED)
    shop = {"host": "h", "user": "u", "password": "p"}
    api.request(
        "POST",
        "/api/2.1/unity-catalog/connections",
        {"name": "shop", "connection_type": "POSTGRESQL", "options": shop},
    )
    _, document, _ = api.request("GET", "/api/openapi.json")
    seen = set()
    for pattern, operations in document["paths"].items():
        # It would wait for a source that is not there.
        waits = pattern.endswith(("/test", "/discover"))
        for method, operation in operations.items() if not waits else []:
            for _ in range(REQUESTS):
                path = pattern
                for parameter in operation["parameters"]:
                    chosen = dice.choice([dice.choice(NAMES), text(dice)])
                    quoted = urllib.parse.quote(chosen, safe="")
                    if parameter["in"] == "path":
                        path = path.replace("{" + parameter["name"] + "}", quoted or "x")
                    elif dice.random() < 0.5:
                        path += f"{'&' if '?' in path else '?'}{parameter['name']}={quoted}"
                body = None if method in ("get", "delete") else body_of(dice)
                status, answer, _ = api.request(method.upper(), path, body)
                what = f"SEED={SEED} {method} {path} {body}: {status} {answer}"
                assert status < 500 or pattern == "/ready", what
                assert isinstance(answer, dict), what
                assert status < 400 or (answer["error_code"] and isinstance(answer["message"], str)), what
                seen.add(status)
    assert {200, 400, 404} <= seen
    assert process_fields(api.process.pid) and api.request("GET", "/ready", token=False)[0] == 200
    assert api.stop() == 0
