/* SPDX-License-Identifier: MIT */
/**
 * DOC: What a random program does with events and time, and what is refused
 */
#include "sim_random.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void prog_do_event_create(struct prog *pr)
{
	for (unsigned int i = 0; i < PROG_EVENTS; i++) {
		struct prog_event *e = &pr->events[i];

		if (e->live)
			continue;
		*e = (struct prog_event){ .auto_reset = prog_once_in(pr, 2) };
		e->live = !prog_event_create(pr, KFD_IOC_EVENT_SIGNAL, e->auto_reset, &e->id);
		return;
	}
}

void prog_do_event_change(struct prog *pr)
{
	static const unsigned long cmds[] = { K_SET_EVENT, K_SET_EVENT, K_RESET_EVENT,
					      K_DESTROY_EVENT };
	struct prog_event *e = &pr->events[prog_dice(pr, PROG_EVENTS)];
	unsigned long cmd = cmds[prog_dice(pr, VKF_ARRAY_SIZE(cmds))];

	if (!e->live || prog_event_call(pr, cmd, e->id))
		return;
	e->signaled = cmd == K_SET_EVENT;
	e->live = cmd != K_DESTROY_EVENT;
}

/* What a wait for @list must give, and what it leaves behind. */
static uint32_t model_wait(struct prog_event *const *list, unsigned int n, bool all)
{
	unsigned int activated = 0;

	for (unsigned int i = 0; i < n; i++) {
		activated += list[i]->signaled;
		if (list[i]->auto_reset)
			list[i]->signaled = false;
	}
	return (all ? activated == n : activated > 0) ? KFD_IOC_WAIT_RESULT_COMPLETE
						      : KFD_IOC_WAIT_RESULT_TIMEOUT;
}

void prog_do_wait(struct prog *pr)
{
	const uint32_t timeouts[] = { 0, 0, 1, 10, 1000, prog_longest_ms(pr) };
	uint32_t ms = timeouts[prog_dice(pr, VKF_ARRAY_SIZE(timeouts))], ids[PROG_EVENTS], result;
	struct prog_event *list[PROG_EVENTS];
	bool all = prog_once_in(pr, 2);
	unsigned int n = 0;

	for (unsigned int i = 0; i < PROG_EVENTS; i++) {
		if (!pr->events[i].live || prog_once_in(pr, 3))
			continue;
		list[n] = &pr->events[i];
		ids[n++] = pr->events[i].id;
	}
	if (!n || prog_wait(pr, ids, n, all, ms, &result))
		return;
	if (result != model_wait(list, n, all))
		msim_fail(pr->m, "%s: a wait for %s of %u events gave %u", pr->t->name,
			  all ? "all" : "any", n, result);
}

void prog_do_sleep(struct prog *pr)
{
	/* Programs under pressure change places ten times a second meanwhile. */
	unsigned int bits = prog_config_of(pr)->pressure ? 30 : 40;

	vkf_sleep_ns(prog_dice(pr, UINT64_C(1) << prog_dice(pr, bits)), false);
}

/* The driver's clock is the one that time passes by. */
void prog_do_clock(struct prog *pr)
{
	struct kfd_ioctl_get_clock_counters_args args = { .gpu_id = pr->m->profile.gpus[0].gpu_id };
	uint64_t before = vkf_now_ns();

	if (prog_expect(pr, "CLOCK", msim_ioctl(pr->t, pr->s->kfd, K_CLOCK, &args), 0, false))
		return;
	if (args.cpu_clock_counter < before || args.cpu_clock_counter > vkf_now_ns() ||
	    args.gpu_clock_counter < before / 10 || args.gpu_clock_counter > vkf_now_ns() / 10)
		msim_fail(pr->m, "%s: the clock is wrong", pr->t->name);
}

/* ------------------------------------------------ SMI events */

static void open_smi(struct prog *pr)
{
	unsigned int gpu = prog_random_gpu(pr);
	struct kfd_ioctl_smi_events_args args = { .gpuid = prog_gpu_id(pr, gpu) };
	int r = msim_ioctl(pr->t, pr->s->kfd, K_SMI, &args);

	/* There are few of them. */
	if (r == -EMFILE || prog_expect(pr, "SMI_EVENTS", r, 0, false))
		return;
	pr->smi_fd = (int)args.anon_fd + 1;
	pr->smi_gpu = gpu;
	msim_smi_write(pr->t, (int)args.anon_fd, ~UINT64_C(0) >> 1);
}

