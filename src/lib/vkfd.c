/* SPDX-License-Identifier: MIT */
/**
 * DOC: libvkfd
 *
 * The driver (driver/driver.h) with the engine (gpu/engine.h) in one process. A
 * client's regions are memory files mapped here, so that a buffer can be mapped a
 * second time where its user wants it, as the shim does in a program.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "driver/file.h"
#include "gpu/ctrl.h"
#include "host/sched_host.h"
#include "lib/private.h"
#include "lib/smi.h"
#include "mm/system.h"

#define PT_TABLES (UINT32_C(1) << 18)
#define MAX_FDS   1024

/* ------------------------------------------------ machines */

static pthread_once_t host_once = PTHREAD_ONCE_INIT;

static void install_host(void)
{
	if (!vkf_sched_installed())
		host_sched_install();
}

int vkfd_machine_open(const char *json, size_t len, const char *const *sets, size_t n_sets,
		      struct vkfd_machine **ret_machine, char *err, size_t err_len)
{
	struct vkfd_machine *m;
	int r;

	pthread_once(&host_once, install_host);
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	r = machine_profile_load(json, len, sets, n_sets, &m->profile, err, err_len);
	if (!r)
		r = driver_create(&m->profile, &m->driver);
	if (r) {
		free(m);
		return r;
	}
	*ret_machine = m;
	return 0;
}

void vkfd_machine_close(struct vkfd_machine *m)
{
	if (!m)
		return;
	driver_destroy(m->driver);
	free(m);
}

int vkfd_check(struct vkfd_machine *m, char *why, size_t why_len)
{
	return mm_check(machine_system(driver_machine(m->driver)), why, why_len);
}

/* ------------------------------------------------ clients */

static void lib_punch(void *cookie, uint64_t off, uint64_t len)
{
	struct vkfd_client *c = cookie;

	host_region_punch(&c->regions[ARENA], off, len);
}

static void lib_fill(void *cookie, uint64_t off, uint64_t len, uint8_t byte)
{
	struct vkfd_client *c = cookie;

	memset((char *)c->regions[ARENA].base + off, byte, len);
}

static int create_regions(struct vkfd_client *c)
{
	const struct machine_profile *p = &c->machine->profile;
	uint64_t arena = 0;
	int r;

	for (unsigned int i = 0; i < p->n_gpus; i++)
		arena += p->gpus[i].vram;
	for (unsigned int i = 0; i < p->n_sockets; i++)
		arena += p->sockets[i].ram;
	r = host_region_create("vkfd-ctrl", sizeof(struct gpu_ctrl), 0, true, &c->regions[CTRL]);
	if (!r)
		r = host_region_create("vkfd-pt", PT_TABLES * GPU_PT_TABLE_BYTES, 0, true,
				       &c->regions[PT]);
	if (!r)
		r = host_region_create("vkfd-arena", VKF_ALIGN_UP(2 * arena, VKF_GIB(1)), 0, true,
				       &c->regions[ARENA]);
	if (!r)
		r = host_region_create("vkfd-bar", p->n_gpus * GPU_BAR_STRIDE, 0, true,
				       &c->regions[BAR]);
	return r;
}

static int create_client(struct vkfd_client *c, pid_t pid, const char *name)
{
	struct driver_client_config config = {
		.pid = pid,
		.comm = name,
		.regions = {
			.ctrl = c->regions[CTRL].base,
			.pt = c->regions[PT].base,
			.pt_tables = PT_TABLES,
			.arena_bytes = c->regions[ARENA].size,
			.bar_bytes = c->regions[BAR].size,
			.punch = lib_punch,
			.fill = lib_fill,
			.wake_engine = lib_engine_wake,
			.cookie = c,
		},
	};

	return driver_client_create(c->machine->driver, &config, &c->client);
}

static void free_client(struct vkfd_client *c)
{
	for (unsigned int i = 0; i < N_REGIONS; i++)
		if (c->regions[i].fd >= 0)
			host_region_destroy(&c->regions[i]);
	free(c->engine_storage);
	vkf_handles_fini(&c->fds);
	vkf_mutex_fini(&c->smi_lock);
	vkf_mutex_fini(&c->lock);
	free(c);
}

int vkfd_client_open(struct vkfd_machine *m, pid_t pid, const char *name,
		     struct vkfd_client **ret_client)
{
	struct vkfd_client *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->machine = m;
	for (unsigned int i = 0; i < N_REGIONS; i++)
		c->regions[i].fd = -1;
	vkf_mutex_init(&c->lock, VKF_RANK_LEAF);
	vkf_mutex_init(&c->smi_lock, VKF_RANK_CLIENT);
	vkf_list_init(&c->smis);
	vkf_handles_init(&c->fds, 0, MAX_FDS);
	r = create_regions(c);
	if (!r)
		r = create_client(c, pid, name);
	if (r) {
		free_client(c);
		return r;
	}
	r = lib_engine_create(c);
	if (r) {
		driver_client_destroy(c->client);
		free_client(c);
		return r;
	}
	*ret_client = c;
	return 0;
}

void vkfd_client_close(struct vkfd_client *c)
{
	struct driver_file *f;
	unsigned int fd;

	if (!c)
		return;
	vkfd_engine_stop(c);
	driver_client_destroy(c->client);
	lib_smi_end(&c->smis);
	vkf_handle_for_each(&c->fds, fd, f)
		driver_file_drop(f);
	free_client(c);
}
