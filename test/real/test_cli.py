# SPDX-License-Identifier: Apache-2.0
"""The commands to a server: a pipeline's whole life over a real PostgreSQL by them alone, and each thing that goes wrong."""
import json
import os
import pty
import shutil
import subprocess

import pytest

from contents import assert_equal
from freshet_command import BINARY, ERROR_CLASSES, PATIENCE, Run, wait_until
from freshet_server import ServerProcess, make_certificate
from test_api_pipelines import TABLES, change, definition, fill

NOWHERE = "http://127.0.0.1:1"


class Cli:
    """The commands, as somebody runs them whose home holds nothing but what they put there."""

    def __init__(self, home, **environment):
        self.home = home
        self.environment = {"HOME": str(home), "FRESHET_HOST": "", "FRESHET_TOKEN": "", **environment}

    def __call__(self, *arguments, expect=0, **environment):
        run = Run(arguments, {**self.environment, **environment}).wait()
        assert run.code == expect, f"expected exit code {expect}: {run.describe()}"
        return run

    def json(self, *arguments, **keywords):
        return json.loads(self(*arguments, "--output", "json", **keywords).stdout)

    def file(self, name, content):
        path = self.home / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path


@pytest.fixture
def cli(tmp_path):
    return Cli(tmp_path)


@pytest.fixture
def logged_in(cli, api):
    cli("auth", "login", "--host", api.url, "--token-file", api.data / "admin.token")
    return cli


def error_of(run):
    """The class of the one error that was told, after checking that it comes with a remedy and nothing else."""
    lines = run.stderr.splitlines()
    assert lines[0].startswith("error: ") and len(lines) == 2 and lines[1].startswith("    "), run.describe()
    name = lines[0].split()[1].rstrip(":")
    assert name in ERROR_CLASSES, run.describe()
    return name


def make_connection(cli, server):
    secret = cli.file("password", "unused\n")
    options = {"host": server.host, "port": server.port, "user": server.user, "sslmode": "disable"}
    words = [word for name, value in options.items() for word in ("--option", f"{name}={value}")]
    make = ("connections", "create", "--name", "shop", "--type", "POSTGRESQL", *words)
    refused = cli(*make, "--option", "password=hunter2", expect=2)
    assert error_of(refused) == "INVALID_ARGUMENT" and "hunter2" not in refused.stderr
    made = cli.json(*make, "--option", f"password=@{secret}")
    assert made["name"] == "shop" and "password" not in json.dumps(made)


def look_at_source(cli, database):
    assert cli.json("connections", "test", "shop", "--database", database.name)["passed"]
    missing = cli("connections", "test", "shop", "--database", "none", expect=3)
    assert "SOURCE_DATABASE_MISSING" in missing.stderr and "true" in missing.stdout, missing.describe()
    found = cli("connections", "discover", "shop", "--database", database.name, "--tables", "public.*").stdout
    assert [line.split()[:2] for line in found.splitlines()] == [
        ["SCHEMA", "TABLE"],
        ["public", "customers"],
        ["public", "orders"],
    ]


def make_pipeline(cli, database):
    spec = {"name": "ingest", "catalog": "main", "ingestion_definition": definition(database)}
    dry = cli.json("pipelines", "create", "--json", f"@{cli.file('spec.json', spec)}", "--dry-run")
    assert dry["effective_settings"]["name"] == "ingest"
    made = cli.json("pipelines", "create", "--json", json.dumps(spec))["pipeline_id"]
    assert cli.json("pipelines", "get", "ingest") == cli.json("pipelines", "get", made)
    return made


