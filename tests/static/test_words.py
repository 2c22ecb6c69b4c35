#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What can be seen of the style by looking at the text of every tracked file.

usage: test_words.py SOURCE_ROOT

Rules that fail: paths of one person's machine, notes to oneself, texts that say how
they were written, missing licence lines, missing DOC comments, spaces where tabs
belong, spaces at the ends of lines, C99 asserts. What is only told: functions and
lines that are longer than they should be (docs/CODING_STYLE.md).
"""
import pathlib
import re
import subprocess
import sys

SELF = "tests/static/test_words.py"
TEXT = {".c", ".h", ".py", ".md", ".scd", ".json", ".bits", ".build", ".txt", ".yml", ".cpp", ""}
LICENSED = {".c", ".h", ".py", ".bits", ".cpp"}
GIVEN = ("tests/data/", "uapi/")  # other people's text, as it is

# (what it is, pattern, where it is fine)
WORDS = [
    ("a path of somebody's machine", r"(?<![\w.-])/(work|root|home/\w+)/[\w.]", None),
    ("a path in /tmp", r"(?<![\w.-])/tmp/[\w.]", r"tests/"),
    ("a note to oneself", r"\b(TODO|FIXME|XXX|HACK)\b(?!XX)", r"docs/CODING_STYLE\.md"),
    ("a word about who wrote it", r"(?i)\b(co-authored-by|language model|as an ai|assistant)\b", None),
    ("a package mirror", r"(?i)\b(pypi|npm|apt|debian|crates)[-_. ]?(mirror|proxy)\b", None),
    ("a conflict marker", r"(?m)^(<<<<<<<|>>>>>>>) ", None),
]


def tracked(root):
    """Files that git knows; without git (a release's archive) all but builds."""
    r = subprocess.run(["git", "-C", root, "ls-files", "-z"], capture_output=True, text=True)
    if r.returncode == 0 and r.stdout:
        return sorted(n for n in r.stdout.split("\0") if n and (root / n).is_file())
    return sorted(str(p.relative_to(root)) for p in root.rglob("*")
                  if p.is_file() and not p.relative_to(root).parts[0].startswith("build"))


def bad_words(name, text):
    errors = []
    for what, pattern, fine in WORDS:
        if fine and re.match(fine, name):
            continue
        for m in re.finditer(pattern, text):
            line = text.count("\n", 0, m.start()) + 1
            errors.append(f"{name}:{line}: {what}: {m.group(0).strip()}")
    return errors


def bad_layout(name, text):
    errors = []
    for number, line in enumerate(text.split("\n"), 1):
        if re.search(r"[ \t]+$", line) and not name.endswith(".md"):
            errors.append(f"{name}:{number}: spaces at the end of the line")
        if name.endswith((".c", ".h")) and re.match(r" {2,}\S", line) and not line.endswith("\\"):
            errors.append(f"{name}:{number}: indented with spaces")
    if text and not text.endswith("\n"):
        errors.append(f"{name}: no newline at the end")
    return errors


def bad_source(name, text):
    errors, head = [], text.split("\n", 2)[:2]
    suffix = pathlib.Path(name).suffix
    if suffix in LICENSED or text.startswith("#!"):
        first = head[1:] if head[0].startswith("#!") else head[:1]
        if not first or "SPDX-License-Identifier: MIT" not in first[0]:
            errors.append(f"{name}: no SPDX line at the top")
    if name.endswith(".h") and name.startswith(("src/", "include/")) and "DOC:" not in text:
        errors.append(f"{name}: a header without a DOC comment")
    if name.startswith("src/") and re.search(r"^\s*#\s*include\s*<assert\.h>", text, re.M):
        errors.append(f"{name}: assert.h instead of VKF_ASSERT")
    return errors


def check(name, text):
    if name == SELF or name.startswith(GIVEN):
        return []
    return bad_words(name, text) + bad_layout(name, text) + bad_source(name, text)


def functions(text):
    """[(line, name, lines of the body)] of the functions of a C file in kernel style."""
    found, start, header = [], None, ""
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
            header = " ".join(lines[max(0, number - 4):number - 1])
        elif line == "}" and start:
            names = re.findall(r"(\w+)\(", header)
            found.append((start, names[0] if names else "?", number - start - 1))
            start = None
    return found


def width(line):
    return len(line.expandtabs(8))


def tell_lengths(files):
    """Information, not a failure."""
    every, wide = [], []
    for name, text in files:
        if name.startswith(GIVEN) or not name.endswith((".c", ".h")):
            continue
        every += [(n, f"{name}:{line} {fn}()") for line, fn, n in functions(text)]
        wide += [f"{name}:{i}" for i, line in enumerate(text.split("\n"), 1) if width(line) > 100]
    every.sort(reverse=True)
    if every:
        print(f"{len(every)} functions, median {every[len(every) // 2][0]} lines, "
              f"{sum(n > 50 for n, _ in every)} over 50, {sum(n > 80 for n, _ in every)} over 80; "
              f"the longest:")
        for n, where in every[:8]:
            print(f"  {n:4} {where}")
    print(f"{len(wide)} lines over 100 columns" + (": " + ", ".join(wide[:8]) if wide else ""))


def self_check():
    """The rules do refuse what they are for."""
    spdx = "/* SPDX-License-Identifier: MIT */\n"
    assert bad_words("src/a.c", "see /home/me/x") and bad_words("a", '"/root/.config"')
    assert not bad_words("src/a.c", "net/home/x/y /root/ framework/a")
    assert bad_words("src/a.c", "/tmp/x") and not bad_words("tests/a.c", "/tmp/x")
    assert bad_words("src/a.c", "/* TODO: x */") and not bad_words("a.c", "mkstemp XXXXXX")
    assert bad_words("README.md", "Co-Authored-By: x")
    assert bad_layout("a.c", "\tx \n") and bad_layout("a.c", "    x\n") and bad_layout("a.c", "x")
    assert not bad_layout("a.c", "/*\n * x\n */\n\tx\n\t    y\n")
    assert bad_source("src/a.c", "int x;\n") and bad_source("tools/a", "#!/bin/sh\nx\n")
    assert bad_source("src/x/a.h", spdx) and not bad_source("src/x/a.h", spdx + "DOC: x")
    assert bad_source("src/a.c", spdx + "#include <assert.h>\n")
    assert functions("static int f(int a,\n\t int b)\n{\n\tx;\n\ty;\n}\n") == [(3, "f", 2)]
    assert width("\tx") == 9


def main():
    self_check()
    root = pathlib.Path(sys.argv[1])
    files = []
    for name in tracked(root):
        if pathlib.Path(name).suffix in TEXT:
            files.append((name, (root / name).read_text(errors="replace")))
    errors = [e for name, text in files for e in check(name, text)]
    if len(files) < 200:
        errors.append(f"found only {len(files)} files under {root}")
    for error in errors:
        print(error)
    tell_lengths(files)
    return bool(errors)


if __name__ == "__main__":
    sys.exit(main())
