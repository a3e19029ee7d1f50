# SPDX-License-Identifier: Apache-2.0
"""The untouched databricks-sdk drives ingestion gateways and the pipelines over them, over a real PostgreSQL."""
import os
import signal

import pytest
from databricks.sdk import errors
from databricks.sdk.service import pipelines as dlt

from contents import assert_equal, data_versions, duckdb_connection, table_path
from freshet_command import children, group_members, wait_until
from test_api_pipelines import TABLES, equal, run, shop, typed, wait_for  # noqa: F401

RUNNING, IDLE = dlt.PipelineState.RUNNING, dlt.PipelineState.IDLE


def make_gateway(client, name="gateway", **more):
    """A gateway that runs as soon as it is made, unless `continuous` says otherwise."""
    spec = {"continuous": True, **more}
    return client.pipelines.create(
        name=name,
        gateway_definition=dlt.IngestionGatewayPipelineDefinition(
            connection_name="shop",
            gateway_storage_catalog="main",
            gateway_storage_schema="staging",
            gateway_storage_name=f"{name}_volume",
        ),
        **spec,
    ).pipeline_id


def schema(database, source="public", destination="public", **more):
    return {
        "schema": {
            "source_catalog": database.name,
            "source_schema": source,
            "destination_catalog": "main",
            "destination_schema": destination,
            **more,
        }
    }


def table(database, name, destination="public", **more):
    found = schema(database, destination=destination, source_table=name, **more)
    return {"table": found["schema"]}


def over(gateway, *objects, **more):
    return {"ingestion_gateway_id": gateway, "objects": list(objects), **more}


def make_pipeline(client, definition, name="ingest", **more):
    return client.pipelines.create(
        name=name, catalog="main", ingestion_definition=typed(definition), **more
    ).pipeline_id


def wait_for_state(client, pipeline, state):
    wait_until(lambda: client.pipelines.get(pipeline).state == state, f"{pipeline} being {state}", 0.1)


def events_of(client, pipeline, kind):
    return client.api_client.do(
        "GET", f"/api/2.0/pipelines/{pipeline}/events", query={"filter": f"event_type = '{kind}'"}
    )["events"]


def states_of(client, pipeline, update):
    """The states that an update took, in their order."""
    return [
        event.message.split()[-1].rstrip(".")
        for event in client.pipelines.list_pipeline_events(
            pipeline,
            filter=f"update_id='{update}' AND event_type = 'update_progress'",
            order_by=["timestamp asc"],
        )
    ]


def slot_names(database):
    """Those that stay: snapshots are taken through others, which their sessions end."""
    return [name for name, _, temporary in database.slots() if not temporary]


def publications(database):
    return [row[0] for row in database.rows("SELECT pubname FROM pg_publication")]


def change_some(database):
    database.execute(
        "UPDATE orders SET amount = amount + 1 WHERE id % 7 = 0; DELETE FROM orders WHERE id % 11 = 0; "
        "INSERT INTO orders SELECT m + i, 1, 0, now() FROM (SELECT max(id) AS m FROM orders) t, generate_series(1, 50) i; "
        "UPDATE customers SET name = name || '.' WHERE id % 5 = 0"
    )


def check_dry_run(client):
    definition = {
        "connection_name": "shop",
        "gateway_storage_catalog": "main",
        "gateway_storage_schema": "staging",
    }
    dry = client.api_client.do(
        "POST",
        "/api/2.0/pipelines",
        body={"name": "gateway", "dry_run": True, "gateway_definition": definition},
    )
    assert dry["effective_settings"]["gateway_definition"] == definition
    assert list(client.pipelines.list_pipelines()) == []


def targets(events):
    return {each["details"]["operation_progress"]["cdc_snapshot"]["target_table_name"] for each in events}


