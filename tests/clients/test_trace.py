#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vkfd trace: whole files, whatever happens, that tell what happened."""

import os
import signal
import subprocess
import xml.etree.ElementTree

import support
import trace_rules


UNKNOWN_CALL = """
import fcntl, os
kfd = os.open("/dev/kfd", os.O_RDWR | os.O_CLOEXEC)
try:
    fcntl.ioctl(kfd, 0x4b7f)
except OSError:
    pass
"""


class Trace(support.VkfdTest):
    @classmethod
    def setUpClass(cls):
        support.need_two_gpus()

    def file(self, name="trace.json"):
        return os.path.join(self.dir, name)

    def load(self, name="trace.json"):
        events = trace_rules.load(self.file(name))
        self.assertEqual(trace_rules.check(events)[:10], [])
        self.assertEqual(trace_rules.overlaps(events)[:10], [])
        return events

    def copier(self, *before, mib=16):
        """A program in the middle of its copies, below the command @before."""
        p = self.popen([support.VKFD, *before, support.TWO_GPUS, "--mib", mib, "--repeat", "100000"])
        line = p.stdout.readline()
        while "round 1 " not in line:
            self.assertTrue(line, f"two_gpus ended: {p.poll()}")
            line = p.stdout.readline()
        return p

    # ------------------------------------------------ what it tells

    def test_calls_queues_packets_and_engines_have_tracks(self):
        out = self.vkfd_ok("trace", "-o", self.file(), "--", support.TWO_GPUS, "--mib", "4")
        self.assertIn("all 4194304 bytes right", out)
        events = self.load()
        threads = set(trace_rules.names(events, "thread_name").values())
        groups = trace_rules.names(events, "process_name")
        self.assertTrue({"queue 0, SDMA, GPU 0", "process"} <= threads, threads)
        self.assertTrue({"vkfd", "GPU 0", "GPU 1"} <= set(groups.values()), groups)
        program = [n for n in groups.values() if n.startswith("two_gpus (")]
        self.assertEqual(len(program), 1)
        self.assertIn(f"SDMA of {program[0]}", threads)
        calls = [e["name"] for e in events if e.get("cat") == "ioctl_begin"]
        for name in ["GET_VERSION", "ACQUIRE_VM", "ALLOC_MEMORY_OF_GPU", "CREATE_QUEUE", "DESTROY_QUEUE"]:
            self.assertIn(name, calls)
        copied = sum(e["args"]["bytes"] for e in events
                     if e.get("name") == "COPY_LINEAR" and e.get("cat") == "queue_packets")
        # Twice host to GPU to GPU to host.
        self.assertGreaterEqual(copied, 6 * (4 << 20))
        self.assertEqual([e["name"] for e in events if e.get("cat") in ("lost", "engine_lost")], [])
        self.assertTrue([e for e in events if e.get("cat") == "client_exit"])

    def test_failed_calls_have_their_errno(self):
        self.vkfd_ok("trace", "-o", self.file(), "--", "python3", "-c", UNKNOWN_CALL)
        events = self.load()
        ends = [e["args"]["result"] for e in events if e["ph"] == "E"]
        self.assertEqual(ends, ["-ENOTTY"])
        self.assertEqual([e["name"] for e in events if e.get("cat") == "error"], ["-ENOTTY"])
        self.assertEqual([e["name"] for e in events if e["ph"] == "B"], ["kfd ioctl 0x7f"])

    def test_an_eviction_is_told_from_the_wish_to_the_return(self):
        with self.serve("--set", "gpu.vram=192MiB", "--set", "policy.vram_limit=overcommit") as driver:
            first = self.copier("run", "--connect", driver.socket, "--", mib=128)
            tracer = self.popen([support.VKFD, "trace", "-o", self.file(), "--connect", driver.socket])
            support.wait_until(lambda: os.path.exists(self.file()) and os.stat(self.file()).st_size,
                               "it traces")
            second = driver.start(support.TWO_GPUS, "--mib", "128", "--repeat", "100000")
            support.wait_until(lambda: min([c["evictions"] for c in driver.status()["clients"]] +
                                           [0] * (len(driver.status()["clients"]) < 2)) > 1,
                               "each was evicted twice")
            tracer.send_signal(signal.SIGINT)
            self.assertEqual(self.finish(tracer)[0], 0)
            self.kill_all("two_gpus")
            self.finish(first)
            self.finish(second)
        events = self.load()
        tracks, _ = trace_rules.slices(events)
        pairs, _ = trace_rules.arrows(events)
        ends = {name: [(trace_rules.slice_at(tracks, s)[2], trace_rules.slice_at(tracks, f)[2])
                       for s, f in pairs if s["name"] == name]
                for name in ["asked for memory", "stops", "signals", "comes back"]}
        # Each arrow leads from where it should to where it should.
        self.assertEqual({f.get("cat") for _, f in ends["asked for memory"]}, {"evict_begin"})
        self.assertEqual({(s.get("cat"), f.get("cat")) for s, f in ends["stops"]},
                         {("stop_begin", "queue_stopped")})
        self.assertEqual({(s.get("cat"), f.get("cat")) for s, f in ends["comes back"]},
                         {("bo_move_begin", "restore_begin")})
        self.assertIn("bo_move_begin", {f.get("cat") for _, f in ends["signals"]})
        self.assertIn("fence_wait_begin", {f.get("cat") for _, f in ends["signals"]})
        # No move out of VRAM ends while a queue of its program runs.
        moves = [(b, e, s) for spans in tracks.values() for b, e, s in spans
                 if s.get("cat") == "bo_move_begin" and s["args"]["from"] == "VRAM"]
        self.assertGreater(len(moves), 2)
        groups = trace_rules.names(events, "process_name")
        for _, end, move in moves:
            gone = [(b, e) for (pid, _), spans in tracks.items() if groups[pid] == move["args"]["client"]
                    for b, e, s in spans if s.get("cat") == "stop_begin" and b < end]
            self.assertTrue(gone, f"nobody was stopped for {move}")
        svg = self.run_program([os.path.join(support.SOURCE, "tools", "trace-svg"), self.file()])
        self.assertEqual(svg[0], 0, svg[2])
        root = xml.etree.ElementTree.fromstring(svg[1])
        self.assertTrue(root.tag.endswith("svg"))
        self.assertIn("evicted: memory", svg[1])

    def test_the_programs_status_is_the_commands(self):
        self.assertEqual(self.vkfd("trace", "-o", self.file(), "--", "sh", "-c", "exit 7")[0], 7)
        self.load()

    def test_a_program_that_opens_nothing_has_an_empty_trace(self):
        self.vkfd_ok("trace", "-o", self.file(), "--", "true")
        self.assertEqual([e for e in self.load() if e["ph"] != "M"], [])

    def test_an_old_file_is_replaced(self):
        with open(self.file(), "w", encoding="utf-8") as f:
            f.write("x" * 1000000)
        self.vkfd_ok("trace", "-o", self.file(), "--", "true")
        self.load()

    def test_a_pipe_gets_a_whole_array(self):
        os.mkfifo(self.file("fifo"))
        with subprocess.Popen(["cat", self.file("fifo")], stdout=subprocess.PIPE, text=True) as cat:
            self.vkfd_ok("trace", "-o", self.file("fifo"), "--", support.TWO_GPUS, "--mib", "1")
            text = cat.stdout.read()
        with open(self.file(), "w", encoding="utf-8") as f:
            f.write(text)
        self.assertTrue([e for e in self.load() if e.get("name") == "COPY_LINEAR"])

    # ------------------------------------------------ interrupted

    def test_an_interrupted_trace_is_whole(self):
        for sig in [signal.SIGINT, signal.SIGTERM]:
            p = self.copier("trace", "-o", self.file(), "--")
            p.send_signal(sig)
            status, _, _ = self.finish(p)
            self.assertEqual(status, 128 + sig)
            events = self.load()
            self.assertTrue([e for e in events if e.get("name") == "COPY_LINEAR"])

    def test_a_killed_program_leaves_a_whole_trace(self):
        p = self.copier("trace", "-o", self.file(), "--")
        self.kill_all("two_gpus")
        self.assertEqual(self.finish(p)[0], 128 + signal.SIGKILL)
        self.assertTrue([e for e in self.load() if e.get("cat") == "client_exit"])

    def test_a_killed_tracer_leaves_an_array(self):
        p = self.copier("trace", "-o", self.file(), "--")
        before = os.stat(self.file()).st_size
        support.wait_until(lambda: os.stat(self.file()).st_size > before, "the file grows")
        os.kill(p.pid, signal.SIGKILL)
        self.assertGreater(len(trace_rules.load(self.file())), 50)
        self.kill_all("two_gpus")
        self.finish(p)

    # ------------------------------------------------ a driver that serves

    def test_a_driver_can_be_watched_for_a_while(self):
        with self.serve() as driver:
            p = self.copier("run", "--connect", driver.socket, "--")
            for _ in range(3):
                self.vkfd_ok("trace", "-o", self.file(), "--connect", driver.socket,
                             "--duration", "0.3")
                events = self.load()
                threads = trace_rules.names(events, "thread_name").values()
                self.assertTrue([n for n in threads if n.startswith("queue 0, SDMA")])
                self.assertTrue([e for e in events if e.get("name") == "COPY_LINEAR"])
            self.kill_all("two_gpus")
            self.finish(p)

    def test_two_programs_of_a_driver_are_two_groups(self):
        with self.serve() as driver:
            p = self.copier("run", "--connect", driver.socket, "--")
            self.vkfd_ok("trace", "-o", self.file(), "--connect", driver.socket, "--",
                         support.TWO_GPUS, "--mib", "1")
            groups = trace_rules.names(self.load(), "process_name").values()
            self.assertEqual(len([n for n in groups if n.startswith("two_gpus (")]), 2)
            self.kill_all("two_gpus")
            self.finish(p)

    def test_one_traces_a_driver_at_a_time(self):
        with self.serve() as driver:
            first = self.popen([support.VKFD, "trace", "-o", self.file(), "--connect", driver.socket])
            support.wait_until(lambda: os.path.exists(self.file()) and os.stat(self.file()).st_size,
                               "the first traces")
            status, _, err = self.vkfd("trace", "-o", self.file("other.json"), "--connect",
                                       driver.socket)
            self.assertEqual(status, 1)
            self.assertIn("already", err)
            first.send_signal(signal.SIGINT)
            self.assertEqual(self.finish(first)[0], 0)
            self.load()

    def test_the_drivers_end_ends_the_trace(self):
        with self.serve() as driver:
            p = self.popen([support.VKFD, "trace", "-o", self.file(), "--connect", driver.socket])
            support.wait_until(lambda: os.path.exists(self.file()) and os.stat(self.file()).st_size,
                               "it traces")
        self.assertEqual(self.finish(p)[0], 0)
        self.load()

    # ------------------------------------------------ mistakes

    def test_mistakes_are_told(self):
        for args, want in [
                (["--", "true"], "expected vkfd trace -o FILE"),
                (["-o"], "option '-o' needs a value"),
                (["-o", self.file(), "--duration", "x"], "takes seconds"),
                (["-o", self.file(), "--duration", "0"], "takes seconds"),
                (["-o", self.file(), "--duration", "1", "--", "true"], "not for a program"),
                (["-o", self.file(), "--machine", "vega20"], "nothing to run"),
                (["-x", "--", "true"], "unknown option '-x'")]:
            status, _, err = self.vkfd("trace", *args)
            self.assertEqual((status, err.count("\n")), (2, 1), err)
            self.assertIn(want, err)

    def test_a_file_that_cannot_be_written_is_told_before_anything_runs(self):
        status, out, err = self.vkfd("trace", "-o", self.file("no/where.json"), "--", "echo", "ran")
        self.assertEqual((status, out), (1, ""))
        self.assertIn("cannot write", err)

    def test_a_trace_that_does_not_begin_leaves_what_was_there(self):
        for args in [["--connect", self.file("none")], ["--connect", self.file("none"), "--", "true"],
                     ["--machine", "mi3", "--", "true"], ["--set", "gpu.vram=lots", "--", "true"]]:
            status, _, err = self.vkfd("trace", "-o", self.file(), *args)
            self.assertIn(status, (1, 2))
            self.assertEqual(err.count("\n"), 1, err)
            self.assertFalse(os.path.exists(self.file()))
            with open(self.file(), "w", encoding="utf-8") as f:
                f.write("old")
            self.assertEqual(self.vkfd("trace", "-o", self.file(), *args)[0], status)
            with open(self.file(), encoding="utf-8") as f:
                self.assertEqual(f.read(), "old")
            os.unlink(self.file())

    def test_a_full_disk_is_told(self):
        status, _, err = self.vkfd("trace", "-o", "/dev/full", "--", support.TWO_GPUS, "--mib", "1")
        self.assertEqual(status, 1)
        self.assertIn("No space left", err)


if __name__ == "__main__":
    support.main()
