/* SPDX-License-Identifier: MIT */
#ifndef VKFD_CLI_TRACE_FILE_H
#define VKFD_CLI_TRACE_FILE_H

/**
 * DOC: A trace on its way from a driver's ring into a file
 *
 * A thread reads the ring and writes. A regular file holds a whole JSON array after
 * every write, so even one that was cut off with SIGKILL can be read; into a pipe
 * the array's end is written at the end.
 */
#include <stdbool.h>
#include <stdint.h>

struct trace_file;

/**
 * trace_file_open() - see that @path can be written
 *
 * What is in the file stays there until a driver tells. Says what is wrong. Return: 0 or an exit
 * status.
 */
int trace_file_open(const char *path, struct trace_file **ret_file);
/* Have the driver behind @socket tell all. As above. */
int trace_file_connect(struct trace_file *f, const char *socket);
/* The driver has gone, or nothing can be written any more. */
bool trace_file_is_over(const struct trace_file *f);
/* Programs that were seen to begin and not yet to end. */
unsigned int trace_file_n_clients(const struct trace_file *f);
/* All that the driver knows is in the file; or, when none has told anything, the file is as it was.
 * Says what is wrong. Return: 0 or an exit status. */
int trace_file_close(struct trace_file *f);

#endif
