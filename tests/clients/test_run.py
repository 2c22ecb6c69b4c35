#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vkfd run behaves as the program that it runs, and leaves nothing."""

import os
import signal
import subprocess
import time

import support

# Opens the device and acquires a VM, then runs the rest of the line.
OPEN = r"""
import fcntl, os, struct, sys, time
kfd = os.open("/dev/kfd", os.O_RDWR | os.O_CLOEXEC)
version = bytearray(8)
fcntl.ioctl(kfd, 0x80084b01, version)
def say(text):
    os.write(1, (text + "\n").encode())
"""


def python(code):
    return ["python3", "-c", OPEN + code]


class Run(support.VkfdTest):
    # ------------------------------------------------ exit status

    def test_the_status_is_the_programs(self):
        for want in (0, 1, 2, 77, 255):
            status, out, err = self.vkfd("run", "--", "sh", "-c", f"exit {want}")
            self.assertEqual((status, out, err), (want, "", ""))

    def test_a_program_that_a_signal_ends_gives_128_and_its_number(self):
        for sig in (signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV):
            status, out, err = self.vkfd("run", "--", "sh", "-c", f"kill -{int(sig)} $$")
            self.assertEqual((status, out, err), (128 + sig, "", ""))

    def test_no_such_program_is_127(self):
        status, out, err = self.vkfd("run", "--", "no-such-program-here")
        self.assertEqual((status, out), (127, ""))
        self.assertEqual(err, "vkfd: cannot run 'no-such-program-here': No such file or directory\n")

    def test_a_file_that_cannot_be_run_is_126(self):
        path = os.path.join(self.dir, "text")
        with open(path, "w", encoding="utf-8") as f:
            f.write("no program\n")
        status, out, err = self.vkfd("run", "--", path)
        self.assertEqual((status, out), (126, ""))
        self.assertEqual(err, f"vkfd: cannot run '{path}': Permission denied\n")

    def test_words_of_the_program_are_not_read_as_options(self):
        out = self.vkfd_ok("run", "echo", "--machine", "x", "--", "-v")
        self.assertEqual(out, "--machine x -- -v\n")
        out = self.vkfd_ok("run", "--", "echo", "--set", "")
        self.assertEqual(out, "--set \n")

    # ------------------------------------------------ signals

    def test_signals_are_passed_on(self):
        script = 'trap "echo got $1; exit 5" $1; echo ready; while :; do sleep 0.05; done'
        for name in ("TERM", "INT", "HUP", "USR1", "USR2", "QUIT"):
            p = self.popen([support.VKFD, "run", "--", "sh", "-c", script, "sh", name])
            self.assertEqual(p.stdout.readline(), "ready\n")
            p.send_signal(getattr(signal, "SIG" + name))
            status, out, _ = self.finish(p, 20)
            self.assertEqual((status, out), (5, f"got {name}\n"))

    def test_a_signal_that_ends_the_program_ends_vkfd_with_it(self):
        p = self.popen([support.VKFD, "run", "--", *python("say('ready'); time.sleep(60)")])
        self.assertEqual(p.stdout.readline(), "ready\n")
        p.send_signal(signal.SIGTERM)
        status, _, _ = self.finish(p, 20)
        self.assertEqual(status, 128 + signal.SIGTERM)

    def test_a_terminals_interrupt_reaches_the_program_once(self):
        """As Ctrl-C does: to the whole process group, vkfd itself among them."""
        script = 'trap "echo interrupted" INT; echo ready; sleep 0.2; sleep 0.2; sleep 0.2; exit 3'
        p = self.popen([support.VKFD, "run", "--", "sh", "-c", script], start_new_session=True)
        self.assertEqual(p.stdout.readline(), "ready\n")
        os.killpg(p.pid, signal.SIGINT)
        status, out, _ = self.finish(p, 20)
        self.assertEqual(status, 3)
        self.assertGreaterEqual(out.count("interrupted"), 1)

    # ------------------------------------------------ pipes

    def test_input_and_output_are_the_programs(self):
        status, out, _ = self.vkfd("run", "--", "tr", "a-z", "A-Z", text="some words\n")
        self.assertEqual((status, out), (0, "SOME WORDS\n"))
        status, out, err = self.vkfd("run", "--", "sh", "-c", "echo out; echo err >&2")
        self.assertEqual((status, out, err), (0, "out\n", "err\n"))

    def test_a_pipeline_that_reads_the_output_ends(self):
        """Neither the driver nor an engine may hold the program's standard output."""
        support.need_two_gpus()
        begin = time.monotonic()
        status, out, err = self.run_program(
            ["sh", "-c", f"'{support.VKFD}' run -- '{support.TWO_GPUS}' --mib 1 | cat | tail -n 1"], 60)
        self.assertEqual((status, err), (0, ""))
        self.assertIn("all 1048576 bytes right", out)
        self.assertLess(time.monotonic() - begin, 50)

    def test_a_reader_that_goes_early_ends_the_program(self):
        status, out, _ = self.run_program(
            ["sh", "-c", f"'{support.VKFD}' run -- yes | head -n 1"], 30)
        self.assertEqual((status, out), (0, "y\n"))

    def test_output_ends_with_the_program_even_when_it_is_killed_on_the_device(self):
        support.need_two_gpus()
        p = self.popen([support.VKFD, "run", "--", support.TWO_GPUS, "--mib", "8", "--repeat",
                        "100000"])
        while "round 2 " not in p.stdout.readline():
            self.assertIsNone(p.poll())
        self.kill_all("two_gpus")
        status, _, _ = self.finish(p, 30)
        self.assertEqual(status, 128 + signal.SIGKILL)

    # ------------------------------------------------ what is left

    def test_nothing_is_left_by_a_program_that_used_the_device(self):
        self.vkfd_ok("run", "--", *python("say('x')"))
        self.assertEqual((self.runtime_dirs(), self.processes()), ([], []))

    def test_vkfd_killed_leaves_no_driver_behind(self):
        p = self.popen([support.VKFD, "run", "--", *python("say('ready'); sys.stdin.read()")],
                       stdin=subprocess.PIPE)
        self.assertEqual(p.stdout.readline(), "ready\n")
        p.kill()
        p.stdin.close()
        p.stdout.close()
        p.stderr.close()
        p.wait()
        support.wait_until(lambda: not self.processes(), "program and driver ended")

    def test_what_a_dead_driver_left_the_next_one_removes(self):
        p = self.popen([support.VKFD, "run", "--", *python("say('ready'); time.sleep(60)")])
        self.assertEqual(p.stdout.readline(), "ready\n")
        left = self.runtime_dirs()
        self.assertEqual(len(left), 1)
        self.kill_all()
        self.finish(p)
        self.assertEqual(self.runtime_dirs(), left)
        self.vkfd_ok("run", "--", "true")
        self.assertEqual(self.runtime_dirs(), [])

    def test_a_grandchild_in_the_background_keeps_its_device(self):
        """vkfd run ends with its program; the driver stays until nobody uses it."""
        code = OPEN + """
opened, tell = os.pipe()
if os.fork():
    os.read(opened, 1)
    say("parent ends"); os._exit(0)
os.setsid()
mine = os.open("/dev/kfd", os.O_RDWR)
fcntl.ioctl(mine, 0x80084b01, version)
null = os.open("/dev/null", os.O_RDWR)
for fd in range(3):
    os.dup2(null, fd)
os.write(tell, b"x")
time.sleep(6)
fcntl.ioctl(mine, 0x80084b01, version)
open("result", "w").write(str(struct.unpack("II", version)))
"""
        begin = time.monotonic()
        status, out, err = self.vkfd("run", "--", "python3", "-c", code)
        self.assertEqual((status, out, err), (0, "parent ends\n", ""))
        self.assertLess(time.monotonic() - begin, 15)
        self.assertTrue(self.runtime_dirs(), "the driver went with the program")
        result = os.path.join(self.dir, "result")
        support.wait_until(lambda: os.path.exists(result), "the grandchild's second ioctl")
        with open(result, encoding="utf-8") as f:
            self.assertEqual(f.read(), "(1, 17)")

    def test_two_at_once_are_two_machines(self):
        first = self.popen([support.VKFD, "run", "--", *python("say('ready'); sys.stdin.read()")],
                           stdin=subprocess.PIPE)
        self.assertEqual(first.stdout.readline(), "ready\n")
        out = self.vkfd_ok("run", "--machine", "vega20", "--", "sh", "-c",
                           "cat /sys/class/kfd/kfd/topology/nodes/1/properties")
        self.assertIn("gfx_target_version 90006\n", out)
        self.assertEqual(len(self.runtime_dirs()), 1)
        self.finish(first, text="")

    # ------------------------------------------------ environment

    def test_a_preload_that_was_there_stays(self):
        out = self.vkfd_ok("run", "--", "sh", "-c", 'echo "$LD_PRELOAD"',
                           env={**self.env, "LD_PRELOAD": "libm.so.6"})
        self.assertRegex(out, r"^/\S+/libvkfd-shim\.so:libm\.so\.6\n$")

    def test_status_inside_finds_the_driver_that_runs_it(self):
        out = self.vkfd_ok("run", "--machine", "vega20", "--", support.VKFD, "status")
        self.assertIn("machine vega20", out)

    def test_without_a_runtime_directory_another_place_serves(self):
        env = {k: v for k, v in self.env.items() if k != "XDG_RUNTIME_DIR"}
        env["TMPDIR"] = self.runtime
        out = self.vkfd_ok("run", "--", "sh", "-c",
                           'echo "$VKFD_RUNTIME"; stat -c %a "$VKFD_RUNTIME"', env=env)
        path, mode = out.split()
        self.assertRegex(path, rf"^(/dev/shm|{self.runtime})/vkfd-\w{{6}}$")
        self.assertEqual(mode, "700")
        support.wait_until(lambda: not os.path.exists(path), f"{path} removed")

    def test_a_runtime_directory_too_long_for_a_socket_is_one_line(self):
        deep = os.path.join(self.runtime, "d" * 100)
        os.mkdir(deep)
        status, out, err = self.vkfd("run", "--", "true", env={**self.env, "XDG_RUNTIME_DIR": deep})
        self.assertEqual((status, out), (1, ""))
        self.assertEqual(err, "vkfd: cannot make a runtime directory: File name too long\n")

    def test_the_tree_is_seen_by_programs_that_use_no_device(self):
        out = self.vkfd_ok("run", "--", "cat", "/sys/class/kfd/kfd/topology/nodes/1/name")
        self.assertEqual(out, "aldebaran\n")
        out = self.vkfd_ok("run", "--", "ls", "/dev/dri")
        self.assertEqual([n for n in out.split() if n.startswith("render")],
                         ["renderD128", "renderD129"])


if __name__ == "__main__":
    support.main()
