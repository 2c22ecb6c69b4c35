# SPDX-License-Identifier: MIT
"""What the client tests share: running vkfd, serving a machine, seeing what is left, and TAP.

Every test case gets a runtime directory of its own, and a word in its environment that all of its
processes inherit; so a test can say that nothing of it is left, neither file nor process.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

SOURCE = os.environ.get("VKFD_SOURCE") or os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.environ.get("VKFD_BUILD") or os.path.join(SOURCE, "build")
VKFD = os.path.join(BUILD, "vkfd")
TWO_GPUS = os.path.join(BUILD, "examples", "two_gpus")
# A machine under load is slow, a program that hangs is for ever.
TIMEOUT = 180
MARK = "VKFD_TEST_MARK"
NOBODY = 65534


def need(group, program):
    """Install @group where @program is missing; a failure to install is a failure."""
    if shutil.which(program) or os.path.exists(program):
        return
    subprocess.run([os.path.join(SOURCE, "tools", "setup"), group], check=True, cwd=SOURCE,
                   stdout=subprocess.DEVNULL)
    if not shutil.which(program) and not os.path.exists(program):
        raise RuntimeError(f"tools/setup {group} did not bring {program}")


def need_hsa_program(program):
    """Built where HSA's headers are; they may have come after the build tree."""
    need("clients", "/usr/include/hsa/hsa.h")
    if not os.path.exists(program):
        subprocess.run(["ninja", "-C", BUILD, "reconfigure"], check=True,
                       stdout=subprocess.DEVNULL)
        subprocess.run(["ninja", "-C", BUILD, os.path.relpath(program, BUILD)], check=True,
                       stdout=subprocess.DEVNULL)


def need_two_gpus():
    need_hsa_program(TWO_GPUS)


