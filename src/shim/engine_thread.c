/* SPDX-License-Identifier: MIT */
#include "shim/engine_thread.h"

#include <errno.h>
#include <linux/prctl.h>
#include <pthread.h>
#include <sys/uio.h>
#include "shim/conn.h"
#include "shim/hidden.h"
#include "shim/shim.h"
#include "shim/umem.h"

#define FILL_WORDS 1024

/* Copy without the kernel's copying call, where a filter forbids it. */
static int copy_probed(void *dst, const void *src, size_t len)
{
	if (umem_readable((uintptr_t)src, len) != len)
		return -EFAULT;
	return umem_write((uintptr_t)dst, src, len);
}

static int thread_copy(void *cookie, void *dst, const void *src, size_t len)
{
	while (len) {
		struct iovec to = { dst, len }, from = { (void *)src, len };
		long n = SYS6(process_vm_readv, SYS0(getpid), &to, 1, &from, 1, 0);

		if (n == -EPERM || n == -ENOSYS)
			return copy_probed(dst, src, len);
		if (n <= 0)
			return -EFAULT;
		dst = (char *)dst + n;
		src = (const char *)src + n;
		len -= (size_t)n;
	}
	return 0;
}

static int thread_fill(void *cookie, void *dst, uint32_t word, size_t len)
{
	uint32_t words[FILL_WORDS];
	int r = 0;

	for (size_t i = 0; i < FILL_WORDS; i++)
		words[i] = word;
	while (len && !r) {
		size_t n = len < sizeof(words) ? len : sizeof(words);

		r = thread_copy(cookie, dst, words, n);
		dst = (char *)dst + n;
		len -= n;
	}
	return r;
}

static int thread_load32(void *cookie, const void *addr, uint32_t *ret)
{
	if (umem_readable((uintptr_t)addr, 4) != 4)
		return -EFAULT;
	*ret = __atomic_load_n((const uint32_t *)addr, __ATOMIC_ACQUIRE);
	return 0;
}

static int thread_load64(void *cookie, const void *addr, uint64_t *ret)
{
	if (umem_readable((uintptr_t)addr, 8) != 8)
		return -EFAULT;
	*ret = __atomic_load_n((const uint64_t *)addr, __ATOMIC_ACQUIRE);
	return 0;
}

static int thread_store32(void *cookie, void *addr, uint32_t v)
{
	if (!umem_writable((uintptr_t)addr, 4))
		return -EFAULT;
	__atomic_store_n((uint32_t *)addr, v, __ATOMIC_RELEASE);
	return 0;
}

static int thread_store64(void *cookie, void *addr, uint64_t v)
{
	if (!umem_writable((uintptr_t)addr, 8))
		return -EFAULT;
	__atomic_store_n((uint64_t *)addr, v, __ATOMIC_RELEASE);
	return 0;
}

static int thread_add64(void *cookie, void *addr, uint64_t v)
{
	if (!umem_writable((uintptr_t)addr, 8))
		return -EFAULT;
	__atomic_fetch_add((uint64_t *)addr, v, __ATOMIC_SEQ_CST);
	return 0;
}

static int thread_cas32(void *cookie, void *addr, uint32_t *expected, uint32_t desired)
{
	if (!umem_writable((uintptr_t)addr, 4))
		return -EFAULT;
	__atomic_compare_exchange_n((uint32_t *)addr, expected, desired, false, __ATOMIC_SEQ_CST,
				    __ATOMIC_SEQ_CST);
	return 0;
}

static int thread_cas64(void *cookie, void *addr, uint64_t *expected, uint64_t desired)
{
	if (!umem_writable((uintptr_t)addr, 8))
		return -EFAULT;
	__atomic_compare_exchange_n((uint64_t *)addr, expected, desired, false, __ATOMIC_SEQ_CST,
				    __ATOMIC_SEQ_CST);
	return 0;
}

static const struct gpu_mem_ops thread_mem_ops = {
	.copy = thread_copy,
	.fill = thread_fill,
	.load32 = thread_load32,
	.load64 = thread_load64,
	.store32 = thread_store32,
	.store64 = thread_store64,
	.add64 = thread_add64,
	.cas32 = thread_cas32,
	.cas64 = thread_cas64,
};

const struct gpu_engine_ops engine_thread_ops = {
	.mem = &thread_mem_ops,
	.now_ns = engine_now_ns,
	.irq = engine_wake_interrupt_task,
	.relax = engine_relax,
};

static void *run(void *engine)
{
	struct engine *e = engine;

	SYS2(prctl, PR_SET_NAME, "vkfd-engine");
	SYS2(prctl, PR_SET_TIMERSLACK, 1);
	gpu_engine_set_state(e->gpu, GPU_ENGINE_RUNNING);
	atomic_store(&e->status, ENGINE_RUNNING);
	sys_futex_wake(&e->status, 1);
	engine_run(e);
	hidden_close(e->fd);
	return NULL;
}

static int connect_driver(struct engine *e)
{
	struct wire_hello hello = { .kind = WIRE_ENGINE, .session = e->session, .token = e->token };
	struct wire_welcome w;
	int fd = conn_open(&hello, &w, NULL, 0), r;

	if (fd < 0)
		return fd;
	r = hidden_add(fd);
	if (r < 0) {
		sys_close(fd);
		return r;
	}
	e->fd = r;
	return 0;
}

int engine_thread_start(struct engine *e)
{
	pthread_attr_t attr;
	pthread_t thread;
	int r = connect_driver(e);

	if (r)
		return r;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, ENGINE_STACK_BYTES);
	/* The starter has all signals blocked, and so has the thread. */
	r = -pthread_create(&thread, &attr, run, e);
	pthread_attr_destroy(&attr);
	if (r)
		hidden_close(e->fd);
	return r;
}
