# SPDX-License-Identifier: Apache-2.0
"""The untouched databricks-sdk drives pipelines over a real PostgreSQL, from the connection to the deletion."""
import os
import pathlib
import signal
import socket

import pytest
from databricks.sdk import errors
from databricks.sdk.service import pipelines as dlt

from contents import assert_equal
from freshet_command import children, group_members, wait_until
from test_api_catalog import make_connection
from test_api_server import PLANTED

TABLES = ("public.customers", "public.orders")
FINAL = ("COMPLETED", "FAILED", "CANCELED")


def fill(database):
    database.execute(
        """
      CREATE TABLE customers (id bigint PRIMARY KEY, name text NOT NULL);
      CREATE TABLE orders (id bigint PRIMARY KEY, customer bigint, amount numeric(12,2), at timestamptz);
      INSERT INTO customers SELECT i, 'customer ' || i FROM generate_series(1, 100) i;
      INSERT INTO orders SELECT i, 1 + i % 100, i * 1.25, timestamptz '2024-01-01' + i * interval '1 s'
        FROM generate_series(1, 3000) i"""
    )


def change(database):
    database.execute(
        "UPDATE orders SET amount = amount + 1 WHERE id % 7 = 0; DELETE FROM orders WHERE id % 11 = 0; "
        "INSERT INTO orders SELECT i, 1, 0, now() FROM generate_series(10001, 10300) i"
    )


def definition(database, **more):
    return {
        "connection_name": "shop",
        "connector_type": "CDC",
        "objects": [
            {
                "schema": {
                    "source_catalog": database.name,
                    "source_schema": "public",
                    "destination_catalog": "main",
                    "destination_schema": "public",
                }
            }
        ],
        **more,
    }


def create(client, database, name="ingest", **spec):
    body = {
        "name": name,
        "catalog": "main",
        "schema": "public",
        "ingestion_definition": definition(database),
        **spec,
    }
    return client.api_client.do("POST", "/api/2.0/pipelines", body=body)["pipeline_id"]


def typed(definition):
    return dlt.IngestionPipelineDefinition.from_dict(definition)


def wait_for(client, pipeline, update, state="COMPLETED"):
    def found():
        now = client.pipelines.get_update(pipeline, update).update
        return now if now.state and now.state.value in FINAL else None

    ended = wait_until(found, f"the end of update {update}", 0.1)
    events = [event.message for event in client.pipelines.list_pipeline_events(pipeline)]
    assert ended.state.value == state, "\n".join(events)
    return ended


def run(client, pipeline, **options):
    update = client.pipelines.start_update(pipeline, **options).update_id
    return wait_for(client, pipeline, update)


def equal(database, lake):
    """Whether the tables are what their sources are by now."""
    try:
        assert_equal(database.connection, lake, *TABLES)
        return True
    except Exception:  # not yet equal, or not yet there
        return False


@pytest.fixture
def shop(api, server, database):
    """A filled database and a client that has a connection to it."""
    fill(database)
    client = api.client()
    make_connection(client, server)
    return client


