#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Wrap C++ comments that are too wide, which clang-format is told to leave alone: it would run labelled lines
(`Errors: …`) and pseudo-code together. A comment behind code that is too wide moves above it."""

import pathlib
import re
import sys
import textwrap

COLUMNS_MAX = 100
LABEL = re.compile(r"^(SPDX|REQUIRES|Shape|Units|Errors|Source|Returns?|Shape of)\b|^[-*•] ")


def paragraphs(lines):
    """Group comment lines that may flow together; indented lines, labels and blank lines begin anew."""
    groups = []
    for line in lines:
        body = line.removeprefix(" ")
        alone = not body.strip() or body.startswith(" ")
        if alone or LABEL.match(body) or not groups or groups[-1][1] or "SPDX" in groups[-1][0][0]:
            groups.append(([line], alone))
        else:
            groups[-1][0].append(line)
    return groups


def filled(lines, prefix):
    if all(len(prefix + line) <= COLUMNS_MAX for line in lines):
        return [prefix + line for line in lines]
    out = []
    for group, alone in paragraphs(lines):
        if all(len(prefix + line) <= COLUMNS_MAX for line in group):
            out += [(prefix + line).rstrip() for line in group]
            continue
        lead = group[0][: len(group[0]) - len(group[0].lstrip())]
        hang = lead
        if alone:  # continue below the second column, where there is one
            first = re.match(r"(\S.*?\s{2,})\S", group[0].strip())
            hang = lead + " " * (len(first.group(1)) if first else 2)
        text = group[0].strip() if alone else " ".join(line.strip() for line in group)
        out += textwrap.wrap(
            text,
            COLUMNS_MAX,
            initial_indent=prefix + lead,
            subsequent_indent=prefix + hang,
            break_long_words=False,
            break_on_hyphens=False,
        )
    return out


def wrapped(text):
    lines, out, at = text.split("\n"), [], 0
    while at < len(lines):
        comment = re.match(r"^(\s*///?)( .*)?$", lines[at])
        if comment:
            prefix, block = comment.group(1), []
            while at < len(lines):
                same = re.match(r"^" + re.escape(prefix) + r"(?!/)( .*)?$", lines[at])
                if not same:
                    break
                block.append(same.group(1) or "")
                at += 1
            out += filled(block, prefix)
            continue
        line = lines[at]
        at += 1
        behind = re.match(r"^(\s*)(\S.*?)\s+//(?!/)( .*)$", line)
        if behind and len(line) > COLUMNS_MAX and "NOLINT" not in line and not re.search(r'"[^"]*//', line):
            out += filled([behind.group(3)], behind.group(1) + "//") + [behind.group(1) + behind.group(2)]
        else:
            out.append(line)
    return "\n".join(out)


def main():
    for name in sys.argv[1:]:
        path = pathlib.Path(name)
        before = path.read_text()
        after = wrapped(before)
        if after != before:
            path.write_text(after)


if __name__ == "__main__":
    main()
