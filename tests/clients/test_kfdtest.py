#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""AMD's kfdtest: every case of kfdtest/PASSING passes, one program a case.

$VKFD_KFDTEST names the program (tools/kfdtest builds it). A case passes when kfdtest says so and
did all of it: a case that leaves itself out is counted as passed by kfdtest, but not here. A line
of PASSING is a case and options of `vkfd run`, for a case that fits no default machine.

    test_kfdtest.py [WORD...]         run the listed cases whose names hold a WORD
    test_kfdtest.py --all [WORD...]   run all cases that end by themselves, and print a line for each
"""

import os
import re
import subprocess
import sys

import support

KFDTEST = os.environ.get("VKFD_KFDTEST", "")
PASSING = os.path.join(os.path.dirname(os.path.abspath(__file__)), "kfdtest", "PASSING")
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


def passing():
    """The listed cases, each with its options of vkfd run."""
    with open(PASSING, encoding="utf-8") as f:
        lines = [line.partition("#")[0].split() for line in f]
    return {words[0]: words[1:] for words in lines if words}


def verdict(case, status, out):
    """'pass', 'skip', or what went wrong."""
    if status != 0:
        return f"exit status {status}"
    if f"[       OK ] {case}" not in out or "[  PASSED  ] 1 test." not in out:
        return "no such case"
    return "skip" if LEFT_OUT.search(out) else "pass"


class Kfdtest(support.VkfdTest):
    def run_case(self, case, options, timeout=CASE_TIMEOUT):
        status, out, err = self.vkfd("run", *options, "--", KFDTEST, f"--gtest_filter={case}",
                                     timeout=timeout)
        return verdict(case, status, out + err), out + err

    def check(self, case, options):
        what, text = self.run_case(case, options)
        self.assertEqual(what, "pass", f"{case}\n{text}")


def add(case, options):
    name = "test_" + re.sub(r"\W", "_", case)
    setattr(Kfdtest, name, lambda self: self.check(case, options))


def list_cases():
    run = subprocess.run([support.VKFD, "run", "--", KFDTEST, "--gtest_list_tests"], check=True,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=60)
    return cases(run.stdout)


def run_all(words):
    listed = passing()
    count = {}
    for case in list_cases():
        if NEVER.search(case) or (words and not any(w in case for w in words)):
            continue
        test = Kfdtest("run_case")
        test.setUp()
        try:
            what, text = test.run_case(case, listed.get(case, []), ALL_TIMEOUT)
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
        line = " ".join([kind, case, *listed.get(case, [])])
        print(line + (f"  # {what}: {'; '.join(why)}" if kind != "pass" else ""), flush=True)
    print(", ".join(f"{n} {kind}" for kind, n in sorted(count.items())), file=sys.stderr)


def main():
    if not os.access(KFDTEST, os.X_OK) or os.path.isdir(KFDTEST):
        sys.exit(f"test_kfdtest.py: VKFD_KFDTEST={KFDTEST!r} is no program: give the path of a "
                 "kfdtest that tools/kfdtest has built")
    if sys.argv[1:2] == ["--all"]:
        run_all(sys.argv[2:])
        return
    for case, options in passing().items():
        add(case, options)
    support.main()


if __name__ == "__main__":
    main()
