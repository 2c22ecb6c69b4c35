/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/nearest.h"
#include "kfd/kfd.h"

#define MACHINE_FILE_MAX (1 << 20)
#define SUFFIX ".json"

static bool is_path(const char *name)
{
	size_t len = strlen(name);

	return strchr(name, '/') ||
	       (len > strlen(SUFFIX) && !strcmp(name + len - strlen(SUFFIX), SUFFIX));
}

static char *read_file(const char *path, size_t *ret_len)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	struct stat st;
	size_t n = 0;

	if (!f)
		return NULL;
	if (fstat(fileno(f), &st) == 0 && S_ISDIR(st.st_mode))
		errno = EISDIR;
	else
		text = malloc(MACHINE_FILE_MAX + 1);
	if (text) {
		n = fread(text, 1, MACHINE_FILE_MAX + 1, f);
		if (ferror(f) || n > MACHINE_FILE_MAX) {
			errno = n > MACHINE_FILE_MAX ? EFBIG : EIO;
			free(text);
			text = NULL;
		}
	}
	fclose(f);
	*ret_len = n;
	return text;
}

static int is_machine_file(const struct dirent *e)
{
	size_t len = strlen(e->d_name);

	return len > strlen(SUFFIX) && !strcmp(e->d_name + len - strlen(SUFFIX), SUFFIX);
}

char **cli_machine_names(size_t *ret_n)
{
	char dir[PATH_MAX];
	struct dirent **entries;
	char **names;
	int n;

	if (cli_find_machines(dir, sizeof(dir)))
		return NULL;
	n = scandir(dir, &entries, is_machine_file, alphasort);
	if (n < 0)
		return NULL;
	names = calloc((size_t)n + 1, sizeof(*names));
	for (int i = 0; i < n; i++) {
		if (names)
			names[i] = strndup(entries[i]->d_name,
					   strlen(entries[i]->d_name) - strlen(SUFFIX));
		free(entries[i]);
	}
	free(entries);
	*ret_n = (size_t)n;
	return names;
}

void cli_free_names(char **names)
{
	for (size_t i = 0; names && names[i]; i++)
		free(names[i]);
	free(names);
}

static void unknown_machine(const char *name)
{
	size_t n = 0;
	char **names = cli_machine_names(&n);
	const char *near = names ? vkf_nearest(name, (const char *const *)names) : NULL;

	if (near)
		cli_error("unknown machine '%s': did you mean '%s'?", name, near);
	else
		cli_error("unknown machine '%s': expected a name of 'vkfd machines', or a path to a "
			  "machine file", name);
	cli_free_names(names);
}

char *cli_read_machine(const char *name, size_t *ret_len)
{
	char path[PATH_MAX], dir[PATH_MAX - 300];
	char *text;

	if (is_path(name)) {
		text = read_file(name, ret_len);
		if (!text)
			cli_error("cannot read machine file '%s': %s", name, strerror(errno));
		return text;
	}
	if (cli_find_machines(dir, sizeof(dir))) {
		cli_error("the machine files are not where they were installed");
		return NULL;
	}
	snprintf(path, sizeof(path), "%s/%.255s" SUFFIX, dir, name);
	text = read_file(path, ret_len);
	if (!text)
		unknown_machine(name);
	return text;
}

int cli_load_machine(const char *name, const char *const *sets, size_t n_sets,
		     struct machine_profile *ret_profile)
{
	char err[256] = "";
	size_t len;
	char *text = cli_read_machine(name, &len);
	int r;

	if (!text)
		return CLI_USAGE;
	r = machine_profile_load(text, len, sets, n_sets, ret_profile, err, sizeof(err));
	free(text);
	/* Nothing shows what no call behind it would do. */
	if (!r)
		ret_profile->knobs.hidden_capability |= kfd_hidden_capability();
	if (r == -EINVAL)
		cli_error("machine '%s': %s", name, err);
	else if (r)
		cli_error("machine '%s': %s", name, strerror(-r));
	return r == 0 ? CLI_OK : r == -EINVAL ? CLI_USAGE : CLI_FAILED;
}
