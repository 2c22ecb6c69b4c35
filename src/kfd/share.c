/* SPDX-License-Identifier: MIT */
#include "kfd/share.h"

#include "base/sched.h"
#include "machine/machine.h"

#define NUMBER_STEP (GPU_GRANT_NUMBER & -GPU_GRANT_NUMBER)

/* ------------------------------------------------ one process */

void kfd_share_init(struct kfd_share *share, struct machine_client *mc, unsigned int gpu)
{
	share->mc = mc;
	share->gpu = gpu;
	share->state = KFD_SHARE_ON;
	vkf_list_init(&share->link);
	vkf_list_init(&share->wait);
}

static bool is_known(const struct kfd_share *share)
{
	return !vkf_list_empty(&share->link);
}

static bool is_on(const struct kfd_share *share)
{
	return share->state == KFD_SHARE_ON || share->state == KFD_SHARE_LEAVES;
}

/* No two words that follow each other are the same, and none is 0. */
static void say(struct kfd_share *share, uint32_t bits)
{
	share->number += NUMBER_STEP;
	if (!share->number)
		share->number = NUMBER_STEP;
	machine_client_grant(share->mc, share->gpu, share->number | bits);
}

/* What it would do. Return: whether it says so of what it was told last. */
static bool hear(const struct kfd_share *share, enum gpu_share *ret)
{
	uint32_t answer = machine_client_answer(share->mc, share->gpu);

	*ret = (enum gpu_share)(answer & ~GPU_GRANT_NUMBER);
	return (answer & GPU_GRANT_NUMBER) == share->number;
}

/* It says that it does not use it, or says nothing any more. One that was let in and is still waking
 * up is not idle. */
static bool is_idle(const struct kfd_share *share)
{
	enum gpu_engine_state state = machine_client_engine(share->mc);
	enum gpu_share what;

	if (hear(share, &what))
		return what != GPU_SHARE_USES;
	return state != GPU_ENGINE_RUNNING && state != GPU_ENGINE_ASLEEP;
}

/* ------------------------------------------------ on and off */

static bool fits(const struct kfd_sharing *s, const struct kfd_share *share)
{
	return s->n_on < s->vmids && (!share->gws || !s->gws);
}

/* It comes on: what it needs is free. */
static void enter(struct kfd_sharing *s, struct kfd_share *share) VKF_REQUIRES(s->lock)
{
	vkf_list_del(&share->wait);
	share->state = KFD_SHARE_ON;
	share->wanted = false;
	share->since = vkf_now_ns();
	s->n_on++;
	if (share->gws)
		s->gws = share;
	say(share, 0);
}

/* It has nothing any more that others may want, and waits for nothing. */
static void release(struct kfd_sharing *s, struct kfd_share *share) VKF_REQUIRES(s->lock)
{
	if (is_on(share))
		s->n_on--;
	if (s->gws == share)
		s->gws = NULL;
	vkf_list_del(&share->wait);
	share->wanted = false;
	share->state = KFD_SHARE_OFF;
}

/* It must go. An engine that runs nothing has gone, and who did not answer last time is not waited
 * for. */
static void leave(struct kfd_sharing *s, struct kfd_share *share) VKF_REQUIRES(s->lock)
{
	say(share, GPU_GRANT_OFF);
	share->state = KFD_SHARE_LEAVES;
	share->since = vkf_now_ns();
	if (share->slow || !share->n_active || machine_client_engine(share->mc) != GPU_ENGINE_RUNNING)
		release(s, share);
}

static void ask(struct kfd_sharing *s, struct kfd_share *share) VKF_REQUIRES(s->lock)
{
	share->state = KFD_SHARE_WAITS;
	vkf_list_add_tail(&share->wait, &s->waiting);
}

/* Nobody has to wait for the end of a quantum who can have what another does not use. */
static void want(struct kfd_share *share)
{
	if (share->state != KFD_SHARE_ON || share->wanted)
		return;
	share->wanted = true;
	say(share, GPU_GRANT_WANTED);
}

/* ------------------------------------------------ turns */

/* Who has what @waiter lacks, and has had it longest; idle ones first. NULL: it is on its way. */
static struct kfd_share *find_victim(struct kfd_sharing *s, const struct kfd_share *waiter)
	VKF_REQUIRES(s->lock)
{
	struct kfd_share *share, *oldest = NULL;

	if (waiter->gws && s->gws)
		return s->gws->state == KFD_SHARE_ON ? s->gws : NULL;
	vkf_list_for_each(share, &s->all, link) {
		if (share->state != KFD_SHARE_ON)
			continue;
		if (is_idle(share))
			return share;
		if (!oldest || share->since < oldest->since)
			oldest = share;
	}
	return oldest;
}

