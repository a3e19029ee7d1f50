# SPDX-License-Identifier: Apache-2.0
"""What the tables of a random workload are at the destination, drawn from its seed."""
import json
import random

from contents import READERS, commits, compare

# Tables with a key that stays and types that do: they can keep their rows' past.
LASTING = ["keyed", "pairs", "whole", "indexed", "parts", "grows", "brief"]


def specify(seed, path, views=(), schemas=("public",)):
    """Draw a profile, and for each table what it keeps and whether it tells its changes; views are named. Returns
    the options that say so, what was drawn, and who can read it all."""
    draw = random.Random(f"tables {seed}")
    profile = draw.choice(["portable", "portable", "full", "classic"])
    drawn = {}
    for table in LASTING:
        configuration = draw.choice([{}, {}, {"scd_type": "SCD_TYPE_2"}, {"soft_delete": True}])
        if draw.random() < 0.3:
            configuration = configuration | {"table_properties": {"delta.enableChangeDataFeed": True}}
        if configuration:
            drawn[table] = configuration
    objects = [{"schema": {"source_schema": schema}} for schema in schemas] + [
        {"table": {"source_schema": "public", "source_table": table, "table_configuration": configuration}}
        for table, configuration in (drawn | dict.fromkeys(views, {})).items()
    ]
    path.write_text(json.dumps({"objects": objects, "profile": profile}))
    kept = ", ".join(f"{table} {'/'.join(map(str, c.values()))}" for table, c in drawn.items())
    readers = ["duckdb"] if profile == "full" else READERS
    return ["--spec", path], f"{profile}: {kept}", readers


WANDERERS = """FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE nspname IN ('public', 'elsewhere') AND relkind IN ('r', 'p') AND NOT relispartition AND relname {} 'wander%'"""


def tables_of(database, views=()):
    """The tables that are there now, partitioned ones as one, and the views; not those that wander."""
    names = database.rows("SELECT nspname || '.' || relname " + WANDERERS.format("NOT LIKE"))
    return [*(name for (name,) in names), *(f"public.{view}" for view in views)]


def assert_wanderers_equal(database, destination, readers):
    """Tables that change their names and schemas lie in the place of the name they were first seen by."""
    places = {}
    for log in destination.glob("*/wander*/_delta_log"):
        for actions in commits(log.parent).values():
            for action in actions:
                if "metaData" in action:
                    places[action["metaData"]["configuration"].get("freshet.table")] = log.parent
    differences = []
    for oid, schema, name in database.rows(
        "SELECT c.oid::text, nspname, relname " + WANDERERS.format("LIKE")
    ):
        differences += compare(
            database.connection, destination, schema, name, readers=readers, path=places[oid]
        )
    assert not differences, "\n".join(map(str, differences))