def check_events(client, database, gateway, pipeline):
    """Both stages are in the pipeline's log; the gateway has its own."""

    # The gateway's are told to the update that runs when they come, or to the last one.
    def read():
        snapshots = events_of(client, pipeline, "operation_progress")
        ended = [each for each in snapshots if each["details"]["operation_progress"]["status"] == "COMPLETED"]
        assert all(each["origin"].get("update_id") for each in snapshots)
        return targets(ended) == set(TABLES)

    wait_until(read, "the ends of all snapshots in the log", 0.1)
    flows = [each["details"]["flow_progress"] for each in events_of(client, pipeline, "flow_progress")]
    assert sum(each.get("metrics", {}).get("num_upserted_rows", 0) for each in flows) >= 3100
    own = events_of(client, gateway, "flow_progress")
    assert {each["origin"]["pipeline_type"] for each in own} == {"INGESTION_GATEWAY"}
    names = {each["origin"]["flow_name"] for each in own}
    assert {
        f"{database.name}.public.orders_snapshot_flow",
        f"{database.name}.public.orders_cdc_flow",
    } <= names


def check_killed_server(api, client, database, gateway, pipeline):
    """The gateway goes on by itself, in the same update, with the same slot. Return a new client."""
    slots = slot_names(database)
    capturing = client.pipelines.get(gateway).latest_updates[0].update_id
    group = api.process.pid
    api.kill()
    wait_until(lambda: not group_members(group), "the end of its processes")
    change_some(database)
    client = api.start().client()
    wait_for_state(client, gateway, RUNNING)
    run(client, pipeline)
    assert [each.update_id for each in client.pipelines.list_updates(gateway).updates] == [capturing]
    assert slot_names(database) == slots and len(slots) == 1
    return client


def check_counters(client, database, gateway):
    """What was captured of a table is told by the gateway's end."""
    flow = f"{database.name}.public.orders_cdc_flow"
    told = [
        each["details"]["flow_progress"]
        for each in events_of(client, gateway, "flow_progress")
        if each["origin"]["flow_name"] == flow and each["level"] == "METRICS"
    ]
    for counter in ("num_upserted_rows", "num_deleted_rows", "num_output_bytes"):
        assert sum(each["metrics"][counter] for each in told) > 0, told
    assert all(each["streaming_metrics"]["event_time"]["max"].endswith("Z") for each in told), told


def check_stopped_gateway(client, database, gateway, pipeline):
    client.pipelines.stop_and_wait(gateway)
    assert client.pipelines.get(gateway).latest_updates[0].state.value == "CANCELED"
    check_counters(client, database, gateway)
    failed = client.pipelines.start_update(pipeline).update_id
    wait_for(client, pipeline, failed, "FAILED")
    event = next(iter(client.pipelines.list_pipeline_events(pipeline, filter="level='ERROR'")))
    assert "does not run" in event.message and "Start it" in event.error.exceptions[0].message
    change_some(database)
    client.pipelines.start_update(gateway)
    run(client, pipeline)


def check_deletion(api, client, database, gateway, pipeline):
    with pytest.raises(errors.ResourceConflict, match="is used by the pipeline 'ingest'"):
        client.pipelines.delete(gateway)
    client.pipelines.delete(pipeline)
    assert list((api.data / "tables" / "main" / "public").iterdir()) == [] and len(slot_names(database)) == 1
    client.pipelines.delete(gateway)
    wait_until(lambda: database.slots() == [], "the end of the slots")
    assert publications(database) == []
    with pytest.raises(errors.NotFound):
        client.volumes.read("main.staging.gateway_volume")
    assert not list((api.data / "volumes").iterdir()) and not list((api.data / "pipelines").iterdir())


