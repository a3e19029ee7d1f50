# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL's own logical replication, of a database into another server: what it makes of the same changes."""
import tempfile

from contents import READERS, assert_equal
from freshet_command import wait_until
from postgres_server import Server
from psycopg import sql


def subscribing_server():
    """A server for copies, which look for their publisher again at once after they lost it."""
    directory = tempfile.mkdtemp(prefix="freshet-subscriber-")
    return Server(directory, "wal_retrieve_retry_interval=200ms").start()


class NativeCopy:
    """A database of its own on `server` in which tables of `source` are replicated; `schema` is the SQL that makes them."""

    def __init__(self, server, source, schema, tables):
        self.source, self.name, self.tables = source, f"native_{source.name}", tables
        self.database = server.create_database(self.name)
        self.database.execute(schema)
        names = sql.SQL(", ").join(sql.Identifier(table) for table in tables)
        self.database.execute(sql.SQL("TRUNCATE {}").format(names))
        publish = "CREATE PUBLICATION {} FOR TABLE {} WITH (publish_via_partition_root = true)"
        source.execute(sql.SQL(publish).format(sql.Identifier(self.name), names))
        self.database.execute(
            sql.SQL("CREATE SUBSCRIPTION {0} CONNECTION {1} PUBLICATION {0}").format(
                sql.Identifier(self.name), source.url
            )
        )

    def assert_equal(self, destination, readers=READERS):
        """Wait until all that is committed at the source is here; it is what the destination has."""
        self.source.execute("CHECKPOINT")  # what was committed asynchronously is in the log by then
        written = self.source.value("SELECT pg_current_wal_lsn()")
        wait_until(lambda: self._caught_up(written), "native replication to catch up", interval=0.1)
        tables = [("public", table) for table in self.tables]
        assert_equal(self.database.connection, destination, *tables, readers=readers)

    def _caught_up(self, written):
        if self.database.rows("SELECT FROM pg_subscription_rel WHERE srsubstate <> 'r'"):
            return False
        replayed = "SELECT FROM pg_stat_replication WHERE application_name = %s AND replay_lsn >= %s"
        return bool(self.source.rows(replayed, (self.name, written)))

    def drop(self):
        """Let go of the source, whether it runs or not; its slot and publication go with its database."""
        subscription = sql.Identifier(self.name)
        for change in ("DISABLE", "SET (slot_name = NONE)"):
            self.database.execute(sql.SQL("ALTER SUBSCRIPTION {} " + change).format(subscription))
        self.database.execute(sql.SQL("DROP SUBSCRIPTION {}").format(subscription))
        self.database.drop()
