#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""rocminfo (Debian's, unmodified) lists the agents of each machine as the real one has them."""

import re

import support

GIB = 1 << 20  # rocminfo counts KB

# What a machine's data sheet says. Agents of a kind are alike but for uuid and bus.
MACHINES = {
    "mi210x2": dict(name="gfx90a", gpus=2, cpus=1, vram=64 * GIB, cu=104, l1=16, l2=8192,
                    chip=0x740f, product="AMD Instinct MI210", large_bar=True,
                    uuids=["GPU-5c88007d99b1e1a1", "GPU-5c88007d99b1e1a2"], bdf=[0x300, 0x4300]),
    "mi250x": dict(name="gfx90a", gpus=2, cpus=1, vram=64 * GIB, cu=110, l1=16, l2=8192,
                   chip=0x7408, product="AMD Instinct MI250X", large_bar=True,
                   uuids=["GPU-3a7f0c2e91d4b680", "GPU-3a7f0c2e91d4b681"], bdf=[0xc100, 0xc600]),
    "mi100x4": dict(name="gfx908", gpus=4, cpus=1, vram=32 * GIB, cu=120, l1=16, l2=8192,
                    chip=0x738c, product="AMD Instinct MI100", large_bar=True,
                    uuids=[f"GPU-6c627ca20f40d7e{i}" for i in range(1, 5)],
                    bdf=[0x2300, 0x2600, 0x4300, 0x4600]),
    "vega20": dict(name="gfx906", gpus=1, cpus=1, vram=16 * GIB, cu=60, l1=16, l2=8192,
                   chip=0x66a1, product=None, large_bar=True,
                   uuids=["GPU-217252d4f1c09a36"], bdf=[0xc00]),
    "vega10-smallbar": dict(name="gfx900", gpus=1, cpus=1, vram=8 * GIB, cu=64, l1=16, l2=4096,
                            chip=0x687f, product=None, large_bar=False,
                            uuids=["GPU-02150e6b94c8d17f"], bdf=[0xb00]),
    "fiji": dict(name="gfx803", gpus=2, cpus=1, vram=4 * GIB, cu=64, l1=16, l2=None,
                 chip=0x7300, product=None, large_bar=True, uuids=["GPU-XX", "GPU-XX"],
                 bdf=[0x500, 0x600]),
    "mi210x8": dict(name="gfx90a", gpus=8, cpus=2, vram=64 * GIB, cu=104, l1=16, l2=8192,
                    chip=0x740f, product="AMD Instinct MI210", large_bar=True,
                    uuids=["GPU-1901ead3a2ecd4a6", "GPU-51276ac12ce05db3", "GPU-93bb3629c01aea1c",
                           "GPU-4344e78b718814cd", "GPU-aea834aa2723eb57", "GPU-a3781b5a10fcf54a",
                           "GPU-f83f06efb714e6cf", "GPU-c34ec50444dd0a6d"],
                    bdf=[0x6300, 0x4300, 0x300, 0x2600, 0xe300, 0xc300, 0x8300, 0xa300]),
}


def parse(text):
    """The agents, each a dict of the first value of every key, with its pools and ISAs."""
    agents = []
    for line in text[text.index("HSA Agents"):].splitlines():
        key, _, value = (part.strip() for part in line.partition(":"))
        if re.match(r"^Agent \d+", line):
            agents.append({"pools": [], "isas": []})
        elif not agents:
            continue
        elif re.match(r"^    Pool \d+", line):
            agents[-1]["pools"].append({})
        elif re.match(r"^    ISA \d+", line):
            agents[-1]["isas"].append({})
        else:
            where = agents[-1]
            if line.startswith("      ") and where["isas"]:
                where = where["isas"][-1]
            elif line.startswith("      ") and where["pools"]:
                where = where["pools"][-1]
            where.setdefault(key, value)
    return agents


def number(text):
    """The number before its hexadecimal twin: 67108864(0x4000000) KB."""
    return int(re.match(r"\d+", text).group())


