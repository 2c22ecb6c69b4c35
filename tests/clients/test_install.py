#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An installation works where it was put, and where it was moved to."""

import os
import shutil
import subprocess

import support


class Install(support.VkfdTest):
    @classmethod
    def setUpClass(cls):
        support.need_two_gpus()

    def install(self, root):
        """make install, as a packager does it; the program's path below @root."""
        done = subprocess.run(["make", "install", f"BUILD={support.BUILD}", f"DESTDIR={root}"],
                              cwd=support.SOURCE, env=self.env, capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, 0, (done.stdout + done.stderr)[-2000:])
        for folder, _, files in os.walk(root):
            if "vkfd" in files and os.path.basename(folder) == "bin":
                return os.path.join(folder, "vkfd")
        self.fail("no bin/vkfd was installed")

    def check_works(self, program):
        status, out, err = self.run_program([program, "run", "--", "rocminfo"])
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(out.count("  Name:                    gfx90a"), 2)
        status, out, err = self.run_program([program, "run", "--", support.TWO_GPUS, "--mib", "4"])
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(out.count("all 4194304 bytes right"), 2)
        status, out, _ = self.run_program([program, "machines"])
        self.assertEqual(status, 0)
        self.assertIn("mi210x2", out)

    def test_it_runs_from_destdir_and_uses_nothing_of_the_build_tree(self):
        root = os.path.join(self.dir, "root")
        program = self.install(root)
        status, out, _ = self.run_program([program, "run", "--", "sh", "-c", "echo $LD_PRELOAD"])
        self.assertEqual(status, 0)
        self.assertTrue(out.startswith(root + "/"), out)
        self.check_works(program)

    def test_it_may_be_moved_as_a_whole(self):
        program = self.install(os.path.join(self.dir, "root"))
        os.rename(os.path.join(self.dir, "root"), os.path.join(self.dir, "elsewhere"))
        self.check_works(program.replace("/root/", "/elsewhere/", 1))

    def test_it_runs_through_a_link_and_the_path(self):
        program = self.install(os.path.join(self.dir, "root"))
        links = os.path.join(self.dir, "links")
        os.mkdir(links)
        os.symlink(program, os.path.join(links, "vkfd"))
        self.env["PATH"] = links + ":" + self.env["PATH"]
        self.check_works("vkfd")

    def test_what_is_installed_is_what_is_meant_to_be(self):
        root = os.path.join(self.dir, "root")
        self.install(root)
        files = sorted(os.path.join(folder, f)[len(root):]
                       for folder, _, names in os.walk(root) for f in names)
        kinds = {"bin/vkfd": 0, "vkfd/libvkfd-shim.so": 0, "machines/": 0, "man/": 0, "include/": 0}
        for f in files:
            kind = [k for k in kinds if k in f or f.endswith(k)]
            if not kind and ("libvkfd" in f or f.endswith(".pc")):
                continue
            self.assertTrue(kind, f"{f} was installed, and nobody said why")
            kinds[kind[0]] += 1
        self.assertEqual(kinds["bin/vkfd"], 1, files)
        self.assertEqual(kinds["vkfd/libvkfd-shim.so"], 1, files)
        self.assertEqual(kinds["machines/"], 7, files)
        self.assertGreaterEqual(kinds["man/"], 1, files)

    def test_a_shim_that_is_missing_is_said_in_one_line(self):
        root = os.path.join(self.dir, "root")
        program = self.install(root)
        lib = os.path.join(os.path.dirname(os.path.dirname(program)), "lib")
        shutil.rmtree(lib)
        status, out, err = self.run_program([program, "run", "--", "true"])
        self.assertEqual((status, out), (1, ""))
        self.assertEqual(err, "vkfd: libvkfd-shim.so is not where it was installed\n")


if __name__ == "__main__":
    support.main()
