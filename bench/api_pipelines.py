# SPDX-License-Identifier: Apache-2.0
"""A server with five hundred pipelines of twenty tables: how soon does it answer, and what does it take while nothing happens?

The pipelines are made by the API, over one gateway and one database, and each is run once, so that the catalog has its tables and the
event log its events; then the gateway is stopped. Measured: the server's CPU while nobody asks; GETs by clients in processes of their own,
one request after the other on connections of their own, of every kind by turns; beside them GET /health by the same clients, which looks at
nothing: what HTTP, Python and the machine take. Memory is the server's peak over all of this. Prints a table for bench/results.md.
Usage: bench/api_pipelines.py [--pipelines 500] [--tables 20] [--clients 4] [--seconds 30] [--idle-seconds 60]
"""

import argparse
import concurrent.futures
import http.client
import pathlib
import random
import shutil
import sys
import tempfile
import time
import urllib.parse

import psycopg
import psycopg.conninfo

from orders import conditions, server
from process_tree import cpu_of, rss_peak_of

from contents import assert_equal  # noqa: E402
from freshet_command import children, wait_until  # noqa: E402
from freshet_server import ServerProcess  # noqa: E402

CATALOG = "/api/2.1/unity-catalog"
PIPELINES = "/api/2.0/pipelines"
PIPELINES_PER_TRANSACTION = 10
PAGE = 100
ENDED = ("COMPLETED", "FAILED", "CANCELED")
# Updates wait for their turn: the last one's end is that of all of them.
UPDATES_SECONDS = 3600
TABLE = """
CREATE TABLE {schema}.{name} (id bigint PRIMARY KEY, name text NOT NULL, amount numeric(12,2), at timestamptz, note text);
INSERT INTO {schema}.{name} SELECT i, 'row ' || i, i / 7.0, '2024-01-01'::timestamptz + i * interval '1 hour', md5(i::text)
FROM generate_series(1, 10) i;
"""


def make_source(connection: psycopg.Connection, schemas: list[str], names: list[str]) -> None:
    for first in range(0, len(schemas), PIPELINES_PER_TRANSACTION):
        connection.execute(
            "".join(
                f"CREATE SCHEMA {schema};" + "".join(TABLE.format(schema=schema, name=name) for name in names)
                for schema in schemas[first : first + PIPELINES_PER_TRANSACTION]
            )
        )
    connection.execute("CHECKPOINT")


def ask(api: ServerProcess, method: str, path: str, body: dict | None = None) -> dict:
    status, answer, _ = api.request(method, path, body)
    if status != 200:
        sys.exit(f"bench: {method} {path} was answered with {status}: {answer}")
    return answer


def pages(api: ServerProcess, path: str, items: str) -> list[tuple[str, list]]:
    """(path, items) of every page of a list."""
    found, token = [], ""
    while True:
        at = f"{path}&page_token={urllib.parse.quote(token)}" if token else path
        answer = ask(api, "GET", at)
        found.append((at, answer.get(items, [])))
        if not (token := answer.get("next_page_token")):
            return found


def make_pipelines(api: ServerProcess, uri: str, schemas: list[str], names: list[str]) -> tuple[str, list]:
    """(the gateway, the pipelines), none of them running."""
    words = psycopg.conninfo.conninfo_to_dict(uri)
    options = {"host": words["host"], "port": words["port"], "user": words["user"], "password": "unused"}
    shop = {
        "name": "shop",
        "connection_type": "POSTGRESQL",
        "options": options | {"sslmode": "disable"},
    }
    ask(api, "POST", f"{CATALOG}/connections", shop)
    storage = {"gateway_storage_catalog": "main", "gateway_storage_schema": "staging"}
    gateway = ask(
        api,
        "POST",
        PIPELINES,
        {"name": "gateway", "gateway_definition": {"connection_name": "shop", **storage}},
    )["pipeline_id"]
    made = []
    for schema in schemas:
        tables = [
            {
                "table": {
                    "source_catalog": words["dbname"],
                    "source_schema": schema,
                    "source_table": name,
                    "destination_catalog": "main",
                    "destination_schema": schema,
                }
            }
            for name in names
        ]
        definition = {"ingestion_gateway_id": gateway, "objects": tables}
        body = {"name": f"pipeline {schema}", "catalog": "main", "ingestion_definition": definition}
        made.append(ask(api, "POST", PIPELINES, body)["pipeline_id"])
    return gateway, made


