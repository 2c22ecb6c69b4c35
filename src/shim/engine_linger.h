/* SPDX-License-Identifier: MIT */
#ifndef VKFD_SHIM_ENGINE_LINGER_H
#define VKFD_SHIM_ENGINE_LINGER_H

/**
 * DOC: Where the engine sleeps, and whether and where it looks on
 *
 * A sleeper is woken soonest on the CPU of who wakes it: that thread waits in its
 * doorbell's store meanwhile, and to wake an idle CPU costs several times as much. The
 * system prefers an idle one, so the engine is bound, while it sleeps and until it is
 * clear that its work takes longer, to the CPU of the thread that rang last.
 *
 * An engine whose work is done may look for the next doorbell for a while before it
 * sleeps, on another CPU than that thread's. What came of it lately decides whether it
 * does: after a success the next few times, otherwise only now and then.
 *
 * Where CPUs cannot be learned or chosen, the system decides where it is.
 */
#include <stdbool.h>
#include <stdint.h>

#define ENGINE_CPU_BYTES 1024 /* of a set of CPUs: more than any kernel is built for */

enum engine_place {
	ENGINE_ANYWHERE,
	ENGINE_HOME, /* bound to the ringing thread's CPU */
	ENGINE_AWAY, /* bound to all others */
};

struct engine_linger {
	bool on;
	unsigned int credit, n_hurries;
	int32_t ringer; /* the thread that rang last, 0: not known */
	/* not before it is asked again where that is, and how long that is put off */
	uint64_t ask_at_ns, ask_pause_ns;
	enum engine_place place;
	int home; /* where that thread was */
	long cpus_bytes;
	uint8_t cpus[ENGINE_CPU_BYTES]; /* what was allowed before it was bound */
};

/* Ask for short turns: who is woken then gets the CPU at once, also where others are busy. Since
 * Linux 6.12; before, nothing comes of it. */
void engine_linger_init(void);
/* Its work is done. True: look on. */
bool engine_linger_begin(struct engine_linger *l);
/* It found work, or looked in vain; nothing if it did not look. */
void engine_linger_end(struct engine_linger *l, bool worth_it);
/* It is going to sleep, at @now. */
void engine_linger_go_home(struct engine_linger *l, uint64_t now);
/* It has more to do: let the system choose where. */
void engine_linger_go_anywhere(struct engine_linger *l);

#endif
