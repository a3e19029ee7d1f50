#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The repository's own linter: what the compiler and clang-format cannot know. Run as a test.

Each rule is a function over a Tree that yields findings. `RULES` lists them; tidy_test.py feeds each a
bad sample, so no rule is there in name only.
"""

import ast
import pathlib
import re
import subprocess
import sys

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 500
LINE_COLUMNS_MAX = 100
SCRIPT_COLUMNS_MAX = 160  # of text in a script, such as SQL; black keeps the code itself within 110
RATCHET = "tools/tidy_ratchet.txt"
SOURCE = (".cc", ".h")


class Tree:
    """Files of a repository as text, by relative path; binary files have no text."""

    def __init__(self, root, paths=None):
        self.root = pathlib.Path(root)
        self.paths = sorted(paths if paths is not None else self._tracked())
        self.text = {}
        for path in self.paths:
            try:
                self.text[path] = (self.root / path).read_text()
            except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
                continue
        self.paths = [p for p in self.paths if (self.root / p).is_file()]

    def _tracked(self):
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=self.root,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        return [p for p in listed.split("\0") if p]

    def matching(self, *suffixes, under=""):
        return [p for p in self.paths if p in self.text and p.endswith(suffixes) and p.startswith(under)]

    def lines(self, path):
        return self.text[path].splitlines()


def is_test(path):
    return path.startswith("test/") or path.endswith(("_test.cc", "_test.h", "_test.py"))


def without_comments(text):
    """Blank comments and the insides of literals; line numbers stay."""
    token = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"(?P<raw>[^(\s]*)\(.*?\)(?P=raw)"|"(?:\\.|[^"\\\n])*"'
        r"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'",
        re.S,
    )

    def blank(match):
        found = match.group(0)
        lines = "\n" * found.count("\n")
        return lines if found.startswith("/") else '""' + lines if found[0] in 'R"' else "' '"

    return token.sub(blank, text)


# --- the modules and their includes


def modules(tree):
    """Return {module: [modules it may include]} from the freshet_module calls, in their order."""
    found = {}
    for call in re.findall(r"^freshet_module\(([^)]*)\)", tree.text.get("CMakeLists.txt", ""), re.M):
        words = call.split()
        deps, taking = [], False
        for word in words[1:]:
            if word in ("DEPS", "LIBS", "TEST_LIBS"):
                taking = word == "DEPS"
            elif taking:
                deps.append(word)
        found[words[0]] = deps
    return found


def module_of(path, names):
    """The longest module that holds a path below src/."""
    holding = [n for n in names if path.startswith(n + "/")]
    return max(holding, key=len) if holding else None


def include_direction(tree):
    known = modules(tree)
    for name, deps in known.items():
        before = list(known)[: list(known).index(name)]
        for dep in deps:
            if dep not in before:
                yield "CMakeLists.txt", 0, f"module {name} depends on {dep}, which is not declared before it"
    for path in tree.matching(*SOURCE, under="src/"):
        own = module_of(path[len("src/") :], known)
        if own is None:
            yield path, 0, "belongs to no freshet_module of CMakeLists.txt"
            continue
        for number, line in enumerate(tree.lines(path), 1):
            match = re.match(r'\s*#\s*include "([^"]+)"', line)
            if not match:
                continue
            if is_test(path) and match.group(1).startswith(("fakes/", "model/")):
                continue
            target = module_of(match.group(1), known)
            if target is None:
                yield path, number, f'"{match.group(1)}" is of no module; libraries take angle brackets'
            elif target != own and target not in known[own]:
                yield path, number, f"{own} may not include {target}: it is not in its DEPS"
            elif f"src/{match.group(1)}" not in tree.text:
                yield path, number, f"includes a file that is not there: {match.group(1)}"


def dead_headers(tree):
    included = set()
    for path in tree.matching(*SOURCE):
        for target in re.findall(r'#\s*include "([^"]+)"', tree.text[path]):
            included.add(target)
            included.add(str(pathlib.PurePosixPath(path).parent / target))
    for path in tree.matching(".h"):
        if (
            path not in included
            and path.removeprefix("src/") not in included
            and path.removeprefix("test/") not in included
        ):
            yield path, 0, "no file includes this header"


def one_acknowledge(tree):
    """Only capture/ tells a source that its changes are durable, from one place."""
    calls = []
    for path in tree.matching(".cc", ".h", under="src/"):
        if is_test(path) or path.startswith("src/sources/"):
            continue
        for number, line in enumerate(without_comments(tree.text[path]).splitlines(), 1):
            if re.search(r"(->|\.)Acknowledge\(", line):
                calls.append((path, number))
    inside = [c for c in calls if c[0].startswith("src/capture/")]
    for path, number in calls:
        if (path, number) not in inside[:1]:
            yield path, number, "Acknowledge has one call site, in capture/, after Seal returned OK"


def code_map(tree):
    """ARCHITECTURE.md's code map names exactly the folders of src/ that are modules."""
    text = tree.text.get("ARCHITECTURE.md", "")
    mapped = set(re.findall(r"^### `src/([a-z_/]+)/`", text, re.M))
    folders = {
        str(pathlib.PurePosixPath(p).parent)[len("src/") :] for p in tree.matching(*SOURCE, under="src/")
    }
    for folder in sorted(folders - mapped):
        yield "ARCHITECTURE.md", 0, f"the code map lacks src/{folder}/"
    for folder in sorted(mapped - folders):
        yield "ARCHITECTURE.md", 0, f"the code map names src/{folder}/, which is not there"


