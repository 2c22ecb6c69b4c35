/* SPDX-License-Identifier: MIT */
/**
 * DOC: Where vkfd's own files are
 *
 * Everything is found from where the program itself lies, so that it runs from the
 * build tree, from an installation, and from one that was moved as a whole.
 */
#include "cli/cli.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int program_dir(char *dir)
{
	ssize_t n = readlink("/proc/self/exe", dir, PATH_MAX - 1);
	char *slash;

	if (n < 0)
		return -errno;
	dir[n] = '\0';
	slash = strrchr(dir, '/');
	if (!slash)
		return -ENOENT;
	*slash = '\0';
	return 0;
}

static int find(const char *const *places, size_t n, char *path, size_t len)
{
	char dir[PATH_MAX];
	int r = program_dir(dir);

	for (size_t i = 0; !r && i < n; i++) {
		int w = snprintf(path, len, "%s/%s", dir, places[i]);

		if (w > 0 && (size_t)w < len && access(path, R_OK) == 0)
			return 0;
	}
	return -ENOENT;
}

int cli_find_shim(char *path, size_t len)
{
	static const char *const places[] = { "src/shim/libvkfd-shim.so",
					      VKFD_REL_LIBDIR "/vkfd/libvkfd-shim.so" };

	return find(places, sizeof(places) / sizeof(places[0]), path, len);
}

int cli_find_machines(char *path, size_t len)
{
	static const char *const places[] = { "machines/mi210x2.json",
					      VKFD_REL_DATADIR "/vkfd/machines/mi210x2.json" };
	int r = find(places, sizeof(places) / sizeof(places[0]), path, len);

	if (!r)
		*strrchr(path, '/') = '\0';
	return r;
}
