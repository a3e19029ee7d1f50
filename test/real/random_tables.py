# SPDX-License-Identifier: Apache-2.0
"""What the tables of a random workload are at the destination, drawn from its seed."""
import json
import random

from contents import READERS

# Tables with a key that stays and types that do: they can keep their rows' past.
LASTING = ["keyed", "pairs", "whole", "indexed", "parts", "grows", "brief"]


def specify(seed, path, views=()):
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
    objects = [{"schema": {"source_schema": "public"}}] + [
        {"table": {"source_schema": "public", "source_table": table, "table_configuration": configuration}}
        for table, configuration in (drawn | dict.fromkeys(views, {})).items()
    ]
    path.write_text(json.dumps({"objects": objects, "profile": profile}))
    kept = ", ".join(f"{table} {'/'.join(map(str, c.values()))}" for table, c in drawn.items())
    readers = ["duckdb"] if profile == "full" else READERS
    return ["--spec", path], f"{profile}: {kept}", readers


def tables_of(database, views=()):
    """The tables that are there now, partitioned ones as one, and the views."""
    names = database.rows(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition"
    )
    return [f"public.{name}" for name in [*(name for (name,) in names), *views]]
