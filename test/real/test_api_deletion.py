# SPDX-License-Identifier: Apache-2.0
"""What a pipeline's deletion takes with it, and what it never does: the tables of others."""
import json
import os

import pytest
from databricks.sdk import errors

from contents import assert_equal
from test_api_pipelines import TABLES, change, create, definition, run, shop, typed, wait_for  # noqa: F401


def plant(folder):
    """Make a Delta table of another program; return its files."""
    (folder / "_delta_log").mkdir(parents=True)
    schema = {
        "type": "struct",
        "fields": [{"name": "x", "type": "long", "nullable": True, "metadata": {}}],
    }
    lines = [
        {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}},
        {
            "metaData": {
                "id": "a",
                "format": {"provider": "parquet", "options": {}},
                "schemaString": json.dumps(schema),
                "partitionColumns": [],
                "configuration": {},
                "createdTime": 1,
            }
        },
    ]
    log = folder / "_delta_log" / "00000000000000000000.json"
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "part-0.parquet").write_bytes(os.urandom(1000))
    return files_in(folder)


def files_in(folder):
    return {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_a_table_of_another_survives_the_deletion(api, shop, database, tmp_path):
    lake = tmp_path / "lake"
    planted = plant(lake / "sales" / "orders")
    shop.catalogs.create("lake", storage_root=f"file://{lake}")
    changed = definition(database)
    changed["objects"][0]["schema"].update(destination_catalog="lake", destination_schema="sales")
    pipeline = create(shop, database, catalog="lake", ingestion_definition=changed)
    for _ in range(2):
        update = shop.pipelines.start_update(pipeline).update_id
        wait_for(shop, pipeline, update, "FAILED")
        # The other table is ingested all the same, and it alone is the pipeline's.
        assert [each.name for each in shop.tables.list("lake", "sales")] == ["customers"]
        assert (lake / "sales" / "customers" / "_delta_log").exists()
    shop.pipelines.delete(pipeline)
    assert files_in(lake / "sales" / "orders") == planted
    assert [each.name for each in (lake / "sales").iterdir()] == ["orders"]
    assert list(shop.tables.list("lake", "sales")) == [] and database.slots() == []


def test_a_pipelines_tables_survive_anothers_deletion(api, shop, database):
    first = create(shop, database)
    run(shop, first)
    # The catalog forgets whose they are; the tables do not.
    shop.schemas.delete("main.public", force=True)
    second = create(shop, database, name="second")
    update = shop.pipelines.start_update(second).update_id
    wait_for(shop, second, update, "FAILED")
    assert list(shop.tables.list("main", "public")) == []
    shop.pipelines.delete(second)
    lake = api.data / "tables" / "main"
    assert_equal(database.connection, lake, *TABLES)
    change(database)
    run(shop, first)
    assert_equal(database.connection, lake, *TABLES)
    assert len(list(shop.tables.list("main", "public"))) == 2
    shop.pipelines.delete(first)
    assert list((lake / "public").iterdir()) == []


def test_tables_of_earlier_destinations_go_too(api, shop, database):
    pipeline = create(shop, database)
    run(shop, pipeline)
    changed = definition(database)
    changed["objects"][0]["schema"]["destination_schema"] = "elsewhere"
    shop.pipelines.update(pipeline, name="ingest", catalog="main", ingestion_definition=typed(changed))
    shop.pipelines.delete(pipeline)
    assert list(shop.tables.list("main", "public")) == []
    assert list((api.data / "tables" / "main" / "public").iterdir()) == []


def test_a_source_that_is_gone_is_said_and_forced(api, shop, database, server):
    pipeline = create(shop, database)
    run(shop, pipeline)
    shop.connections.update("shop", options={"host": server.host, "port": "1", "sslmode": "disable"})
    with pytest.raises(errors.BadRequest, match="SOURCE_UNREACHABLE") as refused:
        shop.pipelines.delete(pipeline)
    assert refused.value.error_code == "INVALID_STATE"
    assert shop.pipelines.get(pipeline).name == "ingest" and shop.tables.exists("main.public.orders")
    shop.api_client.do("DELETE", f"/api/2.0/pipelines/{pipeline}", query={"force": "true"})
    assert list(shop.tables.list("main", "public")) == []
    assert list((api.data / "tables" / "main" / "public").iterdir()) == []
    assert not list((api.data / "pipelines").iterdir())


def test_a_stop_right_after_the_start_holds(shop, database):
    pipeline = create(shop, database)
    for _ in range(3):
        update = shop.pipelines.start_update(pipeline).update_id
        shop.pipelines.stop(pipeline)
        wait_for(shop, pipeline, update, "CANCELED")
    shop.pipelines.delete(pipeline)
