# SPDX-License-Identifier: Apache-2.0
"""Who may do what: the untouched databricks-sdk as machines with few rights, over a real PostgreSQL."""
import pytest
from databricks.sdk import errors
from databricks.sdk.service import catalog as uc
from databricks.sdk.service import iam
from databricks.sdk.service import pipelines as dlt

from test_api_catalog import make_connection
from test_api_pipelines import create, definition, fill, run, shop, typed  # noqa: F401


def another(api, client, name):
    """Return a service principal and its client, which has no right yet."""
    made = client.service_principals.create(display_name=name)
    token = client.token_management.create_obo_token(made.application_id).token_value
    return made, api.client(token)


def grant(client, kind, name, principal, *privileges):
    change = uc.PermissionsChange(principal=principal, add=[uc.Privilege(each) for each in privileges])
    client.grants.update(kind, name, changes=[change])


def test_a_grant_may_come_before_whom_it_is_to(api):
    client = api.client()
    grant(client, "catalog", "main", "Analysts", "USE_CATALOG")
    made, other = another(api, client, "robot")
    assert list(other.catalogs.list()) == []
    with pytest.raises(
        errors.PermissionDenied, match="does not have USE CATALOG on Catalog 'main'. Its owner 'admin'"
    ):
        other.catalogs.get("MAIN")
    client.groups.create(display_name="analysts", members=[iam.ComplexValue(value=made.id)])
    assert [each.name for each in other.catalogs.list()] == ["main"]
    assert other.catalogs.get("main").name == "main"


def test_makers_of_pipelines_need_what_they_use(api, shop, database):
    made, other = another(api, shop, "robot")
    name = made.application_id
    wanted = {"name": "theirs", "catalog": "main", "ingestion_definition": typed(definition(database))}
    for missing, kind, what, privileges in [
        ("USE CONNECTION on Connection 'shop'", "connection", "shop", ["USE_CONNECTION"]),
        ("USE CATALOG on Catalog 'main'", "catalog", "main", ["USE_CATALOG"]),
        ("CREATE SCHEMA on Catalog 'main'", "catalog", "main", ["CREATE_SCHEMA"]),
    ]:
        with pytest.raises(errors.PermissionDenied, match=missing):
            other.pipelines.create(**wanted)
        grant(shop, kind, what, name, *privileges)
    assert list(shop.pipelines.list_pipelines()) == []
    pipeline = other.pipelines.create(**wanted).pipeline_id
    run(other, pipeline)
    assert [each.name for each in other.pipelines.list_pipelines()] == ["theirs"]
    # What it made is its own.
    assert other.tables.get("main.public.orders").pipeline_id == pipeline
    assert other.schemas.get("main.public").owner == name
    # A schema that is there asks for other rights than one that is to be made.
    shop.schemas.create("sales", "main")
    elsewhere = definition(database)
    elsewhere["objects"][0]["schema"]["destination_schema"] = "sales"
    second = {"name": "second", "catalog": "main", "ingestion_definition": typed(elsewhere)}
    for missing, privilege in [("USE SCHEMA", "USE_SCHEMA"), ("CREATE TABLE", "CREATE_TABLE")]:
        with pytest.raises(errors.PermissionDenied, match=f"{missing} on Schema 'main.sales'"):
            other.pipelines.create(**second)
        grant(shop, "schema", "main.sales", name, privilege)
    other.pipelines.delete(other.pipelines.create(**second).pipeline_id)
    remove = uc.PermissionsChange(principal=name, remove=[uc.Privilege.USE_CONNECTION])
    shop.grants.update("connection", "shop", changes=[remove])
    with pytest.raises(errors.PermissionDenied, match="runs as .* does not have USE CONNECTION"):
        shop.pipelines.start_update(pipeline)
    other.pipelines.delete(pipeline)
    with pytest.raises(errors.NotFound):
        shop.pipelines.get(pipeline)


