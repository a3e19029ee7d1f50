# SPDX-License-Identifier: Apache-2.0
"""The random workload with changes of columns, keys and whole tables mixed in.

    SEED=17 python random_schema.py               as random_workload.py
"""
import sys

from random_workload import Workload, main


def tolerant(statement):
    """A statement whose columns may have gone, or have come already."""
    return f"DO $do$ BEGIN {statement}; EXCEPTION WHEN OTHERS THEN NULL; END $do$"


class SchemaWorkload(Workload):
    more = """
CREATE TABLE shifts (id int PRIMARY KEY, a text, b int, c text);
INSERT INTO shifts SELECT i, 'a' || i, i, 'c' FROM generate_series(1, 1000) i;
CREATE TABLE loose (a int, b text, c int, stays int); ALTER TABLE loose REPLICA IDENTITY FULL;
INSERT INTO loose SELECT i % 10, 'b', i % 3, i % 5 FROM generate_series(1, 300) i;
CREATE TABLE remade (id int PRIMARY KEY, v text); INSERT INTO remade SELECT i, 'v' FROM generate_series(1, 100) i;
"""

    def __init__(self, seed, large_rows, without=()):
        super().__init__(seed, large_rows, without)
        self.statements_by_name |= {"shift": 4, "shift_rows": 12, "loosen": 2, "loose_rows": 6, "remake": 1}

    def _column(self):
        return self.random.choice("abcde")

    def _alter(self, table):
        one, other = self._column(), self._column()
        kind = self.random.choice(["int", "text", "bigint", "numeric(12,2)"])
        return tolerant(
            f"ALTER TABLE {table} "
            + self.random.choice(
                [
                    f"ADD COLUMN {one} {kind}",
                    f"ADD COLUMN {one} {kind}",
                    f"ADD COLUMN {one} {kind} DEFAULT 7",
                    f"DROP COLUMN {one}",
                    f"DROP COLUMN {one}",
                    f"DROP COLUMN {one}, ADD COLUMN {one} {kind}",
                    f"RENAME COLUMN {one} TO {other}",
                    f"RENAME COLUMN {one} TO {other}",
                    f"ALTER COLUMN {one} TYPE text USING {one}::text",
                    f"ALTER COLUMN {one} SET NOT NULL",
                    f"ALTER COLUMN {one} DROP NOT NULL",
                ]
            )
        )

    def _write(self, table):
        low, column = self._low(1000), self._column()
        return self.random.choice(
            [
                tolerant(
                    f"UPDATE {table} SET {column} = {low} WHERE {column} IS NULL OR {column} = {column}"
                ),
                tolerant(
                    f"UPDATE {table} SET {column} = NULL WHERE ctid < '({self.random.randint(1, 3)},0)'"
                ),
            ]
        )

    def _shift(self):
        acts = [self._alter("shifts") for _ in range(self.random.choice([1, 1, 1, 3]))]
        return acts + (self._shift_rows() if self.random.random() < 0.6 else [])

    def _shift_rows(self):
        low = self._low(1000)
        return self.random.choice(
            [
                [tolerant(f"INSERT INTO shifts (id) VALUES ({self._id()})")],
                [f"DELETE FROM shifts WHERE id = {low}"],
                [tolerant(f"UPDATE shifts SET id = {self._id()} WHERE id = {low}")],
                [self._write("shifts")],
            ]
        )

    def _loosen(self):
        return [self._alter("loose")] + (self._loose_rows() if self.random.random() < 0.5 else [])

    def _loose_rows(self):
        some = f"ctid IN (SELECT ctid FROM loose ORDER BY ctid LIMIT {self.random.choice([1, 5])})"
        return self.random.choice(
            [
                [f"DELETE FROM loose WHERE {some}"],
                [tolerant("INSERT INTO loose SELECT * FROM loose LIMIT 7")],
                [self._write("loose")],
            ]
        )

    def _remake(self):
        return [
            "DROP TABLE IF EXISTS remade",
            f"CREATE TABLE remade ({self._column()} int PRIMARY KEY, v{self._id()} text)",
            f"INSERT INTO remade SELECT i, 'again' FROM generate_series(1, {self.random.randint(1, 50)}) i",
        ]


if __name__ == "__main__":
    sys.exit(main(SchemaWorkload))
