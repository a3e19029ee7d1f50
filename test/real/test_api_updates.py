# SPDX-License-Identifier: Apache-2.0
"""Which tables updates bring up to date, and when pipelines are begun anew, over a real PostgreSQL."""
import datetime
import sqlite3

import pytest
from databricks.sdk import errors

from contents import assert_equal, data_versions
from freshet_command import group_members, wait_until
from test_api_gateways import RUNNING, make_gateway, make_pipeline, over, schema, wait_for_state
from test_api_pipelines import TABLES, change, create, equal, run, shop  # noqa: F401


def flow_statuses(client, pipeline, update):
    """(flow, status) of an update's flows, the newest first."""
    events = client.api_client.do(
        "GET",
        f"/api/2.0/pipelines/{pipeline}/events",
        query={"filter": f"event_type = 'flow_progress' AND update_id = '{update}'"},
    )["events"]
    return [(each["origin"]["flow_name"], each["details"]["flow_progress"]["status"]) for each in events]


def check_selection(client, database, lake, pipeline):
    """Updates of some tables leave the others as they are, and lose nothing of them; the next one brings all."""
    before = data_versions(lake)

    def others_are_as_they_were():
        after = data_versions(lake)
        return after["public/customers"] == before["public/customers"] and "public/late" not in after

    change(database)
    database.execute(
        "UPDATE customers SET name = name || '!'; DELETE FROM customers WHERE id > 90; "
        "CREATE TABLE late (id bigint PRIMARY KEY); INSERT INTO late VALUES (1)"
    )
    some = run(client, pipeline, refresh_selection=["main.Public.ORDERS"])
    assert some.refresh_selection == ["main.Public.ORDERS"]
    assert_equal(database.connection, lake, "public.orders")
    assert others_are_as_they_were()
    told = flow_statuses(client, pipeline, some.update_id)
    assert told[0] == ("public.orders", "COMPLETED")
    assert [each for each in told if each[0] != "public.orders"] == [("public.customers", "EXCLUDED")]

    database.execute(
        "UPDATE customers SET name = name || '?' WHERE id < 50; DELETE FROM orders WHERE id < 100"
    )
    run(client, pipeline, full_refresh_selection=["orders"])
    assert_equal(database.connection, lake, "public.orders")
    assert others_are_as_they_were()
    run(client, pipeline)
    assert_equal(database.connection, lake, *TABLES, "public.late")


def test_an_update_of_some_tables_leaves_the_others_as_they_are(api, shop, database):
    pipeline = create(shop, database)
    with pytest.raises(errors.BadRequest, match="refresh_selection: no table of the pipeline is orders"):
        shop.pipelines.start_update(pipeline, refresh_selection=["orders"])  # known once it was ingested
    run(shop, pipeline)
    check_selection(shop, database, api.data / "tables" / "main", pipeline)


def test_so_it_does_over_a_gateway(api, shop, database):
    pipeline = make_pipeline(shop, over(make_gateway(shop), schema(database)))
    run(shop, pipeline)
    check_selection(shop, database, api.data / "tables" / "main", pipeline)


def test_pipelines_are_begun_anew_in_their_windows(api, shop, database):
    # It has been open for two to three hours, and is for two more.
    hour = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=2)).hour
    window = {"start_hour": hour}
    body = {"name": "gateway", "continuous": True, "restart_window": window}
    body["gateway_definition"] = {
        "connection_name": "shop",
        "gateway_storage_catalog": "main",
        "gateway_storage_schema": "staging",
    }
    gateway = shop.api_client.do("POST", "/api/2.0/pipelines", body=body)["pipeline_id"]
    body = {"name": "ingest", "catalog": "main", "continuous": True, "restart_window": window}
    body["ingestion_definition"] = over(gateway, schema(database))
    pipeline = shop.api_client.do("POST", "/api/2.0/pipelines", body=body)["pipeline_id"]
    lake = api.data / "tables" / "main"
    wait_until(lambda: equal(database, lake), "the tables", 0.5)
    first = {each: shop.pipelines.get(each).latest_updates[0].update_id for each in (gateway, pipeline)}

    # They began within the window; had they begun a day before, they would be due.
    group = api.process.pid
    api.kill()
    wait_until(lambda: not group_members(group), "the end of its processes")
    with sqlite3.connect(api.data / "freshet.db") as names:
        names.execute("UPDATE updates SET created_at = created_at - 86400000")
    names.close()
    client = api.start().client()

    def begun_anew(each):
        latest, *former = client.pipelines.list_updates(each).updates
        return latest.update_id != first[each] and latest.state.value == "RUNNING" and (latest, former)

    for each in (gateway, pipeline):
        latest, former = wait_until(lambda each=each: begun_anew(each), f"{each} begun anew", 0.1)
        assert latest.cause.value == "INFRASTRUCTURE_MAINTENANCE"
        assert [(old.update_id, old.state.value) for old in former] == [(first[each], "CANCELED")]
    change(database)
    wait_until(lambda: equal(database, lake), "the changes", 0.5)
    wait_for_state(client, gateway, RUNNING)
    for each in (gateway, pipeline):
        assert len(client.pipelines.list_updates(each).updates) == 2