def run_once(api: ServerProcess, gateway: str, made: list[str]) -> None:
    """Every pipeline's update over the running gateway, which is stopped then."""
    ask(api, "POST", f"{PIPELINES}/{gateway}/updates", {})
    for pipeline in made:
        ask(api, "POST", f"{PIPELINES}/{pipeline}/updates", {})
    deadline = time.monotonic() + UPDATES_SECONDS
    left = set(made)
    while left:
        for _, found in pages(api, f"{PIPELINES}?max_results={PAGE}", "statuses"):
            for each in found:
                state = each["latest_updates"][0]["state"] if each["latest_updates"] else ""
                if each["pipeline_id"] not in left or state not in ENDED:
                    continue
                if state != "COMPLETED":
                    events = ask(api, "GET", f"{PIPELINES}/{each['pipeline_id']}/events")["events"]
                    sys.exit(f"bench: {each['name']} {state}: " + "; ".join(e["message"] for e in events))
                left.remove(each["pipeline_id"])
        if time.monotonic() > deadline:
            sys.exit(f"bench: {len(left)} updates have not ended")
        time.sleep(1)
    ask(api, "POST", f"{PIPELINES}/{gateway}/stop", {})
    wait_until(lambda: not children(api.process.pid), "the end of the gateway", 0.1)


def paths_of(api: ServerProcess, made: list[str], schemas: list[str], names: list[str]) -> dict[str, list]:
    """What is asked for: paths by what they tell."""
    schema_lists = [f"{CATALOG}/tables?catalog_name=main&schema_name={schema}" for schema in schemas]
    tables = [f"main.{schema}.{name}" for schema in schemas for name in names]
    of_pages = lambda path, items: [at for at, _ in pages(api, path, items)]  # noqa: E731
    return {
        "a pipeline": [f"{PIPELINES}/{each}" for each in made],
        "a list of 25 pipelines": of_pages(f"{PIPELINES}?max_results=25", "statuses"),
        "a list of 100 pipelines": of_pages(f"{PIPELINES}?max_results={PAGE}", "statuses"),
        "a pipeline's updates": [f"{PIPELINES}/{each}/updates" for each in made],
        "a pipeline's events": [f"{PIPELINES}/{each}/events" for each in made],
        "its errors among them": [f"{PIPELINES}/{each}/events?filter=level%3D%27ERROR%27" for each in made],
        "a pipeline's permissions": [f"/api/2.0/permissions/pipelines/{each}" for each in made],
        "a table": [f"{CATALOG}/tables/{each}" for each in tables],
        "a list of a schema's tables": schema_lists,
        "the same without columns": [f"{each}&omit_columns=true" for each in schema_lists],
        "a table's lineage": [
            f"/api/2.0/lineage-tracking/table-lineage?table_name={each}" for each in tables
        ],
        "a list of 100 schemas": of_pages(
            f"{CATALOG}/schemas?catalog_name=main&max_results={PAGE}", "schemas"
        ),
        "the connections": [f"{CATALOG}/connections"],
        "a connection": [f"{CATALOG}/connections/shop"],
    }


def client(url: str, token: str, paths: dict[str, list], seconds: float, seed: int) -> dict[str, list]:
    """Ask by turns; how long each answer took, in seconds, by what was asked for."""
    numbers = random.Random(seed)
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=60)
    headers = {"Authorization": f"Bearer {token}"}
    times = {what: [] for what in paths}
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        what = numbers.choice(list(paths))
        path = numbers.choice(paths[what])
        started = time.monotonic()
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        text = answer.read()
        times[what].append(time.monotonic() - started)
        if answer.status != 200:
            raise RuntimeError(f"GET {path} was answered with {answer.status}: {text[:500]}")
    connection.close()
    return times


