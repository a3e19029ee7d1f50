# SPDX-License-Identifier: Apache-2.0
"""The untouched databricks-sdk against the server: who am I, connections, catalogs, grants, errors."""
import datetime

import pytest
from databricks.sdk import errors
from databricks.sdk.service import catalog as uc


def make_connection(client, server, name="shop", **options):
    return client.connections.create(
        name=name,
        connection_type=uc.ConnectionType.POSTGRESQL,
        options={
            "host": server.host,
            "port": str(server.port),
            "user": server.user,
            "password": "unused",
            "sslmode": "disable",
            **options,
        },
        comment="the shop",
    )


def test_login_and_workspace(api):
    client = api.client()
    me = client.current_user.me()
    assert me.user_name == "admin" and me.active and me.id
    workspace = client.get_workspace_id()
    assert workspace > 0
    summary = client.metastores.summary()
    assert summary.metastore_id and client.metastores.get(summary.metastore_id).name == summary.name
    assignment = client.metastores.current()
    assert (assignment.workspace_id, assignment.default_catalog_name) == (workspace, "main")
    # Both stay through a restart.
    assert api.stop() == 0
    client = api.start().client()
    assert client.get_workspace_id() == workspace
    assert client.metastores.summary().metastore_id == summary.metastore_id


def test_tokens_begin_and_end(api):
    client = api.client()
    made = client.tokens.create(comment="ci", lifetime_seconds=3600)
    second = api.client(made.token_value)
    assert second.current_user.me().user_name == "admin"
    assert {token.comment for token in client.tokens.list()} >= {"ci"}
    client.tokens.delete(made.token_info.token_id)
    with pytest.raises(errors.Unauthenticated):
        second.current_user.me()


def test_connections_live_and_die(api, server):
    client = api.client()
    made = make_connection(client, server)
    assert made.connection_type == uc.ConnectionType.POSTGRESQL and made.metastore_id
    assert made.credential_type == uc.CredentialType.USERNAME_PASSWORD
    # Who connects is no secret; the password is.
    plain = {"host": server.host, "port": str(server.port), "sslmode": "disable", "user": server.user}
    assert made.options == plain
    assert made.provisioning_info.state == uc.ProvisioningInfoState.ACTIVE
    found = client.connections.get("SHOP")
    assert found.connection_id == made.connection_id and found.full_name == "shop"
    assert datetime.datetime.fromtimestamp(found.created_at / 1000).year >= 2024
    changed = client.connections.update("shop", options={"host": "elsewhere"}, new_name="store")
    assert (
        changed.options == {"host": "elsewhere", "user": server.user}
        and changed.connection_id == made.connection_id
    )
    assert [each.name for each in client.connections.list()] == ["store"]
    with pytest.raises(errors.NotFound, match="Connection 'shop' does not exist."):
        client.connections.get("shop")
    with pytest.raises(errors.ResourceConflict):
        make_connection(client, server, name="STORE")
    with pytest.raises(errors.BadRequest, match="need the option 'host'"):
        client.connections.create("bad", uc.ConnectionType.POSTGRESQL, {"user": "u", "password": "p"})
    with pytest.raises(errors.BadRequest, match="no option 'hots'"):
        make_connection(client, server, name="bad", hots="x")
    client.connections.delete("store")
    with pytest.raises(errors.NotFound):
        client.connections.delete("store")


def test_every_type_says_what_it_takes(api):
    status, body, _ = api.request("GET", "/api/2.1/unity-catalog/connection-types")
    types = {each["connection_type"]: each for each in body["connection_types"]}
    assert status == 200
    assert types["POSTGRESQL"]["supported"] and not types["SALESFORCE"]["supported"]
    missions = "MYSQL SQLSERVER ORACLE SALESFORCE SERVICENOW WORKDAY_RAAS GA4_RAW_DATA NETSUITE SHAREPOINT CONFLUENCE"
    for name in missions.split():
        options = {option["name"] for option in types[name]["options"]}
        assert types[name]["credentials"], name
        for mode in types[name]["credentials"]:
            assert set(mode["required_options"]) <= options, name
        secrets = {option["name"] for option in types[name]["options"] if option["secret"]}
        assert secrets & {"password", "client_secret", "token_secret"}, name