def test_the_whole_life(api, shop, database):
    lake = api.data / "tables" / "main"
    check_dry_run(shop)
    gateway = make_gateway(shop)
    # The staging volume is there as soon as the gateway is; it runs although nobody asks for anything yet.
    volume = shop.volumes.read("main.staging.gateway_volume")
    assert volume.storage_location.startswith(f"file://{api.data}/volumes/")
    wait_for_state(shop, gateway, RUNNING)
    assert children(api.process.pid) == [] and database.slots() == []

    pipeline = make_pipeline(shop, over(gateway, schema(database)))
    found = shop.pipelines.get(pipeline)
    assert found.state == IDLE and found.spec.ingestion_definition.ingestion_gateway_id == gateway
    assert shop.pipelines.get(gateway).spec.gateway_definition.gateway_storage_name == "gateway_volume"
    first = run(shop, pipeline).update_id
    assert_equal(database.connection, lake, *TABLES)
    states = states_of(shop, pipeline, first)
    assert states[-4:] == ["INITIALIZING", "SETTING_UP_TABLES", "RUNNING", "COMPLETED"]
    assert states[:-4] in ([], ["WAITING_FOR_RESOURCES"])

    # Live changes, and one update after the other brings what was committed before it.
    for _ in range(3):
        change_some(database)
        run(shop, pipeline)
        assert_equal(database.connection, lake, *TABLES)
    assert shop.tables.get("main.public.orders").pipeline_id == pipeline
    assert shop.pipelines.get(gateway).state == RUNNING
    check_events(shop, database, gateway, pipeline)

    # A full refresh of one table reads that table, and no other; the others wait for the next update.
    database.execute("UPDATE customers SET name = name || '!'")
    customers = data_versions(lake)["public/customers"]
    again = run(shop, pipeline, full_refresh_selection=["orders"]).update_id
    assert_equal(database.connection, lake, "public.orders")
    assert data_versions(lake)["public/customers"] == customers
    run(shop, pipeline, refresh_selection=["CUSTOMERS"])
    assert_equal(database.connection, lake, *TABLES)
    snapshots = events_of(shop, pipeline, "operation_progress")
    assert targets(each for each in snapshots if each["origin"]["update_id"] == again) <= {"public.orders"}

    client = check_killed_server(api, shop, database, gateway, pipeline)
    assert_equal(database.connection, lake, *TABLES)
    check_stopped_gateway(client, database, gateway, pipeline)
    assert_equal(database.connection, lake, *TABLES)
    check_deletion(api, client, database, gateway, pipeline)


def test_an_update_waits_for_its_gateway(api, shop, database):
    gateway = make_gateway(shop, continuous=False)
    assert shop.pipelines.get(gateway).state == IDLE
    pipeline = make_pipeline(shop, over(gateway, schema(database)))
    update = shop.pipelines.start_update(pipeline).update_id
    wait_for(shop, pipeline, update, "FAILED")
    # A gateway needs no `continuous` to stay up once it is started.
    shop.connections.update("shop", options={"host": database.server.host, "port": "1", "sslmode": "disable"})
    shop.pipelines.start_update(gateway)
    wait_for_state(shop, gateway, RUNNING)
    with pytest.raises(errors.ResourceConflict, match="An active update"):
        shop.pipelines.start_update(gateway)
    update = shop.pipelines.start_update(pipeline).update_id

    def waits():
        now = shop.pipelines.get_update(pipeline, update).update.state
        return now is not None and now.value == "WAITING_FOR_RESOURCES"

    wait_until(waits, "the update waiting", 0.1)
    # Its source can be reached by now: it goes on by itself, and so does who waited.
    shop.connections.update(
        "shop",
        options={"host": database.server.host, "port": str(database.server.port), "sslmode": "disable"},
    )
    wait_for(shop, pipeline, update)
    assert_equal(database.connection, api.data / "tables" / "main", *TABLES)
    states = states_of(shop, pipeline, update)
    assert states == ["WAITING_FOR_RESOURCES", "INITIALIZING", "SETTING_UP_TABLES", "RUNNING", "COMPLETED"]