def ask_together(api: ServerProcess, paths: dict[str, list], clients: int, seconds: float) -> dict[str, list]:
    times = {what: [] for what in paths}
    with concurrent.futures.ProcessPoolExecutor(clients) as processes:
        running = [
            processes.submit(client, api.url, api.token, paths, seconds, seed) for seed in range(clients)
        ]
        for each in running:
            for what, some in each.result().items():
                times[what] += some
    return times


def at(part: float, times: list[float]) -> float:
    """Milliseconds that so large a part of the answers took at most."""
    return 1000 * sorted(times)[min(len(times) - 1, int(part * len(times)))]


def idle_cpu(pid: int, seconds: float) -> float:
    """Per cent of a core."""
    before, started = cpu_of(pid), time.monotonic()
    time.sleep(seconds)
    return 100 * (cpu_of(pid) - before) / (time.monotonic() - started)


def report(title: str, health: list[float], times: dict[str, list], seconds: float, numbers: str) -> None:
    every = [each for some in times.values() for each in some]
    print(f"\n{title}\n")
    print("| GET | answers | p50 ms | p99 ms | beside /health, p50 | p99 |")
    print("|---|---|---|---|---|---|")
    for what, some in [("/health alone", health), *times.items(), ("all but /health", every)]:
        p50, p99 = at(0.5, some), at(0.99, some)
        print(
            f"| {what} | {len(some):,} | {p50:.1f} | {p99:.1f} | {p50 / at(0.5, health):.1f} | "
            f"{p99 / at(0.99, health):.1f} |"
        )
    print(
        f"\n{len(health) / seconds:,.0f} GETs of /health a second, {len(every) / seconds:,.0f} of the others. {numbers}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pipelines", type=int, default=500)
    parser.add_argument("--tables", type=int, default=20)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--idle-seconds", type=float, default=60)
    options = parser.parse_args()
    before = conditions()
    schemas = [f"p{number:03}" for number in range(options.pipelines)]
    names = [f"t{number:02}" for number in range(options.tables)]
    work = pathlib.Path(tempfile.mkdtemp(prefix="freshet-bench-"))
    api = ServerProcess(work / "data")
    try:
        uri = server("start", work / "server", "-c", "max_locks_per_transaction=1024")
        with psycopg.connect(uri, autocommit=True) as connection:
            make_source(connection, schemas, names)
            api.start()
            started = time.monotonic()
            gateway, made = make_pipelines(api, uri, schemas, names)
            authored = time.monotonic() - started
            run_once(api, gateway, made)
            ran = time.monotonic() - started - authored
            some = [
                f"{schema}.{names[0]}" for schema in random.Random(1).sample(schemas, min(10, len(schemas)))
            ]
            assert_equal(connection, api.data / "tables/main", *some, readers=["duckdb"])
        server("stop", work / "server")
        paths = paths_of(api, made, schemas, names)
        there = sum(
            len(found)
            for path in paths["the same without columns"]
            for _, found in pages(api, path, "tables")
        )
        if there != len(schemas) * len(names):
            sys.exit(f"bench: the catalog has {there} tables")
        held = rss_peak_of(api.process.pid)
        idle = idle_cpu(api.process.pid, options.idle_seconds)
        health = ask_together(api, {"health": ["/health"]}, options.clients, options.seconds)["health"]
        times = ask_together(api, paths, options.clients, options.seconds)
        peak = rss_peak_of(api.process.pid)
        api.stop()
    finally:
        api.close()
        server("stop", work / "server")
        shutil.rmtree(work, ignore_errors=True)
    title = (
        f"{before}; {len(schemas)} pipelines of {len(names)} tables over one gateway, none running; "
        f"{options.clients} clients for {options.seconds:.0f} s each; contents of some tables equal."
    )
    numbers = (
        f"The server while nobody asks: {idle:.2f} % of a core over {options.idle_seconds:.0f} s. Its peak RSS: "
        f"{held / 1e6:.0f} MB until all had run, {peak / 1e6:.0f} MB after the GETs. Made in {authored:.1f} s, run in {ran:.0f} s."
    )
    report(title, health, times, options.seconds, numbers)


if __name__ == "__main__":
    main()
