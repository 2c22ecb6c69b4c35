#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""One machine for many programs: what they see of one another, and what the dead leave."""

import json
import os
import pty
import random
import signal
import socket
import subprocess
import time

import support

MIB = 1 << 20

# Asks AVAILABLE_MEMORY of every GPU as a client of its own.
AVAILABLE = r"""
import fcntl, glob, os, struct
kfd = os.open("/dev/kfd", os.O_RDWR | os.O_CLOEXEC)
nodes = "/sys/class/kfd/kfd/topology/nodes"
for node in sorted(os.listdir(nodes), key=int):
    gpu = int(open(f"{nodes}/{node}/gpu_id").read())
    if not gpu:
        continue
    text = open(f"{nodes}/{node}/properties").read()
    minor = int(text.split("drm_render_minor ")[1].split()[0])
    render = os.open(f"/dev/dri/renderD{minor}", os.O_RDWR)
    fcntl.ioctl(kfd, 0x40084b15, struct.pack("II", render, gpu))
    arg = bytearray(struct.pack("QII", 0, gpu, 0))
    fcntl.ioctl(kfd, 0xc0104b23, arg)
    print(struct.unpack("QII", arg)[0])
"""


class Serve(support.VkfdTest):
    @classmethod
    def setUpClass(cls):
        support.need_two_gpus()

    def copier(self, driver, mib=32, repeat=100000):
        """A program in the middle of its copies."""
        p = driver.start(support.TWO_GPUS, "--mib", mib, "--repeat", repeat)
        line = p.stdout.readline()
        while "round 1 " not in line:
            self.assertTrue(line, f"two_gpus ended: {p.poll()} {line}")
            line = p.stdout.readline()
        return p

    def available(self, driver):
        status, out, err = driver.run("python3", "-c", AVAILABLE)
        self.assertEqual(status, 0, err)
        return [int(n) for n in out.split()]

    def two_gpus_pids(self, driver):
        return [c["pid"] for c in driver.status()["clients"] if c["comm"] == "two_gpus"]

    def test_a_person_is_told_where_it_serves_and_a_script_is_not(self):
        socket_path = os.path.join(self.dir, "kfd.sock")
        for terminal in (True, False):
            master, slave = pty.openpty()
            self.addCleanup(os.close, master)
            process = self.popen([support.VKFD, "serve", "--socket", socket_path],
                                 stderr=slave if terminal else subprocess.PIPE)
            os.close(slave)
            driver = support.Driver(self, socket_path, process)
            support.wait_until(driver.answers, "it serves")
            process.terminate()
            self.assertEqual(self.finish(process, 30)[1:], ("", None if terminal else ""))
            if terminal:
                self.assertIn(f"mi210x2 at '{socket_path}', until Ctrl-C", os.read(master, 4096).decode())

    # ------------------------------------------------ two programs

    def test_programs_see_each_others_memory(self):
        with self.serve("--set", "gpu.vram=2GiB") as driver:
            start = driver.used()
            before = self.available(driver)
            one = self.copier(driver, 64)
            during = self.available(driver)
            two = self.copier(driver, 96)
            both = self.available(driver)
            used = driver.used()
            for i in range(2):
                self.assertGreaterEqual(before[i] - during[i], 64 * MIB)
                self.assertGreaterEqual(during[i] - both[i], 96 * MIB)
                self.assertGreaterEqual(used[i] - start[i], 160 * MIB)
            # One that has just ended may still be listed.
            support.wait_until(lambda: len(driver.status()["clients"]) == 2, "two clients")
            clients = {c["pid"]: c for c in driver.status()["clients"]}
            self.assertEqual(len(clients), 2)
            per_client = sorted(c["gpus"][0]["vram"] for c in clients.values())
            self.assertGreaterEqual(per_client[0], 64 * MIB)
            self.assertGreaterEqual(per_client[1], 96 * MIB)
            for c in clients.values():
                self.assertEqual(c["comm"], "two_gpus")
                self.assertGreater(c["queues"], 0)
                self.assertGreater(c["events"], 0)
                self.assertGreater(c["buffers"], 4)
            self.kill_all("two_gpus")
            self.finish(one)
            self.finish(two)
            driver.wait_idle(start)
            self.assertEqual(self.available(driver), before)

    def test_memory_that_one_has_the_other_cannot_get(self):
        with self.serve("--set", "gpu.vram=512MiB") as driver:
            start = driver.used()
            one = self.copier(driver, 256)
            status, _, err = driver.run(support.TWO_GPUS, "--mib", "256")
            self.assertEqual(status, 1)
            self.assertRegex(err, r"(?m)^two_gpus: 256 MiB of VRAM on GPU 0: .*OUT_OF_RESOURCES")
            self.kill_all("two_gpus")
            self.finish(one)
            driver.wait_idle(start)
            status, out, err = driver.run(support.TWO_GPUS, "--mib", "256")
            self.assertEqual(status, 0, err)
            self.assertIn("all 268435456 bytes right", out)

    def test_one_killed_in_the_middle_of_copies_leaves_nothing_and_the_other_goes_on(self):
        with self.serve("--set", "gpu.vram=2GiB") as driver:
            start = driver.used()
            for _ in range(5):
                victim = self.copier(driver, 64)
                victim_pid = self.two_gpus_pids(driver)
                self.assertEqual(len(victim_pid), 1)
                other = driver.start(support.TWO_GPUS, "--mib", "32", "--repeat", "4")
                other.stdout.readline()
                os.kill(victim_pid[0], signal.SIGKILL)
                status, _, _ = self.finish(victim)
                self.assertEqual(status, 128 + signal.SIGKILL)
                support.wait_until(lambda pid=victim_pid[0]: pid not in
                                   [c["pid"] for c in driver.status()["clients"]],
                                   "the dead one's entry gone")
                status, out, err = self.finish(other)
                self.assertEqual((status, err), (0, ""))
                self.assertEqual(out.count("all 33554432 bytes right"), 2)
                driver.wait_idle(start)
                now = driver.status()
                self.assertEqual(now["system"]["ttm_used"], 0)
                self.assertEqual(now["system"]["used"], 0)
                # No engine outlives its program.
                self.assertEqual(self.programs("two_gpus"), [])

    def test_programs_killed_at_any_moment_leave_nothing(self):
        """In the middle of opening, of making queues, of copies, of going."""
        moments = random.Random(1)
        with self.serve("--set", "gpu.vram=1GiB") as driver:
            start = driver.used()
            for _ in range(12):
                pair = [driver.start(support.TWO_GPUS, "--mib", "8", "--repeat", "1000")
                        for _ in range(2)]
                time.sleep(moments.random() * 0.6)
                self.kill_all("two_gpus")
                for p in pair:
                    status, _, err = self.finish(p, 30)
                    self.assertEqual((status, err), (128 + signal.SIGKILL, ""))
                driver.wait_idle(start)
                support.wait_until(lambda: not self.programs("vkfd-engine"), "no engine left")
            self.assertEqual(driver.status()["system"]["used"], 0)

    def test_many_at_once_all_arrive(self):
        with self.serve("--machine", "mi250x") as driver:
            all_of_them = [driver.start(support.TWO_GPUS, "--mib", "4", "--repeat", "3")
                           for _ in range(8)]
            for p in all_of_them:
                status, out, err = self.finish(p)
                self.assertEqual((status, err), (0, ""))
                self.assertEqual(out.count("all 4194304 bytes right"), 2)
            support.wait_until(lambda: not driver.status()["clients"], "all gone")

    def test_a_stopped_program_does_not_stop_the_others(self):
        with self.serve() as driver:
            stopped = self.copier(driver, 16)
            pid = self.two_gpus_pids(driver)[0]
            os.kill(pid, signal.SIGSTOP)
            status, out, err = driver.run(support.TWO_GPUS, "--mib", "16")
            self.assertEqual((status, err), (0, ""))
            self.assertEqual(out.count("all 16777216 bytes right"), 2)
            self.assertIn(pid, self.two_gpus_pids(driver))
            os.kill(pid, signal.SIGCONT)
            os.kill(pid, signal.SIGKILL)
            self.finish(stopped)

    # ------------------------------------------------ status

    def test_status_of_an_idle_machine(self):
        with self.serve("--machine", "mi100x4") as driver:
            now = driver.status()
            self.assertEqual(now["machine"], "mi100x4")
            self.assertEqual(now["pid"], driver.process.pid)
            self.assertEqual(now["clients"], [])
            self.assertEqual([g["vram_total"] for g in now["gpus"]], [32 << 30] * 4)
            self.assertEqual([g["render_minor"] for g in now["gpus"]], [128, 129, 130, 131])
            self.assertEqual(len({g["gpu_id"] for g in now["gpus"]}), 4)
            text = self.vkfd_ok("status", "--connect", driver.socket)
            self.assertIn("no clients", text)
            self.assertEqual(sum(line.startswith(tuple("0123")) for line in text.splitlines()), 4)

    def test_status_without_connect_finds_the_only_driver(self):
        with self.serve() as driver:
            self.assertEqual(json.loads(self.vkfd_ok("status", "--json"))["pid"],
                             driver.process.pid)

    def test_status_names_who_uses_what(self):
        with self.serve() as driver:
            p = self.copier(driver, 32)
            text = self.vkfd_ok("status")
            self.assertRegex(text, r"(?m)^\d+ +two_gpus +\d+ +\d+ +\d+ +\d+ +\d+\.\d \d+\.\d$")
            self.kill_all("two_gpus")
            self.finish(p)

    # ------------------------------------------------ sockets

    # ------------------------------------------------ memory

    def memory(self, driver):
        return json.loads(self.vkfd_ok("status", "--memory", "--connect", driver.socket, "--json"))

    def end(self, copier):
        self.kill_all("two_gpus")
        self.finish(copier)

    def test_memory_is_told_from_each_manager_and_adds_up(self):
        with self.serve("--set", "gpu.vram=2GiB") as driver:
            idle = self.memory(driver)
            self.assertEqual([g["vram"]["usage"]["used"] for g in idle["gpus"]], [0, 0])
            self.assertEqual(idle["clients"], [])
            copier = self.copier(driver, 64)
            told = self.memory(driver)
            text = self.vkfd_ok("status", "--memory", "--connect", driver.socket)
            (client,) = told["clients"]
            self.assertEqual(client["program"], "two_gpus")
            self.assertIn("program: two_gpus\n", text)
            self.assertGreaterEqual(client["vram"]["bytes"], 2 * 64 * MIB)
            self.assertEqual(sum(g["limit"]["charged"] for g in told["gpus"]),
                             client["vram"]["bytes"])
            self.assertEqual([v["gpu"] for v in client["vms"]], [0, 1])
            for gpu in told["gpus"]:
                vram, parts = gpu["vram"]["usage"], gpu["vram"]["fragmentation"]
                self.assertEqual(vram["size"], 2048 * MIB)
                self.assertEqual(parts["free"], vram["size"] - vram["used"])
                self.assertEqual(sum(b["size"] * b["n"] for b in parts["blocks"]), parts["free"])
                self.assertEqual(vram["used"], gpu["limit"]["charged"] + gpu["page_tables"])
                # Page tables may leave as well, but for those in use now.
                self.assertGreaterEqual(gpu["vram"]["lru"]["evictable"], gpu["limit"]["charged"])
                self.assertLessEqual(gpu["vram"]["lru"]["evictable"], vram["used"])
                self.assertEqual(gpu["limit"]["rest"] + gpu["limit"]["charged"]
                                 + gpu["limit"]["kept_for_tables"], vram["size"])
            self.end(copier)

    def test_a_vm_is_dumped_mapping_by_mapping(self):
        with self.serve("--set", "gpu.vram=2GiB") as driver:
            copier = self.copier(driver, 64)
            (pid,) = self.two_gpus_pids(driver)
            connect = ("--connect", driver.socket)
            vm = json.loads(self.vkfd_ok("dump", "vm", pid, "1", "--json", *connect))
            self.assertEqual((vm["pid"], vm["gpu"]), (pid, 1))
            self.assertEqual(len(vm["mappings"]), vm["n_mappings"])
            ends = 0
            for m in vm["mappings"]:
                self.assertGreaterEqual(m["address"], ends)
                ends = m["address"] + m["size"]
                self.assertEqual(sum(b["size"] for b in m["blocks"]), m["size"], m)
                self.assertEqual(m["state"], "valid")
            own = [m for m in vm["mappings"] if m["kind"] == "VRAM" and m["home"] == 1]
            self.assertGreaterEqual(sum(m["size"] for m in own), 64 * MIB)
            levels = vm["page_tables"]
            self.assertEqual(sum(levels[k] for k in ("pdb2", "pdb1", "pdb0", "ptb")),
                             levels["tables"])
            self.assertEqual(levels["leaves_4kib"] * 4096 + levels["leaves_2mib"] * 2 * MIB,
                             sum(m["size"] for m in vm["mappings"]))
            text = self.vkfd_ok("dump", *connect, "vm", pid, "1")
            self.assertEqual(text.count("  address 0x"), vm["n_mappings"])
            self.end(copier)

    def test_a_vm_that_is_not_there_says_what_is(self):
        with self.serve("--set", "gpu.vram=2GiB") as driver:
            def refused(*words):
                status, out, err = self.vkfd("dump", "vm", *words, "--connect", driver.socket)
                self.assertEqual((status, out), (1, ""), err)
                return err

            ids = ", ".join(str(g["gpu_id"]) for g in driver.status()["gpus"])
            self.assertEqual(refused("1", "0"), "vkfd: process 1 is no client of this driver, "
                             "which has none\n")
            self.assertEqual(refused("1", "5"), "vkfd: there is no GPU 5: expected a number (0, 1) "
                             f"or a gpu_id ({ids})\n")
            copier = self.copier(driver, 64)
            (pid,) = self.two_gpus_pids(driver)
            self.assertEqual(refused("1", "0"), "vkfd: process 1 is no client of this driver: "
                             f"expected one of {pid}\n")
            self.end(copier)

    def test_a_socket_that_nobody_serves_any_more_is_replaced(self):
        path = os.path.join(self.dir, "kfd.sock")
        dead = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        dead.bind(path)
        dead.close()
        with self.serve() as driver:
            self.assertEqual(driver.run("true")[0], 0)

    def test_a_socket_in_use_is_left_alone(self):
        with self.serve() as driver:
            status, out, err = self.vkfd("serve", "--socket", driver.socket)
            self.assertEqual((status, out), (1, ""))
            self.assertEqual(err, f"vkfd: cannot serve at '{driver.socket}': a driver serves there already\n")
            self.assertEqual(driver.run("true")[0], 0)

    def test_a_file_that_is_no_socket_is_not_removed(self):
        path = os.path.join(self.dir, "precious")
        with open(path, "w", encoding="utf-8") as f:
            f.write("do not lose this\n")
        status, out, err = self.vkfd("serve", "--socket", path)
        self.assertEqual((status, out), (1, ""))
        self.assertEqual(err.count("\n"), 1)
        with open(path, encoding="utf-8") as f:
            self.assertEqual(f.read(), "do not lose this\n")

    def test_a_driver_killed_is_told_to_those_who_connect(self):
        with self.serve() as driver:
            path = driver.socket
        status, out, err = self.vkfd("run", "--connect", path, "--", "true")
        self.assertEqual((status, out), (1, ""))
        self.assertEqual(err, f"vkfd: no driver answers at '{path}': No such file or directory\n")

    def test_programs_of_a_driver_that_goes_get_an_error_not_a_hang(self):
        socket_path = os.path.join(self.dir, "kfd.sock")
        server = self.popen([support.VKFD, "serve", "--socket", socket_path])
        support.wait_until(lambda: os.path.exists(socket_path), "the socket")
        code = ("import fcntl, os, sys\n"
                "fd = os.open('/dev/kfd', os.O_RDWR)\n"
                "print('ready', flush=True); sys.stdin.read()\n"
                "try:\n    fcntl.ioctl(fd, 0xc0284b05, bytearray(40)); print('answered')\n"
                "except OSError as e:\n    print('error', e.errno != 0)\n")
        p = self.popen([support.VKFD, "run", "--connect", socket_path, "--", "python3", "-c", code],
                       stdin=subprocess.PIPE)
        self.assertEqual(p.stdout.readline(), "ready\n")
        server.kill()
        self.finish(server)
        status, out, _ = self.finish(p, 20, text="")
        self.assertEqual((status, out), (0, "error True\n"))
        os.unlink(socket_path)
        self.vkfd_ok("run", "--", "true")

    def test_socket_activation_starts_the_driver_at_the_first_program(self):
        support.need("tests", "systemd-socket-activate")
        path = os.path.join(self.dir, "activated.sock")
        manager = self.popen(["systemd-socket-activate", "--seqpacket", "--listen", path,
                              support.VKFD, "serve", "--machine", "vega20"])
        try:
            support.wait_until(lambda: os.path.exists(path), "the manager's socket")
            out = self.vkfd_ok("run", "--connect", path, "--", "cat",
                               "/sys/class/kfd/kfd/topology/nodes/1/name")
            self.assertEqual(out, "vega20\n")
            now = json.loads(self.vkfd_ok("status", "--connect", path, "--json"))
            # The manager became the driver.
            self.assertEqual((now["machine"], now["pid"]), ("vega20", manager.pid))
        finally:
            manager.terminate()
            status, _, err = self.finish(manager, 20)
        self.assertEqual(status, 0, err)
        self.assertTrue(os.path.exists(path), "the socket is the manager's, not ours to remove")

    def test_activation_with_a_socket_of_another_kind_is_refused(self):
        support.need("tests", "systemd-socket-activate")
        path = os.path.join(self.dir, "stream.sock")
        manager = self.popen(["systemd-socket-activate", "--listen", path, support.VKFD, "serve"])
        support.wait_until(lambda: os.path.exists(path), "the manager's socket")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.connect(path)
            status, out, err = self.finish(manager, 20)
        self.assertEqual((status, out), (2, ""))
        self.assertIn("vkfd: socket activation: expected one listening SOCK_SEQPACKET", err)

    def test_serve_tells_the_service_manager_when_it_is_ready(self):
        notify = os.path.join(self.dir, "notify.sock")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.bind(notify)
            s.settimeout(30)
            self.env["NOTIFY_SOCKET"] = notify
            with self.serve():
                self.assertIn(b"READY=1", s.recv(4096))

    def test_terminate_and_interrupt_both_end_it_with_success(self):
        for sig in (signal.SIGTERM, signal.SIGINT):
            path = os.path.join(self.dir, f"s{int(sig)}")
            p = self.popen([support.VKFD, "serve", "--socket", path])
            support.wait_until(lambda path=path: os.path.exists(path), "the socket")
            p.send_signal(sig)
            self.assertEqual(self.finish(p, 20), (0, "", ""))
            self.assertFalse(os.path.exists(path))


if __name__ == "__main__":
    support.main()