def test_several_pipelines_share_a_gateway(api, shop, database):
    lake = api.data / "tables" / "main"
    gateway = make_gateway(shop)
    current = make_pipeline(shop, over(gateway, schema(database)), name="current")
    run(shop, current)
    # One that is made later has the same table once more, as a history, in a place of its own.
    history = make_pipeline(
        shop,
        over(gateway, table(database, "orders", "past", table_configuration={"scd_type": "SCD_TYPE_2"})),
        name="history",
    )
    run(shop, history)
    change_some(database)
    run(shop, current)
    run(shop, history)
    assert_equal(database.connection, lake, *TABLES)
    versions, current_rows = (
        duckdb_connection()
        .execute(
            f"SELECT count(*), count(*) FILTER (__END_AT IS NULL) FROM delta_scan('{table_path(lake, 'past', 'orders')}')"
        )
        .fetchone()
    )
    assert current_rows == database.value("SELECT count(*) FROM orders") < versions
    assert len(slot_names(database)) == 1 and len(publications(database)) == 1

    with pytest.raises(errors.BadRequest, match="public.orders are others in"):
        make_pipeline(
            shop,
            over(
                gateway,
                table(database, "orders", "less", table_configuration={"exclude_columns": ["amount"]}),
            ),
            name="less",
        )
    # Where another lands already, nothing is overwritten.
    taken = make_pipeline(shop, over(gateway, table(database, "orders")), name="taken")
    update = shop.pipelines.start_update(taken).update_id
    wait_for(shop, taken, update, "FAILED")
    event = next(iter(shop.pipelines.list_pipeline_events(taken, filter="level='ERROR'")))
    assert "TABLE_FOREIGN" in event.message + str(event.error and event.error.exceptions), event
    shop.pipelines.delete(taken)
    # One that goes takes only its own tables, and the others go on.
    shop.pipelines.delete(history)
    assert not (lake / "past" / "orders").exists()
    change_some(database)
    run(shop, current)
    assert_equal(database.connection, lake, *TABLES)


def test_what_is_asked_for_later_is_captured_from_then_on(api, shop, database):
    gateway = make_gateway(shop)
    pipeline = make_pipeline(shop, over(gateway, table(database, "customers")))
    run(shop, pipeline)
    lake = api.data / "tables" / "main"
    assert_equal(database.connection, lake, "public.customers")
    slots = slot_names(database)
    shop.pipelines.update(
        pipeline, name="ingest", catalog="main", ingestion_definition=typed(over(gateway, schema(database)))
    )
    # A table of the schema that is made while the gateway runs is part of the next update.
    database.execute("CREATE TABLE later (id int PRIMARY KEY, x text); INSERT INTO later VALUES (1, 'a')")
    run(shop, pipeline)
    assert_equal(database.connection, lake, *TABLES, "public.later")
    assert slot_names(database) == slots


def test_a_table_that_is_not_there_fails_alone(api, shop, database):
    gateway = make_gateway(shop)
    pipeline = make_pipeline(shop, over(gateway, table(database, "orders"), table(database, "none")))
    update = shop.pipelines.start_update(pipeline).update_id
    wait_for(shop, pipeline, update, "FAILED")
    event = next(iter(shop.pipelines.list_pipeline_events(pipeline, filter="level='ERROR'")))
    assert "NO_TABLE_MATCHES" in str(event.error.exceptions[0].message) and "public.none" in event.message
    assert_equal(database.connection, api.data / "tables" / "main", "public.orders")
    with pytest.raises(errors.BadRequest, match="no table of the pipeline is nowhere"):
        shop.pipelines.start_update(pipeline, full_refresh_selection=["nowhere"])


def test_tables_without_a_log_are_read_again_by_each_update(api, shop, database):
    database.execute(
        "CREATE TABLE loose (a int, b text); INSERT INTO loose VALUES (1, 'x'), (1, 'x'), (2, 'y')"
    )
    gateway = make_gateway(shop)
    pipeline = make_pipeline(shop, over(gateway, schema(database)))
    lake = api.data / "tables" / "main"
    run(shop, pipeline)
    assert_equal(database.connection, lake, *TABLES, "public.loose")
    database.execute("DELETE FROM loose WHERE a = 2; INSERT INTO loose VALUES (3, 'z')")
    run(shop, pipeline)
    assert_equal(database.connection, lake, *TABLES, "public.loose")


