#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A mistake on the command line is one line that says what was expected, and exit status 2."""

import json
import os

import support

# Command line, and what its one line must hold.
MISTAKES = [
    (["rnu"], "unknown command 'rnu': did you mean 'run'?"),
    (["statsu"], "unknown command 'statsu': did you mean 'status'?"),
    (["xyzzy"], "unknown command 'xyzzy': expected run, serve, status, dump, inject, top,"),
    (["--verison"], "unknown"),
    (["run"], "nothing to run: expected vkfd run"),
    (["run", "--"], "nothing to run: expected vkfd run"),
    (["run", "--machin", "mi210x2", "--", "true"],
     "unknown option '--machin': did you mean '--machine'?"),
    (["run", "-m", "mi210x2", "--", "true"], "unknown option '-m': options begin with two dashes"),
    (["run", "--machine"], "option '--machine' needs a value"),
    (["run", "--machine", "mi210x3", "--", "true"],
     "unknown machine 'mi210x3': did you mean 'mi210x2'?"),
    (["run", "--machine", "geforce", "--", "true"],
     "unknown machine 'geforce': expected a name of 'vkfd machines'"),
    (["run", "--machine", "", "--", "true"], "unknown machine ''"),
    (["run", "--machine=./none.json", "--", "true"],
     "cannot read machine file './none.json': No such file or directory"),
    (["run", "--set", "gpu.vrma=1GiB", "--", "true"], "did you mean \"gpu.vram\"?"),
    (["run", "--set", "gpu.vram", "--", "true"], "gpu.vram"),
    (["run", "--set", "gpu.vram=", "--", "true"], "gpu.vram"),
    (["run", "--set", "gpu.vram=lots", "--", "true"], "gpu.vram"),
    (["run", "--set", "gpu.vram=-1", "--", "true"], "gpu.vram"),
    (["run", "--set", "gpu.vram=99999999999999999999GiB", "--", "true"], "gpu.vram"),
    (["run", "--set", "=", "--", "true"], "expected"),
    (["run", "--set", "", "--", "true"], "expected"),
    (["run", "--engine", "proces", "--", "true"], "did you mean 'process'?"),
    (["run", "--engine", "gpu", "--", "true"], "takes process, thread or none, not 'gpu'"),
    (["run", "--connect", "/nowhere", "--machine", "vega20", "--", "true"],
     "with --connect the machine is the driver's"),
    (["run", "--connect", "/nowhere", "--set", "gpu.vram=1GiB", "--", "true"],
     "with --connect the machine is the driver's"),
    (["serve"], "where to serve: expected --socket PATH"),
    (["serve", "--socket"], "option '--socket' needs a value"),
    (["serve", "--sockte", "x"], "unknown option '--sockte': did you mean '--socket'?"),
    (["serve", "--socket", "x", "y"], "'y' is one word too many"),
    (["serve", "--socket", "x", "--machine", "mi250"],
     "unknown machine 'mi250': did you mean 'mi250x'?"),
    (["status", "--jsno"], "unknown option '--jsno': did you mean '--json'?"),
    (["status", "--json=yes"], "option '--json' takes no value"),
    (["status", "now"], "'now' is one word too many"),
    (["status", "--memry"], "unknown option '--memry': did you mean '--memory'?"),
    (["inject"], "what to inject is not complete: expected vkfd inject reset GPU"),
    (["inject", "reset"], "what to inject is not complete: expected vkfd inject reset GPU"),
    (["inject", "reset", "x"], "'x' is no GPU: expected the number that 'vkfd status' shows"),
    (["inject", "poison", "1"], "what to inject is not complete"),
    (["inject", "poison", "me", "0"], "'me' is no process: expected the pid"),
    (["inject", "poison", "1", "xyz"], "'xyz' is no address: expected a hexadecimal number"),
    (["inject", "poison", "1", "0", "0"], "'0' is one word too many"),
    (["inject", "hope"], "cannot inject 'hope': expected vkfd inject reset GPU"),
    (["dump"], "what to dump is missing: expected vkfd dump vm PID GPU"),
    (["dump", "vm"], "PID and GPU are missing: expected vkfd dump vm PID GPU"),
    (["dump", "vm", "12"], "GPU is missing: expected vkfd dump vm PID GPU"),
    (["dump", "vm", "12", "0", "0"], "'0' is one word too many: expected vkfd dump vm PID GPU"),
    (["dump", "bo", "12", "0"], "cannot dump 'bo': expected vkfd dump vm PID GPU"),
    (["dump", "vm", "me", "0"], "'me' is no number: expected the PID that 'vkfd status' shows"),
    (["dump", "vm", "12", "-1"], "unknown option '-1'"),
    (["dump", "vm", "12", "gpu0"], "'gpu0' is no number: expected the GPU that 'vkfd status' shows"),
    (["machines", "shwo", "vega20"], "'shwo': expected vkfd machines, or vkfd machines show NAME"),
    (["machines", "show"], "'show': expected vkfd machines, or vkfd machines show NAME"),
    (["machines", "show", "vega21"], "unknown machine 'vega21': did you mean 'vega20'?"),
    (["features", "--markdwon"], "unknown option '--markdwon': did you mean '--markdown'?"),
    (["features", "all"], "'all' is one word too many"),
]

