/* SPDX-License-Identifier: MIT */
#include "base/macro.h"

#include <stdlib.h>

/* This layer prints nothing: a host that wants words installs its own hook. */
static void panic_silently(const char *file, int line, const char *what)
{
	abort();
}

vkf_panic_fn vkf_panic_hook = panic_silently;

void vkf_panic(const char *file, int line, const char *what)
{
	vkf_panic_hook(file, line, what);
	abort();
}
