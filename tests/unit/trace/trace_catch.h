/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TEST_TRACE_CATCH_H
#define VKFD_TEST_TRACE_CATCH_H

/* Make records by the functions of the events, with a time, a task and a client of choice. */
#include "base/trace.h"

extern struct vkf_trace_record caught;

void catch_begin(void);
void catch_end(void);
/* The record of what @call tells, as if at @ns, by @task, for @client. */
#define CAUGHT(time, by, whom, call)                                                               \
	(call,                                                                                     \
	 caught.ns = caught.event == VKF_TRACE_QUEUE_PACKETS ||                                    \
				     caught.event == VKF_TRACE_QUEUE_WAITS ||                      \
				     caught.event == VKF_TRACE_ENGINE_TURN                         \
			     ? caught.ns                                                           \
			     : (time),                                                             \
	 caught.task = (by), caught.client = (whom), &caught)

#endif
