#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/two_gpus: every byte over SDMA queues, across GPUs and back, as anybody."""

import os
import re
import shutil

import support


class TwoGpus(support.VkfdTest):
    @classmethod
    def setUpClass(cls):
        support.need_two_gpus()

    def check_output(self, out, mib):
        for kind in ("malloc memory", "host pool"):
            self.assertRegex(out, rf"(?m)^{kind} +host -> GPU 0 +\d+\.\d\d GB/s$")
        for leg in ("GPU 0 -> GPU 1", "GPU 1 -> host"):
            self.assertEqual(len(re.findall(rf"{leg} +\d+\.\d\d GB/s", out)), 2, out)
        self.assertEqual(out.count(f"all {mib << 20} bytes right"), 2, out)

    def copy(self, *options, mib=8, **kw):
        out = self.vkfd_ok("run", *options, "--", support.TWO_GPUS, "--mib", mib, **kw)
        self.check_output(out, mib)
        return out

    def test_the_256_mib_of_the_example_arrive(self):
        out = self.vkfd_ok("run", "--", support.TWO_GPUS)
        self.check_output(out, 256)
        self.assertIn("256 MiB over GPU 0 (gfx90a) and GPU 1 (gfx90a)", out)

    def test_a_size_that_is_no_multiple_of_a_large_page_arrives(self):
        for mib in (1, 3, 7):
            self.copy(mib=mib)

    def test_the_same_memory_serves_round_after_round(self):
        out = self.vkfd_ok("run", "--", support.TWO_GPUS, "--mib", "4", "--repeat", "20")
        self.assertEqual(len(re.findall(r"round \d+ of 20 right", out)), 40)

    def test_a_hive_copies_over_xgmi(self):
        self.copy("--machine", "mi250x")
        self.copy("--machine", "mi100x4")

    def test_the_engine_may_be_a_thread(self):
        self.copy("--engine", "thread")

    def test_signals_may_be_polled(self):
        self.copy(env={**self.env, "HSA_ENABLE_INTERRUPT": "0"})

    def test_host_memory_may_be_gtt(self):
        self.copy(env={**self.env, "HSA_USERPTR_FOR_PAGED_MEM": "0"})

    def test_vram_that_is_too_small_is_one_clear_line(self):
        status, out, err = self.vkfd("run", "--set", "gpu.vram=256MiB", "--", support.TWO_GPUS)
        self.assertEqual(status, 1, out)
        # The runtime has a line of its own to say.
        own = [line for line in err.splitlines() if not line.startswith("HSA exception: ")]
        self.assertEqual(len(own), 1, err)
        self.assertRegex(own[0], r"^two_gpus: 256 MiB of VRAM on GPU 0: HSA_STATUS_ERROR_OUT_OF_\w+")

    def test_one_gpu_is_not_enough(self):
        status, _, err = self.vkfd("run", "--machine", "vega20", "--", support.TWO_GPUS)
        self.assertEqual((status, err), (1, "two_gpus: two GPUs are needed, 1 found\n"))

    def test_an_unprivileged_user_needs_nothing_more(self):
        """Of an installation that anybody may read, with a runtime directory of their own."""
        if os.geteuid() != 0:
            # Then every test here is that of an unprivileged user.
            return
        root = os.path.join(self.dir, "root")
        self.run_ok(["meson", "install", "-C", support.BUILD, "--no-rebuild", "--destdir", root])
        program = self.find(root, "vkfd")
        example = os.path.join(root, "two_gpus")
        shutil.copy(support.TWO_GPUS, example)
        os.chmod(self.dir, 0o755)
        os.chown(self.runtime, support.NOBODY, support.NOBODY)
        out = self.run_ok(["setpriv", f"--reuid={support.NOBODY}", f"--regid={support.NOBODY}",
                           "--clear-groups", "--no-new-privs", "--bounding-set=-all",
                           program, "run", "--", "sh", "-c",
                           f"id -u; grep -E '^Cap(Eff|Bnd)' /proc/self/status; {example} --mib 16"])
        self.assertIn(f"{support.NOBODY}\n", out)
        self.assertRegex(out, r"CapEff:\s*0+\nCapBnd:\s*0+\n")
        self.check_output(out, 16)

    def run_ok(self, args):
        status, out, err = self.run_program(args)
        self.assertEqual(status, 0, f"{args}\n{out}\n{err}")
        return out

    @staticmethod
    def find(root, name):
        for folder, _, files in os.walk(root):
            if name in files and os.path.basename(folder) == "bin":
                return os.path.join(folder, name)
        raise AssertionError(f"no bin/{name} below {root}")


if __name__ == "__main__":
    support.main()
