# SPDX-License-Identifier: Apache-2.0
"""The untouched databricks-sdk against the server: users, groups, service principals, tokens, OAuth."""
import base64
import json
import urllib.error
import urllib.parse
import urllib.request

import pytest
from databricks.sdk import WorkspaceClient, errors
from databricks.sdk.service import iam

from freshet_command import PATIENCE
from freshet_server import QUIET_PROXY

PATCH = [iam.PatchSchema.URN_IETF_PARAMS_SCIM_API_MESSAGES_2_0_PATCH_OP]


def test_users_live_and_die(api):
    client = api.client()
    made = client.users.create(
        user_name="Ann@example.com",
        display_name="Ann",
        name=iam.Name(given_name="Ann", family_name="Other"),
        emails=[iam.ComplexValue(value="ann@example.org", primary=True)],
        external_id="x-1",
    )
    found = client.users.get(made.id)
    assert (found.user_name, found.display_name, found.active) == ("Ann@example.com", "Ann", True)
    assert found.name.family_name == "Other" and found.emails[0].value == "ann@example.org"
    assert [group.display for group in found.groups] == ["users"]
    for name in ["ann@EXAMPLE.com", "admins", "users"]:
        with pytest.raises(errors.ResourceConflict):
            client.users.create(user_name=name)
    for filter in [
        'userName eq "ann@example.com"',
        'displayName sw "an" and id ne "1"',
        'userName co "EXAMPLE"',
    ]:
        assert [each.id for each in client.users.list(filter=filter)] == [made.id], filter
    for filter in ['password eq "x"', "userName eq", "userName eq 'x' or 1=1 --", "userName gt 3"]:
        with pytest.raises(errors.BadRequest, match="filter"):
            list(client.users.list(filter=filter))
    names = {each.user_name for each in client.users.list(count=1)}
    assert names == {"admin", "Ann@example.com"}
    assert {each.display_name for each in client.users.list(attributes="userName")} == {None}
    assert [
        each.user_name
        for each in client.users.list(sort_by="userName", sort_order=iam.ListSortOrder.DESCENDING)
    ] == [
        "Ann@example.com",
        "admin",
    ]
    client.users.patch(
        made.id, operations=[iam.Patch(op=iam.PatchOp.REPLACE, path="displayName", value="A.")], schemas=PATCH
    )
    client.users.update(made.id, user_name="Ann@example.com", display_name="Ann O.", active=False)
    assert (client.users.get(made.id).display_name, client.users.get(made.id).active) == ("Ann O.", False)
    with pytest.raises(errors.BadRequest, match="cannot be changed"):
        client.users.update(made.id, user_name="bob@example.com")
    with pytest.raises(errors.BadRequest, match="roles is not supported yet"):
        client.users.create(user_name="c", roles=[iam.ComplexValue(value="x")])
    client.users.delete(made.id)
    with pytest.raises(errors.NotFound):
        client.users.get(made.id)


def test_groups_and_their_members(api):
    client = api.client()
    ann = client.users.create(user_name="ann")
    robot = client.service_principals.create(display_name="Robot")
    group = client.groups.create(display_name="team", members=[iam.ComplexValue(value=ann.id)])
    add = iam.Patch(op=iam.PatchOp.ADD, path="members", value=[{"value": robot.id}])
    client.groups.patch(group.id, operations=[add], schemas=PATCH)
    assert {each.display for each in client.groups.get(group.id).members} == {"ann", "Robot"}
    assert [each.display for each in client.users.get(ann.id).groups] == ["users", "team"]
    remove = iam.Patch(op=iam.PatchOp.REMOVE, path=f'members[value eq "{ann.id}"]')
    client.groups.patch(group.id, operations=[remove], schemas=PATCH)
    assert [each.value for each in client.groups.get(group.id).members] == [robot.id]
    assert {each.display_name for each in client.groups.list()} == {"admins", "users", "team"}
    built_in = {each.display_name: each.id for each in client.groups.list()}
    with pytest.raises(errors.BadRequest, match="cannot be deleted"):
        client.groups.delete(built_in["admins"])
    me = client.current_user.me()
    with pytest.raises(errors.BadRequest, match="no active administrator would be left"):
        client.users.delete(me.id)
    loop = iam.Patch(op=iam.PatchOp.ADD, path="members", value=[{"value": group.id}])
    with pytest.raises(errors.BadRequest, match="member of itself"):
        client.groups.patch(group.id, operations=[loop], schemas=PATCH)
    client.groups.delete(group.id)
    assert [each.display for each in client.users.get(ann.id).groups] == ["users"]


def secret_of(client, principal):
    return client.service_principal_secrets_proxy.create(principal.id)