def wait_until(condition, what, timeout=30):
    """Poll @condition until it holds and return what it returned."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(0.02)


def environ_of(pid):
    try:
        with open(f"/proc/{pid}/environ", "rb") as f:
            return f.read()
    except OSError:
        return b""


def is_zombie(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            return f.read().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def describe(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f"{pid}: {f.read().replace(bytes(1), b' ').decode(errors='replace')}"
    except OSError:
        return str(pid)


class VkfdTest(unittest.TestCase):
    """A runtime directory and a mark of its own; at the end nothing with either may be left."""

    leaves_nothing = True

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="vt-")
        self.runtime = os.path.join(self.dir, "run")
        os.mkdir(self.runtime, 0o700)
        self.mark = os.path.basename(self.dir)
        # What an outer vkfd or meson says must not reach the programs.
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith("VKFD_") and k not in ("LD_PRELOAD", "TMPDIR")
                    and not (k == "LD_LIBRARY_PATH" and v.startswith(BUILD))}
        self.env.update({"XDG_RUNTIME_DIR": self.runtime, MARK: self.mark, "LC_ALL": "C.UTF-8"})

    def tearDown(self):
        left = []
        try:
            if self.leaves_nothing:
                wait_until(lambda: not self.processes() and not self.runtime_dirs(),
                           "no process and no runtime directory left", 10)
        except AssertionError as e:
            left = [describe(p) for p in self.processes()] + self.runtime_dirs()
            raise AssertionError(f"{e}; left: {left}") from None
        finally:
            self.kill_all()
            shutil.rmtree(self.dir, ignore_errors=True)

    def processes(self):
        """Live processes that were started for this test."""
        word = f"{MARK}={self.mark}".encode()
        pids = [int(p) for p in os.listdir("/proc") if p.isdigit() and int(p) != os.getpid()]
        return [p for p in pids if word in environ_of(p).split(b"\0") and not is_zombie(p)]

    def programs(self, comm):
        """Those of processes() that run the program @comm."""
        def name(pid):
            try:
                with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as f:
                    return f.read().strip()
            except OSError:
                return ""
        return [p for p in self.processes() if name(p) == comm]

    def kill_all(self, comm=None):
        """SIGKILL all processes of this test, or those that run @comm."""
        for pid in self.programs(comm) if comm else self.processes():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)

    def runtime_dirs(self):
        return sorted(n for n in os.listdir(self.runtime) if n.startswith("vkfd-"))

    def popen(self, args, **kw):
        kw.setdefault("env", self.env)
        kw.setdefault("stdin", subprocess.DEVNULL)
        kw.setdefault("stdout", subprocess.PIPE)
        kw.setdefault("stderr", subprocess.PIPE)
        kw.setdefault("text", True)
        kw.setdefault("cwd", self.dir)
        return subprocess.Popen([str(a) for a in args], **kw)

    def finish(self, process, timeout=TIMEOUT, text=None):
        """Wait for @process and all who hold its output; (status, stdout, stderr)."""
        try:
            out, err = process.communicate(text, timeout=timeout)
        except subprocess.TimeoutExpired:
            stuck = [describe(p) for p in self.processes()]
            process.kill()
            self.kill_all()
            self.leaves_nothing = False
            out, err = process.communicate()
            self.fail(f"{process.args} did not end within {timeout} s\n{out}\n{err}\n{stuck}")
        return process.returncode, out, err

    def run_program(self, args, timeout=TIMEOUT, text=None, **kw):
        if text is not None:
            kw["stdin"] = subprocess.PIPE
        return self.finish(self.popen(args, **kw), timeout, text)

    def vkfd(self, *args, **kw):
        return self.run_program([VKFD, *args], **kw)

    def vkfd_ok(self, *args, **kw):
        """As vkfd(), of which success is expected; its stdout."""
        status, out, err = self.vkfd(*args, **kw)
        self.assertEqual(status, 0, f"vkfd {' '.join(map(str, args))}\n{out}\n{err}")
        return out

    @contextlib.contextmanager
    def serve(self, *options):
        """A driver that serves; gives a Driver."""
        socket = os.path.join(self.dir, "kfd.sock")
        process = self.popen([VKFD, "serve", "--socket", socket, *options])
        try:
            driver = Driver(self, socket, process)
            # A socket is there before its driver is, if only a dead one's: an answer says that it serves.
            wait_until(lambda: driver.answers() or process.poll() is not None, "vkfd serve answers")
            if process.poll() is not None:
                self.fail(f"vkfd serve ended: {process.communicate()}")
            yield driver
            self.assertIsNone(process.poll(), "the driver ended on its own")
        finally:
            process.terminate()
            status, out, err = self.finish(process, 30)
        self.assertEqual(status, 0, f"vkfd serve at SIGTERM: {err}")
        self.assertFalse(os.path.exists(socket), "vkfd serve leaves its socket")


class Driver:
    """One vkfd serve."""

    def __init__(self, test, socket, process):
        self.test, self.socket, self.process = test, socket, process

    def run(self, *command, **kw):
        return self.test.vkfd("run", "--connect", self.socket, "--", *command, **kw)

    def start(self, *command, **kw):
        return self.test.popen([VKFD, "run", "--connect", self.socket, "--", *command], **kw)

    def answers(self):
        return self.test.vkfd("status", "--connect", self.socket)[0] == 0

    def status(self):
        return json.loads(self.test.vkfd_ok("status", "--connect", self.socket, "--json"))

    def used(self):
        """Bytes of VRAM in use, per GPU."""
        return [g["vram_used"] for g in self.status()["gpus"]]

    def wait_idle(self, used):
        """Until nobody is there and VRAM is back at @used: the dead are cleaned up behind them."""
        wait_until(lambda: not self.status()["clients"], "no client left")
        self.test.assertEqual(self.used(), used, "no client is left, but its memory is")

    def client(self, comm):
        """What status says of the one client of that name, or None."""
        found = [c for c in self.status()["clients"] if c["comm"] == comm]
        return found[0] if found else None


class TapResult(unittest.TestResult):
    """One line of TAP a test, with what went wrong below it as comments."""

    def __init__(self):
        super().__init__()
        self.n = 0
        self.began = 0.0
        self.bad = []
        self.skip = None

    def startTest(self, test):
        super().startTest(test)
        self.began, self.bad, self.skip = time.monotonic(), [], None

    def stopTest(self, test):
        super().stopTest(test)
        suffix = f" # SKIP {self.skip}" if self.skip else ""
        self.line(not self.bad, test.id().partition(".")[2], suffix)

    def line(self, ok, name, suffix=""):
        self.n += 1
        print(f"{'ok' if ok else 'not ok'} {self.n} - {name}{suffix}")
        rows = "\n".join(self.bad).rstrip().splitlines()
        for row in rows if len(rows) <= 80 else rows[:40] + ["..."] + rows[-40:]:
            print("# " + row[:400])
        took = time.monotonic() - self.began
        if took > 5:
            print(f"# took {took:.1f} s")
        sys.stdout.flush()

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.bad.append(self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self.bad.append(self.errors[-1][1])
        if not isinstance(test, unittest.TestCase):
            # Of a class as a whole: none of its tests runs.
            self.began = time.monotonic()
            self.line(False, str(test))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.skip = reason


def main():
    """Run the test cases of __main__, or those whose names hold a word of the command line."""
    words = sys.argv[1:]
    loader = unittest.TestLoader()
    tests = []

    def collect(suite):
        for t in suite:
            if isinstance(t, unittest.TestSuite):
                collect(t)
            elif not words or any(w in t.id() for w in words):
                tests.append(t)

    collect(loader.loadTestsFromModule(sys.modules["__main__"]))
    print(f"1..{len(tests)}")
    result = TapResult()
    unittest.TestSuite(tests).run(result)
    sys.exit(0 if result.wasSuccessful() and result.testsRun == len(tests) else 1)
