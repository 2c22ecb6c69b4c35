/* SPDX-License-Identifier: MIT */
#include "capture.h"

#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "machine/sysfs.h"

static int add(struct capture *c, enum capture_kind kind, const char *path, const char *text,
	       size_t len, struct capture_entry **ret)
{
	struct capture_entry *e;

	if (capture_find(c, path) && !(kind == CAPTURE_DIR))
		fail_msg("%s is written twice", path);
	if (c->fail_at && --c->fail_at == 0)
		return -EIO;
	if (c->n == c->room) {
		c->room = c->room ? c->room * 2 : 256;
		c->entries = realloc(c->entries, c->room * sizeof(*c->entries));
		assert_non_null(c->entries);
	}
	e = &c->entries[c->n++];
	*e = (struct capture_entry){ .kind = kind, .path = strdup(path), .len = len };
	e->text = calloc(1, len + 1);
	assert_non_null(e->text);
	if (len)
		memcpy(e->text, text, len);
	if (ret)
		*ret = e;
	return 0;
}

static int sink_file(void *cookie, const char *path, const char *text, size_t len)
{
	return add(cookie, CAPTURE_FILE, path, text, len, NULL);
}

static int sink_live(void *cookie, const char *path)
{
	return add(cookie, CAPTURE_LIVE, path, NULL, 0, NULL);
}

static int sink_symlink(void *cookie, const char *path, const char *target)
{
	return add(cookie, CAPTURE_LINK, path, target, strlen(target), NULL);
}

static int sink_dir(void *cookie, const char *path)
{
	return add(cookie, CAPTURE_DIR, path, NULL, 0, NULL);
}

static int sink_chardev(void *cookie, const char *path, unsigned int major, unsigned int minor)
{
	struct capture_entry *e;
	int r = add(cookie, CAPTURE_DEV, path, NULL, 0, &e);

	if (!r) {
		e->major = major;
		e->minor = minor;
	}
	return r;
}

void capture_init(struct capture *c)
{
	*c = (struct capture){ .sink = { c, sink_file, sink_live, sink_symlink, sink_dir,
					 sink_chardev } };
}

void capture_fini(struct capture *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->entries[i].path);
		free(c->entries[i].text);
	}
	free(c->entries);
}

const struct capture_entry *capture_find(const struct capture *c, const char *path)
{
	for (size_t i = 0; i < c->n; i++)
		if (!strcmp(c->entries[i].path, path))
			return &c->entries[i];
	return NULL;
}

const char *capture_text(const struct capture *c, const char *path)
{
	const struct capture_entry *e = capture_find(c, path);

	if (!e || e->kind != CAPTURE_FILE)
		fail_msg("no file %s", path);
	return e->text;
}

bool capture_exists(const struct capture *c, const char *path)
{
	size_t len = strlen(path);

	for (size_t i = 0; i < c->n; i++)
		if (!strncmp(c->entries[i].path, path, len) &&
		    (c->entries[i].path[len] == '\0' || c->entries[i].path[len] == '/'))
			return true;
	return false;
}

uint64_t capture_prop(const struct capture *c, const char *path, const char *key)
{
	const char *line = capture_text(c, path);
	size_t len = strlen(key);

	for (; line && *line; line = strchr(line, '\n') + 1)
		if (!strncmp(line, key, len) && line[len] == ' ')
			return strtoull(line + len + 1, NULL, 10);
	fail_msg("no %s in %s", key, path);
	return 0;
}

char *capture_read_file(const char *path, size_t *ret_len)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	long len;

	if (!f)
		return NULL;
	if (!fseek(f, 0, SEEK_END) && (len = ftell(f)) >= 0 && !fseek(f, 0, SEEK_SET)) {
		text = calloc(1, (size_t)len + 1);
		if (text)
			*ret_len = fread(text, 1, (size_t)len, f);
	}
	fclose(f);
	return text;
}

void capture_load(const char *name, const char *const *sets, size_t n_sets,
		  struct machine_profile *ret)
{
	char path[512], err[256] = "";
	size_t len = 0;
	char *text;
	int e;

	snprintf(path, sizeof(path), "%s/%s.json", MACHINES_DIR, name);
	text = capture_read_file(path, &len);
	if (!text)
		fail_msg("cannot read %s", path);
	e = machine_profile_load(text, len, sets, n_sets, ret, err, sizeof(err));
	free(text);
	if (e)
		fail_msg("%s: %s", name, err);
}

void capture_machine(const char *name, const char *const *sets, size_t n_sets, struct capture *c)
{
	struct machine_profile *m = malloc(sizeof(*m));

	assert_non_null(m);
	capture_load(name, sets, n_sets, m);
	capture_init(c);
	assert_int_equal(machine_sysfs_build(m, &c->sink), 0);
	free(m);
}
