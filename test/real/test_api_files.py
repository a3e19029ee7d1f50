# SPDX-License-Identifier: Apache-2.0
"""The untouched databricks-sdk against the server: workspace files, and files on volumes."""
import base64
import io
import os
import urllib.parse

import pytest
from databricks.sdk import errors
from databricks.sdk.service import catalog as uc
from databricks.sdk.service import iam
from databricks.sdk.service import workspace as ws

from freshet_command import process_fields
from test_api_access import another, grant

HOME = "/Workspace/Users/admin"


def put(api, path, body, token=None, overwrite="false"):
    """As the command-line client sends a file of a bundle: its whole path as one part."""
    quoted = urllib.parse.quote(path, safe="")
    target = f"/api/2.0/workspace-files/import-file/{quoted}?overwrite={overwrite}"
    return api.request("POST", target, body, token)


def test_a_bundles_files(api):
    client = api.client()
    folder = f"{HOME}/.bundle/shop/dev/state"
    with pytest.raises(errors.ResourceDoesNotExist, match="doesn't exist"):
        client.workspace.get_status(folder)
    status, body, _ = put(api, f"{folder}/deploy.lock", b"one")
    assert status == 404 and "The parent folder" in body["message"]
    client.workspace.mkdirs(folder)
    client.workspace.mkdirs(folder)
    found = client.workspace.get_status(folder + "//")
    assert (found.object_type, found.path) == (ws.ObjectType.DIRECTORY, folder) and found.object_id
    # Of two that may not overwrite, one has the lock.
    assert put(api, f"{folder}/deploy.lock", b"one")[0] == 200
    status, body, _ = put(api, f"{folder}/deploy.lock", b"two")
    assert status == 409 and "already exists" in body["message"]
    assert client.workspace.download(f"{folder}/deploy.lock").read() == b"one"
    assert put(api, f"{folder}/deploy.lock", b"\x00\xff two", overwrite="true")[0] == 200
    assert client.workspace.download(f"{folder}/deploy.lock").read() == b"\x00\xff two"
    status = client.workspace.get_status(f"{folder}/deploy.lock")
    assert (status.object_type, status.size) == (ws.ObjectType.FILE, 6) and status.modified_at
    with pytest.raises(errors.ResourceAlreadyExists):
        client.workspace.mkdirs(f"{folder}/deploy.lock/x")
    with pytest.raises(errors.BadRequest, match="is not empty"):
        client.workspace.delete(f"{HOME}/.bundle")
    client.workspace.delete(f"{HOME}/.bundle", recursive=True)
    with pytest.raises(errors.NotFound):
        client.workspace.get_status(f"{folder}/deploy.lock")
    with pytest.raises(errors.NotFound):
        client.workspace.delete(f"{HOME}/.bundle")


def test_imports_and_exports(api):
    client = api.client()
    client.workspace.mkdirs(f"{HOME}/src")
    client.workspace.import_(
        f"{HOME}/src/a.sql", content=base64.b64encode(b"SELECT 1").decode(), format=ws.ImportFormat.RAW
    )
    assert base64.b64decode(client.workspace.export(f"{HOME}/src/a.sql").content) == b"SELECT 1"
    # A form of several parts.
    content = os.urandom(100_000)
    client.workspace.upload(f"{HOME}/src/b.bin", content, format=ws.ImportFormat.AUTO)
    assert client.workspace.download(f"{HOME}/src/b.bin").read() == content
    with pytest.raises(errors.ResourceAlreadyExists):
        client.workspace.upload(f"{HOME}/src/b.bin", b"x", format=ws.ImportFormat.AUTO)
    client.workspace.upload(f"{HOME}/src/b.bin", b"x", format=ws.ImportFormat.AUTO, overwrite=True)
    assert {each.path for each in client.workspace.list(HOME, recursive=True)} == {
        f"{HOME}/src/a.sql",
        f"{HOME}/src/b.bin",
    }
    with pytest.raises(errors.DatabricksError, match="format DBC is not supported yet"):
        client.workspace.upload(f"{HOME}/src/c", b"x", format=ws.ImportFormat.DBC)
    with pytest.raises(errors.BadRequest, match="not base64"):
        client.workspace.import_(f"{HOME}/src/c", content="%%%")
    with pytest.raises(errors.DatabricksError, match="larger than"):
        client.workspace.upload(f"{HOME}/src/c", b"x" * (9 << 20), format=ws.ImportFormat.AUTO)
    assert api.stop() == 0
    assert api.start().client().workspace.download(f"{HOME}/src/a.sql").read() == b"SELECT 1"


