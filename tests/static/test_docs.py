#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What README.md and docs/ name is there.

usage: test_docs.py SOURCE_ROOT

Of every page: each link to a file leads to one; each file or folder of the tree that is named in
`code` exists, with or without the leading src/; each function() and macro() that is named is one of
the sources.
"""

import pathlib
import re
import sys

# Made by the build, other people's, or examples of what a reader has.
ELSEWHERE = re.compile(r"^(build|golang|/|~|~?/?usr|dev/|proc/|sys/)|[*<>{}$]|\.\.\.")
FOLDERS = ("src", "tests", "tools", "docs", "spec", "machines", "examples", "include", "uapi")
NAMED = re.compile(r"^[\w.-]+(/[\w.-]+)+/?$")


def code_of(text):
    """What stands between backticks, and not in blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"(?ms)^```.*?^```|^    .*?$", "", text))


def bad_links(page, text):
    errors = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        target = target.split("#")[0]
        if target and "://" not in target and not (page.parent / target).exists():
            errors.append(f"{target} is not there")
    return errors


def bad_paths(root, names):
    """Paths that begin with a folder of the tree, or of src/."""
    layers = {p.name for p in (root / "src").iterdir()}
    errors = []
    for name in names:
        word = name.split()[0]
        if ELSEWHERE.search(word) or not NAMED.match(word):
            continue
        head = word.split("/")[0]
        if head in FOLDERS and not (root / word).exists():
            errors.append(f"{word} is not in the tree")
        elif head in layers and head not in FOLDERS and not (root / "src" / word).exists():
            errors.append(f"{word} is not in src/")
    return errors


def bad_functions(names, sources):
    """name() without arguments; system calls and the C library's are not ours to have."""
    errors = []
    for name in names:
        m = re.fullmatch(r"((?:mm|kfd|gpu|drm|dmabuf|machine|driver|daemon|serve|client|wire|shim|host|sim|vkf|vkfd|"
                         r"trace|topology|cli)_\w+)\(\)", name)
        if m and not re.search(rf"\b{m.group(1)}\b", sources):
            errors.append(f"{m.group(1)}() is in no source")
    return errors


def bad_numbers(titles):
    """@titles: (file name, first line) of each decision. Its number is in both, and its own."""
    errors, seen = [], {}
    for name, line in titles:
        number = int(name[:4])
        if not line.startswith(f"# {number}. "):
            errors.append(f"{name} begins with '{line}'")
        if number in seen:
            errors.append(f"{name} has the number of {seen[number]}")
        seen[number] = name
    return errors


def check(root, page, sources):
    text = page.read_text(encoding="utf-8")
    names = code_of(text)
    return [f"{page.relative_to(root)}: {e}" for e in
            bad_links(page, text) + bad_paths(root, names) + bad_functions(names, sources)]


def main():
    root = pathlib.Path(sys.argv[1])
    sources = "\n".join(p.read_text(encoding="utf-8") for folder in ("src", "include", "tests")
                        for p in (root / folder).rglob("*.[ch]"))
    assert bad_paths(root, ["src/nowhere.c", "mm/nowhere.h", "mm/bo.h", "tools/setup x", "a/b", "/dev/kfd"]) == [
        "src/nowhere.c is not in the tree", "mm/nowhere.h is not in src/"]
    assert bad_functions(["mm_nowhere()", "mm_place()", "strlen()"], sources) == ["mm_nowhere() is in no source"]
    assert bad_numbers([("0001-a.md", "# 1. A"), ("0001-b.md", "# 2. B")]) == [
        "0001-b.md begins with '# 2. B'", "0001-b.md has the number of 0001-a.md"]
    pages = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    errors = [e for page in pages for e in check(root, page, sources)]
    errors += bad_numbers([(p.name, p.read_text(encoding="utf-8").split("\n")[0])
                           for p in sorted((root / "docs" / "adr").glob("*.md"))])
    print("1..1")
    print("\n".join("# " + e for e in errors), end="\n" if errors else "")
    print(f"{'not ' if errors else ''}ok 1 - what {len(pages)} pages name is there")
    return bool(errors)


if __name__ == "__main__":
    sys.exit(main())
