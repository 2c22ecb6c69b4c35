#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_fidelity.py TOOL VKFD PAGE: the checked-in fidelity report is what the program says today."""

import difflib
import os
import subprocess
import sys


def main():
    tool, vkfd, page = sys.argv[1:]
    made = subprocess.run([tool, os.path.dirname(vkfd)], check=True, capture_output=True,
                          text=True).stdout.splitlines()
    with open(page, encoding="utf-8") as f:
        kept = f.read().splitlines()
    diff = list(difflib.unified_diff(kept, made, "docs/FIDELITY.md", "tools/fidelity BUILD", lineterm="", n=0))
    print("1..1")
    if diff:
        print("\n".join("# " + line for line in diff[:40]))
        print("# make it anew: tools/fidelity BUILD > docs/FIDELITY.md")
        print("not ok 1 - the fidelity report is up to date")
        return 1
    print("ok 1 - the fidelity report is up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main())