def test_folders_are_their_owners(api):
    client = api.client()
    made, other = another(api, client, "robot")
    home = f"/Users/{made.application_id}"
    other.workspace.mkdirs(f"{home}/x")
    client.workspace.mkdirs(HOME)
    assert [each.path for each in other.workspace.list("/Users")] == [home]
    assert {each.path for each in client.workspace.list("/Users")} == {home, "/Users/admin"}
    for refused in [
        lambda: other.workspace.get_status(HOME),
        lambda: list(other.workspace.list(HOME)),
        lambda: other.workspace.mkdirs(f"{HOME}/x"),
        lambda: other.workspace.mkdirs("/Users/nobody"),
        lambda: other.workspace.delete(HOME, recursive=True),
        lambda: other.workspace.upload(f"{HOME}/x", b"x", format=ws.ImportFormat.AUTO),
    ]:
        with pytest.raises(errors.PermissionDenied, match="on path"):
            refused()
    assert put(api, f"{HOME}/x", b"x", token=other.config.token)[0] == 403
    # What is shared is everybody's to read and write, and its maker's to delete.
    client.workspace.mkdirs("/Shared/admins")
    other.workspace.upload("/Shared/theirs", b"x", format=ws.ImportFormat.AUTO)
    assert client.workspace.download("/Shared/theirs").read() == b"x"
    with pytest.raises(errors.PermissionDenied):
        other.workspace.delete("/Shared/admins")
    other.workspace.delete("/Shared/theirs")
    with pytest.raises(errors.BadRequest, match="cannot be deleted"):
        client.workspace.delete("/Users", recursive=True)
    # Another of the name does not get what the first one had.
    client.service_principals.delete(made.id)
    again = client.service_principals.create(application_id=made.application_id)
    token = client.token_management.create_obo_token(again.application_id).token_value
    assert list(api.client(token).workspace.list("/Users")) == []


def test_permissions_of_folders(api):
    client = api.client()
    made, other = another(api, client, "robot")
    client.workspace.mkdirs(f"{HOME}/team/src")
    folder = client.workspace.get_status(f"{HOME}/team")
    told = client.permissions.get("directories", str(folder.object_id)).access_control_list
    mine = next(each for each in told if each.user_name == "admin")
    assert mine.all_permissions[0].permission_level == iam.PermissionLevel.CAN_MANAGE
    with pytest.raises(errors.PermissionDenied):
        other.permissions.get("directories", str(folder.object_id))
    entry = iam.AccessControlRequest(
        service_principal_name=made.application_id, permission_level=iam.PermissionLevel.CAN_EDIT
    )
    client.permissions.set("directories", str(folder.object_id), access_control_list=[entry])
    other.workspace.upload(f"{HOME}/team/src/a", b"x", format=ws.ImportFormat.AUTO)
    assert other.workspace.download(f"{HOME}/team/src/a").read() == b"x"
    inner = other.workspace.get_status(f"{HOME}/team/src")
    told = other.permissions.get("directories", str(inner.object_id)).access_control_list
    theirs = next(each for each in told if each.service_principal_name == made.application_id)
    assert theirs.all_permissions[0].inherited_from_object == [f"/directories/{folder.object_id}"]
    with pytest.raises(errors.PermissionDenied, match="CAN_MANAGE"):
        other.permissions.set("directories", str(inner.object_id), access_control_list=[entry])
    with pytest.raises(errors.PermissionDenied):
        other.workspace.mkdirs(f"{HOME}/other")
    client.permissions.set("directories", str(folder.object_id), access_control_list=[])
    with pytest.raises(errors.PermissionDenied):
        other.workspace.get_status(f"{HOME}/team/src")


def test_paths_lead_nowhere_else(api):
    client = api.client()
    for path in ["Users/x", "", "/Users/../x", "/Users/./x", "/a\nb", "/" + "x" * 2000]:
        status, body, _ = api.request("POST", "/api/2.0/workspace/mkdirs", {"path": path})
        assert status == 400 and body["error_code"] == "INVALID_PARAMETER_VALUE", path
    client.schemas.create("files", "main")
    client.volumes.create("main", "files", "raw", uc.VolumeType.MANAGED)
    base = "/api/2.0/fs/files/Volumes/main/files/raw"
    for tail in ["/../../x", "/%2e%2e/x", "/a%2f..%2f..%2fx", "/..%2fx", "/a/%2e", "/%00", "/.incoming-x"]:
        for method, body in [("PUT", b"x"), ("GET", None), ("DELETE", None)]:
            status, answer, _ = api.request(method, base + tail, body)
            assert status == 400 and answer["error_code"] == "INVALID_PARAMETER_VALUE", (method, tail, answer)
    volume = client.volumes.read("main.files.raw")
    place = volume.storage_location.removeprefix("file://")
    assert not os.path.exists(os.path.dirname(place) + "/x")