def check_events(cli, pipeline, update):
    events = cli.json("pipelines", "events", "ingest", "--update", update)
    assert {event["origin"]["update_id"] for event in events} == {update}
    assert "Update" in events[0]["message"] and "COMPLETED" in events[0]["message"]
    assert len(cli.json("pipelines", "list-pipeline-events", pipeline, "--limit", 3)) == 3
    assert cli.json("pipelines", "events", "ingest", "--level", "ERROR") == []
    logs = cli.json("pipelines", "list-logs", "ingest", "--update", update)
    assert {each["update_id"] for each in logs} == {update}
    assert {each["worker"] for each in logs} >= {"run", "gateway", "update"}
    # They have nothing to say of an update that went well: it ends with that.
    cli("pipelines", "logs", "ingest", "--update", update, "--follow")
    table = cli("pipelines", "events", "ingest", "--filter", "event_type = 'create_update'").stdout
    assert table.splitlines()[0].split() == ["TIMESTAMP", "LEVEL", "TYPE", "MESSAGE"]
    assert len(table.splitlines()) == 3, table


def check_catalog(cli):
    assert [table["name"] for table in cli.json("tables", "list", "main", "public")] == [
        "customers",
        "orders",
    ]
    assert [c["name"] for c in cli.json("tables", "get", "main.public.orders")["columns"]][:2] == [
        "id",
        "customer",
    ]
    cli("grants", "update", "schema", "main.public", "--principal", "ann", "--add", "SELECT,USE_SCHEMA")
    granted = cli("grants", "get-effective", "table", "main.public.orders", "--principal", "ann").stdout
    assert "ann" in granted and "SELECT (main.public)" in granted, granted
    cli("schemas", "create", "more", "main", "--comment", "turns \x1b[31mred")
    assert "\x1b" not in cli("schemas", "list", "main").stdout
    assert cli("schemas", "delete", "main.more").stdout == "deleted main.more\n"


def check_tokens(cli, api):
    made = cli.json("tokens", "create", "--comment", "ci")
    asked = {"FRESHET_HOST": api.url, "FRESHET_TOKEN": made["token_value"]}
    assert cli.json("auth", "describe", **asked)["user"] == "admin"
    cli("tokens", "delete", made["token_info"]["token_id"])
    assert error_of(cli("catalogs", "list", expect=3, **asked)) == "SOURCE_AUTH"
    short = cli.json("tokens", "create", "--lifetime-seconds", 1)["token_value"]
    expired = {**cli.environment, "FRESHET_HOST": api.url, "FRESHET_TOKEN": short}
    wait_until(lambda: Run(["catalogs", "list"], expired).wait().code == 3, "the token's end", 0.2)
    assert short not in cli("catalogs", "list", expect=3, **expired).stderr


def test_the_whole_life(logged_in, api, server, database):
    cli, lake = logged_in, api.data / "tables" / "main"
    fill(database)
    make_connection(cli, server)
    look_at_source(cli, database)
    pipeline = make_pipeline(cli, database)

    begun = cli("pipelines", "start-update", "ingest", "--wait").stdout
    assert "COMPLETED: 2 of 2 tables done; 3,100 rows upserted, 0 deleted" in begun, begun
    assert_equal(database.connection, lake, *TABLES)

    change(database)
    update = cli.json("pipelines", "start-update", pipeline)["update_id"]
    watched = [
        json.loads(line) for line in cli("pipelines", "watch", "ingest", "-o", "json").stdout.splitlines()
    ]
    assert {event["origin"]["update_id"] for event in watched} == {update}
    assert len({event["id"] for event in watched}) == len(watched)
    assert_equal(database.connection, lake, *TABLES)
    check_events(cli, pipeline, update)

    cli("pipelines", "start-update", "ingest", "--full-refresh-selection", "orders", "--wait")
    assert_equal(database.connection, lake, *TABLES)
    updates = cli.json("pipelines", "list-updates", "ingest")
    assert [each["state"] for each in updates] == ["COMPLETED"] * 3
    assert updates[0]["full_refresh_selection"] == ["orders"]

    nothing = cli("pipelines", "start-update", "ingest", "--full-refresh-selection", "none", expect=2)
    assert error_of(nothing) == "INVALID_ARGUMENT", nothing.describe()

    check_catalog(cli)
    check_tokens(cli, api)
    assert cli("pipelines", "delete", "ingest").stdout == "deleted ingest\n"
    assert cli.json("pipelines", "list") == [] and database.slots() == []
    assert cli("connections", "delete", "shop").stdout == "deleted shop\n"


