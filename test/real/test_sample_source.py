# SPDX-License-Identifier: Apache-2.0
"""The journal of JSON lines as a user has it: from a program's appended lines to a Delta table, and on."""
import json

import pyarrow as pa
import pytest
from deltalake import DeltaTable, QueryBuilder
from freshet_command import Freshet, wait_until

ORDERS = {
    "op": "create",
    "table": "shop.orders",
    "id": "orders-1",
    "columns": [["id", "long"], ["note", "string"], ["amount", "decimal(12,2)"]],
    "key": ["id"],
}


class Journal:
    def __init__(self, directory):
        self.directory, self.path = directory, directory / "journal.jsonl"
        directory.mkdir()
        self.path.write_text('{"journal": "shop-1", "base": 0}\n')
        self.url = f"sample://{directory}"

    def commit(self, *changes):
        with self.path.open("a") as file:
            file.write(json.dumps({"at": "2026-01-02T03:04:05Z", "changes": changes}) + "\n")

    def insert(self, *rows):
        self.commit(*({"op": "insert", "table": "shop.orders", "row": row} for row in rows))


@pytest.fixture
def journal(tmp_path):
    made = Journal(tmp_path / "journal")
    made.commit(ORDERS)
    return made


@pytest.fixture
def freshet(journal, destination):
    runner = Freshet(journal.url, destination)
    yield runner
    runner.close()


def orders(freshet):
    table = DeltaTable(str(freshet.destination / "shop" / "orders"))
    rows = pa.table(QueryBuilder().register("t", table).execute("SELECT * FROM t")).to_pylist()
    return {row["id"]: (row["note"], None if row["amount"] is None else str(row["amount"])) for row in rows}


def test_from_the_first_line_on(journal, freshet):
    journal.insert({"id": 1, "note": "a", "amount": "1.5"}, {"id": 2, "note": "b"})
    freshet.ingest()
    assert orders(freshet) == {1: ("a", "1.50"), 2: ("b", None)}
    key = lambda number: {"table": "shop.orders", "key": {"id": number}}
    journal.commit({"op": "update", **key(1), "row": {"note": "changed"}}, {"op": "delete", **key(2)})
    journal.insert({"id": 3, "note": "c"})
    journal.commit({"op": "update", **key(3), "row": {"id": 4, "note": "moved", "amount": "9"}})
    freshet.ingest()
    assert orders(freshet) == {1: ("changed", "1.50"), 4: ("moved", "9.00")}
    positions = list(journal.directory.glob("*.position"))
    assert [int(p.read_text()) for p in positions] == [5]
    freshet.command("drop", freshet.destination)
    assert not list(journal.directory.glob("*.position")) and orders(freshet)


def test_a_run_that_stays_sees_what_is_appended(journal, freshet):
    run = freshet.start("--continuous")
    first = freshet.destination / "shop" / "orders" / "_delta_log" / f"{0:020}.json"
    wait_until(lambda: first.exists() or run.code is not None, "the table")
    for number in range(1, 6):
        journal.insert({"id": number, "note": str(number)})
    wait_until(lambda: run.code is not None or len(orders(freshet)) == 5, "the rows", interval=0.2)
    assert run.stop().code == 130, run.describe()


def test_what_it_says_of_itself(journal, freshet):
    journal.commit({"op": "create", "table": "shop.keyless", "id": "k-1", "columns": [["v", "string"]]})
    told = freshet.command("discover", journal.url).stdout
    assert "decimal(12,2)" in told and "DECIMAL(12,2)" in told and "TABLE_NO_IDENTITY" in told
    told = freshet.command("check", journal.url, expect=5).stdout
    assert "shop.keyless" in told and '"key"' in told


def test_another_history_is_never_read_on(journal, freshet):
    journal.insert({"id": 1, "note": "a"})
    backup = journal.path.read_text()
    journal.insert({"id": 2, "note": "b"})
    freshet.ingest()
    journal.path.write_text(backup)
    journal.insert({"id": 3, "note": "c"}, {"id": 4, "note": "d"})
    run = freshet.ingest(expect=3)
    assert "SLOT_MOVED" in run.error_classes() and set(orders(freshet)) == {1, 2}
    journal.path.write_text(backup.replace("shop-1", "shop-2"))
    run = freshet.ingest(expect=4)
    assert "DESTINATION_FOREIGN" in run.error_classes() and set(orders(freshet)) == {1, 2}


def test_a_bad_line_names_itself(journal, freshet):
    journal.insert({"id": 1, "note": "a"})
    freshet.ingest()
    with journal.path.open("a") as file:
        file.write("this is no JSON\n")
    run = freshet.ingest("--retry-for", "1s", expect=None)
    assert run.code != 0 and "DATA_CORRUPT" in run.error_classes(), run.describe()
    assert "line 4" in run.stdout + run.stderr
