/* SPDX-License-Identifier: MIT */
#include "kfd_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "kfd/doorbell.h"

#define PT_TABLES 64
#define RING      0x10000u

static void no_punch(void *cookie, uint64_t off, uint64_t len)
{
}

static void wake(void *cookie)
{
	struct kf_process *kp = cookie;

	kp->n_wakes++;
}

static int open_process(struct kf *kf, unsigned int i)
{
	struct kf_process *kp = &kf->processes[i];

	kp->regions = (struct machine_regions){
		.ctrl = calloc(1, sizeof(struct gpu_ctrl)),
		.pt = aligned_alloc(4096, PT_TABLES * GPU_PT_TABLE_BYTES),
		.pt_tables = PT_TABLES,
		.arena_bytes = VKF_GIB(1),
		.bar_bytes = 2 * GPU_BAR_STRIDE,
		.punch = no_punch,
		.wake_engine = wake,
		.cookie = kp,
	};
	memset(kp->regions.pt, 0, PT_TABLES * GPU_PT_TABLE_BYTES);
	if (machine_client_create(kf->machine, &kp->regions, &kp->mc))
		return -1;
	return kfd_process_create(kf->driver, kp->mc, 100 + (int)i, &kp->p);
}

int kf_setup(void **state)
{
	static char text[65536];
	struct machine_profile profile;
	struct kf *kf = calloc(1, sizeof(*kf));
	char err[256];
	FILE *file = fopen(MACHINES_DIR "/mi210x2.json", "r");
	size_t len = fread(text, 1, sizeof(text), file);

	fclose(file);
	if (machine_profile_load(text, len, NULL, 0, &profile, err, sizeof(err)) ||
	    machine_create(&profile, &kf->machine) ||
	    kfd_driver_create(kf->machine, &kf->driver))
		return -1;
	for (unsigned int i = 0; i < KF_PROCESSES; i++) {
		if (open_process(kf, i))
			return -1;
	}
	*state = kf;
	return 0;
}

int kf_teardown(void **state)
{
	struct kf *kf = *state;

	for (unsigned int i = 0; i < KF_PROCESSES; i++) {
		struct kf_process *kp = &kf->processes[i];

		kfd_process_destroy(kp->p);
		machine_client_destroy(kp->mc);
		free(kp->regions.ctrl);
		free(kp->regions.pt);
	}
	kfd_driver_destroy(kf->driver);
	machine_destroy(kf->machine);
	free(kf);
	return 0;
}

struct kfd_queue *kf_queue(struct kf *kf, unsigned int process, unsigned int gpu,
			   enum gpu_queue_type type)
{
	struct kfd_process *p = kf->processes[process].p;
	struct kfd_queue *q = vkf_zalloc(sizeof(*q));
	struct machine_queue mq = { .type = type, .gpu = gpu, .priority = 7 };

	q->gpu = gpu;
	q->type = type;
	q->ring_va = q->ring_bytes = RING;
	q->percent = 100;
	q->slot = -1;
	assert_int_equal(vkf_handles_add(&p->queues, q, &q->id), 0);
	assert_int_equal(kfd_gpu_count_queue(kf->driver, gpu), 0);
	assert_int_equal(kfd_doorbell_take(&p->pdds[gpu], &kfd_gpu_profile(kf->driver, gpu)->asic,
					   q->id, NULL, &q->doorbell),
			 0);
	q->running = true;
	q->slot = machine_queue_load(kf->processes[process].mc, &mq, true);
	assert_true(q->slot >= 0);
	p->pdds[gpu].n_queues++;
	return q;
}

int kf_update(struct kf *kf, unsigned int process, const struct kfd_queue *q, uint32_t percent,
	      uint32_t priority)
{
	struct kfd_ioctl_update_queue_args args = {
		.queue_id = q->id, .queue_percentage = percent, .queue_priority = priority
	};

	return kfd_update_queue(kf->processes[process].p, NULL, &args);
}

int kf_destroy(struct kf *kf, unsigned int process, uint32_t id)
{
	struct kfd_ioctl_destroy_queue_args args = { .queue_id = id };

	return kfd_destroy_queue(kf->processes[process].p, NULL, &args);
}

void kf_engine(struct kf *kf, unsigned int process, enum gpu_engine_state state)
{
	struct gpu_ctrl *ctrl = kf_ctrl(kf, process);

	atomic_store(&ctrl->engine, state);
	for (unsigned int i = 0; i < GPU_MAX_QUEUES; i++)
		atomic_store(&ctrl->queue[i].ack_seq, atomic_load(&ctrl->queue[i].want_seq));
}
