#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vkfd top on a terminal: what it shows, that it fits, and that it leaves the terminal as it was."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

import support

ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"


class Screen:
    """As much of a terminal as vkfd top uses; anything else fails."""

    def __init__(self, width, height):
        self.resize(width, height)
        self.full = self.hidden = False
        self.strict = True  # what goes beyond the screen fails; else it is cut off, as terminals do
        self.rest = ""

    def resize(self, width, height):
        self.width, self.height = width, height
        self.rows = [""] * height
        self.x = self.y = 0

    def put(self, c):
        if self.x == self.width and not self.full:
            self.x, self.y = 0, self.y + 1
        if not self.strict and self.x >= self.width:
            return
        assert self.x < self.width, f"beyond column {self.width}: {self.rows[self.y]}"
        row = self.rows[self.y].ljust(self.x)
        self.rows[self.y] = row[:self.x] + c + row[self.x + 1:]
        self.x += 1

    def escape(self, args, c):
        if c == "H":
            y, x = (args or "1;1").split(";")
            self.y, self.x = int(y) - 1, int(x) - 1
            if not self.strict:
                self.y = min(self.y, self.height - 1)
            assert self.y < self.height
        elif c == "K":
            self.rows[self.y] = self.rows[self.y][:self.x]
        elif c == "J":
            self.rows[self.y:] = [self.rows[self.y][:self.x]] + [""] * (self.height - self.y - 1)
        elif c in "hl" and args == "?1049":
            self.full = c == "h"
            self.rows, self.x, self.y = [""] * self.height, 0, 0
        elif c in "hl" and args == "?25":
            self.hidden = c == "l"
        else:
            assert c == "m" or (c == "J" and args == "2"), f"unknown escape {args}{c}"

    def feed(self, text):
        text = self.rest + text
        self.rest = ""
        i = 0
        while i < len(text):
            if text[i] == "\x1b":
                m = re.match(r"\x1b\[([?\d;]*)([A-Za-z])", text[i:])
                if not m:
                    self.rest = text[i:]
                    return
                self.escape(m.group(1), m.group(2))
                i += m.end()
                continue
            if text[i] == "\n":
                self.y += 1
                if not self.strict:
                    self.y = min(self.y, self.height - 1)
                assert self.y < self.height, "the screen scrolls"
            elif text[i] == "\r":
                self.x = 0
            else:
                self.put(text[i])
            i += 1

    def text(self):
        return "\n".join(self.rows)


