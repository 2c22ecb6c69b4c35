/* SPDX-License-Identifier: MIT */
#include "shim/real.h"
#include "shim/shim.h"

#include <dlfcn.h>
#include <string.h>

static struct shim_real real;
static atomic_bool resolved;

struct real_name {
	const char *name;
	size_t offset;
};

static const struct real_name names[] = {
#define REAL_NAME(ret, name, args) { #name, offsetof(struct shim_real, name) },
	SHIM_REAL_FUNCTIONS(REAL_NAME)
#undef REAL_NAME
};

static long answer_enosys(void)
{
	errno = ENOSYS;
	return -1;
}

/* dlsym() alone may find realpath@GLIBC_2.2.5, which knows no NULL buffer, and does not find
 * what is there for old binaries only. */
static void *find(const struct real_name *n)
{
	void *fn = NULL;

	if (strcmp(n->name, "realpath") == 0)
		fn = dlvsym(RTLD_NEXT, n->name, "GLIBC_2.3");
	if (!fn)
		fn = dlsym(RTLD_NEXT, n->name);
	if (!fn)
		fn = dlvsym(RTLD_NEXT, n->name, "GLIBC_2.2.5");
	return fn ? fn : (void *)answer_enosys;
}

/* Several threads may do this at once: they all store the same. */
static void resolve(void)
{
	int saved = errno;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		void **field = (void **)((char *)&real + names[i].offset);

		__atomic_store_n(field, find(&names[i]), __ATOMIC_RELAXED);
	}
	atomic_store_explicit(&resolved, true, memory_order_release);
	errno = saved;
}

const struct shim_real *shim_real(void)
{
	if (SHIM_UNLIKELY(!atomic_load_explicit(&resolved, memory_order_acquire)))
		resolve();
	return &real;
}
