/* SPDX-License-Identifier: MIT */
#include "machine/sysfs.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "machine/nodes.h"
#include "machine/tree.h"

#define KFD_DIR "/sys/devices/virtual/kfd/kfd"
#define MODULE_DIR "/sys/module/amdgpu"
#define MODULE_BYTES 13000000

/* ------------------------------------------------ tree.h */

static void join(char *path, const char *dir, const char *name)
{
	snprintf(path, TREE_PATH_MAX, "%s/%s", dir, name);
}

void tree_bytes(struct tree *t, const char *dir, const char *name, const void *bytes, size_t len)
{
	char path[TREE_PATH_MAX];

	join(path, dir, name);
	if (!t->e)
		t->e = t->sink->file(t->sink->cookie, path, bytes, len);
}

void tree_file(struct tree *t, const char *dir, const char *name, const char *fmt, ...)
{
	char text[1024];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	VKF_ASSERT(n >= 0 && (size_t)n < sizeof(text));
	tree_bytes(t, dir, name, text, (size_t)n);
}

void tree_live(struct tree *t, const char *dir, const char *name)
{
	char path[TREE_PATH_MAX];

	join(path, dir, name);
	if (!t->e)
		t->e = t->sink->live(t->sink->cookie, path);
}

void tree_dir(struct tree *t, const char *dir, const char *name)
{
	char path[TREE_PATH_MAX];

	join(path, dir, name);
	if (!t->e)
		t->e = t->sink->dir(t->sink->cookie, path);
}

void tree_link(struct tree *t, const char *dir, const char *name, const char *fmt, ...)
{
	char path[TREE_PATH_MAX], target[TREE_PATH_MAX];
	va_list args;

	join(path, dir, name);
	va_start(args, fmt);
	vsnprintf(target, sizeof(target), fmt, args);
	va_end(args);
	if (!t->e)
		t->e = t->sink->symlink(t->sink->cookie, path, target);
}

void tree_dev(struct tree *t, const char *dir, const char *name, unsigned int major,
	      unsigned int minor)
{
	char path[TREE_PATH_MAX];

	join(path, dir, name);
	if (!t->e)
		t->e = t->sink->chardev(t->sink->cookie, path, major, minor);
}

/* ------------------------------------------------ what belongs to no single GPU */

/* amdgpu's parameters that concern compute, with the values that this driver behaves by. */
static const struct {
	const char *name, *value;
} parameters[] = {
	{ "cwsr_enable", "1" },
	{ "debug_evictions", "N" },
	{ "debug_largebar", "0" },
	{ "emu_mode", "0" },
	{ "gttsize", "-1" },
	{ "halt_if_hws_hang", "0" },
	{ "hws_gws_support", "N" },
	{ "ignore_crat", "0" },
	{ "mes", "0" },
	{ "mtype_local", "0" },
	{ "no_queue_eviction_on_vm_fault", "0" },
	{ "no_system_mem_limit", "N" },
	{ "noretry", "-1" },
	{ "pcie_p2p", "Y" },
	{ "queue_preemption_timeout_ms", "9000" },
	{ "ras_enable", "-1" },
	{ "sched_policy", "0" },
	{ "send_sigterm", "0" },
	{ "use_xgmi_p2p", "1" },
	{ "vis_vramlimit", "0" },
	{ "vm_fragment_size", "-1" },
	{ "vm_size", "-1" },
	{ "vm_update_mode", "-1" },
	{ "vramlimit", "0" },
};

static void write_module(struct tree *t)
{
	const char *dir = MODULE_DIR "/parameters";

	tree_file(t, MODULE_DIR, "initstate", "live\n");
	tree_file(t, MODULE_DIR, "version", "6.12.0\n");
	tree_file(t, MODULE_DIR, "refcnt", "0\n");
	tree_file(t, MODULE_DIR, "coresize", "%u\n", MODULE_BYTES);
	tree_dir(t, MODULE_DIR, "holders");
	for (size_t i = 0; i < VKF_ARRAY_SIZE(parameters); i++)
		tree_file(t, dir, parameters[i].name, "%s\n", parameters[i].value);
	tree_file(t, dir, "max_num_of_queues_per_device", "%u\n",
		  t->m->knobs.max_queues ? t->m->knobs.max_queues : 4096);
	tree_file(t, dir, "hws_max_conc_proc", "%d\n",
		  t->m->knobs.hws_max_conc_proc ? (int)t->m->knobs.hws_max_conc_proc : -1);
	tree_link(t, MODULE_DIR "/drivers", "pci:amdgpu", "../../../bus/pci/drivers/amdgpu");
	tree_link(t, "/sys/bus/pci/drivers/amdgpu", "module", "../../../../module/amdgpu");
	tree_file(t, "/proc", "modules", "amdgpu %u 0 - Live 0x0\n", MODULE_BYTES);
}

static void write_kfd(struct tree *t)
{
	char name[32];

	tree_dev(t, "/dev", "kfd", MACHINE_KFD_MAJOR, 0);
	tree_file(t, KFD_DIR, "dev", "%u:0\n", MACHINE_KFD_MAJOR);
	tree_file(t, KFD_DIR, "uevent", "MAJOR=%u\nMINOR=0\nDEVNAME=kfd\n", MACHINE_KFD_MAJOR);
	tree_dir(t, KFD_DIR, "proc");
	tree_link(t, KFD_DIR, "subsystem", "../../../../class/kfd");
	tree_link(t, "/sys/class/kfd", "kfd", "../../devices/virtual/kfd/kfd");
	snprintf(name, sizeof(name), "%u:0", MACHINE_KFD_MAJOR);
	tree_link(t, "/sys/dev/char", name, "../../devices/virtual/kfd/kfd");
}

static int write_topology(const struct machine_profile *m, const struct topology_sink *sink)
{
	struct topology *topology;
	int e = machine_nodes_create(m, &topology);

	if (e)
		return e;
	e = topology_write(topology, KFD_DIR "/topology", sink);
	topology_free(topology);
	return e;
}

int machine_sysfs_build(const struct machine_profile *m, const struct topology_sink *sink)
{
	struct tree t = { .m = m, .sink = sink };

	t.e = write_topology(m, sink);
	write_kfd(&t);
	write_module(&t);
	tree_file(&t, "/sys/class/drm", "version", "drm 1.1.0 20060810\n");
	for (unsigned int i = 0; i < m->n_gpus; i++)
		machine_sysfs_gpu(&t, i);
	return t.e;
}
