/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TESTS_KFD_FIXTURE_H
#define VKFD_TESTS_KFD_FIXTURE_H

/**
 * DOC: A driver with processes, whose engines the test is itself
 *
 * Queues are made without memory to live on. An engine acknowledges what kf_engine()
 * is called for, and nothing else, so one that is never called does not answer. There
 * is one task, whose clock only waiting moves: a timeout takes no time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kfd/process.h"
#include "kfd/queue.h"

#define KF_PROCESSES 4

struct kf_process {
	struct machine_regions regions;
	struct machine_client *mc;
	struct kfd_process *p;
	unsigned int n_wakes;
};

struct kf {
	struct machine *machine;
	struct kfd_driver *driver;
	struct kf_process processes[KF_PROCESSES];
};

/* @state as cmocka gives it; the machine is mi210x2. */
int kf_setup(void **state);
int kf_teardown(void **state);

static inline struct gpu_ctrl *kf_ctrl(struct kf *kf, unsigned int process)
{
	return kf->processes[process].regions.ctrl;
}

/* As CREATE_QUEUE would, running. */
struct kfd_queue *kf_queue(struct kf *kf, unsigned int process, unsigned int gpu,
			   enum gpu_queue_type type);
/* As UPDATE_QUEUE: with this percentage and priority, and no ring. */
int kf_update(struct kf *kf, unsigned int process, const struct kfd_queue *q, uint32_t percent,
	      uint32_t priority);
int kf_destroy(struct kf *kf, unsigned int process, uint32_t id);
/* The process's engine is there (or asleep), and has done what it was told. */
void kf_engine(struct kf *kf, unsigned int process, enum gpu_engine_state state);

#define KF_TEST(fn) cmocka_unit_test_setup_teardown(fn, kf_setup, kf_teardown)

#endif
