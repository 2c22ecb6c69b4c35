#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""hsakmt.c: the distribution's libhsakmt, called directly."""

import os
import re
import subprocess

import support

PROGRAM = os.path.join(support.BUILD, "tests", "clients", "test_hsakmt_client")
# Little enough that system memory fills up soon.
LITTLE = ["--set", "socket.ram=4GiB"]


def need_program():
    """It is built where the library's headers are; they may have come after the build tree."""
    support.need("tests", "/usr/include/hsakmt.h")
    if not os.path.exists(PROGRAM):
        subprocess.run(["ninja", "-C", support.BUILD, "reconfigure"], check=True,
                       stdout=subprocess.DEVNULL)
        subprocess.run(["ninja", "-C", support.BUILD, os.path.relpath(PROGRAM, support.BUILD)],
                       check=True, stdout=subprocess.DEVNULL)


class Hsakmt(support.VkfdTest):
    @classmethod
    def setUpClass(cls):
        need_program()

    def check(self, *options):
        # Read below, so in one form whatever form who started this asks for.
        env = dict(self.env, CMOCKA_MESSAGE_OUTPUT="STDOUT")
        status, out, err = self.vkfd("run", *LITTLE, *options, "--", PROGRAM, env=env)
        text = out + err
        self.assertEqual(status, 0, text)
        ran = re.search(r"Running (\d+) test", text)
        self.assertIsNotNone(ran, text)
        self.assertEqual(text.count("[       OK ] "), int(ran.group(1)), text)

    def test_two_gpus_on_pcie(self):
        self.check()

    def test_four_gpus_in_a_hive(self):
        self.check("--machine", "mi100x4")

    def test_the_engine_may_be_a_thread(self):
        self.check("--engine", "thread")


if __name__ == "__main__":
    support.main()
