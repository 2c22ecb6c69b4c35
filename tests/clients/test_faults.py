#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What goes wrong with a GPU, as ROCr sees it: resets, bad memory, user pages that go. Others notice nothing."""

import os
import signal
import subprocess

import support

ROCR = os.path.join(support.BUILD, "tests", "clients", "rocr")
PATIENCE = 60


def status_of(sig):
    """Of a shell, and of vkfd run."""
    return 128 + sig


class Busy:
    """rocr busy: copies and barriers until its input ends."""

    def __init__(self, driver):
        self.test = driver.test
        self.process = driver.start(ROCR, "busy", stdin=subprocess.PIPE)
        line = self.process.stdout.readline()
        if not line:
            self.test.fail(f"rocr busy says nothing: {self.test.finish(self.process)}")
        self.pid, self.address = line.split()

    def end(self):
        """No more input; (status, what it said after the first line, stderr)."""
        return self.test.finish(self.process, PATIENCE, "")


class Faults(support.VkfdTest):
    @classmethod
    def setUpClass(cls):
        support.need_hsa_program(ROCR)

    def inject(self, driver, *args):
        self.vkfd_ok("inject", "--connect", driver.socket, *args)

    def expect_works(self, driver):
        self.assertEqual(driver.run(ROCR, "queues", 8), (0, "right\n", ""))

    def test_after_a_reset_only_who_was_there_stands_still(self):
        with self.serve() as driver:
            used = driver.used()
            there = [Busy(driver) for _ in range(2)]
            self.inject(driver, "reset", "1")
            # This ROCr does not listen for it, so it waits for its copies as it would on a board.
            for program in there:
                program.process.stdin.close()
                program.process.stdin = None
            clients = driver.status()["clients"]
            self.assertEqual([c["lost"] for c in clients], [True, True])
            self.assertEqual({q["state"] for c in clients for q in c["queue_list"]}, {"faulted"})
            self.expect_works(driver)
            after = Busy(driver)
            self.assertEqual(sorted(c["lost"] for c in driver.status()["clients"]), [False, True, True])
            self.assertEqual(after.end(), (0, "right\n", ""))
            for program in there:
                self.assertIsNone(program.process.poll())
                os.kill(int(program.pid), signal.SIGTERM)
                self.assertEqual(self.finish(program.process),
                                 (status_of(signal.SIGTERM), "", ""))
            driver.wait_idle(used)

    def test_bad_memory_ends_who_has_it_and_nobody_else(self):
        with self.serve() as driver:
            used = driver.used()
            programs = [Busy(driver) for _ in range(4)]
            for program in programs[::2]:
                self.inject(driver, "poison", program.pid, program.address)
                status, _, err = self.finish(program.process)
                # The signal comes first; but the thread that is to die of it has to be given a CPU,
                # and another one may know from the events meanwhile.
                if status != status_of(signal.SIGBUS):
                    self.assertEqual(status, status_of(signal.SIGABRT), err)
                    self.assertIn("Memory access fault by GPU node-1 ", err)
                    self.assertIn("Reason: DRAM ECC failure", err)
            self.expect_works(driver)
            for program in programs[1::2]:
                self.assertEqual(program.end(), (0, "right\n", ""))
            driver.wait_idle(used)

    def gone(self, *options):
        with self.serve() as driver:
            used = driver.used()
            other = Busy(driver)
            status, out, err = self.vkfd("run", "--connect", driver.socket, *options, "--", ROCR,
                                         "gone")
            self.assertEqual(status, status_of(signal.SIGABRT), err)
            self.assertIn("Memory access fault by GPU node-1 ", err)
            self.assertIn(f" on address {out.strip()}. Reason: Page not present", err)
            self.expect_works(driver)
            self.assertEqual(other.end(), (0, "right\n", ""))
            driver.wait_idle(used)

    def test_memory_that_goes_is_named_by_the_runtime_that_ends(self):
        self.gone()

    def test_memory_that_goes_under_an_engine_that_is_a_thread(self):
        self.gone("--engine", "thread")


if __name__ == "__main__":
    support.main()