# --- lengths


def ratchet(tree):
    listed = {}
    for line in tree.text.get(RATCHET, "").splitlines():
        if line and not line.startswith("#"):
            kind, where, size = line.split()
            listed[(kind, where)] = int(size)
    return listed


def functions_of_cpp(text):
    """Yield (name, first line, line count) of every function body, methods and test bodies included."""
    code = without_comments(text)
    code = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: "\n" * m.group(0).count("\n"), code, flags=re.M)
    stack, start = [], 0
    for match in re.finditer(r"[{};]", code):
        at, mark = match.start(), match.group(0)
        head = code[start:at]
        if mark == "{":
            stack.append(_opened(code, head, start, stack))
        elif mark == "}" and stack:
            opened = stack.pop()
            if opened and opened[0] != "scope":
                yield opened[0], opened[1], code.count("\n", 0, at) + 2 - opened[1]
        if mark != ";" or head.count("(") == head.count(")"):
            start = match.end()


def _opened(code, head, start, stack):
    """What a brace opens: ("scope", …) for a namespace or type, (name, line) for a function, else None."""
    plain = head.strip()
    inside_function = any(s is None or s[0] != "scope" for s in stack)
    if inside_function:
        return None
    plain = re.sub(r"^(public|private|protected)\s*:(?!:)", "", plain).strip()
    if re.match(r"(inline\s+)?namespace\b|extern\b\s*\"", plain) or re.match(
        r"(template\s*<.*>\s*)?(class|struct|union|enum)\b(?!.*\)\s*(const)?$)", plain, re.S
    ):
        return ("scope", 0)
    name = re.search(r"([\w:~]+|operator\s*\S+)\s*\(", plain)
    if not name:
        return None
    first = code.count("\n", 0, start + len(head) - len(head.lstrip())) + 1
    return (name.group(1), first)


