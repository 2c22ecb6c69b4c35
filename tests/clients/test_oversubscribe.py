#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Programs that together want more memory than there is: all go on, and every byte is right.

VKFD_SECONDS: how long each run copies; 4 unless given.
"""

import json
import os
import re
import signal

import support

OVERSUBSCRIBE = os.path.join(support.BUILD, "tests", "clients", "oversubscribe")
SECONDS = int(os.environ.get("VKFD_SECONDS", "4"))
SMALL = ("--set", "gpu.vram=256MiB", "--set", "policy.vram_limit=overcommit")
RIGHT = re.compile(r"right, (\d+) MiB copied in (\d+) copies\n")


class Oversubscribe(support.VkfdTest):
    @classmethod
    def setUpClass(cls):
        support.need_hsa_program(OVERSUBSCRIBE)

    engine = "process"

    def start(self, driver, mib=160, seconds=SECONDS):
        return self.popen([support.VKFD, "run", "--connect", driver.socket, "--engine", self.engine,
                           "--", OVERSUBSCRIBE, mib, seconds])

    def copied(self, program):
        status, out, err = self.finish(program, 120 + 4 * SECONDS)
        self.assertEqual(status, 0, out + err)
        match = RIGHT.fullmatch(out)
        self.assertTrue(match, out + err)
        return int(match.group(2))

    def evicted_bytes(self, driver):
        """What is in GTT of programs that asked for VRAM only."""
        memory = json.loads(self.vkfd_ok("status", "--memory", "--connect", driver.socket, "--json"))
        return sum(gpu["gtt"]["usage"]["used"] for gpu in memory["gpus"])

    def wait_for_eviction(self, driver):
        support.wait_until(lambda: self.evicted_bytes(driver) > 64 << 20, "something was evicted")

    def three(self, *options):
        """Three programs on half of the memory they want; how many copies each has made."""
        with self.serve(*SMALL, *options) as driver:
            used = driver.used()
            programs = [self.start(driver) for _ in range(3)]
            self.wait_for_eviction(driver)
            copies = [self.copied(p) for p in programs]
            driver.wait_idle(used)
            return copies

    def test_three_programs_on_half_of_the_memory_they_want(self):
        copies = self.three()
        # Nobody starves, given time.
        if SECONDS >= 30:
            self.assertGreater(min(copies), max(copies) // 4, copies)

    def test_with_another_policy(self):
        self.three("--set", "policy.evict=largest")

    def test_on_a_hive(self):
        self.three("--machine", "mi100x4")

    def test_with_engines_that_are_threads(self):
        self.engine = "thread"
        self.three()

    def test_without_overcommit_the_last_is_refused(self):
        with self.serve("--set", "gpu.vram=256MiB") as driver:
            first = self.start(driver)
            support.wait_until(lambda: min(driver.used()) >= 160 << 20, "the first has its memory")
            status, out, err = driver.run(OVERSUBSCRIBE, 160, 1)
            self.assertEqual(status, 1, out + err)
            self.assertIn("status 0x1008", err)  # HSA_STATUS_ERROR_OUT_OF_RESOURCES
            self.copied(first)

    def ended(self, program):
        return program.poll() is not None

    def test_one_that_is_killed_while_evicted_leaves_nothing(self):
        with self.serve(*SMALL) as driver:
            used = driver.used()
            programs = [self.start(driver) for _ in range(3)]
            self.wait_for_eviction(driver)
            os.kill(driver.status()["clients"][0]["pid"], signal.SIGKILL)
            support.wait_until(lambda: any(map(self.ended, programs)), "one is killed")
            for program in programs:
                if self.ended(program):
                    self.finish(program)
                else:
                    self.copied(program)
            driver.wait_idle(used)

    def test_one_that_is_stopped_delays_nobody(self):
        with self.serve(*SMALL) as driver:
            used = driver.used()
            programs = [self.start(driver) for _ in range(3)]
            self.wait_for_eviction(driver)
            pid = driver.status()["clients"][0]["pid"]
            os.kill(pid, signal.SIGSTOP)
            try:
                # Its hardware goes on, and stops when it is told to.
                support.wait_until(lambda: sum(map(self.ended, programs)) == 2, "two are done",
                                   60 + 4 * SECONDS)
            finally:
                os.kill(pid, signal.SIGCONT)
            for program in programs:
                self.copied(program)
            driver.wait_idle(used)

    def test_one_that_is_stopped_with_its_engine_is_given_up(self):
        self.engine = "thread"
        with self.serve(*SMALL) as driver:
            used = driver.used()
            programs = [self.start(driver) for _ in range(3)]
            self.wait_for_eviction(driver)
            pid = driver.status()["clients"][0]["pid"]
            os.kill(pid, signal.SIGSTOP)
            # Whoever wants its memory waits for it as long as the kernel does, and then has it.
            support.wait_until(lambda: sum(map(self.ended, programs)) == 2, "two are done",
                               60 + 4 * SECONDS)
            for program in filter(self.ended, programs):
                self.copied(program)
            os.kill(pid, signal.SIGKILL)
            for program in programs:
                self.finish(program)
            driver.wait_idle(used)


if __name__ == "__main__":
    support.main()
