/* SPDX-License-Identifier: MIT */
/**
 * DOC: bench_crowd [--buffers N] [--rounds N]: one program takes all of a GPU from another
 *
 * Under `vkfd trace` on eight GPUs that may be overcommitted; it prints nothing, the
 * trace says how long it took. The one has N buffers on GPU 0, half of its memory
 * together, and eight idle queues on each GPU. The other has one buffer nearly as large
 * as GPU 0, and frees it again as soon as it is mapped. Nobody touches any of it.
 */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "bench.h"
#include "sdma.h"

#define N_QUEUES   64
#define VRAM       (64 * GIB)
#define ROUND_MSEC 400 /* it is brought back after 100 */

const struct bench_os *bench_os = &bench_libc;

static void sleep_msec(long msec)
{
	struct timespec ts = { msec / 1000, msec % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

static void sit(int say, unsigned int n)
{
	static struct sdma q[N_QUEUES];
	uint64_t bytes = VRAM / 2 / n / (2 * MIB) * (2 * MIB);
	struct gpus g;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	gpus_open(&g);
	for (unsigned int i = 0; i < N_QUEUES; i++)
		sdma_create(&g, i % FAN_GPUS, i, &q[i]);
	for (unsigned int i = 0; i < n; i++) {
		uint64_t handle =
			gpus_alloc(&g, 0, VA(100) + i * bytes, bytes, F_VRAM | F_WRITE, NULL);

		gpus_map(&g, handle, 0, 1);
	}
	if (write(say, "", 1) != 1)
		bench_fail("nobody listens");
	pause();
}

static void crowd(unsigned int rounds)
{
	struct gpus g;

	gpus_open(&g);
	for (unsigned int i = 0; i < rounds; i++) {
		uint64_t handle = gpus_alloc(&g, 0, VA(0), VRAM - GIB, F_VRAM | F_WRITE, NULL);

		gpus_map(&g, handle, 0, 1);
		gpus_unmap(&g, handle, 0, 1);
		gpus_free(&g, handle);
		sleep_msec(ROUND_MSEC);
	}
}

int main(int argc, char **argv)
{
	unsigned int n = (unsigned int)bench_option(argc, argv, "--buffers", 1000);
	int pipes[2];
	char byte;
	pid_t pid;

	if (pipe(pipes) < 0 || (pid = fork()) < 0)
		bench_fail("no second program");
	if (!pid)
		sit(pipes[1], n);
	close(pipes[1]);
	if (read(pipes[0], &byte, 1) != 1)
		bench_fail("the first program failed");
	crowd((unsigned int)bench_option(argc, argv, "--rounds", 7));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return 0;
}