def test_the_whole_life(api, shop, database):
    wanted = {"name": "ingest", "catalog": "main", "ingestion_definition": typed(definition(database))}
    dry = shop.pipelines.create(**wanted, dry_run=True)
    assert dry.pipeline_id is None and dry.effective_settings.name == "ingest"
    pipeline = shop.pipelines.create(**wanted, tags={"team": "x"}, serverless=True).pipeline_id
    found = shop.pipelines.get(pipeline)
    assert (
        found.state == dlt.PipelineState.IDLE
        and found.name == "ingest"
        and found.creator_user_name == "admin"
    )
    assert found.spec.id == pipeline and found.spec.tags == {"team": "x"} and found.spec.serverless
    sent = shop.api_client.do("GET", f"/api/2.0/pipelines/{pipeline}")["spec"]["ingestion_definition"]
    assert sent == definition(database)

    first = run(shop, pipeline)
    assert first.cause.value == "API_CALL" and first.config.name == "ingest"
    lake = api.data / "tables" / "main"
    assert_equal(database.connection, lake, *TABLES)
    change(database)
    second = run(shop, pipeline)
    assert_equal(database.connection, lake, *TABLES)

    table = shop.tables.get("main.public.orders")
    assert table.table_type.value == "STREAMING_TABLE" and table.pipeline_id == pipeline
    assert [column.name for column in table.columns] == ["id", "customer", "amount", "at"]
    assert table.storage_location == f"file://{lake}/public/orders"
    assert {each.name for each in shop.tables.list("main", "public")} == {"customers", "orders"}

    listed = shop.pipelines.list_updates(pipeline).updates
    assert [each.update_id for each in listed] == [second.update_id, first.update_id]
    assert shop.pipelines.get(pipeline).latest_updates[0].state.value == "COMPLETED"

    events = list(shop.pipelines.list_pipeline_events(pipeline, max_results=3))
    assert len(events) > 10 and len({event.id for event in events}) == len(events)
    states = [
        event.message.split()[-1].rstrip(".")
        for event in shop.pipelines.list_pipeline_events(
            pipeline,
            filter=f"update_id='{first.update_id}' AND event_type = 'update_progress'",
            order_by=["timestamp asc"],
        )
    ]
    assert states == ["INITIALIZING", "SETTING_UP_TABLES", "RUNNING", "COMPLETED"]
    raw = shop.api_client.do(
        "GET", f"/api/2.0/pipelines/{pipeline}/events", query={"filter": "event_type = 'flow_progress'"}
    )["events"]
    metrics = [event["details"]["flow_progress"].get("metrics") for event in raw]
    assert sum(each["num_upserted_rows"] for each in metrics if each) >= 3100
    assert raw[0]["origin"]["pipeline_name"] == "ingest" and raw[0]["timestamp"].endswith("Z")

    edited = {**definition(database), "table_configuration": {"scd_type": "SCD_TYPE_1"}}
    shop.pipelines.update(pipeline, name="renamed", catalog="main", ingestion_definition=typed(edited))
    assert shop.pipelines.get(pipeline).name == "renamed"
    run(shop, pipeline, full_refresh_selection=["orders"])
    assert_equal(database.connection, lake, *TABLES)

    shop.pipelines.stop_and_wait(pipeline)
    assert len(database.slots()) == 1
    shop.pipelines.delete(pipeline)
    with pytest.raises(errors.NotFound, match=f"The specified pipeline {pipeline} was not found."):
        shop.pipelines.get(pipeline)
    assert database.slots() == [] and not (lake / "public" / "orders").exists()
    assert list(shop.tables.list("main", "public")) == []
    assert not list((api.data / "pipelines").iterdir())


def test_where_a_table_comes_from_is_known(shop, database):
    pipeline = create(shop, database)
    run(shop, pipeline)

    def lineage(kind, **query):
        return shop.api_client.do("GET", f"/api/2.0/lineage-tracking/{kind}-lineage", query=query)

    (upstream,) = lineage("table", table_name="main.public.orders")["upstreams"]
    info = upstream["tableInfo"]
    assert (info["catalog_name"], info["schema_name"], info["name"]) == (database.name, "public", "orders")
    assert info["connection_name"] == "shop" and upstream["pipelineInfos"][0]["pipeline_id"] == pipeline
    (downstream,) = lineage("table", table_name=f"{database.name}.public.orders", connection_name="SHOP")[
        "downstreams"
    ]
    info = downstream["tableInfo"]
    assert (info["catalog_name"], info["schema_name"], info["name"]) == ("main", "public", "orders")
    assert downstream["pipelineInfos"][0]["pipeline_id"] == pipeline
    none = lineage("table", table_name=f"{database.name}.public.none", connection_name="shop")
    assert none == {"upstreams": [], "downstreams": []}
    (column,) = lineage("column", table_name="main.public.orders", column_name="amount")["upstream_cols"]
    assert (column["table_name"], column["name"]) == ("orders", "amount")
    with pytest.raises(errors.NotFound, match="Column 'none' does not exist"):
        lineage("column", table_name="main.public.orders", column_name="none")


def test_a_pipeline_that_is_deleted_can_leave_its_tables(api, shop, database):
    pipeline = create(shop, database)
    run(shop, pipeline)
    shop.pipelines.delete(pipeline, cascade=False)
    assert database.slots() == []
    assert_equal(database.connection, api.data / "tables" / "main", *TABLES)


