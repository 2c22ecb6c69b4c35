#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_random.py PROGRAM RULES: whatever records come, the trace obeys the rules."""

import importlib.util
import subprocess
import sys
import tempfile

SEEDS = 30


def main():
    program, path = sys.argv[1:]
    spec = importlib.util.spec_from_file_location("trace_rules", path)
    rules = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rules)
    errors, arrows, slices = [], 0, 0
    for seed in range(SEEDS):
        with tempfile.NamedTemporaryFile() as f:
            subprocess.run([program, str(seed)], check=True, stdout=f)
            events = rules.load(f.name)
        errors += [f"seed {seed}: {e}" for e in rules.check(events)]
        arrows += sum(e["ph"] == "f" for e in events)
        slices += sum(e["ph"] == "E" for e in events)
    print("1..2")
    print("\n".join("# " + e for e in errors[:20]), end="\n" if errors else "")
    print(f"{'not ' if errors else ''}ok 1 - any records make a trace that obeys the rules")
    enough = arrows > 1000 and slices > 1000
    print(f"{'' if enough else 'not '}ok 2 - among them were arrows ({arrows}) and slices ({slices})")
    return bool(errors) or not enough


if __name__ == "__main__":
    sys.exit(main())