def test_a_discovery_tells_what_there_is_to_ingest(api, server, database):
    database.execute(
        'CREATE TABLE good (a text, id int PRIMARY KEY); CREATE TABLE bad (id int PRIMARY KEY, "__freshet_x" int); '
        "CREATE TABLE loose (x numeric(5,2)); CREATE VIEW seen AS SELECT 1 AS one; CREATE SCHEMA other; "
        "CREATE TABLE other.far (id int PRIMARY KEY)"
    )
    make_connection(api.client(), server)
    path = "/api/2.1/unity-catalog/connections/shop/discover"
    status, body, _ = api.request("POST", path, {"source_catalog": database.name, "tables": ["public.*"]})
    assert status == 200, body
    tables = {each["source_table"]: each for each in body["tables"]}
    assert list(tables) == ["bad", "good", "loose", "seen"] and "next_page_token" not in body
    good = tables["good"]
    assert good["source_schema"] == "public" and good["ingestible"] and good["logged"]
    assert good["primary_keys"] == ["id"] and "message" not in good
    assert good["columns"] == [
        {"name": "a", "source_type": "text", "delta_type": "STRING"},
        {"name": "id", "source_type": "integer", "delta_type": "INTEGER"},
    ]
    assert not tables["bad"]["ingestible"] and tables["bad"]["error_class"] == "COLUMN_RESERVED"
    assert tables["loose"]["ingestible"] and not tables["loose"]["logged"] and tables["loose"]["remedy"]
    assert tables["loose"]["columns"][0]["delta_type"] == "DECIMAL(5,2)"
    assert tables["seen"]["by_name_only"] and not good["by_name_only"]

    status, body, _ = api.request("POST", path, {"source_catalog": database.name})
    assert {each["source_table"] for each in body["tables"]} == {*tables, "far"}
    pages, token = [], ""
    while token is not None:
        asked = {"source_catalog": database.name, "max_results": 2, "page_token": token}
        status, body, _ = api.request("POST", path, asked)
        assert status == 200, body
        pages.append([each["source_table"] for each in body["tables"]])
        token = body.get("next_page_token")
    assert pages == [["far", "bad"], ["good", "loose"], ["seen"]]
    for wrong in [{"page_token": "x"}, {"max_results": -1}]:
        assert api.request("POST", path, {"source_catalog": database.name, **wrong})[0] == 400
    status, body, _ = api.request("POST", path, {})
    assert status == 400 and "source_catalog" in body["message"]
    status, body, _ = api.request("POST", path, {"source_catalog": "no_such_database"})
    assert status == 400 and "SOURCE_DATABASE_MISSING" in str(body), body


def test_a_test_tells_everything_that_is_wrong(api, server, database):
    client = api.client()
    database.execute(
        'CREATE TABLE good (id int PRIMARY KEY); CREATE TABLE bad (id int PRIMARY KEY, "__freshet_x" int)'
    )
    make_connection(client, server)
    test = "/api/2.1/unity-catalog/connections/shop/test"
    status, body, _ = api.request("POST", test, {"source_catalog": database.name})
    assert status == 200 and body["passed"], body
    finding = next(each for each in body["findings"] if each.get("table") == "public.bad")
    assert finding["error_class"] == "COLUMN_RESERVED" and finding["remedy"] and finding["fatal"]

    status, body, _ = api.request("POST", test, {"source_catalog": "no_such_database"})
    assert status == 200 and not body["passed"]
    assert body["findings"][0]["error_class"] == "SOURCE_DATABASE_MISSING" and body["findings"][0]["remedy"]

    # A database's name is a name, and nothing that libpq would take apart.
    elsewhere = f"postgresql://{server.user}@{server.host}:{server.port}/postgres"
    status, body, _ = api.request("POST", test, {"source_catalog": elsewhere})
    assert status == 200 and not body["passed"], body

    client.connections.update("shop", options={"host": server.host, "port": "1", "sslmode": "disable"})
    status, body, _ = api.request("POST", test, {})
    assert status == 200 and body["findings"][0]["error_class"] == "SOURCE_UNREACHABLE"

    # Unless it is told otherwise, a server has to show a certificate that is good for its name.
    client.connections.update("shop", options={"host": server.host, "port": str(server.port)})
    status, body, _ = api.request("POST", test, {"source_catalog": database.name})
    assert status == 200 and body["findings"][0]["error_class"] == "SOURCE_TLS", body

    client.connections.create(
        "crm",
        uc.ConnectionType.SALESFORCE,
        {"instance_url": "https://x", "client_id": "c", "client_secret": "s"},
    )
    status, body, _ = api.request("POST", "/api/2.1/unity-catalog/connections/crm/test", {})
    assert status == 400 and "SALESFORCE" in body["message"]