class Top(support.VkfdTest):
    @classmethod
    def setUpClass(cls):
        support.need_two_gpus()

    def start(self, socket, *args, size=(80, 24), env=None):
        """vkfd top on a terminal of its own."""
        self.master, slave = pty.openpty()
        self.addCleanup(os.close, self.master)
        self.screen = Screen(*size)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.addCleanup(os.close, slave)

        def own_terminal():
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        self.raw = ""
        return self.popen([support.VKFD, "top", "--connect", socket, "--interval", "100", *args],
                          stdin=slave, stdout=slave, stderr=slave, preexec_fn=own_terminal,
                          env={**self.env, "TERM": "xterm", **(env or {})})

    def read(self, seconds=0.05):
        if select.select([self.master], [], [], seconds)[0]:
            text = os.read(self.master, 65536).decode()
            self.raw += text
            self.screen.feed(text)

    def wait_for(self, pattern):
        def seen():
            self.read()
            return re.search(pattern, self.screen.text())
        try:
            return support.wait_until(seen, pattern)
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.screen.text()}") from None

    def end(self, process):
        """Wait for its end; the terminal must be what it was."""
        end = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < end:
            self.read()
        self.read(0.2)
        status = process.wait(1)
        self.assertFalse(self.screen.full or self.screen.hidden, "the screen is not given back")
        self.assertTrue(self.raw.count(ENTER) == self.raw.count(LEAVE) >= 1)
        self.assertEqual(termios.tcgetattr(self.slave), self.before)
        return status

    def copier(self, driver, mib=16):
        p = driver.start(support.TWO_GPUS, "--mib", mib, "--repeat", "100000")
        line = p.stdout.readline()
        while "round 1 " not in line:
            self.assertTrue(line, f"two_gpus ended: {p.poll()}")
            line = p.stdout.readline()
        return p

    def drop(self, *programs):
        self.kill_all("two_gpus")
        for p in programs:
            self.finish(p)

    # ------------------------------------------------ once

    def test_once_prints_one_frame_as_text(self):
        with self.serve("--machine", "mi100x4") as driver:
            out = self.vkfd_ok("top", "--connect", driver.socket, "--once")
            self.assertNotIn("\x1b", out)
            self.assertRegex(out, r"^vkfd top  mi100x4  driver \d+  programs 0  queues 0  evictions 0/s\n")
            self.assertEqual(len(re.findall(r"(?m)^  \d arcturus +\[\.+\] +0\.0 / +32768\.0 +0\.0 +0$", out)), 4)
            p = self.copier(driver, 64)
            out = self.vkfd_ok("top", "--socket", driver.socket, "--once", "--interval", "500")
            m = re.search(r"(?m)^A +(\d+) two_gpus +(\d+)\.\d +\d running +(\d+)k? ", out)
            self.assertTrue(m, out)
            self.assertEqual(int(m.group(1)), driver.client("two_gpus")["pid"])
            self.assertGreaterEqual(int(m.group(2)), 128)
            self.assertGreater(int(m.group(3)), 0)
            self.assertRegex(out, r"(?m)^A +\d+ +0   0 SDMA +(idle|running|waiting) +\d+ +\d+$")
            self.assertTrue(all(len(line) <= 80 for line in out.splitlines()))
            self.drop(p)

    def test_json_has_what_it_shows(self):
        with self.serve() as driver:
            p = self.copier(driver)
            client = driver.client("two_gpus")
            self.assertEqual([q["id"] for q in client["queue_list"]], [0, 1, 2, 3])
            self.assertEqual({q["type"] for q in client["queue_list"]}, {"SDMA"})
            self.assertGreater(client["queue_list"][0]["packets"], 0)
            self.assertGreaterEqual(client["gpus"][0]["resident"], 16 << 20)
            self.assertEqual((client["evicted"], client["evictions"]), (False, 0))
            support.wait_until(lambda: [w for w in driver.status()["waits"]
                                        if w["client"] == client["client"] and w["what"] == "an event"],
                               "the program waits for its copy")
            self.drop(p)

    def test_what_is_evicted_is_seen(self):
        with self.serve("--set", "gpu.vram=320MiB", "--set", "policy.vram_limit=overcommit") as driver:
            programs = [driver.start(support.TWO_GPUS, "--mib", "128", "--repeat", "100000")
                        for _ in range(3)]
            process = self.start(driver.socket)
            self.wait_for(r"two_gpus +0\.0 +4 evicted")
            self.wait_for(r"SDMA +evicted")
            self.wait_for(r"evictions \d+(\.\d)?/s")
            os.write(self.master, b"q")
            self.assertEqual(self.end(process), 0)
            now = driver.status()
            self.assertGreater(sum(g["evictions"] for g in now["gpus"]), 0)
            self.assertGreater(sum(c["evictions"] for c in now["clients"]), 0)
            self.drop(*programs)

    # ------------------------------------------------ the terminal

    def test_it_shows_programs_that_come_and_go(self):
        with self.serve() as driver:
            process = self.start(driver.socket)
            self.wait_for(r"programs 0  queues 0")
            p = self.copier(driver)
            self.wait_for(r"(?m)^A +\d+ two_gpus +\d+\.\d +4 ")
            self.wait_for(r"(?m)^A +\d+ +3   1 SDMA ")
            self.drop(p)
            self.wait_for(r"programs 0  queues 0")
            os.write(self.master, b"q")
            self.assertEqual(self.end(process), 0)

    def test_keys_sort_and_quit(self):
        with self.serve() as driver:
            process = self.start(driver.socket)
            for order in ["memory", "packets", "evictions", "pid", "memory"]:
                self.wait_for(r"q quit  s sort: " + order)
                os.write(self.master, b"s")
            os.write(self.master, b"Q")
            self.assertEqual(self.end(process), 0)

    def test_it_fits_a_screen_that_changes_its_size(self):
        with self.serve("--machine", "mi210x8") as driver:
            p = self.copier(driver)
            process = self.start(driver.socket)
            self.wait_for(r"\[A+")
            for width, height in [(132, 40), (60, 10), (40, 4), (12, 3), (80, 24)]:
                self.read(0.3)
                # A frame for the old size may be on its way.
                self.screen.strict = False
                self.screen.resize(width, height)
                fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
                support.wait_until(lambda: self.read() or self.screen.rows[height - 1].startswith("q quit  s so"),
                                   "the last line is where the screen ends")
                self.read(0.3)
                self.screen.strict = True
                for _ in range(4):
                    self.read(0.3)
                self.assertTrue(self.screen.rows[0].startswith("vkfd top  mi210x8"[:width]))
            os.write(self.master, b"q")
            self.assertEqual(self.end(process), 0)
            self.drop(p)

    def test_help_and_long_keys(self):
        with self.serve() as driver:
            programs = [self.copier(driver) for _ in range(3)]
            process = self.start(driver.socket, size=(80, 14))
            self.wait_for(r"\(0 above, 9 below\)$")
            for key, above in [(b"\x1b[B", 1), (b"j", 2), (b"\x1bOA", 1), (b"\x1b[F", 8), (b"k", 7),
                               (b"\x1b[1~", 0), (b"\x1b[6~", 7), (b"\x1b[5~", 0)]:
                os.write(self.master, key)
                self.wait_for(rf"\({above} above, ")
            os.write(self.master, b"?")
            self.wait_for(r"(?m)^In a bar, # is nobody's")
            self.assertNotIn("two_gpus", self.screen.text())
            os.write(self.master, b"\x1b[A")
            self.wait_for(r"(?m)^A +\d+ two_gpus")
            os.write(self.master, b"?q")
            self.assertEqual(self.end(process), 0)
            self.drop(*programs)

    def test_without_colours_there_are_none(self):
        with self.serve() as driver:
            for env, want in [({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({}, True)]:
                process = self.start(driver.socket, env=env)
                self.wait_for("q quit")
                os.write(self.master, b"q")
                self.assertEqual(self.end(process), 0)
                colours = re.findall(r"\x1b\[[1-9][0-9;]*m", self.raw)
                self.assertEqual(bool(colours), want, env)

    def test_a_terminal_that_can_do_nothing_is_told(self):
        with self.serve() as driver:
            for term in ["dumb", ""]:
                process = self.start(driver.socket, env={"TERM": term})
                self.assertEqual(process.wait(30), 2)
                self.read(1)
                self.assertEqual(self.raw.count("\n"), 1, self.raw)
                self.assertIn(f"(TERM is '{term}'): expected --once", self.raw)
                self.assertNotIn("\x1b", self.raw)

    def test_signals_end_it_and_give_the_terminal_back(self):
        with self.serve() as driver:
            for sig in [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT]:
                process = self.start(driver.socket)
                self.wait_for("q quit")
                process.send_signal(sig)
                self.assertEqual(self.end(process), -sig)

    def test_control_c_ends_it(self):
        with self.serve() as driver:
            process = self.start(driver.socket)
            self.wait_for("q quit")
            os.write(self.master, b"\x03")
            self.assertEqual(self.end(process), -signal.SIGINT)

    def test_stopped_it_gives_the_terminal_back_and_takes_it_again(self):
        with self.serve() as driver:
            process = self.start(driver.socket)
            self.wait_for("q quit")
            process.send_signal(signal.SIGTSTP)
            # A session without a shell: the kernel does not stop an orphan for a terminal's signal.
            support.wait_until(lambda: self.read() or self.raw.count(LEAVE) == 1, "it has left the screen")
            process.send_signal(signal.SIGCONT)
            support.wait_until(lambda: self.read() or self.raw.count(ENTER) == 2, "it is back")
            self.wait_for("q quit")
            os.write(self.master, b"q")
            self.assertEqual(self.end(process), 0)

    def test_the_drivers_end_is_told(self):
        with self.serve() as driver:
            process = self.start(driver.socket)
            self.wait_for("q quit")
        self.assertEqual(self.end(process), 1)
        self.assertIn("no driver answers", self.raw)

    # ------------------------------------------------ mistakes

    def test_mistakes_are_told(self):
        for args, want in [(["x"], "one word too many"), (["--interval", "5"], "takes milliseconds"),
                           (["--interval", "x"], "takes milliseconds"), ([], "no terminal")]:
            status, _, err = self.vkfd("top", *args)
            self.assertEqual((status, err.count("\n")), (2, 1), err)
            self.assertIn(want, err)
        status, _, err = self.vkfd("top", "--once", "--connect", os.path.join(self.dir, "no"))
        self.assertEqual(status, 1)
        self.assertIn("no driver answers", err)


if __name__ == "__main__":
    support.main()
