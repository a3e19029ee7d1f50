# SPDX-License-Identifier: Apache-2.0
"""Feeds every rule of tidy a bad sample, which it must find, and a good tree, in which it must find nothing."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import tidy  # noqa: E402

SPDX = "// SPDX-License-Identifier: Apache-2.0\n"
GOOD = {
    "CMakeLists.txt": "freshet_module(base LIBS spdlog)\nfreshet_module(store DEPS base)\n"
    "freshet_module(capture DEPS store base)\nfreshet_module(apply DEPS store base)\n",
    "ARCHITECTURE.md": "# Architecture\n\nSee [the errors](docs/errors.md#not_found).\n\n### `src/base/`\n"
    "### `src/store/`\n### `src/capture/`\n### `src/apply/`\n",
    "docs/errors.md": "# Errors\n\n### NOT_FOUND\n",
    "src/base/error_classes.def": SPDX + 'ERROR_CLASS(NOT_FOUND, kNotFound, kNever, "a", "b")\n',
    "src/base/clock.h": SPDX,
    "src/base/clock.cc": SPDX
    + '#include "base/clock.h"\nauto Now() { return std::chrono::system_clock::now(); }\n',
    "src/store/file.h": SPDX,
    "src/store/file.cc": SPDX + '#include "store/file.h"\n\n#include "base/clock.h"\n\n'
    'Status Find() { return Error(ErrorClass::NOT_FOUND, "throw new thing"); }\n'
    "auto Make() { return std::unique_ptr<Thing>(new Thing(1)); }\n",
    "src/capture/gateway.cc": SPDX + "void Loop() { stream->Acknowledge(cursor); }\n",
    "src/apply/fold.cc": SPDX + "void Fold() {}\n",
    "docs/guide.md": "# Guide\n\n```cpp\n// src/apply/fold.cc\nvoid Fold() {}\n```\n",
    "tools/run": "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n",
}
LONG_BODY = "".join(f"  Step({i});\n" for i in range(80))
LOOKS_PRIVATE = "/ho" + "me/someone/key"

BAD = [
    (
        "include_direction",
        {"src/base/up.cc": SPDX + '#include "store/file.h"\n'},
        "base may not include store",
    ),
    (
        "include_direction",
        {"src/apply/side.cc": SPDX + '#include "capture/x.h"\n'},
        "apply may not include capture",
    ),
    ("include_direction", {"src/base/gone.cc": SPDX + '#include "base/gone.h"\n'}, "not there"),
    ("include_direction", {"src/lost/x.cc": SPDX}, "belongs to no freshet_module"),
    (
        "include_direction",
        {"CMakeLists.txt": "freshet_module(base DEPS store)\nfreshet_module(store)\n"},
        "not declared before",
    ),
    ("dead_headers", {"src/base/lonely.h": SPDX}, "no file includes"),
    (
        "one_acknowledge",
        {"src/apply/eager.cc": SPDX + "void A() { stream_->Acknowledge(c); }\n"},
        "one call site",
    ),
    (
        "one_acknowledge",
        {"src/capture/twice.cc": SPDX + "void A() { stream_->Acknowledge(c); }\n"},
        "one call site",
    ),
    ("code_map", {"ARCHITECTURE.md": "# A\n\n### `src/base/`\n"}, "lacks src/store/"),
    ("code_map", {"ARCHITECTURE.md": GOOD["ARCHITECTURE.md"] + "### `src/ghost/`\n"}, "names src/ghost/"),
    (
        "lengths",
        {"src/base/long.cc": SPDX + "int Long(int a,\n         int b) {\n" + LONG_BODY + "}\n"},
        "Long",
    ),
    (
        "lengths",
        {"src/base/long.cc": SPDX + "class A {\n  int Long() const {\n" + LONG_BODY + "  }\n};\n"},
        "Long",
    ),
    ("lengths", {"src/base/long.cc": SPDX + "A::A(int a) : a_(a) {\n" + LONG_BODY + "}\n"}, "A::A"),
    ("lengths", {"tools/long.py": "def long():\n" + "    pass\n" * 80}, "long"),
    ("lengths", {"src/base/tall.cc": SPDX + "int a;\n" * 600}, "file has 601 lines"),
    (
        "lengths",
        {"src/base/tall.cc": SPDX + "int a;\n" * 600, tidy.RATCHET: "file src/base/tall.cc 550\n"},
        "grown",
    ),
    ("lengths", {tidy.RATCHET: "file src/base/clock.cc 550\n"}, "take out"),
    ("columns", {"src/base/wide.cc": SPDX + "int " + "a" * 100 + ";\n"}, "105 columns"),
    ("file_names", {"src/base/string_utils.cc": SPDX}, "never util"),
    ("file_names", {"src/base/CamelCase.cc": SPDX}, "snake_case"),
    ("leftovers", {"src/base/late.cc": SPDX + "// TO" + "DO: later\n"}, "finish it"),
    ("machine_paths", {"docs/a.md": f"# A\n\nsee {LOOKS_PRIVATE}\n"}, "names a path"),
    ("machine_paths", {"docs/a.md": "# A\n\n-----BEGIN PRIVATE " + "KEY-----\n"}, "holds a key"),
    ("commented_out", {"src/base/old.cc": SPDX + "// return Old(a);\n"}, "code in a comment"),
    ("spdx", {"src/base/bare.cc": "int a;\n"}, "SPDX"),
    ("spdx", {"tools/bare": "#!/bin/sh\ntrue\n"}, "SPDX"),
    ("one_title", {"docs/two.md": "# One\n\n# Two\n"}, "one title"),
    ("one_title", {"docs/none.md": "text\n"}, "one title"),
    ("dead_links", {"docs/a.md": "# A\n\n[b](b.md)\n"}, "dead link"),
    ("dead_links", {"docs/a.md": "# A\n\n[b](errors.md#nothing)\n"}, "dead anchor"),
    ("dead_links", {"src/base/a.cc": SPDX + "// Source: docs/" + "gone.md\n"}, "document that is not there"),
    ("quoted_code", {"docs/a.md": "# A\n\n```cpp\n// src/gone.cc\nint a;\n```\n"}, "not there"),
    ("quoted_code", {"docs/a.md": "# A\n\n```cpp\n// src/apply/fold.cc\nint a;\n```\n"}, "does not say"),
    ("error_classes", {"docs/errors.md": "# Errors\n"}, "does not explain NOT_FOUND"),
    ("error_classes", {"docs/errors.md": GOOD["docs/errors.md"] + "\n### OLD\n"}, "no error class"),
    ("error_classes", {"src/store/file.cc": SPDX}, "used nowhere"),
    ("line_ends", {"docs/a.md": "# A"}, "newline"),
    ("line_ends", {"docs/a.md": "# A \n"}, "white space"),
    ("python_compiles", {"tools/a.py": "def:\n"}, "does not parse"),
]
BANNED_LINES = [
    "std::this_thread::sleep_for(x);",
    "usleep(1);",
    "auto t = std::chrono::system_clock::now();",
    "std::cout << 1;",
    "auto* p = new Thing(1);",
    "delete thing;",
    "throw std::runtime_error(x);",
    "auto v = getenv(name);",
    "system(command);",
    "sprintf(to, from);",
    "thread.detach();",
    "std::promise<int> p;",
    "using namespace std;",
]
BAD += [
    ("banned_calls", {"src/base/bad.cc": SPDX + f"void F() {{ {line} }}\n"}, "banned")
    for line in BANNED_LINES
]


def tree_of(directory, files):
    for path, text in files.items():
        file = directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tidy.Tree(directory, list(files))


def test_a_good_tree_has_no_findings(tmp_path):
    assert list(tidy.findings(tree_of(tmp_path, GOOD))) == []


@pytest.mark.parametrize("rule, files, words", BAD)
def test_a_bad_sample_is_found(tmp_path, rule, files, words):
    tree = tree_of(tmp_path, {**GOOD, **files})
    found = list(tidy.findings(tree, [getattr(tidy, rule)]))
    assert any(words in finding for finding in found), found


def test_every_rule_has_a_bad_sample():
    assert {rule.__name__ for rule in tidy.RULES} == {rule for rule, _, _ in BAD} | set()


def test_each_banned_pattern_has_a_bad_sample():
    import re

    assert [p for p, _, _ in tidy.BANNED if not any(re.search(p, line) for line in BANNED_LINES)] == []


def test_a_listed_giant_may_stay_but_not_grow(tmp_path):
    files = {**GOOD, "src/base/tall.cc": SPDX + "int a;\n" * 600, tidy.RATCHET: "file src/base/tall.cc 601\n"}
    assert list(tidy.findings(tree_of(tmp_path, files), [tidy.lengths])) == []


def test_functions_are_measured_from_signature_to_brace():
    text = (
        "namespace a {\nstruct S {\n  int x = 0;\n  int Get() const { return x; }\n};\n\nint Two(\n    int a) {\n"
        '  if (a) {\n    return 1;\n  }\n  auto f = [] { return "}"; };\n  return f();\n}\n}\n'
    )
    assert [(name, size) for name, _, size in tidy.functions_of_cpp(text)] == [("Get", 1), ("Two", 8)]
