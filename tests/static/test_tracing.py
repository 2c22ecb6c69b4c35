#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_tracing.py GENERATOR SOURCE_ROOT: the list of trace events, and what is made of it.

The checked-in page is what the generator makes; every event is told somewhere in src/; and the
generator refuses what it should.
"""

import difflib
import importlib.util
import pathlib
import re
import subprocess
import sys

# Made by whoever reads a ring, of the ring's own count.
TOLD_ELSEWHERE = {"lost"}

GOOD = """enum e a b
flow f an arrow
event one begin task
text t
label l {x}
field u32 x as enum:e
in f x
event one_end end task
text t
ends one
event two span queue
text t
label l
colour good
field u32 client
field u32 queue
field u64 dur as ns
"""

BAD = {
    "an unknown word": GOOD + "sound loud\n",
    "a colour that viewers do not know": GOOD + "colour pink\n",
    "an end of nothing": GOOD + "event x end task\ntext t\n",
    "an end of what is not there": GOOD + "event x end task\ntext t\nends y\n",
    "an end of what does not begin": GOOD + "event x end queue\ntext t\nends two\n"
                                            "field u32 client\nfield u32 queue\n",
    "an end on another track": GOOD + "event x end trace\ntext t\nends one\n",
    "a beginning that ends something": GOOD + "ends one\n",
    "a second event of one name": GOOD + "event one end task\ntext t\n",
    "an unknown shape": GOOD + "event x circle task\ntext t\nlabel l\n",
    "an unknown track": GOOD + "event x begin road\ntext t\nlabel l\n",
    "a queue's event without queue": GOOD + "event x begin queue\ntext t\nlabel l\nfield u32 client\n",
    "a span without dur": GOOD.replace("field u64 dur as ns\n", ""),
    "an unknown type": GOOD + "field u16 y\n",
    "an unknown format": GOOD + "field u32 y as octal\n",
    "an unknown enum": GOOD.replace("as enum:e", "as enum:g"),
    "an arrow that is not there": GOOD.replace("in f x", "in g x"),
    "an arrow of a field that is not there": GOOD.replace("in f x", "in f y"),
    "a label of a field that is not there": GOOD.replace("{x}", "{y}"),
    "no text": GOOD.replace("text t\nlabel l {x}", "label l {x}"),
    "no label": GOOD.replace("label l {x}\n", ""),
    "too many bytes": GOOD + "".join(f"field text16 t{i}\n" for i in range(3)),
    "too many fields": GOOD + "".join(f"field u8 b{i}\n" for i in range(6)),
}


def load(path):
    spec = importlib.util.spec_from_file_location("tracegen", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def refusals(gen):
    gen.Spec(GOOD)
    errors = []
    for what, text in BAD.items():
        try:
            gen.Spec(text)
            errors.append(f"{what} is not refused")
        except gen.SpecError:
            pass
    return errors


def untold(gen, root):
    spec = gen.Spec((root / "spec/trace.events").read_text())
    text = "\n".join(p.read_text() for p in (root / "src").rglob("*.c"))
    told = set(re.findall(r"\bvkf_trace_(\w+)\(", text))
    return [f"{e.name} is never told" for e in spec.events
            if e.name not in told and e.name not in TOLD_ELSEWHERE]


def page(path, root):
    made = subprocess.run([sys.executable, path, "page", root / "spec/trace.events"], check=True,
                          capture_output=True, text=True).stdout.splitlines()
    kept = (root / "docs/TRACING.md").read_text().splitlines()
    diff = list(difflib.unified_diff(kept, made, "docs/TRACING.md", "as made", lineterm="", n=0))
    if diff:
        diff.append("make it anew: tools/tracegen.py page spec/trace.events > docs/TRACING.md")
    return diff


def main():
    path, root = sys.argv[1], pathlib.Path(sys.argv[2])
    gen = load(path)
    checks = {"what is no list of events is refused": refusals(gen),
              "every event is told": untold(gen, root),
              "the page on tracing is up to date": page(path, root)}
    print(f"1..{len(checks)}")
    for n, (name, errors) in enumerate(checks.items(), 1):
        print("\n".join("# " + e for e in errors[:40]), end="\n" if errors else "")
        print(f"{'not ' if errors else ''}ok {n} - {name}")
    return any(checks.values())


if __name__ == "__main__":
    sys.exit(main())
