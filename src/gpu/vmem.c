/* SPDX-License-Identifier: MIT */
#include "gpu/vmem.h"
#include "gpu/mmu.h"

/* struct run - what is left of a contiguous piece on the host */
struct run {
	unsigned char *host;
	uint64_t len;
};

static int run_refill(struct gpu_worker *w, unsigned int gpu, uint64_t va, uint64_t max,
		      unsigned int access, struct run *run)
{
	void *host;
	int e;

	if (run->len)
		return 0;
	e = gpu_mmu_run(w, gpu, va, max, access, &host, &run->len);
	if (e)
		return e;
	run->host = host;
	return 0;
}

static void run_advance(struct run *run, uint64_t len)
{
	run->host += len;
	run->len -= len;
}

/* Whether the page at @host still takes this access, asked by doing one that changes nothing. */
static uint32_t probe(struct gpu_worker *w, const unsigned char *host, unsigned int access)
{
	const struct gpu_mem_ops *mem = w->engine->mem;
	void *word = (void *)((uintptr_t)host & ~(uintptr_t)7);
	uint32_t v;

	if (mem->load32(w->engine->cookie, word, &v))
		return GPU_FAULT_HOST | (access & GPU_WRITE ? GPU_FAULT_WRITE : 0);
	if (access & GPU_WRITE && mem->add64(w->engine->cookie, word, 0))
		return GPU_FAULT_HOST | GPU_FAULT_WRITE | GPU_FAULT_READ_ONLY;
	return 0;
}

/* An access of @len bytes failed on the host: record its first bad page, if it was this side. */
static bool blame(struct gpu_worker *w, unsigned int gpu, uint64_t va, const unsigned char *host,
		  uint64_t len, unsigned int access)
{
	uint64_t at = 0;

	while (at < len) {
		uint32_t status = probe(w, host + at, access);

		if (status) {
			w->fault = (struct gpu_fault_record){ va + at, gpu, status };
			return true;
		}
		at += VKF_PAGE_SIZE - ((uintptr_t)(host + at) & (VKF_PAGE_SIZE - 1));
	}
	return false;
}

/* The page may be back by now; the access failed all the same. */
static int host_fault(struct gpu_worker *w, unsigned int gpu, uint64_t va,
		      const unsigned char *host, uint64_t len, unsigned int access)
{
	if (!blame(w, gpu, va, host, len, access))
		w->fault = (struct gpu_fault_record){
			va, gpu, GPU_FAULT_HOST | (access & GPU_WRITE ? GPU_FAULT_WRITE : 0)
		};
	return -EFAULT;
}

int gpu_vmem_read(struct gpu_worker *w, unsigned int gpu, uint64_t va, void *dst, size_t len)
{
	unsigned char *to = dst;

	while (len) {
		struct run run = { 0 };
		int e = run_refill(w, gpu, va, len, GPU_READ, &run);

		if (e)
			return e;
		if (w->engine->mem->copy(w->engine->cookie, to, run.host, run.len))
			return host_fault(w, gpu, va, run.host, run.len, GPU_READ);
		va += run.len;
		to += run.len;
		len -= run.len;
	}
	return 0;
}

int gpu_vmem_write(struct gpu_worker *w, unsigned int gpu, uint64_t va, const void *src, size_t len)
{
	const unsigned char *from = src;

	while (len) {
		struct run run = { 0 };
		int e = run_refill(w, gpu, va, len, GPU_WRITE, &run);

		if (e)
			return e;
		if (w->engine->mem->copy(w->engine->cookie, run.host, from, run.len))
			return host_fault(w, gpu, va, run.host, run.len, GPU_WRITE);
		va += run.len;
		from += run.len;
		len -= run.len;
	}
	return 0;
}

static bool overlap(const unsigned char *a, const unsigned char *b, uint64_t len)
{
	return a < b ? (uint64_t)(b - a) < len : (uint64_t)(a - b) < len;
}

/* The ops copy distinct ranges only, and two addresses may lead to the same pages. */
static int copy_piece(struct gpu_worker *w, void *dst, const void *src, uint64_t len, bool bounce)
{
	const struct gpu_engine *engine = w->engine;

	if (!bounce)
		return engine->mem->copy(engine->cookie, dst, src, len);
	if (engine->mem->copy(engine->cookie, w->bounce, src, len))
		return -EFAULT;
	return engine->mem->copy(engine->cookie, dst, w->bounce, len);
}

static int copy_plain(struct gpu_worker *w, unsigned int gpu, uint64_t dst, uint64_t src,
		      uint64_t len)
{
	struct run from = { 0 }, to = { 0 };

	while (len) {
		uint64_t n;
		bool bounce;
		int e;

		e = run_refill(w, gpu, src, len, GPU_READ, &from);
		if (!e)
			e = run_refill(w, gpu, dst, len, GPU_WRITE, &to);
		if (e)
			return e;
		n = VKF_MIN(from.len, to.len);
		bounce = overlap(to.host, from.host, n);
		if (bounce)
			n = VKF_MIN(n, GPU_BOUNCE_BYTES);
		if (copy_piece(w, to.host, from.host, n, bounce)) {
			if (blame(w, gpu, src, from.host, n, GPU_READ))
				return -EFAULT;
			return host_fault(w, gpu, dst, to.host, n, GPU_WRITE);
		}
		run_advance(&from, n);
		run_advance(&to, n);
		src += n;
		dst += n;
		len -= n;
	}
	return 0;
}

