# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy before a server that does what networks do: cuts, stalls, delays and splits what passes.

Each fault is asked for by its method and hits the connections that are open at that moment (`cut`, `cut_within`) or all
that passes for a while (`stall`, `slow`). Between faults it forwards unchanged. With `hold_after` a test stops the world in
the middle of a large read, for as long as it takes to do something there.
"""
import contextlib
import random
import select
import socket
import struct
import threading
import time

CHUNK_BYTES = 16 << 10


class Pair:
    """One client and its connection to the server."""

    def __init__(self, client, upstream):
        self.client, self.upstream = client, upstream
        self.cut_next = False
        self.passed = 0  # bytes from the server
        self.held = self.closed = False

    def close(self, reset=False):
        self.closed = True
        for end in (self.client, self.upstream):
            with contextlib.suppress(OSError):
                if reset:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class FaultyProxy:
    """Listens on a port of its own until `close`; the server may restart on another port meanwhile."""

    def __init__(self, server, seed=0):
        self.server = server
        self.random = random.Random(f"proxy {seed}")
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.pairs = set()
        self.stalled_until = self.slow_until = 0.0
        self.held_after = None
        self.closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, name):
        return f"postgresql://{self.server.user}@127.0.0.1:{self.port}/{name}"

    def cut(self):
        """Reset every open connection: both ends see the other one gone."""
        self._close_all(reset=self.random.random() < 0.5)

    def cut_within(self):
        """Forward half of the next piece of each open connection, then reset it: a message ends in its middle."""
        with self.lock:
            for pair in self.pairs:
                pair.cut_next = True

    def stall(self, seconds):
        """Nothing passes, and nothing is refused."""
        self.stalled_until = time.monotonic() + seconds

    def slow(self, seconds):
        """What passes comes late and in small pieces."""
        self.slow_until = time.monotonic() + seconds

    def hold_after(self, size):
        """Of each connection so many bytes pass from the server; the rest waits for `release`."""
        self.held_after = size

    def holding(self):
        """How many connections wait."""
        with self.lock:
            return sum(pair.held for pair in self.pairs)

    def release(self):
        self.held_after = None

    def close(self):
        self.closed = True
        self.listener.close()
        self._close_all()

    def _close_all(self, reset=False):
        with self.lock:
            pairs, self.pairs = self.pairs, set()
        for pair in pairs:
            pair.close(reset)

    def _accept(self):
        while not self.closed:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                upstream = socket.create_connection(("127.0.0.1", int(self.server.port)), 5)
            except OSError:
                client.close()
                continue
            for end in (client, upstream):
                end.settimeout(None)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pair = Pair(client, upstream)
            with self.lock:
                self.pairs.add(pair)
            threading.Thread(target=self._forward, args=(pair, client, upstream), daemon=True).start()
            threading.Thread(target=self._forward, args=(pair, upstream, client), daemon=True).start()

    def _forward(self, pair, source, target):
        try:
            while True:
                select.select([source], [], [])
                self._wait_while_stalled()
                piece = source.recv(CHUNK_BYTES)
                if not piece:
                    break
                if pair.cut_next:
                    target.sendall(piece[: len(piece) // 2])
                    pair.close(reset=True)
                    break
                if target is pair.client:
                    self._wait_while_held(pair, len(piece))
                self._pass(piece, target)
        except (OSError, ValueError):
            pass
        finally:
            with self.lock:
                self.pairs.discard(pair)
            pair.close()

    def _wait_while_held(self, pair, size):
        pair.passed += size
        while not pair.closed and self.held_after is not None and pair.passed > self.held_after:
            pair.held = True
            time.sleep(0.01)
        pair.held = False

    def _wait_while_stalled(self):
        while not self.closed and (left := self.stalled_until - time.monotonic()) > 0:
            time.sleep(min(left, 0.05))

    def _pass(self, piece, target):
        if time.monotonic() >= self.slow_until:
            target.sendall(piece)
            return
        middle = self.random.randint(0, len(piece))
        for part in (piece[:middle], piece[middle:]):
            time.sleep(0.002)
            target.sendall(part)