def test_catalogs_schemas_and_volumes(api, tmp_path):
    client = api.client()
    assert [each.name for each in client.catalogs.list()] == ["main"]
    assert [each.full_name for each in client.schemas.list("main")] == ["main.default"]
    made = client.catalogs.create(
        "Lake", comment="c", properties={"a": "b"}, storage_root=f"file://{tmp_path}"
    )
    assert made.storage_location == f"file://{tmp_path}" and made.properties == {"a": "b"}
    schema = client.schemas.create("Sales", "lake", comment="x")
    assert (schema.name, schema.catalog_name, schema.full_name) == ("sales", "Lake", "Lake.sales")
    assert client.schemas.update("LAKE.SALES", comment="y", owner="bob").owner == "bob"
    volume = client.volumes.create("lake", "sales", "raw", uc.VolumeType.MANAGED)
    assert client.volumes.read("lake.sales.RAW").volume_id == volume.volume_id
    assert [each.name for each in client.volumes.list("lake", "sales")] == ["raw"]
    assert list(client.tables.list("lake", "sales")) == []
    assert not client.tables.exists("lake.sales.t").table_exists
    with pytest.raises(errors.BadRequest, match="is not empty"):
        client.schemas.delete("lake.sales")
    client.volumes.delete("lake.sales.raw")
    client.schemas.delete("lake.sales")
    client.catalogs.delete("lake", force=True)
    with pytest.raises(errors.NotFound, match="Catalog 'lake' does not exist."):
        client.catalogs.get("lake")


def test_no_two_places_are_one(api, tmp_path):
    client = api.client()
    (tmp_path / "lake").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "lake")
    client.catalogs.create("lake", storage_root=f"file://{tmp_path}/lake")
    for place in ("lake", "lake/sales", "link", "link/x", ""):
        with pytest.raises(errors.BadRequest, match="holds that of catalog 'lake'"):
            client.catalogs.create("other", storage_root=f"file://{tmp_path}/{place}".rstrip("/"))
    client.schemas.create("sales", "lake")
    with pytest.raises(errors.BadRequest, match="holds that of schema 'lake.sales'"):
        client.schemas.create("other", "lake", storage_root=f"file://{tmp_path}/lake/sales")


def test_lists_come_in_pages(api):
    client = api.client()
    for number in range(7):
        client.schemas.create(f"s{number}", "main")
    names = [f"s{number}" for number in range(7)]
    assert [each.name for each in client.schemas.list("main", max_results=2)] == ["default", *names]
    assert [each.name for each in client.schemas.list("main", max_results=0)] == ["default", *names]
    with pytest.raises(errors.BadRequest, match="page_token"):
        list(client.schemas.list("main", page_token="x' OR 1=1 --"))


def test_odd_names(api):
    client = api.client()
    for name in ["a.b", "tick`s", "über", "per%cent", "q?x=1&y", "sp ace", "'; DROP TABLE securables; --"]:
        made = client.catalogs.create(name)
        # The SDK puts a name into a path as it is: such names are for clients that encode them.
        quoted = made.full_name.encode()
        path = "".join(f"%{byte:02X}" for byte in quoted)
        status, body, _ = api.request("GET", f"/api/2.1/unity-catalog/catalogs/{path}")
        assert status == 200 and body["name"] == name, body
    assert len(list(client.catalogs.list())) == 8
    for name in ["a/b", "..", ".", "", "a\nb", "x" * 256]:
        with pytest.raises(errors.BadRequest):
            client.catalogs.create(name)


def test_grants(api):
    client = api.client()
    client.schemas.create("sales", "main")
    change = uc.PermissionsChange(principal="analysts", add=[uc.Privilege.USE_CATALOG, uc.Privilege.SELECT])
    client.grants.update("catalog", "main", changes=[change])
    found = client.grants.get("CATALOG", "MAIN").privilege_assignments
    assert [(each.principal, each.privileges) for each in found] == [
        ("analysts", [uc.Privilege.SELECT, uc.Privilege.USE_CATALOG])
    ]
    effective = client.grants.get_effective("schema", "main.sales").privilege_assignments[0]
    assert {each.inherited_from_name for each in effective.privileges} == {"main"}
    both = uc.PermissionsChange(principal="analysts", add=[uc.Privilege.SELECT], remove=[uc.Privilege.SELECT])
    with pytest.raises(errors.InvalidParameterValue):
        client.grants.update("catalog", "main", changes=[both])