def read_all(terminal):
    """What is written to a terminal until nobody has it open any more."""
    shown = b""
    while True:
        try:
            shown += os.read(terminal, 65536)
        except OSError:
            os.close(terminal)
            return shown.decode()


def test_an_update_that_fails_says_so_by_its_exit_code(logged_in, server, database):
    """On a terminal, too."""
    cli = logged_in
    make_connection(cli, server)
    missing = json.dumps(definition(database)).replace(database.name, "missing")
    spec = f'{{"name": "ingest", "catalog": "main", "ingestion_definition": {missing}}}'
    cli("pipelines", "create", "--json", spec)
    failed = cli("pipelines", "start-update", "ingest", "--wait", expect=3)
    assert "SOURCE_DATABASE_MISSING" in failed.stderr and "--level ERROR" in failed.stderr, failed.describe()
    terminal, inner = pty.openpty()
    watch = subprocess.Popen(
        [str(BINARY), "pipelines", "watch", "ingest"],
        stdin=inner,
        stdout=inner,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **cli.environment},
    )
    os.close(inner)
    shown = read_all(terminal)
    assert watch.wait(PATIENCE) == 3
    assert "FAILED: 0 of 0 tables done" in shown and "SOURCE_DATABASE_MISSING" in shown, shown


@pytest.mark.parametrize(
    "arguments, code, error, names",
    [
        (
            ["pipelines", "list", "--host", NOWHERE],
            3,
            "SOURCE_UNREACHABLE",
            "there is no server at " + NOWHERE,
        ),
        (["pipelines", "list", "--host", "ftp://x"], 2, "INVALID_ARGUMENT", "ftp://x"),
        (["pipelines", "list", "--host", "127.0.0.1:8080"], 2, "INVALID_ARGUMENT", "is no URL"),
        (["pipelines", "list", "--profile", "none"], 2, "INVALID_ARGUMENT", "there is no profile 'none'"),
        (["pipelines", "list", "--token-file", "/none"], 2, "INVALID_ARGUMENT", "/none"),
        (["pipelines", "create", "--json", "@/none"], 2, "INVALID_ARGUMENT", "/none"),
        (["pipelines", "create", "--json", "{"], 2, "INVALID_ARGUMENT", "is not JSON"),
        (["pipelines", "create"], 2, "INVALID_ARGUMENT", "--json"),
        (["pipelines", "frobnicate"], 2, "INVALID_ARGUMENT", "there is no command pipelines frobnicate"),
        (["pipelines"], 2, "INVALID_ARGUMENT", "subcommand"),
        (["pipelines", "get"], 2, "INVALID_ARGUMENT", "PIPELINE"),
        (["pipelines", "list", "--limt", "3"], 2, "INVALID_ARGUMENT", "--limt"),
        (["pipelines", "list", "-o", "xml"], 2, "INVALID_ARGUMENT", "xml"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_wrong_is_named_before_a_server_is_asked(cli, arguments, code, error, names):
    run = cli(*arguments, expect=code, FRESHET_HOST=NOWHERE, FRESHET_TOKEN="t")
    assert error_of(run) == error and names in run.stderr and run.stdout == "", run.describe()


def test_what_a_server_refuses_is_told(logged_in, api):
    cli = logged_in
    assert error_of(cli("catalogs", "get", "none", expect=4)) == "NOT_FOUND"
    assert error_of(cli("pipelines", "get", "none", expect=4)) == "NOT_FOUND"
    assert error_of(cli("catalogs", "create", "main", expect=4)) == "ALREADY_EXISTS"
    unknown = cli("catalogs", "update", "main", "--json", '{"coment": "x"}', expect=2)
    assert error_of(unknown) == "INVALID_ARGUMENT" and "coment" in unknown.stderr
    assert error_of(cli("api", "GET", "/api/2.0/none", expect=3)) == "SOURCE_QUERY"
    ann = cli("api", "POST", "/api/2.0/preview/scim/v2/Users", "--json", '{"userName": "ann"}')
    assert json.loads(ann.stdout)["userName"] == "ann"
    wrong = cli("catalogs", "list", expect=3, FRESHET_HOST=api.url, FRESHET_TOKEN="dapi-wrong")
    assert error_of(wrong) == "SOURCE_AUTH" and "FRESHET_TOKEN" in wrong.stderr


def test_a_profile_is_for_its_owner_and_its_host(logged_in, api):
    cli = logged_in
    kept = cli.home / ".freshetcfg"
    assert kept.stat().st_mode & 0o777 == 0o600 and api.token in kept.read_text()
    assert api.token not in cli("auth", "profiles").stdout
    assert cli.json("auth", "describe") == {
        "host": api.url,
        "token_from": f"profile DEFAULT of {kept}",
        "user": "admin",
    }
    elsewhere = cli("catalogs", "list", "--host", NOWHERE, expect=2)
    assert "there is no token for " + NOWHERE in elsewhere.stderr
    kept.chmod(0o640)
    assert "chmod 600" in cli("catalogs", "list", expect=2).stderr


def test_tls(cli, tmp_path):
    certificate, key = make_certificate(tmp_path)
    api = ServerProcess(tmp_path / "data", "--tls-cert", str(certificate), "--tls-key", str(key)).start()
    try:
        place = ("--token-file", api.data / "admin.token", "--host")
        refused = cli("catalogs", "list", *place, api.url, expect=3)
        assert error_of(refused) == "SOURCE_UNREACHABLE" and "--ca-file" in refused.stderr
        plain = cli("catalogs", "list", *place, api.url.replace("https", "http"), expect=3)
        assert error_of(plain) == "SOURCE_UNREACHABLE" and "https://" in plain.stderr
        cli("auth", "login", *place, api.url, "--ca-file", certificate)
        assert [each["name"] for each in cli.json("catalogs", "list")] == ["main"]
    finally:
        api.close()


def completed(shell_script, *words):
    """What bash offers for the last of the words."""
    quoted = " ".join(f"'{word}'" for word in words)
    ask = f'COMP_WORDS=(freshet {quoted}); COMP_CWORD={len(words)}; _freshet; printf "%s\\n" "${{COMPREPLY[@]}}"'
    told = subprocess.run(
        ["bash", "-u", "-c", f"{shell_script}\n{ask}"], capture_output=True, text=True, timeout=PATIENCE
    )
    assert told.returncode == 0 and told.stderr == "", told
    return told.stdout.split()


def test_bash_completes(cli):
    script = cli("completion", "bash").stdout
    assert completed(script, "pipe") == ["pipelines"]
    assert "ingest" in completed(script, "") and "worker" not in completed(script, "")
    assert completed(script, "pipelines", "start") == ["start-update"]
    assert set(completed(script, "pipelines", "start-update", "x", "--full")) == {
        "--full-refresh",
        "--full-refresh-selection",
    }
    assert completed(script, "pipelines", "list", "--output", "") == ["table", "json"]
    assert completed(script, "grants", "get", "sch") == ["schema"]
    assert completed(script, "ingest", "--to", "") == []
    assert completed(script, "server", "rot") == ["rotate-key"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_read_their_scripts(cli, shell):
    script = cli.file(f"script.{shell}", cli("completion", shell).stdout)
    assert "start-update" in script.read_text()
    if shutil.which(shell):
        read = subprocess.run([shell, "-n", str(script)], capture_output=True, text=True, timeout=PATIENCE)
        assert read.returncode == 0 and read.stderr == "", read.stderr


def test_every_command_has_help_with_an_example(cli):
    for words in (
        ["pipelines"],
        ["pipelines", "watch"],
        ["connections", "create"],
        ["auth"],
        ["api"],
        ["tokens", "list"],
    ):
        told = cli(*words, "--help")
        assert "Example" in told.stdout and told.stderr == "", told.describe()


def test_where_clients_go_is_no_address_to_listen_on(cli, tmp_path):
    refused = cli("server", "--data", tmp_path / "data", expect=2, FRESHET_HOST=NOWHERE)
    assert error_of(refused) == "INVALID_ARGUMENT" and NOWHERE in refused.stderr
    assert not (tmp_path / "data").exists()
