# SPDX-License-Identifier: Apache-2.0
"""The command line itself: help, version, and one clear line with exit code 2 for whatever is wrong with it."""
import re

import pytest
from freshet_command import ROOT, Run

COMMANDS = ["ingest", "discover", "check", "status", "drop"]
SOURCE = "postgresql://x@127.0.0.1:1/y"


def told(*arguments):
    return Run(arguments).wait()


def test_version():
    run = told("--version")
    assert run.code == 0 and re.fullmatch(r"freshet \d+\.\d+\.\d+\n", run.stdout) and run.stderr == ""


def test_help_names_every_command():
    run = told("--help")
    assert run.code == 0 and run.stderr == ""
    for command in COMMANDS:
        assert re.search(rf"^\s+{command}\s", run.stdout, re.M), command
    assert "Examples:" in run.stdout and "Exit codes:" in run.stdout
    assert "worker" not in run.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_and_its_page_name_the_same_options(command):
    run = told(command, "--help")
    assert run.code == 0 and run.stderr == ""
    page = (ROOT / "docs/guide/command-line.md").read_text()
    section = re.search(rf"^## freshet {command}$(.*?)(?=^## )", page, re.M | re.S).group(1)
    section = section.split("### ")[0]
    in_page = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", section))
    in_help = set(re.findall(r"^\s+(--[a-z-]+)", run.stdout, re.M))
    assert in_help and in_help == in_page, f"only in one of help and page: {in_help ^ in_page}"


@pytest.mark.parametrize(
    "arguments, names",
    [
        ([], "subcommand"),
        (["frobnicate"], "frobnicate"),
        (["--frobnicate"], "--frobnicate"),
        (["ingest"], "SOURCE"),
        (["ingest", SOURCE], "--to"),
        (["ingest", SOURCE, "--to"], "--to"),
        (["ingest", SOURCE, "--to", "x", "surplus"], "surplus"),
        (["ingest", SOURCE, "--to", "x", "--tabels", "a.b"], "--tabels"),
        (["ingest", SOURCE, "--to", "x", "--tables"], "--tables"),
        (["ingest", SOURCE, "--to", "x", "--tables", "nodot"], "nodot"),
        (["ingest", SOURCE, "--to", "x", "--tables", ".t"], ".t"),
        (["ingest", SOURCE, "--to", "x", "--exclude", "s."], "s."),
        (["ingest", SOURCE, "--to", "x", "--retry-for", "soon"], "soon"),
        (["ingest", SOURCE, "--to", "x", "--retry-for", "-5s"], "-5s"),
        (["ingest", SOURCE, "--to", "x", "--retry-for", "5 parsecs"], "5 parsecs"),
        (["ingest", SOURCE, "--to", "x", "--spec", "/no/such/file"], "/no/such/file"),
        (["ingest", "mysql://x/y", "--to", "x"], "postgresql://"),
        (["ingest", "nothing", "--to", "x"], "postgresql://"),
        (["discover"], "SOURCE"),
        (["discover", SOURCE, "--tables", "nodot"], "nodot"),
        (["discover", SOURCE, "--everything"], "--everything"),
        (["discover", "sample://"], "directory"),
        (["discover", "sample:///x?chunk_bytes=many"], "many"),
        (["discover", "sample:///x?speed=11"], "speed"),
        (["check"], "SOURCE"),
        (["check", SOURCE, SOURCE], SOURCE),
        (["status"], "DIR"),
        (["status", "--verbose", "x"], "--verbose"),
        (["drop"], "DIR"),
        (["drop", "x", "--source"], "--source"),
        (["drop", "x", "--source", "mysql://x/y"], "postgresql://"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_is_wrong_is_named_in_one_line(arguments, names, tmp_path):
    arguments = [str(tmp_path / "x") if argument == "x" else argument for argument in arguments]
    run = told(*arguments)
    assert run.code == 2, run.describe()
    assert run.stdout == "", run.describe()
    errors = [line for line in run.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and run.stderr.startswith("error: "), run.describe()
    assert names in errors[0], run.describe()
    assert all(line.startswith("    ") for line in run.stderr.splitlines()[1:]), run.describe()
    assert not (tmp_path / "x").exists()


def test_a_password_in_a_bad_source_is_not_printed():
    for source in ("mysql://me:hunter2@host/db", "postgresql://me:hunter2@host:port/db", "me:hunter2"):
        run = told("discover", source)
        assert run.code in (2, 3) and "hunter2" not in run.stdout + run.stderr, run.describe()


@pytest.mark.parametrize("command", ["status", "drop"])
def test_a_directory_that_is_no_destination(command, tmp_path):
    run = told(command, tmp_path / "nowhere")
    assert run.code != 0 and "NOT_FOUND" in run.stderr, run.describe()