def test_files_on_volumes(api, tmp_path):
    client = api.client()
    client.schemas.create("files", "main")
    client.volumes.create("main", "files", "raw", uc.VolumeType.MANAGED)
    root = "/Volumes/main/files/raw"
    assert list(client.files.list_directory_contents(root)) == []
    content = os.urandom(20 * 1024 * 1024)
    client.files.upload(f"{root}/a b/ü%.bin", io.BytesIO(content))
    assert client.files.download(f"{root}/a b/ü%.bin").contents.read() == content
    found = client.files.get_metadata(f"{root}/a b/ü%.bin")
    assert found.content_length == len(content) and found.last_modified.endswith("GMT")
    with pytest.raises(errors.ResourceAlreadyExists):
        client.files.upload(f"{root}/a b/ü%.bin", io.BytesIO(b"x"), overwrite=False)
    client.files.upload(f"{root}/a b/ü%.bin", io.BytesIO(b"0123456789"), overwrite=True)
    client.files.upload(f"{root}/empty", io.BytesIO(b""))
    assert client.files.download(f"{root}/empty").contents.read() == b""
    entries = {each.name: each for each in client.files.list_directory_contents(root)}
    assert set(entries) == {"a b", "empty"} and entries["a b"].is_directory
    assert entries["empty"].path == f"{root}/empty" and entries["empty"].file_size == 0
    client.files.create_directory(f"{root}/x/y")
    client.files.get_directory_metadata(f"{root}/x/y")
    assert [each.name for each in client.files.list_directory_contents(root, page_size=1)] == [
        "a b",
        "empty",
        "x",
    ]
    with pytest.raises(errors.NotFound):
        client.files.get_directory_metadata(f"{root}/none")
    with pytest.raises(errors.BadRequest, match="not empty"):
        client.files.delete_directory(f"{root}/x")
    client.files.delete_directory(f"{root}/x/y")
    client.files.delete(f"{root}/empty")
    with pytest.raises(errors.NotFound):
        client.files.delete(f"{root}/empty")
    with pytest.raises(errors.NotFound):
        client.files.download("/Volumes/main/files/none/x")


def test_parts_of_a_file(api):
    client = api.client()
    client.schemas.create("files", "main")
    client.volumes.create("main", "files", "raw", uc.VolumeType.MANAGED)
    client.files.upload("/Volumes/main/files/raw/digits", io.BytesIO(b"0123456789"))
    import urllib.request

    for range, status, expected in [
        ("bytes=2-4", 206, b"234"),
        ("bytes=7-", 206, b"789"),
        ("bytes=-2", 206, b"89"),
        ("bytes=20-", 200, b"0123456789"),
        ("bytes=0-1,3-4", 200, b"0123456789"),
    ]:
        request = urllib.request.Request(api.url + "/api/2.0/fs/files/Volumes/main/files/raw/digits")
        request.add_header("Authorization", f"Bearer {api.token}")
        request.add_header("Range", range)
        with urllib.request.urlopen(request) as answer:
            assert (answer.status, answer.read()) == (status, expected), range


def test_volumes_take_rights(api):
    client = api.client()
    made, other = another(api, client, "robot")
    client.schemas.create("files", "main")
    client.volumes.create("main", "files", "raw", uc.VolumeType.MANAGED)
    client.files.upload("/Volumes/main/files/raw/a", io.BytesIO(b"x"))
    grant(client, "schema", "main.files", made.application_id, "USE_SCHEMA")
    grant(client, "catalog", "main", made.application_id, "USE_CATALOG")
    for refused in [
        lambda: other.files.get_metadata("/Volumes/main/files/raw/a"),
        lambda: list(other.files.list_directory_contents("/Volumes/main/files/raw")),
    ]:
        with pytest.raises(errors.PermissionDenied):
            refused()
    grant(client, "volume", "main.files.raw", made.application_id, "READ_VOLUME")
    assert [each.name for each in other.files.list_directory_contents("/Volumes/main/files/raw")] == ["a"]
    status, body, _ = api.request(
        "PUT", "/api/2.0/fs/files/Volumes/main/files/raw/b", b"x", token=other.config.token
    )
    assert status == 403 and "WRITE VOLUME" in body["message"]
    with pytest.raises(errors.PermissionDenied, match="WRITE VOLUME"):
        other.files.delete("/Volumes/main/files/raw/a")
    grant(client, "volume", "main.files.raw", made.application_id, "WRITE_VOLUME")
    other.files.upload("/Volumes/main/files/raw/b", io.BytesIO(b"x"))
    # A folder of the machine is nobody's to name but the administrators'.
    with pytest.raises(errors.PermissionDenied, match="administrators"):
        other.volumes.create("main", "files", "etc", uc.VolumeType.EXTERNAL, storage_location="file:///etc")


def test_an_upload_that_breaks_off_leaves_nothing(api):
    import socket

    client = api.client()
    client.schemas.create("files", "main")
    volume = client.volumes.create("main", "files", "raw", uc.VolumeType.MANAGED)
    place = volume.storage_location.removeprefix("file://")
    host, port = api.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        head = f"PUT /api/2.0/fs/files/Volumes/main/files/raw/a HTTP/1.1\r\nAuthorization: Bearer {api.token}\r\n"
        connection.sendall(head.encode() + b"Content-Length: 1000\r\n\r\nhalf")
        connection.shutdown(socket.SHUT_WR)
        # Whatever it answers, it is done with it then.
        connection.recv(100)
    assert os.listdir(place) == []
    assert process_fields(api.process.pid)
