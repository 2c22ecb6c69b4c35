/* SPDX-License-Identifier: MIT */
#include "driver/dump.h"

#include <errno.h>
#include "driver/look.h"
#include "mm/dump.h"
#include "mm/print.h"

static void print_who(struct mm_print *p, int32_t pid, const char *comm)
{
	mm_print_u64(p, "pid", (uint32_t)pid);
	mm_print_str(p, "program", comm);
}

static void print_client(void *cookie, int32_t pid, const char *comm, struct mm_client *mm)
{
	struct mm_print *p = cookie;

	mm_print_object(p, NULL);
	print_who(p, pid, comm);
	mm_dump_client(mm, p);
	mm_print_end(p);
}

void driver_dump_memory(struct driver *d, struct mm_print *p)
{
	struct machine *m = driver_machine(d);
	const struct machine_profile *profile = machine_profile(m);

	mm_print_str(p, "machine", profile->name);
	mm_dump_system(machine_system(m), p);
	mm_print_list(p, "gpus");
	for (unsigned int i = 0; i < profile->n_gpus; i++) {
		mm_print_object(p, NULL);
		mm_print_u64(p, "gpu", i);
		mm_print_u64(p, "gpu_id", profile->gpus[i].gpu_id);
		mm_dump_device(machine_device(m, i), p);
		mm_print_end(p);
	}
	mm_print_end(p);
	mm_print_list(p, "clients");
	driver_for_each_mm(d, print_client, p);
	mm_print_end(p);
}

/* struct search - for the youngest client of a pid that has a VM */
struct search {
	struct driver *driver;
	int32_t pid;
	unsigned int gpu;
	struct mm_print *p;
	unsigned int n, n_skip; /* such clients; how many come before the one that is meant */
	bool any, printed;
};

static void count_vms(void *cookie, int32_t pid, const char *comm, struct mm_client *mm)
{
	struct search *s = cookie;

	if (pid != s->pid)
		return;
	s->any = true;
	s->n += mm_dump_has_vm(mm, s->gpu);
}

static void print_vm(void *cookie, int32_t pid, const char *comm, struct mm_client *mm)
{
	struct search *s = cookie;

	if (pid != s->pid || s->printed || !mm_dump_has_vm(mm, s->gpu) || s->n_skip--)
		return;
	print_who(s->p, pid, comm);
	s->printed = !mm_dump_vm(mm, s->gpu, s->p);
}

static int gpu_number(struct machine *m, uint32_t gpu)
{
	return gpu < machine_profile(m)->n_gpus ? (int)gpu : machine_gpu_by_id(m, gpu);
}

int driver_dump_vm(struct driver *d, int32_t pid, uint32_t gpu, struct mm_print *p)
{
	struct search s = { .driver = d, .pid = pid, .p = p };
	int number = gpu_number(driver_machine(d), gpu);

	if (number < 0)
		return number;
	s.gpu = (unsigned int)number;
	driver_for_each_mm(d, count_vms, &s);
	if (!s.any)
		return -ESRCH;
	s.n_skip = s.n ? s.n - 1 : 0;
	driver_for_each_mm(d, print_vm, &s);
	return s.printed ? 0 : -ENXIO;
}
