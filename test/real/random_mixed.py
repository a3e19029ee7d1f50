# SPDX-License-Identifier: Apache-2.0
"""The random workload over every kind of table: every kind of type, tables that the log does not tell of, a view,
partitions of partitions, tables that inherit, wide rows, names that differ by case alone, tables that change their names
and schemas; with changes of columns and tables too.

    SEED=17 python random_mixed.py                as random_workload.py
"""
import sys

from random_schema import SchemaWorkload
from random_workload import main

WIDE = 300


class MixedWorkload(SchemaWorkload):
    more = (
        SchemaWorkload.more
        + f"""
CREATE EXTENSION hstore;
CREATE TYPE mood AS ENUM ('low', 'mid', 'high');
CREATE TYPE spot AS (x int, label text, day date);
CREATE DOMAIN score AS numeric(9,2) CHECK (VALUE >= 0);
CREATE TABLE typed (id int PRIMARY KEY, mood mood, spot spot, spots spot[], pairs hstore, span int4range, cost money, grid int[],
  took interval, net inet, flags varbit, odd numeric, score score, clock time, zone timetz, raw bytea, paper xml, words tsvector,
  twice int GENERATED ALWAYS AS (id * 2) STORED, big text);
ALTER TABLE typed ALTER COLUMN big SET STORAGE EXTERNAL, ALTER COLUMN spots SET STORAGE EXTERNAL;
INSERT INTO typed (id, mood, spot, pairs, odd, raw)
  SELECT i, 'low', ROW(i, 'l', '2024-01-01')::spot, 'a=>1', i / 7.0, int4send(i) FROM generate_series(1, 800) i;
CREATE TABLE nokey (n int, v text, f double precision);
INSERT INTO nokey SELECT i % 50, 'v', i % 7 FROM generate_series(1, 500) i;
CREATE TABLE nothing (id int PRIMARY KEY, v text); ALTER TABLE nothing REPLICA IDENTITY NOTHING;
INSERT INTO nothing SELECT i, 'v' FROM generate_series(1, 200) i;
CREATE UNLOGGED TABLE fleeting (id int PRIMARY KEY, v text);
INSERT INTO fleeting SELECT i, 'v' FROM generate_series(1, 300) i;
CREATE VIEW joined AS SELECT b.id, b.v AS brief, n.v AS nothing FROM brief b LEFT JOIN nothing n USING (id);
CREATE TABLE deep (region int, day date, id int, v text, big text, PRIMARY KEY (region, day, id)) PARTITION BY LIST (region);
ALTER TABLE deep ALTER COLUMN big SET STORAGE EXTERNAL;
CREATE TABLE deep_0 PARTITION OF deep FOR VALUES IN (0) PARTITION BY RANGE (day);
CREATE TABLE deep_0_old PARTITION OF deep_0 FOR VALUES FROM (MINVALUE) TO ('2024-01-15');
CREATE TABLE deep_0_new PARTITION OF deep_0 FOR VALUES FROM ('2024-01-15') TO (MAXVALUE);
CREATE TABLE deep_1 PARTITION OF deep DEFAULT;
INSERT INTO deep SELECT i % 2, date '2024-01-01' + i % 30, i, 'v', CASE WHEN i % 20 = 0 THEN repeat('d', 4000) END
  FROM generate_series(1, 1500) i;
CREATE TABLE "Größe" ("Id" int PRIMARY KEY, "Zähler" int, "ä b" text); CREATE TABLE "größe" (id int PRIMARY KEY, v text);
INSERT INTO "Größe" SELECT i, -i, 'x' FROM generate_series(1, 200) i; INSERT INTO "größe" SELECT i, 'y' FROM generate_series(1, 200) i;
CREATE TABLE wide (id int PRIMARY KEY, {", ".join(f"w{n} int DEFAULT {n}" for n in range(WIDE))});
INSERT INTO wide SELECT i FROM generate_series(1, 300) i;
CREATE TABLE family (id int PRIMARY KEY, v text); CREATE TABLE heirs (n int, PRIMARY KEY (id)) INHERITS (family);
INSERT INTO family SELECT i, 'f' FROM generate_series(1, 300) i; INSERT INTO heirs SELECT i, 'h', i FROM generate_series(1, 300) i;
CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.never (id int PRIMARY KEY, v text);
CREATE TABLE wander_a (id int PRIMARY KEY, v text); CREATE TABLE elsewhere.wander_b (id int PRIMARY KEY, v text);
INSERT INTO wander_a SELECT i, 'a' FROM generate_series(1, 300) i;
INSERT INTO elsewhere.wander_b SELECT i, 'b' FROM generate_series(1, 300) i;
-- Virtual generated columns are of version 18 and later.
CREATE TABLE computed (id int PRIMARY KEY, a int); INSERT INTO computed SELECT i, i FROM generate_series(1, 300) i;
DO $do$ BEGIN EXECUTE 'ALTER TABLE computed ADD COLUMN twice int GENERATED ALWAYS AS (a * 2) VIRTUAL';
EXCEPTION WHEN syntax_error THEN NULL; END $do$;
"""
    )
    views = ("joined",)
    schemas = ("public", "elsewhere")
    replicated = (
        *SchemaWorkload.replicated,
        "typed",
        "Größe",
        "größe",
        "wide",
        "family",
        "heirs",
        "computed",
    )
    replica = "; ".join(f"ALTER TYPE mood ADD VALUE 'more{n}'" for n in range(5))

    def __init__(self, seed, large_rows, without=()):
        super().__init__(seed, large_rows, without)
        self.statements_by_name |= {
            "typed": 10,
            "unlogged": 4,
            "deep": 8,
            "odd_names": 3,
            "wide": 3,
            "label": 1,
            "family": 4,
            "wander": 2,
            "wander_rows": 4,
        }
        self.labels = 0

    def _typed_values(self):
        choose = self.random.choice
        return {
            "mood": choose(["'low'", "'high'", "NULL"]),
            "spot": choose(["ROW(1, 'a,\"b', '2024-02-29')::spot", "ROW(NULL, NULL, NULL)::spot", "NULL"]),
            "spots": choose(["ARRAY[NULL, ROW(2, '', current_date)::spot]", "'{}'", "NULL"]),
            "pairs": choose(['\'k=>NULL, "b c"=>""\'', "''", "NULL"]),
            "span": choose(["'[1,5)'", "'empty'", "'(,7]'"]),
            "cost": choose(["12.34::money", "NULL"]),
            "grid": choose(["'{{1,2},{3,NULL}}'", "'{}'", "'{4}'"]),
            "took": choose(["'1 year 2 months 3 days 04:05:06.789'", "'-1 s'"]),
            "net": choose(["'10.0.0.1/8'", "'::1'"]),
            "flags": choose(["B'101'", "B''"]),
            "odd": choose(["'NaN'", "1e40", "0.000000000000000000000000000000000000000001", "-7.50"]),
            "score": choose(["1.25", "NULL"]),
            "clock": choose(["'24:00:00'", "'00:00:00.000001'"]),
            "zone": choose(["'12:00:00+05:30'", "NULL"]),
            "raw": choose(["'\\x00ff'", "''"]),
            "paper": choose(["'<a>1</a>'", "NULL"]),
            "words": choose(["'a:1 b:2'", "''"]),
            "big": choose([self._big(), "NULL"]),
        }

    def _typed(self):
        values = self._typed_values()
        low = self._low(800)
        some = self.random.sample(sorted(values), self.random.randint(1, 5))
        assigned = ", ".join(f"{name} = {values[name]}" for name in some)
        return self.random.choice(
            [
                [
                    f"INSERT INTO typed (id, {', '.join(values)}) VALUES ({self._id()}, {', '.join(values.values())})"
                ],
                [f"UPDATE typed SET {assigned} WHERE id BETWEEN {low} AND {low + 10}"],
                [f"UPDATE typed SET {assigned} WHERE id > 10000000 AND id % 5 = {low % 5}"],
                [f"UPDATE typed SET id = {self._id()} WHERE id = {low}"],
                [f"DELETE FROM typed WHERE id BETWEEN {low} AND {low + 2}"],
            ]
        )

    def _label(self):
        """A value comes to an enum, and is used: not in one transaction."""
        self.labels += 1
        return [
            f"ALTER TYPE mood ADD VALUE IF NOT EXISTS 'more{self.labels % 5}'",
            f"DO $do$ BEGIN UPDATE typed SET mood = 'more{(self.labels + 3) % 5}' WHERE id % 50 = {self.labels % 50};"
            " EXCEPTION WHEN OTHERS THEN NULL; END $do$",
        ]

    def _unlogged(self):
        low = self._low(300)
        return self.random.choice(
            [
                [f"UPDATE nokey SET v = v || 'x' WHERE n = {low % 50}"],
                [f"INSERT INTO nokey SELECT * FROM nokey WHERE n = {low % 50} LIMIT 3"],
                [f"DELETE FROM nokey WHERE ctid IN (SELECT ctid FROM nokey WHERE n = {low % 50} LIMIT 2)"],
                [f"UPDATE nothing SET v = v || 'x' WHERE id BETWEEN {low} AND {low + 9}"],
                [f"DELETE FROM nothing WHERE id = {low}"],
                [f"INSERT INTO nothing VALUES ({self._id()}, NULL)"],
                [f"UPDATE fleeting SET v = v || 'x' WHERE id < {low}"],
                [f"INSERT INTO fleeting VALUES ({self._id()}, 'new')"],
                [
                    "CREATE TEMPORARY TABLE IF NOT EXISTS passing (id int)",
                    f"INSERT INTO passing VALUES ({low})",
                    f"UPDATE computed SET a = a + 1 WHERE id < {low}",
                ],
            ]
        )

    def _deep(self):
        low = self._low(1500)
        return self.random.choice(
            [
                [f"UPDATE deep SET region = (region + 1) % 3 WHERE id BETWEEN {low} AND {low + 5}"],
                [
                    f"UPDATE deep SET day = day + {self.random.randint(-20, 20)} WHERE id BETWEEN {low} AND {low + 9}"
                ],
                [f"UPDATE deep SET v = v || 'x' WHERE id BETWEEN {low} AND {low + 20}"],
                [f"UPDATE deep SET big = {self._big()} WHERE id = {low}"],
                [f"DELETE FROM deep WHERE id = {low}"],
                [
                    f"INSERT INTO deep VALUES ({self.random.randint(0, 2)}, date '2024-01-10' + {low % 10}, {self._id()}, 'new')"
                ],
                ["TRUNCATE deep_0_old"] if low % 10 == 0 else [f"DELETE FROM deep_0 WHERE id = {low}"],
            ]
        )

    def _odd_names(self):
        low = self._low(200)
        return self.random.choice(
            [
                [f'UPDATE "Größe" SET "ä b" = "ä b" || \'.\', "Zähler" = "Zähler" + 1 WHERE "Id" < {low}'],
                [f"UPDATE \"größe\" SET v = v || '.' WHERE id < {low}"],
                [
                    f'INSERT INTO "Größe" VALUES ({self._id()}, 1, NULL)',
                    f'DELETE FROM "größe" WHERE id = {low}',
                ],
            ]
        )

    def _wide(self):
        some = ", ".join(f"w{n} = {self._low()}" for n in self.random.sample(range(WIDE), 3))
        low = self._low(300)
        return self.random.choice(
            [
                [f"UPDATE wide SET {some} WHERE id BETWEEN {low} AND {low + 4}"],
                [f"INSERT INTO wide (id) VALUES ({self._id()})", f"DELETE FROM wide WHERE id = {low}"],
            ]
        )

    def _family(self):
        """What is done to a table is done to those that inherit from it too, unless it is told otherwise."""
        low = self._low(300)
        return self.random.choice(
            [
                [f"UPDATE family SET v = v || 'x' WHERE id BETWEEN {low} AND {low + 9}"],
                [f"UPDATE ONLY family SET id = {self._id()} WHERE id = {low}"],
                [f"UPDATE heirs SET n = n + 1, v = NULL WHERE id BETWEEN {low} AND {low + 9}"],
                [f"DELETE FROM family WHERE id = {low}"],
                [f"INSERT INTO family VALUES ({low}, 'new')", f"INSERT INTO heirs VALUES ({low}, 'new', 0)"],
                [f"INSERT INTO heirs VALUES ({self._id()}, 'new', NULL)"],
                ["TRUNCATE ONLY family"] if low % 20 == 0 else [f"DELETE FROM ONLY family WHERE id = {low}"],
            ]
        )

    def _wanderer(self, statement):
        """A statement on a table of whose name and schema only the catalog knows; each has its own names."""
        which = self.random.choice("ab")
        found = f"relname LIKE 'wander_{which}%' AND relkind = 'r'"
        return (
            f"DO $do$ DECLARE t regclass; BEGIN SELECT oid INTO t FROM pg_class WHERE {found}; "
            f"EXECUTE format($x${statement.replace('{which}', which)}$x$, t); EXCEPTION WHEN duplicate_table THEN NULL; END $do$"
        )

    def _wander(self):
        return [
            self._wanderer(
                self.random.choice(
                    [
                        f"ALTER TABLE %s RENAME TO wander_{{which}}_{self._id()}",
                        "ALTER TABLE %s SET SCHEMA elsewhere",
                        "ALTER TABLE %s SET SCHEMA public",
                    ]
                )
            )
        ] + (self._wander_rows() if self.random.random() < 0.5 else [])

    def _wander_rows(self):
        low = self._low(300)
        return [
            self._wanderer(
                self.random.choice(
                    [
                        f"UPDATE %s SET v = v || 'x' WHERE id BETWEEN {low} AND {low + 9}",
                        f"UPDATE %s SET id = {self._id()} WHERE id = {low}",
                        f"DELETE FROM %s WHERE id = {low}",
                        f"INSERT INTO %s VALUES ({self._id()}, 'new')",
                    ]
                )
            )
        ]


if __name__ == "__main__":
    sys.exit(main(MixedWorkload))
