/* SPDX-License-Identifier: MIT */
#ifndef VKFD_SHIM_ENV_H
#define VKFD_SHIM_ENV_H

/**
 * DOC: Where the driver is
 *
 * Read from the environment at first use and never again, so that a program that
 * clears its environment keeps its driver. Published by one compare-and-swap:
 * whoever loses a race throws its copy away, and nobody ever waits.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/un.h>

enum env_engine { ENV_ENGINE_PROCESS, ENV_ENGINE_THREAD, ENV_ENGINE_NONE };

struct shim_env {
	bool active; /* there is a driver; else everything passes */
	enum env_engine engine;
	size_t root_len, real_len;
	struct sockaddr_un sock;
	char root[1024]; /* the tree, as $VKFD_RUNTIME names it; no slash at the end */
	char real[1024]; /* the same without symbolic links */
};

const struct shim_env *shim_env(void);

#endif