class Rocminfo(support.VkfdTest):
    @classmethod
    def setUpClass(cls):
        support.need("clients", "rocminfo")

    def agents(self, machine):
        status, out, err = self.vkfd("run", "--machine", machine, "--", "rocminfo")
        self.assertEqual(status, 0, f"rocminfo on {machine}\n{out[-2000:]}\n{err}")
        self.assertEqual(err, "")
        return parse(out)

    def check_gpu(self, agent, want, i):
        self.assertEqual(agent["Name"], want["name"])
        self.assertEqual(agent["Uuid"], want["uuids"][i])
        self.assertEqual(agent["Vendor Name"], "AMD")
        if want["product"]:
            self.assertEqual(agent["Marketing Name"], want["product"])
        self.assertEqual(number(agent["Chip ID"]), want["chip"])
        self.assertEqual(int(agent["BDFID"]), want["bdf"][i])
        self.assertEqual(number(agent["Compute Unit"]), want["cu"])
        self.assertEqual(number(agent["Wavefront Size"]), 64)
        self.assertEqual(number(agent["L1"]), want["l1"])
        # The kernel's tables have no second level for chips as old as Fiji.
        self.assertEqual(agent.get("L2") and number(agent["L2"]), want["l2"])
        sizes = [number(p["Size"]) for p in agent["pools"] if p["Segment"].startswith("GLOBAL")]
        self.assertEqual(set(sizes), {want["vram"]})
        local = [number(p["Size"]) for p in agent["pools"] if p["Segment"].startswith("GROUP")]
        self.assertEqual(local, [64])
        self.assertTrue(agent["isas"][0]["Name"].startswith(f"amdgcn-amd-amdhsa--{want['name']}"))

    def check_machine(self, machine):
        want = MACHINES[machine]
        agents = self.agents(machine)
        gpus = [a for a in agents if a["Device Type"] == "GPU"]
        cpus = [a for a in agents if a["Device Type"] == "CPU"]
        self.assertEqual((len(cpus), len(gpus)), (want["cpus"], want["gpus"]))
        for i, gpu in enumerate(gpus):
            self.check_gpu(gpu, want, i)
        self.assertEqual([int(a["Node"]) for a in agents], list(range(len(agents))))
        for cpu in cpus:
            self.assertIn("pools", cpu)
            self.assertGreaterEqual(len(cpu["pools"]), 2)

    def test_a_driver_that_serves_answers_rocminfo_again_and_again(self):
        with self.serve("--machine", "mi100x4") as driver:
            for _ in range(3):
                status, out, err = driver.run("rocminfo")
                self.assertEqual((status, err), (0, ""))
                self.assertEqual(len(parse(out)), 5)
            support.wait_until(lambda: not driver.status()["clients"], "no client left")

    def test_it_is_one_machine_for_two_at_once(self):
        with self.serve() as driver:
            both = [driver.start("rocminfo") for _ in range(2)]
            outs = [self.finish(p) for p in both]
            self.assertEqual([o[0] for o in outs], [0, 0])
            self.assertEqual(outs[0][1], outs[1][1])

    def test_vram_of_any_size_is_shown(self):
        status, out, err = self.vkfd("run", "--set", "gpu.vram=3GiB", "--", "rocminfo")
        self.assertEqual((status, err), (0, ""))
        gpus = [a for a in parse(out) if a["Device Type"] == "GPU"]
        self.assertEqual({number(p["Size"]) for g in gpus for p in g["pools"]
                          if p["Segment"].startswith("GLOBAL")}, {3 * GIB})

    def test_without_vkfd_there_is_no_such_agent(self):
        _, out, _ = self.run_program(["rocminfo"])
        self.assertNotIn("GPU-5c88007d99b1e1a1", out)

    def test_the_engine_as_a_thread_or_none_makes_no_difference(self):
        for engine in ("thread", "none"):
            status, out, err = self.vkfd("run", "--engine", engine, "--", "rocminfo")
            self.assertEqual((status, err), (0, ""), engine)
            self.assertEqual(len(parse(out)), 3, engine)


def add_machine(name):
    def test(self):
        self.check_machine(name)

    test.__name__ = f"test_{name.replace('-', '_')}_has_its_agents_pools_and_caches"
    setattr(Rocminfo, test.__name__, test)


for machine_name in MACHINES:
    add_machine(machine_name)

if __name__ == "__main__":
    support.main()
