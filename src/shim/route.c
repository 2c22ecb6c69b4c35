/* SPDX-License-Identifier: MIT */
#include "shim/route.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include "wire/proto.h"

#define MAX_LINKS 16

atomic_bool route_dirs_open;

enum rule_how {
	RULE_EXACT,
	RULE_BELOW,     /* the name itself and all below */
	RULE_PREFIX,    /* whatever begins so */
	RULE_IF_EXISTS, /* whatever begins so and is in the tree */
};

struct rule {
	const char *text;
	enum rule_how how;
};

static const struct rule rules[] = {
	{ "/dev/kfd", RULE_EXACT },
	{ "/dev/dri", RULE_BELOW },
	{ "/sys/class/kfd", RULE_BELOW },
	{ "/sys/devices/virtual/kfd", RULE_BELOW },
	{ "/sys/module/amdgpu", RULE_BELOW },
	{ "/sys/class/drm", RULE_BELOW },
	{ "/sys/dev/char/226:", RULE_PREFIX },
	{ "/sys/dev/char/", RULE_IF_EXISTS },
	{ "/sys/devices/pci", RULE_IF_EXISTS },
	{ "/sys/bus/pci/devices/", RULE_IF_EXISTS },
	{ "/sys/devices/system/node/node", RULE_IF_EXISTS }, /* sockets that the host lacks */
	{ "/proc/modules", RULE_EXACT },
};

static const struct rule *find_rule(const char *path)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		size_t n = strlen(rules[i].text);

		if (strncmp(path, rules[i].text, n) != 0)
			continue;
		if (rules[i].how == RULE_EXACT && path[n] && strcmp(path + n, "/") != 0)
			continue;
		if (rules[i].how == RULE_BELOW && path[n] && path[n] != '/')
			continue;
		return &rules[i];
	}
	return NULL;
}

/**
 * tidy() - @path without "//" and "/./", and without ".." when @lexical
 *
 * Return: whether it fits; @ret_dots: whether there was a "..".
 */
static bool tidy(const char *path, bool lexical, char *out, size_t size, bool *ret_dots)
{
	size_t n = 0;

	*ret_dots = false;
	while (*path) {
		size_t len;

		while (*path == '/')
			path++;
		len = strcspn(path, "/");
		if (len == 0)
			break;
		if (len == 2 && path[0] == '.' && path[1] == '.') {
			*ret_dots = true;
			if (lexical) {
				while (n > 0 && out[--n] != '/')
					;
				path += len;
				continue;
			}
		}
		if (!(len == 1 && path[0] == '.')) {
			if (n + len + 2 > size)
				return false;
			out[n++] = '/';
			memcpy(out + n, path, len);
			n += len;
		}
		path += len;
		/* A slash at the end asks for a directory. */
		if (strcmp(path, "/") == 0 && n + 2 <= size)
			out[n++] = '/';
	}
	out[n] = '\0';
	return true;
}

