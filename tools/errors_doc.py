#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write docs/errors.md from src/base/error_classes.def; with --check only say whether it is up to date."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEFINITIONS = ROOT / "src/base/error_classes.def"
DOCUMENT = ROOT / "docs/errors.md"
RETRIES = {
    "kNever": "no: the cause must be removed first",
    "kBackoff": "by itself, after a growing wait",
    "kAfterReset": "after the affected tables were read anew",
}
ENTRY = re.compile(r'^ERROR_CLASS\((\w+),\s*(\w+),\s*(\w+),\s*"((?:[^"\\]|\\.)*)",\s*"((?:[^"\\]|\\.)*)"\)$')


def classes(text):
    """Return (section, name, code, retry, meaning, remedy) of every line of the list."""
    section, found = "General", []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("// --- "):
            section = line[len("// --- ") :].strip()
            section = section[0].upper() + section[1:]
        elif line.startswith("ERROR_CLASS("):
            match = ENTRY.match(line)
            if not match:
                raise SystemExit(f"{DEFINITIONS.name}:{number}: not one entry in one line")
            found.append((section, *match.groups()))
    return found


def document(text):
    out = [
        "# Errors",
        "",
        "Every error has a class whose name is stable: match on it, never on the message. Beside the remedy here,",
        "an error may carry its own, such as the SQL to run, which is printed with it.",
        "This page is written by `make errors` from `src/base/error_classes.def`.",
        "",
    ]
    section = None
    for group, name, code, retry, meaning, remedy in classes(text):
        if group != section:
            section = group
            out += [f"## {section}", ""]
        code = re.sub(r"(?<!^)(?=[A-Z])", "_", code[1:]).upper()
        out += [
            f"### {name}",
            "",
            meaning,
            "",
            f"- what to do: {remedy}",
            f"- retried: {RETRIES[retry]}",
            f"- code: `{code}`",
            "",
        ]
    return "\n".join(out).rstrip() + "\n"


def main():
    wanted = document(DEFINITIONS.read_text())
    if "--check" in sys.argv[1:]:
        if not DOCUMENT.exists() or DOCUMENT.read_text() != wanted:
            raise SystemExit("docs/errors.md is not up to date: run `make errors`")
        return
    DOCUMENT.write_text(wanted)


if __name__ == "__main__":
    main()
