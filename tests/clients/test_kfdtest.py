#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""AMD's kfdtest: every case of kfdtest/PASSING passes, one program a case, on each machine that has
such a list; and those of kfdtest/ONE_PROCESS pass one after the other in one program, too, as do
those of kfdtest/QUEUES, with either kind of engine.

$KFDTEST (or $VKFD_KFDTEST) names the program; tools/kfdtest builds it, and nothing is fetched here.
A case passes when kfdtest says so and did all of it: a case that leaves itself out is counted as
passed by kfdtest, but not here. A line of a list is a case and options of `vkfd run`, for a case
that does not fit the machine as it is.

    test_kfdtest.py [WORD...]         run the listed cases whose names hold a WORD
    test_kfdtest.py --all [--machine NAME] [WORD...]
                                      run all cases that end by themselves, and print a line for each
"""

import os
import re
import subprocess
import sys

import support

KFDTEST = os.environ.get("KFDTEST") or os.environ.get("VKFD_KFDTEST", "")
LISTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "kfdtest")
DEFAULT_MACHINE = "mi210x2"
# The list of each machine.
PASSING = {DEFAULT_MACHINE: "PASSING", "mi100x4": "PASSING.mi100x4",
           "vega10-smallbar": "PASSING.vega10-smallbar", "fiji": "PASSING.fiji"}
# What runs in one program: the cases that execute nothing on the GPU. Some fill all of system memory
# with page tables and user buffers, one touches a quarter of it five times.
ONE_PROCESS = "ONE_PROCESS"
ONE_PROCESS_OPTIONS = ["--set", "socket.ram=6GiB"]
# And the cases that run packets, of those that the machine passes.
QUEUES = "QUEUES"
CASE_TIMEOUT = 300
# With --all: what hangs, hangs for want of something, and is not waited for so long.
ALL_TIMEOUT = 90
# What a case says when it finds nothing to do, or only some of it.
LEFT_OUT = re.compile(r"[Ss]kip(ping|ped)? |SVM API not supported|\. Exiting\.|Failed to allocate")
# They suspend the machine, inject memory errors, want drivers of others, or never end by design.
NEVER = re.compile(r"KFDPMTest|KFDRASTest|KFDIPCTest|RDMATest\.GPUDirect|MeasureInterruptConsumption")


def cases(listing):
    """The names in the output of --gtest_list_tests."""
    suite, names = "", []
    for line in listing.splitlines():
        line = line.partition("#")[0].rstrip()
        if re.fullmatch(r"\S+\.", line):
            suite = line
        elif re.fullmatch(r"  \S+", line):
            names.append(suite + line.strip())
    return names


def listed(name):
    """The cases of a list, each with its options of vkfd run."""
    with open(os.path.join(LISTS, name), encoding="utf-8") as f:
        lines = [line.partition("#")[0].split() for line in f]
    return {words[0]: words[1:] for words in lines if words}


def sections(out):
    """What each case has printed, in one run of several: {case: text}."""
    parts = re.split(r"(?m)^\[ RUN      \] (\S+)$", out)
    return dict(zip(parts[1::2], parts[2::2]))


def verdict(case, status, out):
    """'pass', 'skip', or what went wrong."""
    if status != 0:
        return f"exit status {status}"
    if f"[       OK ] {case}" not in out or "[  PASSED  ] 1 test." not in out:
        return "no such case"
    return "skip" if LEFT_OUT.search(out) else "pass"


class Kfdtest(support.VkfdTest):
    def run_filter(self, machine, cases_filter, options, timeout):
        return self.vkfd("run", "--machine", machine, *options, "--", KFDTEST,
                         f"--gtest_filter={cases_filter}", timeout=timeout)

    def run_case(self, machine, case, options, timeout=CASE_TIMEOUT):
        status, out, err = self.run_filter(machine, case, options, timeout)
        return verdict(case, status, out + err), out + err

    def check(self, machine, case, options):
        what, text = self.run_case(machine, case, options)
        self.assertEqual(what, "pass", f"{case}\n{text}")

    def check_one_process(self, machine, names, options):
        status, out, err = self.run_filter(machine, ":".join(names), options,
                                           len(names) * CASE_TIMEOUT)
        texts = sections(out)
        bad = [c for c in names if f"[       OK ] {c}" not in texts.get(c, "")
               or LEFT_OUT.search(texts[c])]
        self.assertEqual((status, bad), (0, []), out + err)


def add(machine, case, options):
    name = re.sub(r"\W", "_", f"test_{machine}_{case}")
    setattr(Kfdtest, name, lambda self: self.check(machine, case, options))


def add_one_process(machine):
    none = listed(ONE_PROCESS)
    queues = [c for c in listed(QUEUES) if c in listed(PASSING[machine])]
    setattr(Kfdtest, f"test_{machine}_in_one_process",
            lambda self: self.check_one_process(machine, none, ONE_PROCESS_OPTIONS))
    for engine in ("process", "thread"):
        setattr(Kfdtest, f"test_{machine}_queues_of_a_{engine}",
                lambda self, e=engine: self.check_one_process(machine, queues, ["--engine", e]))


def list_cases():
    run = subprocess.run([support.VKFD, "run", "--", KFDTEST, "--gtest_list_tests"], check=True,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=60)
    return cases(run.stdout)


def run_all(machine, words):
    known = listed(PASSING[machine]) if machine in PASSING else {}
    count = {}
    for case in list_cases():
        if NEVER.search(case) or (words and not any(w in case for w in words)):
            continue
        test = Kfdtest("run_case")
        test.setUp()
        try:
            what, text = test.run_case(machine, case, known.get(case, []), ALL_TIMEOUT)
        except AssertionError:
            what, text = f"more than {ALL_TIMEOUT} s", ""
            test.leaves_nothing = False
        finally:
            try:
                test.tearDown()
            except AssertionError as e:
                what = str(e)
        why = re.findall(r"(?m)^.*(?:Failure$|vkfd: |[Ss]kip|not supported|Failed to al).*$", text)[:2]
        kind = what if what in ("pass", "skip") else "fail"
        count[kind] = count.get(kind, 0) + 1
        line = " ".join([kind, case, *known.get(case, [])])
        print(line + (f"  # {what}: {'; '.join(why)}" if kind != "pass" else ""), flush=True)
    print(", ".join(f"{n} {kind}" for kind, n in sorted(count.items())), file=sys.stderr)


def main():
    if not KFDTEST:
        sys.exit("test_kfdtest.py: no kfdtest: KFDTEST=PATH names one, tools/kfdtest builds it from a "
                 "checkout of github.com/ROCm/ROCT-Thunk-Interface")
    if not os.access(KFDTEST, os.X_OK) or os.path.isdir(KFDTEST):
        sys.exit(f"test_kfdtest.py: KFDTEST={KFDTEST!r} is no program: give the path of a kfdtest that "
                 "tools/kfdtest has built")
    words = sys.argv[1:]
    if words[:1] == ["--all"]:
        machine = words[2] if words[1:2] == ["--machine"] else DEFAULT_MACHINE
        run_all(machine, words[3:] if words[1:2] == ["--machine"] else words[1:])
        return
    for machine, name in PASSING.items():
        for case, options in listed(name).items():
            add(machine, case, options)
        add_one_process(machine)
    support.main()


if __name__ == "__main__":
    main()
