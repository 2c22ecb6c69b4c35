/* SPDX-License-Identifier: MIT */
#include "base/waits.h"

#include <stdatomic.h>
#include "base/sched.h"

/* @what is taken first and given up last: who has it has the rest. */
struct vkf_wait_note {
	_Atomic(const char *) what; /* NULL: free */
	_Atomic uint32_t client, owner;
	_Atomic uint64_t since_ns; /* 0: not written yet */
};

static struct vkf_wait_note notes[VKF_WAITS];

/* Where to look first: tasks differ, and each finds its own place again. */
static unsigned int first_place(const struct vkf_task *self)
{
	return self->id % VKF_WAITS;
}

struct vkf_wait_note *vkf_wait_begin(const char *what, uint32_t owner)
{
	const struct vkf_task *self = vkf_current();
	unsigned int first = first_place(self);

	for (unsigned int i = 0; i < VKF_WAITS; i++) {
		struct vkf_wait_note *note = &notes[(first + i) % VKF_WAITS];
		const char *nobody = NULL;

		if (!atomic_compare_exchange_strong(&note->what, &nobody, what))
			continue;
		atomic_store(&note->client, self->client);
		atomic_store(&note->owner, owner);
		atomic_store(&note->since_ns, vkf_now_ns());
		return note;
	}
	return NULL;
}

void vkf_wait_end(struct vkf_wait_note *note)
{
	if (!note)
		return;
	atomic_store(&note->since_ns, 0);
	atomic_store(&note->what, NULL);
}

unsigned int vkf_waits_look(struct vkf_wait_seen *ret, unsigned int n)
{
	unsigned int found = 0;

	for (unsigned int i = 0; i < VKF_WAITS && found < n; i++) {
		struct vkf_wait_seen *seen = &ret[found];

		seen->what = atomic_load(&notes[i].what);
		seen->client = atomic_load(&notes[i].client);
		seen->owner = atomic_load(&notes[i].owner);
		seen->since_ns = atomic_load(&notes[i].since_ns);
		found += seen->what && seen->since_ns;
	}
	return found;
}
