/* SPDX-License-Identifier: MIT */
#include "host/write.h"

#include <errno.h>
#include <unistd.h>

int host_write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	return 0;
}
