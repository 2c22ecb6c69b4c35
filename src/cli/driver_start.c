/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <stddef.h>
#include "host/env_host.h"
#include "host/sched_host.h"

/* Every point the driver names with vkf_fault(); tests/static compares. */
static const char *const fault_points[] = {
	"kfd.alloc", "kfd.event_create", "kfd.map", "kfd.queue_create", "kfd.sync",
	"mm.alloc", "mm.map", "mm.move", "mm.pt", "mm.restore",
	NULL,
};

int cli_prepare_driver(const struct machine_profile *profile)
{
	char err[256];

	host_env_install();
	host_sched_install();
	host_fault_known(fault_points);
	for (unsigned int i = 0; i < profile->knobs.n_faults; i++) {
		if (host_fault_set(profile->knobs.faults[i], err, sizeof(err))) {
			cli_error("fault '%s': %s", profile->knobs.faults[i], err);
			return CLI_USAGE;
		}
	}
	return CLI_OK;
}
