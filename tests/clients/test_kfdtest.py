#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""AMD's kfdtest: kfdtest/MACHINE says of each of its cases what it does on that machine, and those
that pass do so: one program a case; those of kfdtest/QUEUES, which run packets, with either kind of
engine; those of kfdtest/ONE_PROCESS one after the other in one program, as do those of QUEUES.
What is not listed as passing is run, too, and named when it passes.

$KFDTEST (or $VKFD_KFDTEST) names the program; tools/kfdtest builds it, and nothing is fetched here.
A case passes when kfdtest says so and did all of it: a case that leaves itself out is counted as
passed by kfdtest, but not here. A line of a list is a verdict, a case, options of `vkfd run` for a
case that does not fit the machine as it is, and why:

    pass    it passes
    fail    it does not, and why not
    skip    it leaves itself out on this machine, and why
    never   it is not run

    test_kfdtest.py [WORD...]         run the tests whose names hold a WORD
    test_kfdtest.py --all [--machine NAME] [--engine KIND] [WORD...]
                                      run all cases that end by themselves, print a line for each as
                                      the list has it, and on stderr what differs from the list
"""

import argparse
import os
import re
import subprocess
import sys
import time

import support

KFDTEST = os.environ.get("KFDTEST") or os.environ.get("VKFD_KFDTEST", "")
LISTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "kfdtest")
MACHINES = ["mi210x2", "mi100x4", "vega10-smallbar", "fiji"]
ENGINES = ["process", "thread"]
VERDICTS = ["pass", "fail", "skip", "never"]
# What runs in one program: the cases that execute nothing on the GPU. Some fill all of system memory
# with page tables and user buffers, one touches a quarter of it five times.
ONE_PROCESS = "ONE_PROCESS"
ONE_PROCESS_OPTIONS = ["--set", "socket.ram=6GiB"]
# And the cases that run packets, of those that the machine passes.
QUEUES = "QUEUES"
CASE_TIMEOUT = 600
# What is not expected to pass hangs, hangs for want of something, and is not waited for so long.
OTHER_TIMEOUT = 60
# What a case says when it finds nothing to do, or only some of it.
LEFT_OUT = re.compile(r"[Ss]kip(ping|ped)? |SVM API not supported|\. Exiting\.|Failed to allocate|"
                      r"XGMI SDMA engines number: 0 ")
# A case that dispatches a kernel has nothing to wait for.
NO_SHADERS = re.compile(r"vkfd: .*kernel dispatch refused")


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


def lines(name):
    with open(os.path.join(LISTS, name), encoding="utf-8") as f:
        split = [line.partition("#")[0].split() for line in f]
    return [words for words in split if words]


def names_of(name):
    """The cases of a list that is the same for all machines."""
    return [words[0] for words in lines(name)]


def listed(machine):
    """What a machine's list says: {case: (verdict, options)}."""
    found = {}
    for verdict_is, case, *options in lines(machine):
        if verdict_is not in VERDICTS or case in found:
            sys.exit(f"kfdtest/{machine}: what is '{verdict_is} {case}'?")
        found[case] = (verdict_is, options)
    return found


def passing(machine):
    """Those that pass: {case: options}."""
    return {c: options for c, (v, options) in listed(machine).items() if v == "pass"}


def sections(out):
    """What each case has printed, in one run of several: {case: text}."""
    parts = re.split(r"(?m)^\[ RUN      \] (\S+)$", out)
    return dict(zip(parts[1::2], parts[2::2]))


def verdict(case, status, out):
    """'pass', 'skip', or what went wrong."""
    if NO_SHADERS.search(out):
        return "shaders"
    if status is None:
        return "does not end"
    if status != 0:
        why = re.search(r"(?m)^.*/(\S+): Failure$", out)
        return why.group(1) if why else f"exit status {status}"
    if f"[       OK ] {case}" not in out or "[  PASSED  ] 1 test." not in out:
        return "no such case"
    return "skip" if LEFT_OUT.search(out) else "pass"


