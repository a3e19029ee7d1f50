# SPDX-License-Identifier: Apache-2.0
"""A pipeline's event log as a table: what DuckDB and delta-rs read there is what the events API answers, each event once."""
import json
import os
import random
import threading

import pytest
from databricks.sdk import errors
from databricks.sdk.service import pipelines as dlt

from contents import duckdb_connection, quote, scan
from freshet_command import wait_until
from test_api_gateways import make_gateway
from test_api_pipelines import create, definition, run, shop, wait_for  # noqa: F401

SEED = int(os.environ.get("SEED", random.randrange(1 << 30)))
COLUMNS = "id sequence origin timestamp message level maturity_level error details event_type".split()


def told(value):
    """The same without what is not said."""
    if isinstance(value, dict):
        return {name: told(each) for name, each in value.items() if each is not None and told(each) != {}}
    return [told(each) for each in value] if isinstance(value, list) else value


def of_the_api(client, pipeline):
    """All events, the oldest first, as the API tells them."""
    events, query = [], {"order_by": "timestamp asc", "max_results": 100}
    while True:
        answer = client.api_client.do("GET", f"/api/2.0/pipelines/{pipeline}/events", query=query)
        events += answer["events"]
        if "next_page_token" not in answer:
            return [told(event) for event in events]
        query["page_token"] = answer["next_page_token"]


def folder_of(client, name):
    return client.tables.get(name).storage_location.removeprefix("file://")


def of_the_table(folder, reader):
    """The same as a reader finds them."""
    connection = duckdb_connection()
    scan(connection, reader, folder)
    texts = ", ".join(
        f"strftime({quote(name)}, '%Y-%m-%dT%H:%M:%S.%gZ')"
        if name == "timestamp"
        else f"to_json({quote(name)})::text"
        for name in COLUMNS
    )
    rows = connection.execute(
        f"SELECT {texts} FROM destination ORDER BY sequence.control_plane_seq_no"
    ).fetchall()
    events = []
    for row in rows:
        event = {}
        for name, text in zip(COLUMNS, row):
            if text is not None:
                event[name] = text if name == "timestamp" else json.loads(text)
        if "details" in event:
            event["details"] = json.loads(event["details"])
        events.append(told(event))
    return events


def published(client, pipeline, name):
    """Wait until the table has what the API tells, whoever reads it; return that."""
    folder = folder_of(client, name)

    def equal():
        wanted = of_the_api(client, pipeline)
        return (
            wanted if all(of_the_table(folder, each) == wanted for each in ("duckdb", "delta-rs")) else None
        )

    return wait_until(equal, f"the events of {pipeline} in {name}", 0.2)


def check_logs(client, pipeline, update):
    """What the run and its workers wrote is listed, and read piece by piece."""
    path = f"/api/2.0/pipelines/{pipeline}/logs"
    logs = client.api_client.do("GET", path, query={"update_id": update})["logs"]
    assert {"run", "gateway", "update"} <= {each["worker"] for each in logs}
    for log in logs:
        end, text = 0, ""
        while end < log["file_size"]:
            query = {"offset": end, "max_bytes": 500}
            piece = client.api_client.do("GET", f"{path}/{log['name']}", query=query)
            assert piece["next_offset"] > end
            end, text = piece["next_offset"], text + piece["content"]
        assert len(text.encode()) == log["file_size"]


def test_the_events_are_a_table(api, shop, database):
    objects = definition(database)["objects"]
    place = {"destination_catalog": "main", "destination_schema": "public"}
    missing = {"source_catalog": database.name, "source_schema": "public", "source_table": "nothing", **place}
    pipeline = create(
        shop,
        database,
        schema="Ops",
        event_log={"name": "log"},
        ingestion_definition=definition(database, objects=[*objects, {"table": missing}]),
    )
    table = shop.tables.get("main.ops.log")
    assert table.table_type.value == "MANAGED" and table.pipeline_id == pipeline
    assert [column.name for column in table.columns] == COLUMNS
    update = shop.pipelines.start_update(pipeline).update_id
    wait_for(shop, pipeline, update, "FAILED")
    check_logs(shop, pipeline, update)
    events = published(shop, pipeline, "main.ops.log")
    assert {"user_action", "create_update", "flow_progress", "update_progress", "flow_definition"} <= {
        event["event_type"] for event in events
    }
    assert any(event.get("error", {}).get("exceptions") for event in events)

    # Another name: a new table has them all, the former stays as it was until the pipeline goes.
    spec = shop.api_client.do("GET", f"/api/2.0/pipelines/{pipeline}")["spec"]
    spec["event_log"] = {"name": "next"}
    spec["ingestion_definition"] = definition(database)
    former = folder_of(shop, "main.ops.log")
    shop.api_client.do("PUT", f"/api/2.0/pipelines/{pipeline}", body=spec)
    run(shop, pipeline)
    assert len(published(shop, pipeline, "main.ops.next")) > len(of_the_table(former, "duckdb"))
    with pytest.raises(errors.ResourceConflict, match="Table 'main.ops.log' already exists"):
        create(shop, database, name="other", schema="ops", event_log={"name": "LOG"})
    shop.pipelines.delete(pipeline)
    assert not list((api.data / "tables" / "main" / "ops").iterdir())
    with pytest.raises(errors.NotFound):
        shop.tables.get("main.ops.next")


def test_an_ingested_table_of_that_name_fails_alone(shop, database):
    pipeline = create(shop, database, event_log={"name": "Orders"})
    update = shop.pipelines.start_update(pipeline).update_id
    wait_for(shop, pipeline, update, "FAILED")
    (error,) = [
        each for each in of_the_api(shop, pipeline) if each["origin"].get("flow_name") and "error" in each
    ]
    assert (
        error["error"]["exceptions"][0]["error_class"] == "TABLE_FOREIGN" and "event log" in error["message"]
    )
    assert {each.name for each in shop.tables.list("main", "public")} == {"customers", "Orders"}
    published(shop, pipeline, "main.public.orders")


def test_a_server_that_is_killed_publishes_no_event_twice(api, shop, database):
    dice = random.Random(SEED)
    client = shop
    pipeline = create(client, database, event_log={"name": "log"})
    gateway = make_gateway(
        client,
        event_log=dlt.EventLogSpec(catalog="main", schema="ops", name="gateway"),
        continuous=False,
    )
    for _ in range(6):
        for _ in range(dice.randrange(1, 4)):
            client.pipelines.stop(pipeline)
            client.pipelines.stop(gateway)
        api.kill()
        # What waits is published as soon as it starts.
        api.start()
        threading.Event().wait(dice.random() * 0.04)
        api.kill()
        client = api.start().client()
    assert len(published(client, pipeline, "main.public.log")) >= 7, f"SEED={SEED}"
    assert len(published(client, gateway, "main.ops.gateway")) >= 7, f"SEED={SEED}"
