#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The engine's code stands alone: what it imports, includes and calls.

usage: test_gpu_freestanding.py ARCHIVE SOURCE_DIR

- Every undefined symbol of the archive is defined in it, or is one of the four
  functions that a compiler may call on its own.
- No thread-local and no writable data, no system call.
- Sources include headers of base, gpu and spec, and headers of the language only.
"""
import pathlib
import re
import subprocess
import sys

COMPILER_CALLS = {"memcpy", "memset", "memcmp", "memmove"}
HEADERS = {"stddef.h", "stdint.h", "stdbool.h", "stdatomic.h", "string.h", "errno.h"}
FOLDERS = {"base", "gpu", "spec"}


def foreign_symbols(nm_text):
    """Undefined symbols that no member defines."""
    defined, undefined = set(), set()
    for line in nm_text.splitlines():
        words = line.split()
        if len(words) < 2 or len(words[-2]) != 1:
            continue
        (undefined if words[-2] in "Uw" else defined).add(words[-1])
    return undefined - defined - COMPILER_CALLS - {"_GLOBAL_OFFSET_TABLE_"}


def forbidden_sections(headers):
    """Non-empty sections of `objdump -h` that hold writable or thread-local data."""
    found = set()
    for name, size in re.findall(r"^\s*\d+\s+(\.\S+)\s+([0-9a-f]+)", headers, re.M):
        writable = re.match(r"\.(t?bss|t?data)(\.|$)", name) and not name.startswith(".data.rel.ro")
        if writable and int(size, 16):
            found.add(name)
    return found


def foreign_includes(text):
    found = set()
    for name in re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', text, re.M):
        folder = name.split("/")[0] if "/" in name else None
        if name not in HEADERS and folder not in FOLDERS:
            found.add(name)
    return found


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def self_check():
    """The rules do refuse what they are for."""
    assert foreign_symbols("a.o:\n                 U malloc\n                 U memcpy\n") == {"malloc"}
    assert not foreign_symbols("a.o:\n  U gpu_x\nb.o:\n0000000000000000 T gpu_x\n")
    assert forbidden_sections("  3 .bss    00000010  0") == {".bss"}
    assert forbidden_sections("  3 .tbss   00000004  0") == {".tbss"}
    assert not forbidden_sections("  3 .bss    00000000  0\n  4 .data.rel.ro.local 00000010  0")
    assert foreign_includes('#include <stdio.h>\n#include "mm/bo.h"\n#include "gpu/mmu.h"') == {
        "stdio.h", "mm/bo.h"}


def main():
    archive, source = sys.argv[1], pathlib.Path(sys.argv[2])
    self_check()
    errors = [f"imports {s}" for s in sorted(foreign_symbols(run("nm", archive)))]
    errors += [f"has data in {s}" for s in sorted(forbidden_sections(run("objdump", "-h", archive)))]
    if re.search(r"\t(syscall|sysenter|int +\$0x80)", run("objdump", "-d", archive)):
        errors.append("makes a system call")
    files = sorted(source.rglob("*.[ch]"))
    if len(files) < 10:
        errors.append(f"found only {len(files)} sources in {source}")
    for path in files:
        errors += [f"{path.name} includes {s}" for s in sorted(foreign_includes(path.read_text()))]
    for error in errors:
        print(f"src/gpu {error}")
    return bool(errors)


if __name__ == "__main__":
    sys.exit(main())