def functions_of_python(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.lineno, node.end_lineno - node.lineno + 1


def lengths(tree):
    listed, seen = ratchet(tree), set()

    def over(kind, where, size, limit):
        allowed = listed.get((kind, where))
        if size <= limit:
            return None
        seen.add((kind, where))
        if allowed is None:
            return f"{kind} has {size} lines, {limit} at most"
        if size > allowed:
            return f"{kind} has grown from {allowed} to {size} lines; {RATCHET} only shrinks"
        return None

    for path in tree.matching(".cc", ".h", ".py"):
        finding = over("file", path, len(tree.lines(path)), FILE_LINES_MAX)
        if finding:
            yield path, 0, finding
        find = functions_of_python if path.endswith(".py") else functions_of_cpp
        for name, line, size in find(tree.text[path]):
            finding = over("function", f"{path}:{name}", size, FUNCTION_LINES_MAX)
            if finding:
                yield path, line, f"{name}: {finding}"
    for kind, where in sorted(set(listed) - seen):
        yield RATCHET, 0, f"take out {kind} {where}: it keeps the limit now"


def columns(tree):
    for path in tree.matching(".cc", ".h", ".py"):
        limit = SCRIPT_COLUMNS_MAX if path.endswith(".py") else LINE_COLUMNS_MAX
        text = re.sub(  # SQL in a raw literal is laid out as SQL
            r'R"(\w*)\(.*?\)\1"', lambda m: "\n" * m.group(0).count("\n"), tree.text[path], flags=re.S
        )
        for number, line in enumerate(text.splitlines(), 1):
            if len(line) > limit and not re.search(r'https?://\S{60}|R"', line):
                yield path, number, f"{len(line)} columns, {limit} at most"


# --- words


def file_names(tree):
    for path in tree.paths:
        name = pathlib.PurePosixPath(path).name
        if re.search(r"util|helper|common", name, re.I):
            yield path, 0, "a file is named after what it holds, never util, helper or common"
        if path.endswith(SOURCE) and not re.fullmatch(r"[a-z0-9_]+\.(cc|h)", name):
            yield path, 0, "file names are snake_case"


# pattern, where it is allowed, what to use instead
BANNED = [
    (
        r"\bsleep_for\b|\bsleep_until\b|\busleep\s*\(|\bnanosleep\s*\(|(?<![\w.])sleep\s*\(",
        (),
        "wait with Clock::WaitUntil",
    ),
    (r"\bsystem_clock::now\b|\bgettimeofday\b|(?<!\w)time\(nullptr\)", ("src/base/clock.cc",), "ask a Clock"),
    (r"\bstd::(cout|cerr|clog)\b", (), "log, or print in app/ with std::fputs"),
    (
        r"(?<![\w.])new\s+[A-Z_a-z:]+\s*[({;<\[]",
        (),
        "std::make_unique, or a unique_ptr around a private constructor",
    ),
    (r"(?<![\w.])delete\s+[a-z_]+\s*;|(?<![\w.])delete\[\]", (), "an owner that deletes"),
    (r"\bthrow\b(?!\s*\(| CLI::)", (), "return a Status"),
    (r"\bgetenv\s*\(", ("src/app/", "test/"), "app/ reads the environment and passes it on"),
    (r"\bsystem\s*\(|\bpopen\s*\(", (), "posix_spawn with an argument list"),
    (r"\b(strcpy|strcat|sprintf|gets)\s*\(", (), "std::string and fmt"),
    (r"\bdetach\s*\(\s*\)", (), "Stop joins; nothing is detached"),
    (r"\bstd::(async|future|promise)\b", (), "plain threads and a BoundedQueue"),
    (r"\busing namespace\b(?!.*literals;)", (), "name what you use"),
]


def banned_calls(tree):
    for path in tree.matching(*SOURCE):
        code = without_comments(tree.text[path]).splitlines()
        written = tree.lines(path)
        for pattern, allowed, instead in BANNED:
            for number, line in enumerate(code, 1):
                if not re.search(pattern, line) or path.startswith(tuple(allowed)):
                    continue
                statement = " ".join(code[max(0, number - 3) : number])
                if re.search(
                    r"(unique_ptr|shared_ptr)<[\w:]+>\s*(\w+\s*)?[({]\s*new\b|\breset\(\s*new\b", statement
                ):
                    continue  # a private constructor: the owner takes it in the same expression
                if number <= len(written) and "NOLINT" in written[number - 1]:
                    continue
                yield path, number, f"banned: {line.strip()[:60]} ({instead})"


def leftovers(tree):
    marks = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
    for path in tree.text:
        if path == "LICENSE":
            continue
        for number, line in enumerate(tree.lines(path), 1):
            if marks.search(line):
                yield path, number, "finish it, or say in the docs that it is missing"


def machine_paths(tree):
    private = re.compile(
        r"(?<![\w.$}])/(work|root|home)/\w|BEGIN [A-Z ]*PRIVATE " r"KEY|AKIA[0-9A-Z]{16}|ghp_[0-9A-Za-z]{36}"
    )
    for path in tree.text:
        for number, line in enumerate(tree.lines(path), 1):
            if private.search(line):
                yield path, number, "names a path of one machine, or holds a key"


def commented_out(tree):
    for path in tree.matching(*SOURCE):
        for number, line in enumerate(tree.lines(path), 1):
            if re.match(
                r"\s*//(?!/)\s*(return\b.*;|if \(.*\{|for \(.*\{|#include|\w+\(.*\);|auto .*;|\})\s*$", line
            ):
                yield path, number, "code in a comment"


# --- documents


def spdx(tree):
    for path in tree.text:
        lines = tree.lines(path)
        script = bool(lines) and lines[0].startswith("#!")
        if not (path.endswith((".cc", ".h", ".def", ".py", ".sh")) or script):
            continue
        line = lines[1] if script and len(lines) > 1 else lines[0] if lines else ""
        if not line.endswith("SPDX-License-Identifier: Apache-2.0"):
            yield path, 1, "begins with the SPDX line (a script: after its first line)"


def _prose(text):
    return re.sub(r"^```.*?^```", lambda m: "\n" * m.group(0).count("\n"), text, flags=re.M | re.S)


def one_title(tree):
    for path in tree.matching(".md"):
        titles = re.findall(r"^# .+", _prose(tree.text[path]), re.M)
        if len(titles) != 1 or not tree.text[path].startswith("# "):
            yield path, 0, f"a document opens with its one title, this has {len(titles)}"


def _anchors(text):
    for title in re.findall(r"^#+ (.+)$", _prose(text), re.M):
        yield re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")


def dead_links(tree):
    for path in tree.matching(".md"):
        for number, line in enumerate(_prose(tree.text[path]).splitlines(), 1):
            for target in re.findall(r"\]\(([^)\s]+)\)", line):
                if re.match(r"[a-z]+:", target):
                    continue
                file, _, anchor = target.partition("#")
                to = (
                    path
                    if not file
                    else str(
                        (tree.root / path).parent.joinpath(file).resolve().relative_to(tree.root.resolve())
                    )
                )
                if not (tree.root / to).exists():
                    yield path, number, f"dead link: {target}"
                elif anchor and to.endswith(".md") and anchor not in set(_anchors(tree.text.get(to, ""))):
                    yield path, number, f"dead anchor: {target}"
    for path in tree.matching(".cc", ".h", ".py", ".def", ".md", ".txt", ".cmake", ".case"):
        for number, line in enumerate(tree.lines(path), 1):
            for target in re.findall(r"\bdocs/[\w/.-]+\.md\b", line):
                if not is_test(path) and not (tree.root / target).exists():
                    yield path, number, f"names a document that is not there: {target}"


def quoted_code(tree):
    """A block of code in a guide whose first line names its file stands in that file, word for word."""
    for path in tree.matching(".md", under="docs/"):
        for block in re.finditer(r"^```cpp\n// (\S+)\n(.*?)^```", tree.text[path], re.M | re.S):
            line = tree.text[path].count("\n", 0, block.start()) + 1
            if block.group(1) not in tree.text:
                yield path, line, f"quotes a file that is not there: {block.group(1)}"
            elif block.group(2) not in tree.text[block.group(1)]:
                yield path, line, f"quotes what {block.group(1)} does not say"


def error_classes(tree):
    text = tree.text.get("src/base/error_classes.def", "")
    names = re.findall(r"^ERROR_CLASS\((\w+),", text, re.M)
    documented = set(re.findall(r"^### (\w+)$", tree.text.get("docs/errors.md", ""), re.M))
    used = set()
    for path in tree.matching(*SOURCE, under="src/"):
        if not is_test(path):
            used |= set(re.findall(r"ErrorClass::(\w+)", tree.text[path]))
    for name in names:
        if name not in documented:
            yield "docs/errors.md", 0, f"does not explain {name}: run `make errors`"
        if name not in used:
            yield "src/base/error_classes.def", 0, f"{name} is used nowhere"
    for name in sorted(documented - set(names)):
        yield "docs/errors.md", 0, f"explains {name}, which is no error class: run `make errors`"


def line_ends(tree):
    for path in tree.text:
        if path == "LICENSE" or path.endswith((".case", ".patch")):
            continue
        text = tree.text[path]
        if text and not text.endswith("\n"):
            yield path, 0, "ends without a newline"
        for number, line in enumerate(text.splitlines(), 1):
            if line != line.rstrip():
                yield path, number, "white space at the end of the line"


def python_compiles(tree):
    for path in tree.matching(".py"):
        try:
            ast.parse(tree.text[path])
        except SyntaxError as error:
            yield path, error.lineno or 0, f"does not parse: {error.msg}"


RULES = [
    include_direction,
    dead_headers,
    one_acknowledge,
    code_map,
    lengths,
    columns,
    file_names,
    banned_calls,
    leftovers,
    machine_paths,
    commented_out,
    spdx,
    one_title,
    dead_links,
    quoted_code,
    error_classes,
    line_ends,
    python_compiles,
]


def findings(tree, rules=None):
    for rule in rules or RULES:
        for path, line, words in rule(tree):
            yield f"{path}:{line}: {words} [{rule.__name__}]" if line else f"{path}: {words} [{rule.__name__}]"


def main():
    found = list(findings(Tree(pathlib.Path(__file__).resolve().parent.parent)))
    for finding in found:
        print(finding)
    print(f"tidy: {len(RULES)} rules, {len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