# A machine file's text, and what its one line must hold.
BAD_MACHINES = {
    "empty": ("", "line 1"),
    "no-json": ("{ gpus: 1 }", "line 1"),
    "cut-off": ('{ "name": "x", "gpus": [', "line 1"),
    "wrong-type": ("[]", "object"),
    "unknown-key": ('{ "name": "x", "summary": "y", "sokets": [] }', 'did you mean "sockets"?'),
    "unknown-chip": ('{ "name": "x", "summary": "y", "sockets": [ { "cores": 1, "ram": "1GiB" } ], '
                     '"gpus": [ { "asic": "vega2", "pci": "0000:01:00.0" } ] }',
                     'did you mean "vega20"?'),
    "two-keys": ('{ "name": "x", "name": "y" }', "duplicate"),
    "binary": ("\0\1\2", "line 1"),
}


class Mistakes(support.VkfdTest):
    def check(self, args, want, status=2):
        got, out, err = self.vkfd(*args)
        what = f"vkfd {' '.join(args)}: {err}"
        self.assertEqual((got, out), (status, ""), what)
        self.assertEqual(err.count("\n"), 1, what)
        self.assertTrue(err.startswith("vkfd: "), what)
        self.assertIn(want, err, what)

    def test_nothing_said_shows_the_usage(self):
        status, out, err = self.vkfd()
        self.assertEqual((status, out), (2, ""))
        self.assertTrue(err.startswith("usage: vkfd COMMAND"))

    def test_a_driver_that_is_not_there_is_a_failure_of_the_world(self):
        self.check(["status"], "no driver is running", 1)
        self.check(["status", "--connect", "/nowhere"], "no driver answers at '/nowhere'", 1)
        self.check(["status", "--memory", "--connect", "/nowhere"],
                   "no driver answers at '/nowhere'", 1)
        self.check(["dump", "vm", "1", "0"], "no driver is running", 1)
        self.check(["dump", "vm", "1", "0", "--connect", "/nowhere"],
                   "no driver answers at '/nowhere'", 1)
        self.check(["run", "--connect", "/nowhere", "--", "true"],
                   "no driver answers at '/nowhere': No such file or directory", 1)
        self.check(["serve", "--socket", self.dir], "there is something else already", 1)
        self.check(["serve", "--socket", "/nowhere/sock"], "cannot serve at '/nowhere/sock'", 1)
        self.check(["serve", "--socket", "/tmp/" + "x" * 200], "File name too long", 1)

    def test_output_that_cannot_be_written_is_a_failure(self):
        for args in (["machines"], ["features"], ["--help"], ["machines", "--json"]):
            with open("/dev/full", "w", encoding="utf-8") as full:
                status, _, err = self.vkfd(*args, stdout=full)
            self.assertEqual((status, err), (1, "vkfd: cannot write the output\n"), args)

    def test_a_mistake_starts_no_program(self):
        witness = os.path.join(self.dir, "witness")
        self.check(["run", "--set", "gpu.vrma=1GiB", "--", "touch", witness], "did you mean")
        self.assertFalse(os.path.exists(witness))

    def test_a_bad_machine_file_is_one_line_with_its_place(self):
        for name, (text, want) in BAD_MACHINES.items():
            path = os.path.join(self.dir, name + ".json")
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            for args in (["run", "--machine", path, "--", "true"], ["machines", "show", path],
                         ["serve", "--socket", "s", "--machine", path]):
                self.check(args, want)
        self.check(["run", "--machine", self.dir + "/", "--", "true"], "Is a directory")

    # ------------------------------------------------ what is right

    def test_every_machine_listed_can_be_shown_and_run(self):
        lines = self.vkfd_ok("machines").splitlines()
        names = [line.split()[0] for line in lines]
        self.assertEqual(names, ["fiji", "mi100x4", "mi210x2", "mi210x8", "mi250x",
                                 "vega10-smallbar", "vega20"])
        self.assertEqual([n for n, line in zip(names, lines) if line.endswith("(default)")],
                         ["mi210x2"])
        listed = json.loads(self.vkfd_ok("machines", "--json"))
        self.assertEqual([m["name"] for m in listed], names)
        for name in names:
            shown = json.loads(self.vkfd_ok("machines", "show", name))
            self.assertEqual(shown["name"], name)
            path = os.path.join(self.dir, name + ".json")
            with open(path, "w", encoding="utf-8") as f:
                json.dump(shown, f)
            by_name, by_path = (self.vkfd_ok("run", "--machine", m, "--", "cat",
                                             "/sys/class/kfd/kfd/topology/nodes/1/properties")
                                for m in (name, path))
            self.assertEqual(by_name, by_path)

    def test_the_report_of_features_says_the_same_in_each_form(self):
        rows = json.loads(self.vkfd_ok("features", "--json"))
        self.assertEqual({r["level"] for r in rows} - {"faithful", "partial", "refused"}, set())
        for r in rows:
            if r["level"] != "faithful":
                self.assertTrue(r["note"], f"{r['name']} is {r['level']}, and does not say how")
        kfd = {r["name"]: r for r in rows if r["node"] == "/dev/kfd"}
        self.assertEqual(kfd["0x01 GET_VERSION"]["level"], "faithful")
        numbers = sorted(int(name.split()[0], 16) for name in kfd)
        # Linux 6.12 knows 0x01 to 0x26.
        self.assertEqual(numbers, list(range(1, 0x27)))
        text, markdown = self.vkfd_ok("features"), self.vkfd_ok("features", "--markdown")
        for r in rows:
            self.assertIn(r["name"], text)
            self.assertIn(f"`{r['name']}`", markdown)

    def test_each_command_explains_itself(self):
        commands = ("run", "serve", "status", "dump", "inject", "top", "trace", "machines", "features")
        whole = self.vkfd_ok("--help")
        for command in commands:
            text = self.vkfd_ok(command, "--help")
            self.assertEqual(text, self.vkfd_ok(command, "-h"))
            self.assertEqual(text, self.vkfd_ok("help", command))
            usage = text.splitlines()[0]
            self.assertTrue(usage.startswith(f"usage: vkfd {command} "), usage)
            self.assertIn(usage.removeprefix("usage: "), whole)
        self.assertEqual(whole, self.vkfd_ok("-h"))
        self.check(["help", "rnu"], "unknown command 'rnu': did you mean 'run'?")

    def test_what_a_program_is_asked_is_the_programs(self):
        self.assertEqual(self.vkfd_ok("run", "printf", "%s", "--help"), "--help")

    def test_help_and_version(self):
        self.assertRegex(self.vkfd_ok("--version"), r"^vkfd \d+\.\d+\.\d+\n$")
        text = self.vkfd_ok("--help")
        for command in ("run", "serve", "status", "dump", "machines", "features"):
            self.assertIn(f"vkfd {command} ", text)


def add_mistake(args, want):
    def test(self):
        self.check(args, want)

    test.__name__ = "test_mistake_" + " ".join(args)
    setattr(Mistakes, test.__name__, test)


for mistake in MISTAKES:
    add_mistake(*mistake)

if __name__ == "__main__":
    support.main()
