#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The README's commands do what it shows, as written there."""

import json
import os
import re

import support

README = os.path.join(support.SOURCE, "README.md")
# What differs from run to run: speeds, processes.
VARIES = re.compile(r"\d+\.\d+ GB/s|driver \d+")
# Commands that set something up or are the shell's own.
NOT_RUN = ("git", "cd", "make", "sudo", "kill")


def sessions():
    """Every (command, expected lines) of the README's console blocks."""
    with open(README, encoding="utf-8") as f:
        text = f.read()
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        command, want = None, []
        for line in block.splitlines():
            if line.startswith("$ "):
                if command:
                    yield command, want
                command, want = line[2:], []
            else:
                want.append(line)
        if command:
            yield command, want


def pattern_of(line):
    """A line of expected output as a pattern: what varies matches anything, "..." any lines."""
    if line.strip() == "...":
        return r"(?:.*\n)*?"
    parts, at = [], 0
    for m in VARIES.finditer(line):
        parts.append(re.escape(line[at:m.start()]))
        parts.append(r".*?")
        at = m.end()
    text = "".join(parts) + re.escape(line[at:])
    return re.sub(r"(?:\\ )+", r" +", text) + r" *\n"


class Readme(support.VkfdTest):
    @classmethod
    def setUpClass(cls):
        support.need_two_gpus()

    def setUp(self):
        super().setUp()
        # The README is read in the source tree, after make: build/ is there.
        self.tree = os.path.join(self.dir, "tree")
        os.mkdir(self.tree)
        for name in os.listdir(support.SOURCE):
            if name != "build":
                os.symlink(os.path.join(support.SOURCE, name), os.path.join(self.tree, name))
        os.symlink(support.BUILD, os.path.join(self.tree, "build"))

    def start(self, command):
        """What the README has in the background, until it serves or its queues are there."""
        def busy():
            status, out, _ = self.run_program(["sh", "-c", f"build/vkfd status --json --connect {path}"],
                                              cwd=self.tree)
            return not status and len([c for c in json.loads(out)["clients"] if c["queues"]]) >= n

        self.background.append(self.popen(["sh", "-c", "exec " + command[:-1]], cwd=self.tree))
        n = len(self.background) - 1
        path = re.search(r"--(?:socket|connect) (\S+)", command).group(1)
        support.wait_until(busy, f"{n} programs on {path}")

    def kill(self):
        for process in self.background:
            process.terminate()
        for process in self.background:
            self.finish(process, 30)
        self.background = []

    def test_every_session_gives_the_output_that_is_shown(self):
        n = 0
        self.background = []
        for command, want in sessions():
            if command.split()[0] == "kill":
                self.assertEqual(command.count("%"), len(self.background), command)
                self.kill()
            if command.split()[0] in NOT_RUN:
                continue
            if command.endswith("&"):
                self.start(command)
                continue
            status, out, err = self.run_program(["sh", "-c", command], cwd=self.tree)
            self.assertEqual((status, err), (0, ""), command)
            pattern = r"\A" + "".join(pattern_of(line) for line in want) + r"\Z"
            self.assertRegex(out, pattern, command)
            n += 1
        self.assertEqual(self.background, [])
        self.assertGreaterEqual(n, 9)

    def test_the_table_of_machines_is_that_of_vkfd_machines(self):
        with open(README, encoding="utf-8") as f:
            text = f.read()
        for line in self.vkfd_ok("machines").splitlines():
            name, _, summary = line.partition(" ")
            summary = summary.replace("(default)", "").strip()
            self.assertIn(f"| `{name}` | {summary} |", text)

    def test_every_link_to_a_file_leads_to_one(self):
        with open(README, encoding="utf-8") as f:
            text = f.read()
        links = [t for t in re.findall(r"\]\(([^)]+)\)", text) if "://" not in t]
        self.assertGreater(len(links), 5)
        for target in links:
            path = os.path.join(support.SOURCE, target.split("#")[0])
            self.assertTrue(os.path.exists(path), f"{target} is not in the tree")


if __name__ == "__main__":
    support.main()
