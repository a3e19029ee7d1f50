# SPDX-License-Identifier: Apache-2.0
"""What goes wrong over an ingestion gateway, and what is left of one, by the untouched databricks-sdk."""
import pytest
from databricks.sdk import errors
from databricks.sdk.service import pipelines as dlt

from contents import assert_equal
from freshet_command import wait_until
from test_api_gateways import (
    events_of,
    make_gateway,
    make_pipeline,
    over,
    publications,
    schema,
    table,
)
from test_api_pipelines import FINAL, TABLES, run, shop, wait_for  # noqa: F401


def test_a_table_that_cannot_be_read_fails_its_update_and_is_tried_by_the_next(api, shop, database):
    database.execute("CREATE VIEW shaky AS SELECT id, 10 / (customer - 11) AS share FROM orders")
    gateway = make_gateway(shop)
    pipeline = make_pipeline(shop, over(gateway, table(database, "orders"), table(database, "shaky")))
    lake = api.data / "tables" / "main"
    mend = "UPDATE orders SET customer = 12 WHERE customer = 11"
    for spoil in (None, "UPDATE orders SET customer = 11 WHERE id = 1"):
        database.execute(spoil or "SELECT 1")
        update = shop.pipelines.start_update(pipeline).update_id
        wait_for(shop, pipeline, update, "FAILED")
        event = next(
            iter(
                shop.pipelines.list_pipeline_events(
                    pipeline, filter=f"level='ERROR' AND update_id='{update}'"
                )
            )
        )
        assert "division by zero" in event.message + str(event.error and event.error.exceptions), event
        assert_equal(database.connection, lake, "public.orders")
        database.execute(mend)
        run(shop, pipeline)
        assert_equal(database.connection, lake, "public.orders", "public.shaky")


def test_a_new_table_that_is_locked_is_waited_for(api, shop, database):
    gateway = make_gateway(shop)
    pipeline = make_pipeline(shop, over(gateway, schema(database)))
    run(shop, pipeline)
    with database.another() as other:
        # As VACUUM, ANALYZE and CREATE INDEX CONCURRENTLY hold it.
        other.execute(
            "BEGIN; CREATE TABLE later (id int PRIMARY KEY, x text); INSERT INTO later VALUES (1, 'a'); COMMIT; "
            "BEGIN; LOCK TABLE later IN SHARE UPDATE EXCLUSIVE MODE"
        )
        update = shop.pipelines.start_update(pipeline).update_id

        def told():
            found = events_of(shop, gateway, "runtime_details")
            ended = shop.pipelines.get_update(pipeline, update).update.state.value in FINAL
            return ended or any("have to wait" in each["message"] for each in found)

        wait_until(told, "the gateway saying that a table is locked", 0.1)
        other.execute("ROLLBACK")
    wait_for(shop, pipeline, update)
    assert_equal(database.connection, api.data / "tables" / "main", *TABLES, "public.later")


def test_what_a_gateway_stands_on_stays(shop, database):
    gateway = make_gateway(shop, continuous=False)
    make_pipeline(shop, over(gateway, schema(database)))
    for target in ("schemas/main.staging", "catalogs/main"):
        with pytest.raises(errors.BadRequest, match="'main.staging.gateway_volume' is the staging"):
            shop.api_client.do("DELETE", f"/api/2.1/unity-catalog/{target}", query={"force": "true"})
    with pytest.raises(errors.BadRequest, match="source_catalog is elsewhere, but the pipeline 'ingest'"):
        shop.pipelines.update(
            gateway,
            name="gateway",
            gateway_definition=dlt.IngestionGatewayPipelineDefinition.from_dict(
                {
                    **shop.pipelines.get(gateway).spec.gateway_definition.as_dict(),
                    "connection_parameters": {"source_catalog": "elsewhere"},
                }
            ),
        )


def test_a_gateway_that_is_deleted_can_leave_its_slot(api, shop, database):
    gateway = make_gateway(shop)
    pipeline = make_pipeline(shop, over(gateway, schema(database)))
    run(shop, pipeline)
    shop.pipelines.delete(pipeline, cascade=False)
    assert_equal(database.connection, api.data / "tables" / "main", *TABLES)
    shop.pipelines.delete(gateway, cascade=False)
    name = database.free_slot()
    volume = shop.volumes.read("main.staging.gateway_volume")
    assert f"'{name}'" in volume.comment and publications(database)[0] in volume.comment
    assert list((api.data / "volumes" / gateway / "staging").iterdir())
    shop.volumes.delete("main.staging.gateway_volume")
    assert not list((api.data / "volumes").iterdir())
    database.execute(f"SELECT pg_drop_replication_slot('{name}')")