def machine(api, principal, secret):
    """The SDK's own OAuth configuration, deaf to this machine's environment and files."""
    return WorkspaceClient(
        host=api.url,
        client_id=principal.application_id,
        client_secret=secret.secret,
        auth_type="oauth-m2m",
        config_file="/dev/null",
    )


def test_machines_log_in_by_oauth(api):
    client = api.client()
    robot = client.service_principals.create(display_name="Robot")
    secret = secret_of(client, robot)
    other = machine(api, robot, secret)
    me = other.current_user.me()
    assert me.user_name == robot.application_id and me.display_name == "Robot"
    assert other.get_workspace_id() == client.get_workspace_id()
    with pytest.raises(errors.PermissionDenied, match="USE CATALOG on Catalog 'main'"):
        other.catalogs.get("main")
    kept = list(client.service_principal_secrets_proxy.list(robot.id))
    assert [each.id for each in kept] == [secret.id] and kept[0].status == "ACTIVE"
    # What is kept of it is a hash.
    everything = b"".join(file.read_bytes() for file in api.data.glob("freshet.db*"))
    assert secret.secret.encode() not in everything
    client.service_principal_secrets_proxy.delete(robot.id, secret.id)
    with pytest.raises(errors.Unauthenticated):
        other.current_user.me()
    with pytest.raises(ValueError, match="invalid_client"):
        machine(api, robot, secret).current_user.me()
    assert api.stop() == 0
    assert secret.secret not in api.log_text() and "doat" not in api.log_text()
    for file in api.data.rglob("*"):
        assert not file.is_file() or secret.secret.encode() not in file.read_bytes(), file


def token_request(api, form, authorization=None):
    data = urllib.parse.urlencode(form).encode()
    request = urllib.request.Request(api.url + "/oidc/v1/token", data=data, method="POST")
    if authorization:
        request.add_header("Authorization", authorization)
    try:
        with urllib.request.build_opener(QUIET_PROXY).open(request, timeout=PATIENCE) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_a_token_is_given_for_a_good_secret_alone(api):
    client = api.client()
    robot = client.service_principals.create(display_name="Robot")
    secret = secret_of(client, robot).secret
    asked = {"grant_type": "client_credentials", "scope": "all-apis"}
    in_body = {"client_id": robot.application_id, "client_secret": secret}
    status, body = token_request(api, {**asked, **in_body})
    assert status == 200 and body["token_type"] == "Bearer" and body["expires_in"] == 3600, body
    assert api.request("GET", "/api/2.0/preview/scim/v2/Me", token=body["access_token"])[0] == 200
    basic = lambda text: "Basic " + base64.b64encode(text.encode()).decode()  # noqa: E731
    good = basic(f"{robot.application_id}:{secret}")
    assert token_request(api, asked, good)[0] == 200
    for wrong in [
        basic(f"{robot.application_id}:x"),
        basic(f"x:{secret}"),
        basic("nothing"),
        "Basic %%%",
        f"Bearer {secret}",
        None,
    ]:
        status, body = token_request(api, asked, wrong)
        assert status == 401 and body["error"] == "invalid_client", wrong
    assert token_request(api, {"grant_type": "password"}, good)[1]["error"] == "unsupported_grant_type"
    assert token_request(api, {**asked, "scope": "sql"}, good)[1]["error"] == "invalid_scope"
    # A secret is no token, and one who is not active gets none.
    assert api.request("GET", "/api/2.0/preview/scim/v2/Me", token=secret)[0] == 401
    client.service_principals.update(robot.id, display_name="Robot", active=False)
    assert token_request(api, asked, good)[0] == 401


def test_administrators_manage_everybodys_tokens(api):
    client = api.client()
    robot = client.service_principals.create(display_name="Robot")
    made = client.token_management.create_obo_token(
        robot.application_id, comment="nightly", lifetime_seconds=60
    )
    other = api.client(made.token_value)
    assert other.current_user.me().user_name == robot.application_id
    own = other.tokens.create(comment="own")
    listed = {token.comment: token for token in client.token_management.list()}
    assert {"nightly", "own"} <= set(listed)
    assert listed["nightly"].created_by_username == "admin" and listed["own"].owner_id == int(robot.id)
    assert [
        token.comment for token in client.token_management.list(created_by_username=robot.application_id)
    ] == ["own"]
    assert client.token_management.get(own.token_info.token_id).token_info.comment == "own"
    # Each sees and ends its own.
    assert {token.comment for token in other.tokens.list()} == {"nightly", "own"}
    theirs = next(iter(client.tokens.list())).token_id
    with pytest.raises(errors.NotFound):
        other.tokens.delete(theirs)
    with pytest.raises(errors.PermissionDenied):
        list(other.token_management.list())
    client.token_management.delete(made.token_info.token_id)
    with pytest.raises(errors.Unauthenticated):
        other.current_user.me()