def test_a_connection_stays_as_long_as_a_pipeline_needs_it(shop, database):
    pipeline = create(shop, database)
    with pytest.raises(errors.ResourceConflict, match="is used by the pipeline 'ingest'"):
        shop.connections.delete("SHOP")
    with pytest.raises(errors.ResourceConflict, match="is used by the pipeline 'ingest'"):
        shop.connections.update("shop", options={"host": "h"}, new_name="store")
    assert shop.connections.get("shop").options["host"] != "h"
    shop.pipelines.delete(pipeline)
    shop.connections.delete("shop")


def sockets_of(process):
    found = set()
    for descriptor in pathlib.Path(f"/proc/{process}/fd").iterdir():
        try:
            name = os.readlink(descriptor)
        except FileNotFoundError:  # closed meanwhile
            continue
        if name.startswith("socket:"):
            found.add(name)
    return found


def test_what_a_run_writes_and_holds_is_its_owners(api, shop, database):
    host, port = api.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as held:
        held.sendall(b"POST /x HTTP/1.1\r\n")
        pipeline = create(shop, database, continuous=True)
        wait_until(lambda: shop.tables.exists("main.public.orders").table_exists, "the table")
        (worker,) = children(api.process.pid)
        assert not sockets_of(worker) & sockets_of(api.process.pid)
    shop.pipelines.stop_and_wait(pipeline)
    for file in api.data.rglob("*"):
        if not file.is_symlink():
            assert file.stat().st_mode & 0o077 == 0, (file, oct(file.stat().st_mode))


def test_what_cannot_be_is_refused_by_name(shop, database):
    def refused(why, exception=errors.BadRequest, **spec):
        with pytest.raises(exception, match=why):
            create(shop, database, **spec)

    def with_object(**fields):
        changed = definition(database)
        changed["objects"][0]["schema"].update(fields)
        return changed

    refused("a pipeline has one", gateway_definition={"connection_name": "shop"})
    refused("notifications is not supported yet", notifications=[{"alerts": ["on-update-failure"]}])
    refused("libraries is not supported yet", libraries=[{"notebook": {"path": "/x"}}])
    refused("continous is not a field", continous=True)
    refused("is not true or false", continuous="yes")

    def without(name):
        changed = definition(database)
        del changed["objects"][0]["schema"][name]
        return changed

    refused("destination_catalog is not a text", ingestion_definition=with_object(destination_catalog=""))
    refused("destination_catalog is missing", ingestion_definition=without("destination_catalog"))
    refused("source_catalog is missing", ingestion_definition=without("source_catalog"))
    refused(
        "row_filter is not supported",
        ingestion_definition=with_object(table_configuration={"row_filter": "x"}),
    )
    refused(
        "both connection_name and ingestion_gateway_id",
        ingestion_definition=definition(database, ingestion_gateway_id="x"),
    )
    refused("is not a field of the spec", ingestion_definition=definition(database, objcts=[]))
    refused(
        "Connection 'none' does not exist",
        errors.NotFound,
        ingestion_definition=definition(database, connection_name="none"),
    )
    refused(
        "Catalog 'none' does not exist",
        errors.NotFound,
        ingestion_definition=with_object(destination_catalog="none"),
    )
    refused("is nobody that there is", run_as={"user_name": "root"})
    assert list(shop.pipelines.list_pipelines()) == []


def test_dry_runs_doubles_and_filters_that_are_none(shop, database):
    dry = shop.api_client.do(
        "POST",
        "/api/2.0/pipelines",
        body={
            "name": "dry",
            "dry_run": True,
            "catalog": "main",
            "ingestion_definition": definition(database),
        },
    )
    assert dry["effective_settings"]["name"] == "dry" and "dry_run" not in dry["effective_settings"]
    pipeline = create(shop, database)
    with pytest.raises(errors.ResourceConflict):
        create(shop, database)
    with pytest.raises(errors.BadRequest, match="rewind_spec is not supported yet"):
        shop.api_client.do("POST", f"/api/2.0/pipelines/{pipeline}/updates", body={"rewind_spec": {"x": 1}})
    for filter in [
        "level = 'ERROR' OR 1=1",
        "name = 'x'",
        "timestamp > 'yesterday'",
        "level = 'x",
        "level ' = '",
    ]:
        with pytest.raises(errors.BadRequest, match="filter"):
            list(shop.pipelines.list_pipeline_events(pipeline, filter=filter))
    with pytest.raises(errors.ResourceConflict, match="was modified since"):
        shop.pipelines.update(
            pipeline,
            name="late",
            ingestion_definition=typed(definition(database)),
            expected_last_modified=shop.pipelines.get(pipeline).last_modified - 1,
        )
    with pytest.raises(errors.NotFound, match="The specified update none was not found."):
        shop.pipelines.get_update(pipeline, "none")