/* One line of @text: its kind, and what a listener of this process and GPU may be told. */
static void check_smi_line(struct prog *pr, const char *line)
{
	uint32_t gpu_id = prog_gpu_id(pr, pr->smi_gpu);
	unsigned int event, id = 0;
	unsigned long long when = 0;
	int pid = 0, n = 0;

	if (sscanf(line, "%x %n", &event, &n) != 1)
		msim_fail(pr->m, "%s: an SMI line is \"%s\"", pr->t->name, line);
	pr->m->n.smi_lines++;
	if (event != KFD_SMI_EVENT_QUEUE_EVICTION && event != KFD_SMI_EVENT_QUEUE_RESTORE) {
		if (event != KFD_SMI_EVENT_VMFAULT && event != KFD_SMI_EVENT_GPU_PRE_RESET &&
		    event != KFD_SMI_EVENT_GPU_POST_RESET)
			msim_fail(pr->m, "%s: an SMI event of kind %u", pr->t->name, event);
		return;
	}
	if (sscanf(line + n, "%llu -%d %x", &when, &pid, &id) != 3 || pid != pr->p->pid ||
	    id != gpu_id || when > vkf_now_ns())
		msim_fail(pr->m, "%s: an SMI line is \"%s\"", pr->t->name, line);
}

/* Read what has come; or begin to listen, or cease to. */
void prog_do_smi(struct prog *pr)
{
	char text[KFD_SMI_FIFO_BYTES + 1], *line = text, *end;

	if (!pr->smi_fd) {
		open_smi(pr);
		return;
	}
	msim_smi_read(pr->t, pr->smi_fd - 1, text, sizeof(text));
	while ((end = strchr(line, '\n'))) {
		*end = '\0';
		check_smi_line(pr, line);
		line = end + 1;
	}
	if (*line)
		msim_fail(pr->m, "%s: an SMI line was cut", pr->t->name);
	if (!prog_once_in(pr, 6))
		return;
	msim_close(pr->t, pr->smi_fd - 1);
	pr->smi_fd = 0;
}

/* ------------------------------------------------ mistakes */

static void refuse(struct prog *pr, const char *what, unsigned long cmd, void *args, int want)
{
	prog_expect(pr, what, msim_ioctl(pr->t, pr->s->kfd, cmd, args), want, false);
}

/* What a queue lives on stays. */
static void refuse_ring(struct prog *pr)
{
	const struct prog_queue *q = &pr->queues[prog_dice(pr, PROG_QUEUES)];
	struct kfd_ioctl_unmap_memory_from_gpu_args unmap = { .handle = q->ring->handle,
							      .n_devices = 1 };

	if (!q->live)
		return;
	*(uint32_t *)pr->t->user = prog_gpu_id(pr, q->gpu);
	unmap.device_ids_array_ptr = (uintptr_t)pr->t->user;
	refuse(pr, "UNMAP of a ring", K_UNMAP, &unmap, -EBUSY);
}

void prog_do_mistake(struct prog *pr)
{
	struct kfd_ioctl_map_memory_to_gpu_args map = { .handle = pr->signals.handle,
							.n_devices = 1 };
	struct kfd_ioctl_wait_events_args wait = { .num_events = 1, .timeout = 5 };
	struct kfd_ioctl_free_memory_of_gpu_args mem = { .handle = UINT64_C(0xbad) << 32 };
	struct kfd_ioctl_destroy_queue_args queue = { .queue_id = 1000 };
	struct kfd_event_data *data = (struct kfd_event_data *)pr->t->user;

	switch (prog_dice(pr, 7)) {
	case 0:
		map.device_ids_array_ptr = 8; /* memory of nobody */
		refuse(pr, "MAP with a bad pointer", K_MAP, &map, -EFAULT);
		break;
	case 1:
		*(uint32_t *)pr->t->user = 0xdead;
		map.device_ids_array_ptr = (uintptr_t)pr->t->user;
		refuse(pr, "MAP to no GPU", K_MAP, &map, -EINVAL);
		break;
	case 2:
		refuse(pr, "FREE of nothing", K_FREE, &mem, -EINVAL);
		break;
	case 3:
		refuse(pr, "DESTROY_QUEUE of nothing", K_DESTROY_QUEUE, &queue, -EINVAL);
		break;
	case 4:
		memset(data, 0, sizeof(*data));
		data->event_id = 4000;
		wait.events_ptr = (uintptr_t)data;
		refuse(pr, "WAIT_EVENTS for nothing", K_WAIT_EVENTS, &wait, -EINVAL);
		break;
	case 5:
		refuse_ring(pr);
		break;
	default:
		refuse(pr, "an unknown number", NR(0x60, uint32_t), &queue, -ENOTTY);
	}
}
