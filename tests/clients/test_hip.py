#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A HIP program, compiled by Debian's hipcc: devices, properties, and memory."""

import os
import signal
import subprocess
import tempfile

import support

FOLDER = os.path.dirname(os.path.abspath(__file__))
MIB = 1 << 20


class Hip(support.VkfdTest):
    @classmethod
    def setUpClass(cls):
        support.need("hip", "hipcc")
        cls.build = tempfile.TemporaryDirectory(prefix="vt-hip-")
        cls.program = os.path.join(cls.build.name, "hip_basic")
        # Where there is no GPU, hipcc must be told for which to compile.
        subprocess.run(["hipcc", "--offload-arch=gfx90a", "-O1", "-o", cls.program,
                        os.path.join(FOLDER, "hip_basic.cpp")], check=True)

    @classmethod
    def tearDownClass(cls):
        cls.build.cleanup()

    @staticmethod
    def facts(out):
        return dict(line.split(" ", 1) for line in out.splitlines())

    def test_devices_and_their_properties_are_the_machines(self):
        facts = self.facts(self.vkfd_ok("run", "--", self.program))
        self.assertEqual(facts["devices"], "2")
        for i, bus in ((0, 3), (1, 0x43)):
            self.assertEqual(facts[f"dev{i}.name"], "AMD Instinct MI210")
            self.assertEqual(facts[f"dev{i}.arch"].split(":")[0], "gfx90a")
            self.assertEqual(int(facts[f"dev{i}.memory"]), 64 << 30)
            self.assertEqual(int(facts[f"dev{i}.cus"]), 104)
            self.assertEqual(int(facts[f"dev{i}.warp"]), 64)
            self.assertEqual(int(facts[f"dev{i}.lds"]), 64 << 10)
            self.assertEqual(int(facts[f"dev{i}.l2"]), 8 << 20)
            self.assertEqual(int(facts[f"dev{i}.clock_khz"]), 1700000)
            self.assertEqual(int(facts[f"dev{i}.bus_bits"]), 4096)
            self.assertEqual(facts[f"dev{i}.pci"], f"0:{bus}:0")
            self.assertEqual(facts[f"dev{i}.peer"], "1")

    def test_memory_is_what_the_machine_has_and_counts_down(self):
        facts = self.facts(self.vkfd_ok("run", "--", self.program))
        for i in range(2):
            before, during = (int(facts[f"free.{w}{i}"]) for w in ("before", "during"))
            self.assertEqual(int(facts[f"total.before{i}"]), 64 << 30)
            self.assertLessEqual(before, 64 << 30)
            self.assertGreater(before, 63 << 30)
            self.assertEqual(before - during, 128 * MIB)
            self.assertEqual(facts[f"distinct{i}"], "1")
        self.assertEqual(facts["too_much"], "hipErrorOutOfMemory")
        self.assertEqual(facts["done"], "1")

    def test_free_needs_a_kernel_which_is_refused_loudly(self):
        """HIP 5.2's hipFree waits for the device's null stream. Making that stream uploads HIP's own
        code with one of ROCr's copy kernels, whatever the environment says; and kernels do not run
        yet. The program must hear of it as of an illegal instruction, and the driver must say why."""
        status, out, err = self.vkfd("run", "--", self.program, "free")
        self.assertEqual(status, 128 + signal.SIGABRT, err)
        self.assertIn("kernel dispatch refused: shaders are not executed yet", err)
        self.assertIn("HSA_STATUS_ERROR_ILLEGAL_INSTRUCTION", err)

    def test_visible_devices_are_fewer_when_told_so(self):
        facts = self.facts(self.vkfd_ok("run", "--", self.program,
                                        env={**self.env, "ROCR_VISIBLE_DEVICES": "1"}))
        self.assertEqual(facts["devices"], "1")
        self.assertEqual(facts["dev0.pci"], "0:67:0")

    def test_what_one_holds_the_driver_counts_and_takes_back(self):
        with self.serve() as driver:
            start = driver.used()
            holder = driver.start(self.program, "hold", "512", stdin=subprocess.PIPE)
            support.wait_until(lambda: driver.used()[0] - start[0] >= 512 * MIB,
                               "512 MiB of VRAM in use")
            client = driver.client("hip_basic")
            self.assertGreaterEqual(client["gpus"][0]["vram"], 512 * MIB)
            self.assertLess(client["gpus"][1]["vram"], 64 * MIB)
            status, out, err = self.finish(holder, text="")
            self.assertEqual(status, 0, err)
            self.assertIn("done 1\n", out)
            driver.wait_idle(start)

    def test_hipcc_on_the_machine_compiles_for_its_gpus(self):
        """hipcc asks rocm_agent_enumerator, which asks vkfd."""
        program = os.path.join(self.dir, "native")
        self.vkfd_ok("run", "--", "hipcc", "-O1", "-DWITH_KERNEL", "-o", program,
                     os.path.join(FOLDER, "hip_basic.cpp"))
        with open(program, "rb") as f:
            self.assertTrue(b"amdgcn-amd-amdhsa--gfx90a" in f.read())


if __name__ == "__main__":
    support.main()