static bool exists(const char *full)
{
	struct stat st;

	return SYS4(newfstatat, AT_FDCWD, full, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The tree's name of @path into @full. False: it is not the tree's. */
static bool compose(const char *path, char *full)
{
	const struct shim_env *e = shim_env();
	char *below = full + e->root_len;
	size_t room = PATH_MAX - e->root_len;
	const struct rule *rule;
	bool dots;

	memcpy(full, e->root, e->root_len);
	if (!tidy(path, false, below, room, &dots))
		return false;
	rule = find_rule(below);
	if (rule && (rule->how == RULE_IF_EXISTS || dots) && !exists(full))
		return false;
	if (!rule && dots && tidy(path, true, below, room, &dots))
		rule = find_rule(below);
	return rule && (rule->how != RULE_IF_EXISTS || exists(full));
}

static bool parse_number(const char **p, unsigned int *ret)
{
	unsigned int v = 0;
	const char *s = *p;

	if (*s < '0' || *s > '9')
		return false;
	while (*s >= '0' && *s <= '9' && v < 1u << 20)
		v = v * 10 + (unsigned int)(*s++ - '0');
	*p = s;
	*ret = v;
	return true;
}

/* "vkfd-char:MAJOR:MINOR" */
static bool parse_chardev(const char *text, struct route *r)
{
	const char *p = text + strlen(WIRE_CHARDEV_PREFIX);
	unsigned int major, minor;

	if (strncmp(text, WIRE_CHARDEV_PREFIX, strlen(WIRE_CHARDEV_PREFIX)) != 0)
		return false;
	if (!parse_number(&p, &major) || *p++ != ':' || !parse_number(&p, &minor) || *p)
		return false;
	r->major = major;
	r->minor = minor;
	return true;
}

/* Replace the last component of @full by what its link says. */
static bool replace_last(char *full, const char *target, size_t len)
{
	char *slash = strrchr(full, '/');
	size_t at = target[0] == '/' || !slash ? 0 : (size_t)(slash + 1 - full);

	if (at + len + 1 > PATH_MAX)
		return false;
	memcpy(full + at, target, len + 1);
	return true;
}

static bool is_live(const char *full)
{
	struct stat st;

	return SYS4(newfstatat, AT_FDCWD, full, &st, 0) == 0 && S_ISREG(st.st_mode) &&
	       (st.st_mode & S_ISVTX) && st.st_size == 0;
}

/* What stands at @r->full. Links that do not end at a device are left to the kernel. */
static enum route_kind classify(struct route *r, bool follow)
{
	char at[PATH_MAX], target[PATH_MAX];

	memcpy(at, r->full, strlen(r->full) + 1);
	for (int i = 0; i < MAX_LINKS; i++) {
		long n = SYS4(readlinkat, AT_FDCWD, at, target, sizeof(target) - 1);

		if (n < 0)
			return is_live(at) ? ROUTE_LIVE : ROUTE_FILE;
		target[n] = '\0';
		if (parse_chardev(target, r)) {
			memcpy(r->full, at, strlen(at) + 1);
			return ROUTE_CHAR;
		}
		if (!follow || !replace_last(at, target, (size_t)n))
			return ROUTE_FILE;
	}
	return ROUTE_FILE;
}

enum route_kind route_lookup(const char *path, bool follow, struct route *r)
{
	r->kind = ROUTE_PASS;
	if (!compose(path, r->full))
		return ROUTE_PASS;
	r->kind = classify(r, follow);
	return r->kind;
}

void route_fd_link(int fd, char *buf)
{
	static const char prefix[] = "/proc/self/fd/";
	char *p = buf + sizeof(prefix) - 1;
	unsigned int v = (unsigned int)fd;

	memcpy(buf, prefix, sizeof(prefix) - 1);
	for (unsigned int div = 1000000000; div; div /= 10)
		if (div <= v || div == 1)
			*p++ = (char)('0' + v / div % 10);
	*p = '\0';
}

size_t route_fd_name(int fd, char *buf, size_t size)
{
	char link[ROUTE_FD_LINK];
	long n;

	if (fd < 0)
		return 0;
	route_fd_link(fd, link);
	n = SYS4(readlinkat, AT_FDCWD, link, buf, size - 1);
	if (n <= 0)
		return 0;
	buf[n] = '\0';
	return (size_t)n;
}

/* The directory that relative names start from. */
static size_t base_name(int dirfd, char *buf, size_t size)
{
	long n;

	if (dirfd != AT_FDCWD)
		return route_fd_name(dirfd, buf, size);
	n = SYS2(getcwd, buf, size);
	return n > 0 ? (size_t)n - 1 : 0;
}

static bool below(const char *name, size_t len, const char *root, size_t root_len)
{
	return len >= root_len && memcmp(name, root, root_len) == 0 &&
	       (len == root_len || name[root_len] == '/');
}

enum route_kind route_relative(int dirfd, const char *name, bool follow, struct route *r)
{
	const struct shim_env *e = shim_env();
	size_t n, len;

	r->kind = ROUTE_PASS;
	if ((uintptr_t)name < 4096 || name[0] == '/' || name[0] == '\0' || !e->active)
		return ROUTE_PASS;
	n = base_name(dirfd, r->full, sizeof(r->full));
	len = strlen(name);
	if (!n || !below(r->full, n, e->real, e->real_len) || n + len + 2 > sizeof(r->full))
		return ROUTE_PASS;
	r->full[n] = '/';
	memcpy(r->full + n + 1, name, len + 1);
	r->kind = classify(r, follow);
	if (r->kind == ROUTE_FILE)
		r->kind = ROUTE_PASS;
	return r->kind;
}

size_t route_strip(char *buf, size_t len)
{
	const struct shim_env *e = shim_env();
	size_t cut = 0;

	if (!e->active)
		return len;
	if (below(buf, len, e->real, e->real_len))
		cut = e->real_len;
	else if (below(buf, len, e->root, e->root_len))
		cut = e->root_len;
	/* The tree itself stands for the host's root. */
	if (cut && cut == len) {
		buf[0] = '/';
		return 1;
	}
	memmove(buf, buf + cut, len - cut);
	return len - cut;
}
