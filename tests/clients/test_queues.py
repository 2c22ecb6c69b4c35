#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Queues through shim and driver: no doorbell is lost, and what has nothing to do does nothing.

$VKFD_DOORBELLS says how many are rung (of each kind of engine), 60000 if nothing else is said.
"""

import os
import signal
import time

import support

QUEUES = os.path.join(support.BUILD, "tests", "clients", "queues")
RINGS = os.environ.get("VKFD_DOORBELLS", "60000")
# A queue that waits for memory is looked at less and less often: so often in the end.
LOOKS_PER_SECOND = 250


def tasks_of(pid):
    return os.listdir(f"/proc/{pid}/task")


def switches(pid, task):
    with open(f"/proc/{pid}/task/{task}/status", encoding="utf-8") as f:
        return sum(int(line.split()[1]) for line in f if "ctxt_switches" in line)


def cpu_ticks(pid, task):
    with open(f"/proc/{pid}/task/{task}/stat", encoding="utf-8") as f:
        return sum(int(n) for n in f.read().rpartition(")")[2].split()[11:13])


class Queues(support.VkfdTest):
    def queues(self, *args, options=()):
        out = self.vkfd_ok("run", *options, "--", QUEUES, *args, timeout=900)
        self.assertEqual(out, "")

    def test_no_doorbell_is_lost(self):
        self.queues("doorbells", RINGS, 16)

    def test_no_doorbell_is_lost_by_a_thread(self):
        self.queues("doorbells", RINGS, 16, options=("--engine", "thread"))

    def engine(self):
        """Process and task of the one engine there is."""
        found = [(p, t) for p in self.processes() for t in tasks_of(p)
                 if open(f"/proc/{p}/task/{t}/comm", encoding="utf-8").read() == "vkfd-engine\n"]
        self.assertEqual(len(found), 1, found)
        return found[0]

    def rate(self, engine, what):
        """How often the engine is switched to, a second."""
        before, ticks, began = switches(*engine), cpu_ticks(*engine), time.monotonic()
        time.sleep(2)
        took = time.monotonic() - began
        n = switches(*engine) - before
        print(f"# {what}: {n / took:.1f} switches and "
              f"{(cpu_ticks(*engine) - ticks) * 1000 / os.sysconf('SC_CLK_TCK') / took:.1f} ms of CPU "
              "a second")
        return n / took

    def watched(self, *args, limit, options=()):
        """The engine is switched to @limit times a second at most, once the program is ready: it
        lingers, pauses grow, and under load that takes a while."""
        process = self.popen([support.VKFD, "run", *options, "--", QUEUES, *args],
                             stdin=support.subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), "ready\n")
        engine, what = self.engine(), " ".join(map(str, args))
        support.wait_until(lambda: self.rate(engine, what) <= limit, f"no more than {limit} switches")
        status, _, err = self.finish(process, text="")
        self.assertEqual((status, err), (0, ""))

    def test_a_program_hears_that_its_engine_has_ended(self):
        process = self.popen([support.VKFD, "run", "--", QUEUES, "lost"],
                             stdin=support.subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), "ready\n")
        os.kill(int(self.engine()[0]), signal.SIGKILL)
        status, _, err = self.finish(process, text="")
        self.assertEqual((status, err), (0, ""))

    def test_64_idle_queues_cost_nothing(self):
        self.watched("idle", 64, limit=0)

    def test_64_idle_queues_of_a_thread_cost_nothing(self):
        self.watched("idle", 64, limit=0, options=("--engine", "thread"))

    def test_a_queue_that_waits_is_looked_at_now_and_then(self):
        # Each look is a switch to the engine; and one away from it, should somebody want its CPU.
        self.watched("wait", 1, limit=2 * LOOKS_PER_SECOND)

    def test_many_queues_that_wait_are_looked_at_together(self):
        self.watched("wait", 64, limit=2 * LOOKS_PER_SECOND)


if __name__ == "__main__":
    support.main()
