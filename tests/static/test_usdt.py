#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_usdt.py GENERATOR SOURCE_ROOT PROGRAM yes|no: the program's USDT probes are its trace events.

With "yes" each event that the program tells has a probe, whose arguments are the event's fields, by
number, size and sign; with "no" there is none.
"""

import importlib.util
import pathlib
import re
import subprocess
import sys

# Made of the ring's own count, by the command that reads it.
TOLD_ELSEWHERE = {"lost"}
# What a note says of an argument: bytes, negative for signed.
SIZES = {"u8": 1, "u32": 4, "s32": -4, "u64": 8, "text16": 8}
NOTES = """  stapsdt              0x00000044\tNT_STAPSDT (SystemTap probe descriptors)
    Provider: vkfd
    Name: one
    Location: 0x0000000000011f2e, Base: 0x000000000009a4e8, Semaphore: 0x0000000000000000
    Arguments: 4@%r13d -4@$-22 8@24(%rbx,%rax,8) 1@-12(%rsp)
  stapsdt              0x00000044\tNT_STAPSDT (SystemTap probe descriptors)
    Provider: other
    Name: two
    Location: 0x0000000000011f2e, Base: 0x000000000009a4e8, Semaphore: 0x0000000000000000
    Arguments: 4@%eax
"""


def load(path):
    spec = importlib.util.spec_from_file_location("tracegen", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def probes(notes):
    """{name: {sizes of its arguments}} of what readelf -n says of the provider vkfd."""
    found = {}
    for name, arguments in re.findall(r"Provider: vkfd\n *Name: (\S+)\n.*\n *Arguments: (.*)\n", notes):
        found.setdefault(name, set()).add(tuple(int(n) for n in re.findall(r"(-?\d+)@", arguments)))
    return found


def differences(found, wanted):
    errors = [f"{name} is no event" for name in sorted(set(found) - set(wanted))]
    for name, sizes in wanted.items():
        if name not in found:
            errors.append(f"{name} has no probe")
        elif found[name] != {sizes}:
            errors.append(f"{name} has arguments of {found[name]} bytes, expected {sizes}")
    return errors


def main():
    path, root, program, expected = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3], sys.argv[4] == "yes"
    assert probes(NOTES) == {"one": {(4, -4, 8, 1)}}
    spec = load(path).Spec((root / "spec/trace.events").read_text())
    wanted = {e.name: tuple(SIZES[f[0]] for f in e.fields) for e in spec.events if e.name not in TOLD_ELSEWHERE}
    notes = subprocess.run(["readelf", "-n", program], check=True, capture_output=True, text=True).stdout
    errors = differences(probes(notes), wanted if expected else {})
    print("1..1")
    print("\n".join("# " + e for e in errors[:40]), end="\n" if errors else "")
    what = f"each of {len(wanted)} trace events is a probe with its fields" if expected else "there are no probes"
    print(f"{'not ' if errors else ''}ok 1 - {what}")
    return bool(errors)


if __name__ == "__main__":
    sys.exit(main())