static void want_all(struct kfd_sharing *s, const struct kfd_share *waiter) VKF_REQUIRES(s->lock)
{
	struct kfd_share *share;

	if (waiter->gws && s->gws) {
		want(s->gws);
		return;
	}
	vkf_list_for_each(share, &s->all, link)
		want(share);
}

static void let_in(struct kfd_sharing *s) VKF_REQUIRES(s->lock)
{
	struct kfd_share *share, *next;

	vkf_list_for_each_safe(share, next, &s->waiting, wait) {
		if (fits(s, share))
			enter(s, share);
	}
}

/* For each that waits one goes, if its time is up. Return: when the next one's is. */
static uint64_t make_room(struct kfd_sharing *s) VKF_REQUIRES(s->lock)
{
	uint64_t now = vkf_now_ns(), due = VKF_FOREVER;
	struct kfd_share *waiter, *victim;
	unsigned int n_leaving = 0;

	vkf_list_for_each(victim, &s->all, link) {
		if (victim->state != KFD_SHARE_LEAVES)
			continue;
		n_leaving++;
		due = VKF_MIN(due, victim->since + KFD_SHARE_GRACE_NS);
	}
	vkf_list_for_each(waiter, &s->waiting, wait) {
		if (n_leaving) {
			n_leaving--;
			continue;
		}
		victim = find_victim(s, waiter);
		if (!victim)
			continue;
		if (!is_idle(victim) && now - victim->since < KFD_SHARE_QUANTUM_NS) {
			want_all(s, waiter);
			due = VKF_MIN(due, victim->since + KFD_SHARE_QUANTUM_NS);
			continue;
		}
		leave(s, victim);
		due = VKF_MIN(due, now + (is_on(victim) ? KFD_SHARE_GRACE_NS : 0));
	}
	return due;
}

/* ------------------------------------------------ compute queues */

static bool has_part(const struct kfd_sharing *s, const struct kfd_share *share)
{
	return share->n_compute && (!s->shared || is_on(share));
}

/* How many slots all of them have if nobody has more than @level. */
static unsigned int sum_up_to(struct kfd_sharing *s, unsigned int level) VKF_REQUIRES(s->lock)
{
	struct kfd_share *share;
	unsigned int sum = 0;

	vkf_list_for_each(share, &s->all, link) {
		if (has_part(s, share))
			sum += VKF_MIN(share->n_compute, level);
	}
	return sum;
}

static void set_slots(struct kfd_share *share, unsigned int slots)
{
	if (share->slots == slots)
		return;
	share->slots = slots;
	machine_client_set_slots(share->mc, share->gpu, slots);
}

/* All that are active if there are enough slots; else everybody as many as he has queues, up to a
 * level, and the first ones of the others one of those that are left. */
static void deal_slots(struct kfd_sharing *s) VKF_REQUIRES(s->lock)
{
	bool enough = sum_up_to(s, UINT32_MAX) <= s->slots;
	unsigned int level = 1, left;
	struct kfd_share *share;

	while (!enough && sum_up_to(s, level + 1) <= s->slots)
		level++;
	left = enough ? 0 : s->slots - VKF_MIN(sum_up_to(s, level), s->slots);
	vkf_list_for_each(share, &s->all, link) {
		bool more = share->n_compute > level && left;

		if (!has_part(s, share))
			continue;
		left -= more;
		set_slots(share, enough ? s->slots : VKF_MIN(share->n_compute, level + more));
	}
}

/* ------------------------------------------------ the GPU */

/* Whatever has changed: who can come on does, who must go does, and the clock is set. */
static void settle(struct kfd_sharing *s) VKF_REQUIRES(s->lock)
{
	uint64_t due = 0, now;

	while (s->shared && due <= vkf_now_ns()) {
		let_in(s);
		due = make_room(s);
	}
	deal_slots(s);
	now = vkf_now_ns();
	if (s->shared && due != VKF_FOREVER)
		(void)vkf_work_mod(&s->tick, due > now ? due - now : 0);
}

static void tick(struct vkf_work *work)
{
	struct kfd_sharing *s = vkf_container_of(work, struct kfd_sharing, tick);
	struct kfd_share *share;

	vkf_mutex_lock(&s->lock);
	vkf_list_for_each(share, &s->all, link) {
		if (share->state != KFD_SHARE_LEAVES ||
		    vkf_now_ns() - share->since < KFD_SHARE_GRACE_NS)
			continue;
		share->slow = true;
		release(s, share);
	}
	settle(s);
	vkf_mutex_unlock(&s->lock);
}

void kfd_sharing_init(struct kfd_sharing *s, struct vkf_workq *wq, unsigned int vmids,
		      unsigned int slots)
{
	vkf_mutex_init(&s->lock, VKF_RANK_DEVICE);
	s->vmids = vmids;
	s->slots = slots;
	vkf_list_init(&s->all);
	vkf_list_init(&s->waiting);
	vkf_work_init(&s->tick, wq, tick);
}