def test_lists_are_filtered_ordered_and_paged(shop, database):
    ids = [create(shop, database, name=f"p{number}") for number in (2, 0, 1)]
    assert [each.name for each in shop.pipelines.list_pipelines(max_results=1)] == ["p0", "p1", "p2"]
    assert [each.name for each in shop.pipelines.list_pipelines(order_by=["name desc"])] == ["p2", "p1", "p0"]
    by_id = [each.pipeline_id for each in shop.pipelines.list_pipelines(order_by=["id asc"], max_results=2)]
    assert by_id == sorted(ids)
    assert [each.name for each in shop.pipelines.list_pipelines(filter="name LIKE '%1'")] == ["p1"]
    for wrong in [{"max_results": 101}, {"filter": "name LIKE 'x' OR 1=1"}, {"order_by": ["spec asc"]}]:
        with pytest.raises(errors.BadRequest):
            list(shop.pipelines.list_pipelines(**wrong))


def test_one_update_at_a_time_and_it_can_be_stopped(api, shop, database):
    pipeline = create(shop, database, continuous=True)
    # It starts by itself, and says so.
    wait_until(lambda: shop.pipelines.get(pipeline).state == dlt.PipelineState.RUNNING, "RUNNING")
    with pytest.raises(errors.ResourceConflict, match="An active update"):
        shop.pipelines.start_update(pipeline)
    lake = api.data / "tables" / "main"
    wait_until(lambda: shop.tables.exists("main.public.orders").table_exists, "the table")
    change(database)
    wait_until(lambda: equal(database, lake), "equal tables", 0.2)
    shop.pipelines.stop_and_wait(pipeline)
    assert shop.pipelines.get(pipeline).latest_updates[0].state.value == "CANCELED"
    assert children(api.process.pid) == []


def test_a_killed_server_goes_on_by_itself(api, shop, database):
    pipeline = create(shop, database, continuous=True)
    wait_until(lambda: shop.tables.exists("main.public.orders").table_exists, "the table")
    update = shop.pipelines.get(pipeline).latest_updates[0].update_id
    for _ in range(2):
        group = api.process.pid
        api.kill()
        wait_until(lambda: not group_members(group), "the end of its processes")
        change_more = "INSERT INTO customers SELECT max(id) + 1, 'late' FROM customers"
        database.execute(change_more)
        client = api.start().client()
        assert [each.update_id for each in client.pipelines.list_updates(pipeline).updates] == [update]
    lake = api.data / "tables" / "main"
    wait_until(lambda: equal(database, lake), "equal tables", 0.2)
    # A server that ends in good order leaves it under way too.
    assert api.stop() == 0
    client = api.start().client()
    wait_until(lambda: client.pipelines.get(pipeline).state == dlt.PipelineState.RUNNING, "RUNNING")
    client.pipelines.stop_and_wait(pipeline)


def test_a_planted_secret_is_in_nothing_that_a_run_leaves(api, shop, database):
    shop.connections.update(
        "shop",
        options={
            "host": database.server.host,
            "port": str(database.server.port),
            "sslmode": "disable",
            "password": PLANTED,
        },
    )
    pipeline = create(shop, database, continuous=True)
    wait_until(lambda: shop.tables.exists("main.public.orders").table_exists, "the table")
    for process in group_members(api.process.pid):
        for file in ("cmdline", "environ"):
            try:
                assert PLANTED.encode() not in pathlib.Path(f"/proc/{process}/{file}").read_bytes(), file
            except (FileNotFoundError, ProcessLookupError):
                pass
    told = str(shop.api_client.do("GET", f"/api/2.0/pipelines/{pipeline}/events"))
    told += str(shop.api_client.do("GET", f"/api/2.0/pipelines/{pipeline}"))
    shop.pipelines.stop_and_wait(pipeline)
    assert PLANTED not in told and api.stop() == 0
    assert PLANTED not in api.log_text()
    for file in api.data.rglob("*"):
        assert not file.is_file() or PLANTED.encode() not in file.read_bytes(), file


