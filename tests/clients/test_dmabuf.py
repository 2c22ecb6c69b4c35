#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""dma-bufs between programs: handed over, inherited, and left behind by who is killed."""

import contextlib
import json
import os
import random
import signal
import subprocess
import time

import support

MIB = 1 << 20
SIZE = 8 * MIB

# What every script begins with: a program with a VM on GPU 0, and the calls.
PRELUDE = r"""
import errno, fcntl, json, mmap, os, random, select, socket, struct, sys
MIB = 1 << 20
VRAM, GTT, WRITE, EXEC = 1, 2, 1 << 31, 1 << 30

def call(fd, nr, fmt, *values):
    block = bytearray(struct.pack(fmt, *values))
    fcntl.ioctl(fd, 0xc0004b00 | len(block) << 16 | nr, block)
    return struct.unpack(fmt, block)

def failure(fn, *args):
    "The name of the errno that a call ends with."
    try:
        fn(*args)
    except OSError as e:
        return errno.errorcode[e.errno]
    return "success"

def start():
    global kfd, gpu, render
    kfd = os.open("/dev/kfd", os.O_RDWR | os.O_CLOEXEC)
    nodes = "/sys/class/kfd/kfd/topology/nodes"
    ids = [int(open(f"{nodes}/{n}/gpu_id").read()) for n in sorted(os.listdir(nodes), key=int)]
    gpu = [i for i in ids if i][0]
    render = os.open("/dev/dri/renderD128", os.O_RDWR | os.O_CLOEXEC)
    call(kfd, 0x15, "II", render, gpu)

def alloc(va, size, flags):
    return call(kfd, 0x16, "QQQQII", va, size, 0, 0, gpu, flags)[2]

def free(handle):
    call(kfd, 0x17, "Q", handle)

def map_it(handle):
    ids = bytearray(struct.pack("I", gpu))
    at = (__import__("ctypes").c_char * 4).from_buffer(ids)
    call(kfd, 0x18, "QQII", handle, __import__("ctypes").addressof(at), 1, 0)

def unmap_it(handle):
    ids = bytearray(struct.pack("I", gpu))
    at = (__import__("ctypes").c_char * 4).from_buffer(ids)
    call(kfd, 0x19, "QQII", handle, __import__("ctypes").addressof(at), 1, 0)

def export(handle):
    return call(kfd, 0x24, "QII", handle, os.O_CLOEXEC, 0)[2]

def import_it(fd, va):
    return call(kfd, 0x1d, "QQII", va, 0, gpu, fd)[1]

def info(fd):
    size, _, _, gpu_id, flags, _ = call(kfd, 0x1c, "QQIIII", 0, 0, 0, 0, 0, fd)
    return [size, gpu_id, flags]

def say(**words):
    print(json.dumps(words), flush=True)

def wait():
    "For a line from who started us."
    sys.stdin.readline()
"""

# Exports a buffer that it fills, gives the descriptor away at argv[1], and waits.
GIVER = PRELUDE + r"""
start()
handle = alloc(0x2000000000, int(sys.argv[2]), VRAM | WRITE)
fd = export(handle)
with mmap.mmap(fd, 4096) as m:
    m[:5] = b"hello"
free(handle)
listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.bind(sys.argv[1])
listener.listen()
say(gpu=gpu)
peer, _ = listener.accept()
socket.send_fds(peer, [b"x"], [fd])
os.close(fd)
wait()
"""

TAKER = PRELUDE + r"""
start()
peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
peer.connect(sys.argv[1])
_, fds, _, _ = socket.recv_fds(peer, 1, 1)
fd = fds[0]
def look():
    say(info=info(fd), seek=os.lseek(fd, 0, os.SEEK_END), size=os.fstat(fd).st_size,
        imported=failure(import_it, fd, 0x2000000000), mapped=failure(mmap.mmap, fd, 4096),
        idle=len(select.select([fd], [fd], [], 60)[0]),
        sync=[failure(fcntl.ioctl, fd, 0x40086200, struct.pack("Q", f)) for f in (1, 5, 8)])
look()
wait()
look()
os.close(fd)
say(closed=True)
wait()
"""

# A child that was forked in between holds the descriptor, and its parent ends.
FORKER = PRELUDE + r"""
start()
fd = export(alloc(0x2000000000, int(sys.argv[1]), GTT))
if os.fork():
    os._exit(0)
say(parent=failure(info, fd))
os.close(kfd)
kfd = os.open("/dev/kfd", os.O_RDWR | os.O_CLOEXEC)
say(info=info(fd), seek=os.lseek(fd, 0, os.SEEK_END))
wait()
"""

# Does everything, in any order, with any number of partners, until it is killed.
STORM = PRELUDE + r"""
start()
random.seed(int(sys.argv[2]))
left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
left.setblocking(False)
right.setblocking(False)
children = [os.fork() == 0 for _ in range(1)]
if any(children):
    os.close(kfd)
    os.close(render)
    start()
mine, theirs = (left, right) if any(children) else (right, left)
theirs.close()
handles, imports, fds, n = [], [], [], 0
say(ready=True)
def pick(of):
    return of.pop(random.randrange(len(of)))
while True:
    n += 1
    va = 0x2000000000 + n % 4000 * 16 * MIB
    what = random.randrange(10)
    try:
        if what < 2 and len(handles) < 20:
            handles.append(alloc(va, random.randrange(1, 9) * MIB, random.choice([VRAM, GTT]) | WRITE))
        elif what == 2 and handles and len(fds) < 40:
            fds.append(export(random.choice(handles)))
        elif what == 3 and fds:
            imports.append(import_it(random.choice(fds), va))
        elif what == 4 and imports:
            handle = random.choice(imports)
            map_it(handle)
            unmap_it(handle)
        elif what == 5 and handles:
            free(pick(handles))
        elif what == 6 and imports:
            free(pick(imports))
        elif what == 7 and fds:
            os.close(pick(fds))
        elif what == 8 and fds:
            socket.send_fds(mine, [b"x"], [random.choice(fds)])
        elif what == 9 and len(fds) < 40:
            fds += socket.recv_fds(mine, 1, 4)[1]
    except BlockingIOError:
        pass
    except OSError as e:
        # A partner that is gone, and what is another's.
        if e.errno not in (errno.EINVAL, errno.EPIPE, errno.ECONNREFUSED, errno.ENOMEM,
                           errno.ECONNRESET, errno.ENOTCONN):
            raise
"""