def test_levels_of_a_pipeline(api, shop, database):
    made, other = another(api, shop, "robot")
    pipeline = create(shop, database)

    def give(level):
        shop.permissions.update(
            "pipelines",
            pipeline,
            access_control_list=[
                iam.AccessControlRequest(
                    service_principal_name=made.application_id, permission_level=iam.PermissionLevel(level)
                )
            ],
        )

    assert list(other.pipelines.list_pipelines()) == []
    with pytest.raises(errors.PermissionDenied, match="does not have CAN_VIEW on pipeline 'ingest'"):
        other.pipelines.get(pipeline)
    give("CAN_VIEW")
    assert other.pipelines.get(pipeline).name == "ingest"
    assert list(other.pipelines.list_pipeline_events(pipeline))
    with pytest.raises(errors.PermissionDenied, match="CAN_RUN"):
        other.pipelines.start_update(pipeline)
    give("CAN_RUN")
    run(other, pipeline)
    with pytest.raises(errors.PermissionDenied, match="CAN_MANAGE"):
        other.pipelines.delete(pipeline)
    with pytest.raises(errors.PermissionDenied, match="CAN_MANAGE"):
        other.pipelines.set_permissions(pipeline)
    give("CAN_MANAGE")
    # To lead it somewhere takes the rights there.
    with pytest.raises(errors.PermissionDenied, match="USE CONNECTION"):
        other.pipelines.update(pipeline, name="x", ingestion_definition=typed(definition(database)))
    acl = other.pipelines.get_permissions(pipeline)
    assert acl.object_id == f"/pipelines/{pipeline}"
    owner = next(entry for entry in acl.access_control_list if entry.user_name == "admin")
    assert owner.all_permissions[0].permission_level == dlt.PipelinePermissionLevel.IS_OWNER
    levels = other.pipelines.get_permission_levels(pipeline).permission_levels
    assert [each.permission_level.value for each in levels] == [
        "CAN_VIEW",
        "CAN_RUN",
        "CAN_MANAGE",
        "IS_OWNER",
    ]
    take = dlt.PipelineAccessControlRequest(
        service_principal_name=made.application_id, permission_level=dlt.PipelinePermissionLevel.IS_OWNER
    )
    with pytest.raises(errors.PermissionDenied, match="IS_OWNER"):
        other.pipelines.update_permissions(pipeline, access_control_list=[take])
    shop.pipelines.set_permissions(pipeline, access_control_list=[take])
    assert len(shop.pipelines.get_permissions(pipeline).access_control_list) == 2
    other.pipelines.delete(pipeline)


def test_connections_are_seen_and_tested_by_those_who_may_use_them(api, server, database):
    client = api.client()
    fill(database)
    made, other = another(api, client, "robot")
    with pytest.raises(errors.PermissionDenied, match="CREATE CONNECTION on Metastore"):
        make_connection(other, server)
    make_connection(client, server)
    assert list(other.connections.list()) == []
    test = "/api/2.1/unity-catalog/connections/shop/test"
    with pytest.raises(errors.PermissionDenied, match="USE CONNECTION"):
        other.api_client.do("POST", test, body={"source_catalog": database.name})
    grant(client, "connection", "shop", made.application_id, "USE_CONNECTION")
    assert other.api_client.do("POST", test, body={"source_catalog": database.name})["passed"]
    assert [each.name for each in other.connections.list()] == ["shop"]
    for change in [
        lambda: other.connections.delete("shop"),
        lambda: other.connections.update("shop", options={}),
    ]:
        with pytest.raises(errors.PermissionDenied, match="MANAGE"):
            change()
    with pytest.raises(errors.PermissionDenied, match="MANAGE"):
        grant(other, "connection", "shop", made.application_id, "ALL_PRIVILEGES")
    metastore = client.metastores.summary().metastore_id
    grant(client, "metastore", metastore, made.application_id, "CREATE_CONNECTION")
    made = make_connection(other, server, name="own")
    assert made.owner and {each.name for each in other.connections.list()} == {"own", "shop"}
    other.connections.delete("own")
