/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TESTS_CAPTURE_H
#define VKFD_TESTS_CAPTURE_H

/**
 * DOC: A sink that remembers
 *
 * Tests write a tree into it and ask what is there. It can refuse the n-th entry.
 * A path that is written twice is a test failure by itself.
 */
#include "machine/profile.h"
#include "topology/topology.h"

enum capture_kind { CAPTURE_FILE, CAPTURE_LIVE, CAPTURE_LINK, CAPTURE_DIR, CAPTURE_DEV };

struct capture_entry {
	enum capture_kind kind;
	char *path;
	char *text; /* a file's content, NUL-terminated; a link's target */
	size_t len;
	unsigned int major, minor;
};

struct capture {
	struct capture_entry *entries;
	size_t n, room;
	size_t fail_at; /* refuse this entry, counted from 1, with -EIO; 0: none */
	struct topology_sink sink;
};

void capture_init(struct capture *c);
void capture_fini(struct capture *c);
/* NULL when there is none. */
const struct capture_entry *capture_find(const struct capture *c, const char *path);
/* A regular file's content; the test fails when there is no such file. */
const char *capture_text(const struct capture *c, const char *path);
/* Whether something is at @path, be it only as the parent of something. */
bool capture_exists(const struct capture *c, const char *path);
/* Value of @key in a "key value" file; the test fails when file or key is missing. */
uint64_t capture_prop(const struct capture *c, const char *path, const char *key);

/* A file's whole content, to be freed; NULL when it cannot be read. */
char *capture_read_file(const char *path, size_t *ret_len);
/* Load machines/@name.json of the source tree with overrides; the test fails with its complaint. */
void capture_load(const char *name, const char *const *sets, size_t n_sets,
		  struct machine_profile *ret);
/* The same, and write its tree. */
void capture_machine(const char *name, const char *const *sets, size_t n_sets, struct capture *c);

#endif