/* Through the bounce buffer, last bytes first. */
static int copy_down(struct gpu_worker *w, unsigned int gpu, uint64_t dst, uint64_t src,
		     uint64_t len)
{
	while (len) {
		uint64_t n = VKF_MIN(len, GPU_BOUNCE_BYTES);
		int e;

		len -= n;
		e = gpu_vmem_read(w, gpu, src + len, w->bounce, n);
		if (!e)
			e = gpu_vmem_write(w, gpu, dst + len, w->bounce, n);
		if (e)
			return e;
	}
	return 0;
}

int gpu_vmem_copy(struct gpu_worker *w, unsigned int gpu, uint64_t dst, uint64_t src, uint64_t len)
{
	if (gpu_vmem_copies_down(dst, src, len))
		return copy_down(w, gpu, dst, src, len);
	return copy_plain(w, gpu, dst, src, len);
}

int gpu_vmem_fill(struct gpu_worker *w, unsigned int gpu, uint64_t dst, uint32_t word, uint64_t len)
{
	while (len) {
		struct run run = { 0 };
		int e = run_refill(w, gpu, dst, len, GPU_WRITE, &run);

		if (e)
			return e;
		if (w->engine->mem->fill(w->engine->cookie, run.host, word, run.len))
			return host_fault(w, gpu, dst, run.host, run.len, GPU_WRITE);
		dst += run.len;
		len -= run.len;
	}
	return 0;
}

/* The host address of a naturally aligned word, which no leaf's end can cut. */
static int word_host(struct gpu_worker *w, unsigned int gpu, uint64_t va, unsigned int size,
		     unsigned int access, void **ret_host)
{
	uint64_t len;
	int e;

	e = gpu_mmu_translate(w, gpu, va, access, ret_host, &len);
	if (e)
		return e;
	if (VKF_IS_ALIGNED(va, (uint64_t)size))
		return 0;
	w->fault = (struct gpu_fault_record){
		va, gpu, GPU_FAULT_NOT_PRESENT | (access & GPU_WRITE ? GPU_FAULT_WRITE : 0)
	};
	return -EFAULT;
}

int gpu_vmem_load32(struct gpu_worker *w, unsigned int gpu, uint64_t va, uint32_t *ret)
{
	void *host;
	int e = word_host(w, gpu, va, sizeof(*ret), GPU_READ, &host);

	if (!e && w->engine->mem->load32(w->engine->cookie, host, ret))
		e = host_fault(w, gpu, va, host, sizeof(*ret), GPU_READ);
	return e;
}

int gpu_vmem_load64(struct gpu_worker *w, unsigned int gpu, uint64_t va, uint64_t *ret)
{
	void *host;
	int e = word_host(w, gpu, va, sizeof(*ret), GPU_READ, &host);

	if (!e && w->engine->mem->load64(w->engine->cookie, host, ret))
		e = host_fault(w, gpu, va, host, sizeof(*ret), GPU_READ);
	return e;
}

int gpu_vmem_store32(struct gpu_worker *w, unsigned int gpu, uint64_t va, uint32_t v)
{
	void *host;
	int e = word_host(w, gpu, va, sizeof(v), GPU_WRITE, &host);

	if (!e && w->engine->mem->store32(w->engine->cookie, host, v))
		e = host_fault(w, gpu, va, host, sizeof(v), GPU_WRITE);
	return e;
}

int gpu_vmem_store64(struct gpu_worker *w, unsigned int gpu, uint64_t va, uint64_t v)
{
	void *host;
	int e = word_host(w, gpu, va, sizeof(v), GPU_WRITE, &host);

	if (!e && w->engine->mem->store64(w->engine->cookie, host, v))
		e = host_fault(w, gpu, va, host, sizeof(v), GPU_WRITE);
	return e;
}

int gpu_vmem_add64(struct gpu_worker *w, unsigned int gpu, uint64_t va, uint64_t v)
{
	void *host;
	int e = word_host(w, gpu, va, sizeof(v), GPU_READ | GPU_WRITE, &host);

	if (!e && w->engine->mem->add64(w->engine->cookie, host, v))
		e = host_fault(w, gpu, va, host, sizeof(v), GPU_READ | GPU_WRITE);
	return e;
}

int gpu_vmem_cas32(struct gpu_worker *w, unsigned int gpu, uint64_t va, uint32_t *expected,
		   uint32_t v)
{
	void *host;
	int e = word_host(w, gpu, va, sizeof(v), GPU_READ | GPU_WRITE, &host);

	if (!e && w->engine->mem->cas32(w->engine->cookie, host, expected, v))
		e = host_fault(w, gpu, va, host, sizeof(v), GPU_READ | GPU_WRITE);
	return e;
}

int gpu_vmem_cas64(struct gpu_worker *w, unsigned int gpu, uint64_t va, uint64_t *expected,
		   uint64_t v)
{
	void *host;
	int e = word_host(w, gpu, va, sizeof(v), GPU_READ | GPU_WRITE, &host);

	if (!e && w->engine->mem->cas64(w->engine->cookie, host, expected, v))
		e = host_fault(w, gpu, va, host, sizeof(v), GPU_READ | GPU_WRITE);
	return e;
}
