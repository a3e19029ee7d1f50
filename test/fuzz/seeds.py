#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""seeds.py copy|pgoutput DIRECTORY: write the corpus that fuzzing begins with, a value or two of every type."""
import pathlib
import struct
import sys

PLACE = '("(1,""a """"b"")","{t,NULL,""u,v""}","2024-02-29 12:34:56.5+00","""k""=>""v""")'
# In the order of wire_types.h: (binary forms, text forms)
VALUES = [
    ([b"\1"], ["t", "f"]),
    ([struct.pack("!h", -7)], ["-7"]),
    ([struct.pack("!i", 2**31 - 1)], ["2147483647"]),
    ([struct.pack("!q", -(2**63))], ["-9223372036854775808"]),
    ([struct.pack("!f", 1.5)], ["1.5", "NaN"]),
    ([struct.pack("!d", 0.1)], ["0.1", "-Infinity"]),
    (["ünïcode".encode(), b"M\xfcller"], ["ünïcode 🎉"]),
    ([b'\1{"a": 1}'], ['{"a": 1}']),
    ([b"\0\xff"], ["\\x00ff"]),
    ([struct.pack("!i", 8000)], ["2024-02-29", "4713-01-01 BC", "infinity"]),
    ([struct.pack("!q", 86_400_000_000)], ["24:00:00"]),
    ([struct.pack("!q", 7)], ["2024-02-29 12:34:56.123456", "0001-01-01 00:00:00 BC"]),
    ([struct.pack("!q", -7)], ["2024-02-29 12:34:56+00", "-infinity"]),
    ([bytes(range(16))], ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]),
    ([struct.pack("!hhHhhh", 2, 0, 0x4000, 3, 1, 2500)], ["-1.25", "NaN"]),
    ([struct.pack("!hhHhh", 1, 9, 0, 0, 99)], ["9" * 38]),
    ([b"10101"], ["10101"]),
    ([b'"a"=>"b", "c\\"d"=>NULL'], ['"a"=>"b", "c\\"d"=>NULL']),
    ([struct.pack("!iiiiiii", 1, 1, 23, 2, 1, -1, 4) + b"\0\0\0\7"], ["{1,NULL}", "[0:1]={1,2}"]),
    ([struct.pack("!iiiiii", 1, 0, 25, 1, 1, 1) + b"a"], ['{a,"b \\" c",NULL}']),
    ([b"{{1,NULL},{2.5,3}}"], ["{{1,NULL},{2.5,3}}", "{1}", "{}"]),
    ([PLACE.encode()], [PLACE, "(,,,)"]),
    ([b'{"(1,a)",NULL,"(,\\"b c\\")"}'], ['{"(1,a)",NULL,"(,\\"b c\\")"}']),
]


def copy_seeds():
    for number, (binary, texts) in enumerate(VALUES):
        rows = b"".join(struct.pack("!hi", 1, len(value)) + value for value in binary)
        yield bytes([number]) + rows + struct.pack("!hi", 1, -1) + struct.pack("!h", -1)
        escaped = (text.encode().replace(b"\\", b"\\\\") + b"\n" for text in [*texts, "a\\tb"])
        yield bytes([0x80 + number]) + b"".join(escaped) + b"\\N\n"


def tuple_of(texts, kind=b"t"):
    columns = (b"n" if t is None else kind + struct.pack("!I", len(t.encode())) + t.encode() for t in texts)
    return struct.pack("!h", len(texts)) + b"".join(columns)


def message(tag, body):
    return struct.pack("!H", len(body)) + tag + body


def pgoutput_seeds():
    first = [texts[0] for _, texts in VALUES]
    last = [texts[-1] for _, texts in VALUES]
    key = [text if i in (2, 6) else None for i, text in enumerate(first)]
    oid = struct.pack("!I", 1)
    insert = message(b"I", oid + b"N" + tuple_of(first))
    update = message(b"U", oid + b"O" + tuple_of(first) + b"N" + tuple_of(last))
    delete = message(b"D", oid + b"O" + tuple_of(first))
    yield b"\0" + insert
    yield b"\0" + insert + message(b"U", oid + b"K" + tuple_of(key) + b"N" + tuple_of(last))
    yield b"\0" + message(b"D", oid + b"K" + tuple_of(key))
    yield b"\1" + insert + update + delete
    column = b"\1" + b"id\0" + struct.pack("!Ii", 23, -1)
    yield b"\0" + message(b"R", oid + b"public\0t\0d" + struct.pack("!h", 1) + column)
    yield b"\0" + message(b"B", struct.pack("!QqI", 1, 2, 3)) + message(
        b"C", struct.pack("!bQQq", 0, 1, 2, 3)
    )
    start, rest = (message(b"S", struct.pack("!IB", 7, first)) for first in (1, 0))
    stop, rows = message(b"E", b""), oid + b"N" + tuple_of(first)
    commit = message(b"c", struct.pack("!IbQQq", 7, 0, 1, 2, 3))
    streamed = (
        start + message(b"I", struct.pack("!I", 7) + rows) + message(b"I", struct.pack("!I", 8) + rows) + stop
    )
    yield b"\0" + streamed + message(b"A", struct.pack("!II", 7, 8)) + rest + stop + commit
    yield b"\0" + streamed + message(b"A", struct.pack("!IIQq", 7, 7, 1, 2)) + streamed + commit
    yield b"\0" + message(b"T", struct.pack("!Ib", 1, 0) + oid) + message(b"k", struct.pack("!Qqb", 1, 2, 1))


def main():
    kind, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    directory.mkdir(parents=True)
    for number, seed in enumerate({"copy": copy_seeds, "pgoutput": pgoutput_seeds}[kind]()):
        (directory / f"seed_{number}").write_bytes(seed)


if __name__ == "__main__":
    main()