void kfd_sharing_fini(struct kfd_sharing *s)
{
	VKF_ASSERT(vkf_list_empty(&s->all));
	(void)vkf_work_cancel_sync(&s->tick);
	vkf_mutex_fini(&s->lock);
}

static void begin_with(struct kfd_sharing *s, struct kfd_share *share) VKF_REQUIRES(s->lock)
{
	if (share->n_active && fits(s, share)) {
		enter(s, share);
		return;
	}
	s->n_on++;
	leave(s, share);
}

/* There was room for all but the one that comes now. */
static void begin_sharing(struct kfd_sharing *s, struct kfd_share *last) VKF_REQUIRES(s->lock)
{
	struct kfd_share *share;

	s->shared = true;
	s->n_on = 0;
	s->gws = NULL;
	vkf_list_for_each(share, &s->all, link) {
		if (share != last)
			begin_with(s, share);
	}
	begin_with(s, last);
}

static void end_sharing(struct kfd_sharing *s) VKF_REQUIRES(s->lock)
{
	struct kfd_share *share;

	s->shared = false;
	s->gws = NULL;
	vkf_list_for_each(share, &s->all, link) {
		vkf_list_del(&share->wait);
		share->state = KFD_SHARE_ON;
		machine_client_grant(share->mc, share->gpu, 0);
	}
}

/* It may have asked when it had nothing that could run. */
static void ask_if_heard(struct kfd_sharing *s, struct kfd_share *share) VKF_REQUIRES(s->lock)
{
	enum gpu_share what;

	if (share->n_active && hear(share, &what) && what == GPU_SHARE_ASKS)
		ask(s, share);
}

/* What it has has changed while the GPU is shared. */
static void adjust(struct kfd_sharing *s, struct kfd_share *share) VKF_REQUIRES(s->lock)
{
	if (!share->n_active && share->state != KFD_SHARE_OFF) {
		say(share, GPU_GRANT_OFF);
		release(s, share);
	} else if (!share->gws && s->gws == share) {
		s->gws = NULL;
	} else if (share->gws && share->state == KFD_SHARE_ON && s->gws != share) {
		if (s->gws)
			leave(s, share);
		else
			s->gws = share;
	} else if (share->state == KFD_SHARE_OFF) {
		ask_if_heard(s, share);
	}
}

static void appear(struct kfd_sharing *s, struct kfd_share *share) VKF_REQUIRES(s->lock)
{
	vkf_list_add_tail(&share->link, &s->all);
	s->n_shares++;
	if (!share->slots)
		share->slots = s->slots;
	if (!s->shared)
		return;
	share->state = KFD_SHARE_OFF;
	say(share, GPU_GRANT_OFF);
}

static void disappear(struct kfd_sharing *s, struct kfd_share *share) VKF_REQUIRES(s->lock)
{
	if (s->shared)
		release(s, share);
	vkf_list_del(&share->link);
	s->n_shares--;
	share->state = KFD_SHARE_ON;
	share->slow = false;
	if (s->shared)
		machine_client_grant(share->mc, share->gpu, 0);
}

void kfd_share_update(struct kfd_sharing *s, struct kfd_share *share,
		      const struct kfd_share_need *need)
{
	bool shared;

	vkf_mutex_lock(&s->lock);
	s->n_gws += (unsigned int)need->gws - share->gws;
	share->n_queues = need->n_queues;
	share->n_active = need->n_active;
	share->n_compute = need->n_compute;
	share->gws = need->gws;
	if (need->n_queues && !is_known(share))
		appear(s, share);
	else if (!need->n_queues && is_known(share))
		disappear(s, share);
	shared = s->n_shares > s->vmids || s->n_gws > 1;
	if (shared && !s->shared)
		begin_sharing(s, share);
	else if (!shared && s->shared)
		end_sharing(s);
	else if (shared && is_known(share))
		adjust(s, share);
	settle(s);
	vkf_mutex_unlock(&s->lock);
}

void kfd_share_answered(struct kfd_sharing *s, struct kfd_share *share)
{
	enum gpu_share what;

	vkf_mutex_lock(&s->lock);
	if (!s->shared || !is_known(share) || !hear(share, &what)) {
		vkf_mutex_unlock(&s->lock);
		return;
	}
	share->slow = false;
	if (share->state == KFD_SHARE_LEAVES)
		release(s, share);
	if (share->state == KFD_SHARE_ON && share->wanted && what != GPU_SHARE_USES) {
		say(share, GPU_GRANT_OFF);
		release(s, share);
	}
	if (share->state == KFD_SHARE_WAITS && what == GPU_SHARE_IDLE)
		release(s, share);
	if (share->state == KFD_SHARE_OFF && what == GPU_SHARE_ASKS && share->n_active)
		ask(s, share);
	settle(s);
	vkf_mutex_unlock(&s->lock);
}
