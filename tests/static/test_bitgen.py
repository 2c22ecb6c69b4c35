#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tools/bitgen.py takes every layout of spec/ and refuses what is wrong with one.

usage: test_bitgen.py BITGEN SPEC_DIR
"""
import pathlib
import subprocess
import sys
import tempfile

REFUSED = {
    "bits overlap in an entry": "entry e\na 3 0\nb 7 3\n",
    "bits overlap in a packet": "packet p\na 1 3 0\nb 1 wide\n",
    "a wide field overlaps the next word": "packet p\na 1 wide\nb 2 0 0\n",
    "beyond an entry": "entry e\na 64 60\n",
    "beyond a word": "packet p\na 0 32 30\n",
    "bits upside down": "entry e\na 3 5\n",
    "no entry yet": "a 3 0\n",
    "not a number": "entry e\na three 0\n",
    "too few words": "packet p\na 1\n",
}


def generate(bitgen, layout, folder):
    source, target = folder / "x.bits", folder / "x.h"
    source.write_text(layout)
    target.unlink(missing_ok=True)
    run = subprocess.run([sys.executable, bitgen, source, target], capture_output=True, text=True)
    return run, target


def main():
    bitgen, spec = sys.argv[1], pathlib.Path(sys.argv[2])
    errors = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for what, layout in REFUSED.items():
            run, target = generate(bitgen, layout, folder)
            if run.returncode == 0 or target.exists():
                errors.append(f"took a layout with {what}")
            elif "x.bits:" not in run.stderr or "Traceback" in run.stderr:
                errors.append(f"{what}: told as {run.stderr!r}")
        layouts = sorted(spec.glob("*.bits"))
        if not layouts:
            errors.append(f"no layouts in {spec}")
        for layout in layouts:
            run, target = generate(bitgen, layout.read_text(), folder)
            if run.returncode or "static inline" not in target.read_text():
                errors.append(f"{layout.name}: {run.stderr}")
    for error in errors:
        print(error)
    return bool(errors)


if __name__ == "__main__":
    sys.exit(main())
