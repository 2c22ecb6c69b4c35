#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""ROCr on queues: copies, rectangles, barriers, signals, many queues and processes, a hard end."""

import os

import support

ROCR = os.path.join(support.BUILD, "tests", "clients", "rocr")


class Rocr(support.VkfdTest):
    @classmethod
    def setUpClass(cls):
        support.need_hsa_program(ROCR)

    def rocr(self, *args, options=(), interrupt=None):
        env = dict(self.env)
        if interrupt is not None:
            env["HSA_ENABLE_INTERRUPT"] = str(interrupt)
        out = self.vkfd_ok("run", *options, "--", ROCR, *args, env=env)
        self.assertEqual(out, "right\n")

    def test_copies_in_every_direction(self):
        self.rocr("copies")

    def test_copies_in_every_direction_of_a_hive(self):
        self.rocr("copies", options=("--machine", "mi100x4"))

    def test_copies_by_a_thread_and_polled(self):
        self.rocr("copies", options=("--engine", "thread"), interrupt=0)

    def test_rectangles(self):
        for interrupt in (0, 1):
            self.rocr("rect", interrupt=interrupt)

    def test_barriers_between_queues(self):
        for interrupt in (0, 1):
            self.rocr("barriers", interrupt=interrupt)

    def test_barriers_between_queues_of_a_thread(self):
        self.rocr("barriers", options=("--engine", "thread"))

    def test_thousands_of_signals(self):
        for interrupt in (0, 1):
            self.rocr("signals", interrupt=interrupt)

    def test_64_queues(self):
        self.rocr("queues", 64)

    def test_more_queues_than_the_hardware_runs_at_once(self):
        self.rocr("queues", 100, options=("--machine", "vega20"))

    def test_16_programs(self):
        with self.serve() as driver:
            used = driver.used()
            programs = [driver.start(ROCR, *(("queues", 8) if i % 2 else ("barriers",)))
                        for i in range(16)]
            for program in programs:
                self.assertEqual(self.finish(program), (0, "right\n", ""))
            driver.wait_idle(used)

    def test_the_end_with_work_in_flight(self):
        for interrupt in (0, 1):
            self.rocr("shutdown", interrupt=interrupt)
        self.rocr("shutdown", options=("--engine", "thread"))


if __name__ == "__main__":
    support.main()
