/* SPDX-License-Identifier: MIT */
#ifndef VKFD_DRIVER_DRIVER_H
#define VKFD_DRIVER_DRIVER_H

/**
 * DOC: The driver without a transport
 *
 * What the daemon and the library have in common: a machine, its KFD, the clients
 * (address spaces), the open files of its devices (file.h), and the calls on them
 * (call.h). Who serves a call is a task of base/sched.h; any number of them may be
 * inside at once.
 *
 * A client's id and a file's id are never used twice.
 */
#include <stdint.h>
#include "machine/machine.h"

struct driver;
struct driver_client;

int driver_create(const struct machine_profile *profile, struct driver **ret_driver);
/* Every client and file is gone. */
void driver_destroy(struct driver *d);
struct machine *driver_machine(struct driver *d);

struct driver_client_config {
	int32_t pid;
	const char *comm;
	struct machine_regions regions;
};

/* A new address space. Return: 0, -ENOMEM, -EINVAL. */
int driver_client_create(struct driver *d, const struct driver_client_config *config,
			 struct driver_client **ret_client);
/* The address space is gone or going: calls that are still served wait for its engine no longer. */
void driver_client_gone(struct driver_client *c);
/* Its engine has ended, and the address space is still there. Not at the same time as the next. */
void driver_client_engine_lost(struct driver_client *c);
/* The address space is gone, and no call of it is being served any more: all that it had ends. Waits
 * for whoever looks at it (driver_for_each_client()), and for no engine. */
void driver_client_destroy(struct driver_client *c);
uint64_t driver_client_id(const struct driver_client *c);

#endif
