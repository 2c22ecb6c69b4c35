#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""rocm-smi and rocm_agent_enumerator (Debian's, unmodified) find the GPUs of a machine."""

import json
import re

import support


class Tools(support.VkfdTest):
    @classmethod
    def setUpClass(cls):
        support.need("clients", "rocm_agent_enumerator")
        support.need("tests", "rocm-smi")

    def smi(self, machine, *args):
        """rocm-smi --json. Its exit status says whether every value was to be had: not asked."""
        _, out, err = self.vkfd("run", "--machine", machine, "--", "rocm-smi", *args, "--json")
        match = re.search(r"\{.*\}", out, re.DOTALL)
        self.assertTrue(match, f"no JSON:\n{out}\n{err}")
        return json.loads(match.group())

    def test_rocm_agent_enumerator_names_the_targets(self):
        for machine, want in (("mi210x2", ["gfx90a"] * 2), ("mi100x4", ["gfx908"] * 4),
                              ("vega10-smallbar", ["gfx900"]), ("mi210x8", ["gfx90a"] * 8)):
            out = self.vkfd_ok("run", "--machine", machine, "--", "rocm_agent_enumerator")
            self.assertEqual(out.split(), ["gfx000"] + want, machine)

    def test_rocm_smi_shows_a_row_a_gpu(self):
        for machine, n in (("mi210x2", 2), ("mi100x4", 4), ("mi210x8", 8)):
            status, out, err = self.vkfd("run", "--machine", machine, "--", "rocm-smi")
            self.assertIn(status, (0, 2), err)
            rows = re.findall(r"(?m)^\d+ +\d+\.\dc .*%", out)
            self.assertEqual(len(rows), n, out)

    def test_rocm_smi_reads_sizes_and_names(self):
        cards = self.smi("mi210x2", "--showmeminfo", "vram", "--showid", "--showuniqueid")
        self.assertEqual(sorted(cards), ["card0", "card1"])
        for i, card in enumerate(sorted(cards)):
            self.assertEqual(int(cards[card]["VRAM Total Memory (B)"]), 64 << 30)
            self.assertEqual(cards[card]["GPU ID"], "0x740f")
            self.assertEqual(int(cards[card]["Unique ID"], 16), 0x5c88007d99b1e1a1 + i)

    def test_rocm_smi_sees_what_others_use(self):
        support.need_two_gpus()
        with self.serve("--set", "gpu.vram=1GiB") as driver:
            before = self.vram_used(driver)
            worker = driver.start(support.TWO_GPUS, "--mib", "64", "--repeat", "100000")
            try:
                support.wait_until(lambda: min(driver.used()) >= 64 << 20, "the worker's VRAM")
                during = self.vram_used(driver)
            finally:
                self.kill_all("two_gpus")
                self.finish(worker)
            for card, used in during.items():
                self.assertGreaterEqual(used - before[card], 64 << 20)

    def vram_used(self, driver):
        _, out, err = driver.run("rocm-smi", "--showmeminfo", "vram", "--json")
        match = re.search(r"\{.*\}", out, re.DOTALL)
        self.assertTrue(match, f"no JSON:\n{out}\n{err}")
        return {card: int(v["VRAM Total Used Memory (B)"])
                for card, v in json.loads(match.group()).items()}


if __name__ == "__main__":
    support.main()