def test_what_fails_says_why(api, shop, database, server):
    pipeline = create(shop, database)
    shop.connections.update("shop", options={"host": server.host, "port": "1", "sslmode": "disable"})
    update = shop.pipelines.start_update(pipeline).update_id
    wait_for(shop, pipeline, update, "FAILED")
    event = next(iter(shop.pipelines.list_pipeline_events(pipeline, filter="level='ERROR'")))
    assert event.origin.update_id == update and "SOURCE_UNREACHABLE" in event.error.exceptions[0].message
    assert shop.pipelines.get(pipeline).health.value == "UNHEALTHY"
    # Mended, the same pipeline goes on.
    shop.connections.update(
        "shop", options={"host": server.host, "port": str(server.port), "sslmode": "disable"}
    )
    run(shop, pipeline, validate_only=True)
    assert database.slots() == []
    run(shop, pipeline)
    assert_equal(database.connection, api.data / "tables" / "main", *TABLES)


def one_table(database, source, destination):
    """A definition of a single table."""
    return {
        **definition(database),
        "objects": [
            {
                "table": {
                    "source_catalog": database.name,
                    "source_schema": "public",
                    "source_table": source,
                    "destination_catalog": "main",
                    "destination_schema": "public",
                    "destination_table": destination,
                }
            }
        ],
    }


def test_pipelines_share_a_schema_but_no_table(api, shop, database):
    lake = api.data / "tables" / "main"
    both = [
        create(shop, database, name=name, ingestion_definition=one_table(database, name, name))
        for name in ("customers", "orders")
    ]
    for _ in range(2):
        updates = [shop.pipelines.start_update(pipeline).update_id for pipeline in both]
        for pipeline, update in zip(both, updates):
            wait_for(shop, pipeline, update)
        assert_equal(database.connection, lake, *TABLES)
        database.execute("UPDATE orders SET amount = amount + 1; DELETE FROM customers WHERE id % 9 = 0")
    # A third that would write one of their tables fails, and leaves it as it is; its own table is
    # ingested all the same.
    taken = one_table(database, "customers", "Orders")
    taken["objects"] += one_table(database, "orders", "more")["objects"]
    third = create(shop, database, name="third", ingestion_definition=taken)
    before = sorted(file.name for file in (lake / "public" / "orders" / "_delta_log").iterdir())
    update = shop.pipelines.start_update(third).update_id
    wait_for(shop, third, update, "FAILED")
    event = next(iter(shop.pipelines.list_pipeline_events(third, filter="level='ERROR'")))
    assert "TABLE_FOREIGN" in event.error.exceptions[0].message
    assert sorted(file.name for file in (lake / "public" / "orders" / "_delta_log").iterdir()) == before
    assert shop.tables.get("main.public.more").pipeline_id == third
    assert shop.tables.get("main.public.orders").pipeline_id == both[1]
    shop.pipelines.delete(third)
    for pipeline in both:
        run(shop, pipeline)
    assert_equal(database.connection, lake, *TABLES)


def test_a_killed_run_goes_on_in_the_same_update(api, shop, database):
    pipeline = create(shop, database, continuous=True)
    wait_until(lambda: shop.tables.exists("main.public.orders").table_exists, "the table")
    update = shop.pipelines.get(pipeline).latest_updates[0].update_id
    for sign in (signal.SIGKILL, signal.SIGTERM):
        (process,) = children(api.process.pid)
        os.kill(process, sign)
        change_more = "INSERT INTO customers SELECT max(id) + 1, 'late' FROM customers"
        database.execute(change_more)
        wait_until(lambda: children(api.process.pid) not in ([], [process]), "another run")
        wait_until(lambda: equal(database, api.data / "tables" / "main"), "equal tables", 0.2)
    latest = shop.pipelines.get(pipeline).latest_updates
    assert [(each.update_id, each.state.value) for each in latest] == [(update, "RUNNING")]
    shop.pipelines.stop_and_wait(pipeline)