def test_a_continuous_pipeline_follows(api, shop, database):
    gateway = make_gateway(shop)
    pipeline = make_pipeline(shop, over(gateway, schema(database)), continuous=True)
    wait_for_state(shop, pipeline, RUNNING)
    lake = api.data / "tables" / "main"
    for _ in range(2):
        change_some(database)
        wait_until(lambda: equal(database, lake), "equal tables", 0.2)
    # Whatever dies is started again, and goes on in the same updates.
    updates = {each: shop.pipelines.get(each).latest_updates[0].update_id for each in (gateway, pipeline)}
    for process in children(api.process.pid):
        os.kill(process, signal.SIGKILL)
        change_some(database)
        wait_until(lambda: process not in children(api.process.pid), "its end")
    wait_until(lambda: equal(database, lake), "equal tables", 0.2)
    for each, update in updates.items():
        latest = shop.pipelines.get(each).latest_updates
        assert [(one.update_id, one.state.value) for one in latest] == [(update, "RUNNING")]
    shop.pipelines.stop_and_wait(pipeline)
    shop.pipelines.stop_and_wait(gateway)
    assert children(api.process.pid) == []


def test_what_cannot_be_is_refused_by_name(api, shop, database):
    def refused(why, exception=errors.BadRequest, **spec):
        with pytest.raises(exception, match=why):
            shop.api_client.do("POST", "/api/2.0/pipelines", body={"name": "x", **spec})

    storage = {
        "connection_name": "shop",
        "gateway_storage_catalog": "main",
        "gateway_storage_schema": "staging",
    }
    refused("gateway_storage_catalog is missing", gateway_definition={"connection_name": "shop"})
    refused("gateway_storag_name is not a field", gateway_definition={**storage, "gateway_storag_name": "v"})
    refused(
        "Connection 'none' does not exist",
        errors.NotFound,
        gateway_definition={**storage, "connection_name": "none"},
    )
    refused(
        "Catalog 'none' does not exist",
        errors.NotFound,
        gateway_definition={**storage, "gateway_storage_catalog": "none"},
    )
    refused(
        "a pipeline has one", gateway_definition=storage, ingestion_definition=over("x", schema(database))
    )
    refused(
        "pipeline none was not found", errors.NotFound, ingestion_definition=over("none", schema(database))
    )
    refused(
        "captures from the log",
        ingestion_definition=over("none", schema(database), connector_type="QUERY_BASED"),
    )
    gateway = make_gateway(shop, continuous=False)
    with pytest.raises(errors.ResourceConflict, match="Volume 'main.staging.gateway_volume' already exists"):
        make_gateway(shop, allow_duplicate_names=True)
    assert [each.pipeline_id for each in shop.pipelines.list_pipelines()] == [gateway]
    pipeline = make_pipeline(shop, over(gateway, schema(database)))
    refused("is no gateway", ingestion_definition=over(pipeline, schema(database)))
    other = schema(database)
    other["schema"]["source_catalog"] = "elsewhere"
    refused(f"the gateway's database is {database.name}", ingestion_definition=over(gateway, other))
    with pytest.raises(errors.BadRequest, match="gateway_storage_catalog and gateway_storage_schema cannot"):
        shop.pipelines.update(
            gateway,
            name="gateway",
            gateway_definition=dlt.IngestionGatewayPipelineDefinition(
                connection_name="shop",
                gateway_storage_catalog="main",
                gateway_storage_schema="elsewhere",
                gateway_storage_name="gateway_volume",
            ),
        )
    for asked in ({"full_refresh": True}, {"refresh_selection": ["orders"]}):
        with pytest.raises(errors.BadRequest, match="a gateway has no tables of its own"):
            shop.pipelines.start_update(gateway, **asked)
    with pytest.raises(errors.ResourceConflict, match="is used by the pipeline 'gateway'"):
        shop.connections.delete("shop")
    with pytest.raises(errors.BadRequest, match="is the staging of a gateway"):
        shop.volumes.delete("main.staging.gateway_volume")
    shop.pipelines.delete(pipeline)
    shop.pipelines.delete(gateway)
    shop.connections.delete("shop")