ROUNDS = 24


class Dmabuf(support.VkfdTest):
    def start(self, driver, script, *args):
        return driver.start("python3", "-c", script, *args, stdin=subprocess.PIPE)

    def line(self, p):
        text = p.stdout.readline()
        self.assertTrue(text, f"it ended: {p.poll()} {p.stderr.read() if p.poll() else ''}")
        return json.loads(text)

    def go_on(self, p):
        p.stdin.write("\n")
        p.stdin.flush()

    def end(self, p, status=0):
        self.go_on(p)
        got, _, err = self.finish(p)
        self.assertEqual(got, status, err)

    def descriptors(self, driver):
        return len(os.listdir(f"/proc/{driver.process.pid}/fd"))

    def wait_descriptors(self, driver, n):
        support.wait_until(lambda: self.descriptors(driver) <= n, f"no more than {n} descriptors")

    def handed_over(self, driver, sock):
        giver = self.start(driver, GIVER, sock, SIZE)
        gpu = self.line(giver)["gpu"]
        taker = self.start(driver, TAKER, sock)
        return giver, taker, gpu, self.line(taker)

    def check_look(self, seen, gpu):
        # The CPU has been let at it, and it is VRAM.
        self.assertEqual(seen["info"], [SIZE, gpu, 1 << 29 | 1])
        self.assertEqual((seen["seek"], seen["size"], seen["idle"]), (SIZE, SIZE, 1))
        self.assertEqual((seen["imported"], seen["mapped"]), ("EINVAL", "EACCES"))
        self.assertEqual(seen["sync"], ["success", "success", "EINVAL"])

    def test_it_is_handed_to_another_program_and_outlives_the_first(self):
        with self.serve() as driver:
            used, fds = driver.used(), self.descriptors(driver)
            giver, taker, gpu, seen = self.handed_over(driver, os.path.join(self.dir, "s"))
            self.check_look(seen, gpu)
            clients = driver.status()["clients"]
            self.assertEqual(sorted(c["dmabufs"] for c in clients), [0, 1])
            self.end(giver)
            support.wait_until(lambda: len(driver.status()["clients"]) == 1, "the giver is gone")
            self.assertGreaterEqual(driver.used()[0], used[0] + SIZE)
            self.go_on(taker)
            self.check_look(self.line(taker), gpu)
            self.assertEqual(self.line(taker), {"closed": True})
            # Page tables apart, which the taker has as well.
            support.wait_until(lambda: driver.used()[0] < used[0] + SIZE, "its memory is back")
            self.end(taker)
            driver.wait_idle(used)
            self.wait_descriptors(driver, fds)

    def test_it_outlives_one_who_is_killed(self):
        with self.serve() as driver:
            used, fds = driver.used(), self.descriptors(driver)
            giver, taker, gpu, _ = self.handed_over(driver, os.path.join(self.dir, "s"))
            for p in (giver, taker):
                p.kill()
                self.finish(p)
                if p is giver:
                    support.wait_until(lambda: len(driver.status()["clients"]) == 1, "one is left")
                    self.assertGreaterEqual(driver.used()[0], used[0] + SIZE)
                    self.go_on(taker)
                    self.check_look(self.line(taker), gpu)
            driver.wait_idle(used)
            self.wait_descriptors(driver, fds)

    def test_a_forked_child_keeps_it(self):
        with self.serve() as driver:
            used, fds = driver.used(), self.descriptors(driver)
            p = self.start(driver, FORKER, SIZE)
            # As a child it has to open the device for itself.
            self.assertEqual(self.line(p), {"parent": "EBADF"})
            seen = self.line(p)
            self.assertEqual(seen["info"][0::2], [SIZE, 2])
            self.assertEqual(seen["seek"], SIZE)
            self.end(p)
            driver.wait_idle(used)
            self.wait_descriptors(driver, fds)

    def test_whoever_is_killed_whenever_leaves_nothing(self):
        rng = random.Random(1)
        with self.serve() as driver:
            used, fds = driver.used(), self.descriptors(driver)
            for n in range(ROUNDS):
                p = self.start(driver, STORM, "", n)
                self.line(p)
                self.line(p)
                time.sleep(rng.random() * 0.2)
                pids = [c["pid"] for c in driver.status()["clients"]]
                rng.shuffle(pids)
                for pid in pids:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                    if rng.random() < 0.5:
                        time.sleep(rng.random() * 0.1)
                _, _, err = self.finish(p)
                self.assertEqual(err, "")
                driver.wait_idle(used)
                support.wait_until(lambda: driver.status()["system"]["ttm_used"] == 0, "no GTT left")
                self.wait_descriptors(driver, fds)


if __name__ == "__main__":
    support.main()