class Kfdtest(support.VkfdTest):
    def setUp(self):
        super().setUp()
        # As kfdtest's own script has it: one case wants it.
        self.env["HSA_DEBUG"] = "1"

    def command(self, machine, cases_filter, options):
        return [support.VKFD, "run", "--machine", machine, *options, "--", KFDTEST,
                f"--gtest_filter={cases_filter}"]

    def run_case(self, machine, case, options, timeout):
        """What it does, and what it printed; it is stopped when it is known to hang, or late."""
        path = os.path.join(self.dir, "out")
        with open(path, "w", encoding="utf-8") as f:
            process = self.popen(self.command(machine, case, options), stdout=f, stderr=f)
        end, text = time.monotonic() + timeout, ""
        while process.poll() is None and time.monotonic() < end and not NO_SHADERS.search(text):
            time.sleep(0.05)
            with open(path, encoding="utf-8", errors="replace") as f:
                text = f.read()
        status = process.poll()
        if status is None:
            # With its children, which wait for what it waits for. Then vkfd run has nobody left.
            self.kill_all("kfdtest")
            self.finish(process)
        with open(path, encoding="utf-8", errors="replace") as f:
            text = f.read()
        return verdict(case, status, text), text

    def check(self, machine, case, options):
        what, text = self.run_case(machine, case, options, CASE_TIMEOUT)
        self.assertEqual(what, "pass", f"{case}\n{text}")

    def check_one_process(self, machine, names, options):
        status, out, err = self.run_program(self.command(machine, ":".join(names), options),
                                            timeout=len(names) * CASE_TIMEOUT)
        texts = sections(out)
        bad = [c for c in names if f"[       OK ] {c}" not in texts.get(c, "")
               or LEFT_OUT.search(texts[c])]
        self.assertEqual((status, bad), (0, []), out + err)

    def check_list(self, machine):
        """The list has each case once; those that are not expected to pass are tried."""
        self.assertEqual(sorted(listed(machine)), sorted(list_cases()))
        for case, (was, options) in listed(machine).items():
            if was not in ("pass", "never") and tried(machine, case, options)[0] == "pass":
                print(f"# {case} passes on {machine}, and kfdtest/{machine} does not say so")


def tried(machine, case, options, timeout=OTHER_TIMEOUT):
    """What run_case() says of it, with a runtime directory of its own."""
    test = Kfdtest("run_case")
    test.setUp()
    try:
        what, text = test.run_case(machine, case, options, timeout)
    finally:
        try:
            test.tearDown()
        except AssertionError as e:
            what = str(e)
    return what, text


def add(name, check):
    setattr(Kfdtest, re.sub(r"\W", "_", f"test_{name}"), check)


def add_machine(machine):
    passes = passing(machine)
    queues = [c for c in names_of(QUEUES) if c in passes]
    for case, options in passes.items():
        for engine in ENGINES if case in queues else ENGINES[:1]:
            add(f"{machine}_{case}" + ("" if engine == "process" else "_by_a_thread"),
                lambda self, c=case, o=options, e=engine:
                self.check(machine, c, [*o, "--engine", e]))
    add(f"{machine}_in_one_process", lambda self: self.check_one_process(
        machine, [c for c in names_of(ONE_PROCESS) if c in passes], ONE_PROCESS_OPTIONS))
    for engine in ENGINES:
        add(f"{machine}_queues_of_a_{engine}", lambda self, e=engine: self.check_one_process(
            machine, queues, ["--engine", e]))
    add(f"{machine}_list_is_whole", lambda self: self.check_list(machine))


def list_cases():
    run = subprocess.run([support.VKFD, "run", "--", KFDTEST, "--gtest_list_tests"], check=True,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=60)
    return cases(run.stdout)


def run_all(machine, engine, words):
    known = listed(machine)
    count, differs = {}, []
    for case in list_cases():
        was, options = known.get(case, ("fail", []))
        if was == "never" or (words and not any(w in case for w in words)):
            continue
        what, text = tried(machine, case, [*options, "--engine", engine],
                           CASE_TIMEOUT if was == "pass" else OTHER_TIMEOUT)
        kind = what if what in ("pass", "skip") else "fail"
        count[kind] = count.get(kind, 0) + 1
        why = [what, *re.findall(r"(?m)^.*(?:[Ss]kip|not supported|Failed to al).*$", text)[:2]]
        line = " ".join([kind, case, *options])
        print(line + (f" # {'; '.join(why)}" if kind != "pass" else ""), flush=True)
        if kind != was:
            differs.append(f"{case}: {kind}, and the list says {was}")
    print(", ".join(f"{n} {kind}" for kind, n in sorted(count.items())), *differs, sep="\n",
          file=sys.stderr)


def main():
    if not KFDTEST:
        sys.exit("test_kfdtest.py: no kfdtest: KFDTEST=PATH names one, tools/kfdtest builds it from a "
                 "checkout of github.com/ROCm/ROCT-Thunk-Interface")
    if not os.access(KFDTEST, os.X_OK) or os.path.isdir(KFDTEST):
        sys.exit(f"test_kfdtest.py: KFDTEST={KFDTEST!r} is no program: give the path of a kfdtest that "
                 "tools/kfdtest has built")
    parser = argparse.ArgumentParser()
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--machine", choices=MACHINES, default=MACHINES[0])
    parser.add_argument("--engine", choices=ENGINES, default=ENGINES[0])
    parser.add_argument("words", nargs="*")
    args = parser.parse_args()
    if args.all:
        run_all(args.machine, args.engine, args.words)
        return
    for machine in MACHINES:
        add_machine(machine)
    support.main()


if __name__ == "__main__":
    main()
