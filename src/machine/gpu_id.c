/* SPDX-License-Identifier: MIT */
#include "base/macro.h"
#include "machine/fields.h"

/* CRC-16 with the reflected polynomial 0x8005, start value 0, as the kernel's crc16(). */
static uint16_t crc16(const uint8_t *bytes, size_t len)
{
	uint16_t crc = 0;

	for (size_t i = 0; i < len; i++) {
		crc ^= bytes[i];
		for (unsigned int bit = 0; bit < 8; bit++)
			crc = (uint16_t)(crc >> 1 ^ (crc & 1 ? 0xa001 : 0));
	}
	return crc;
}

/* kfd_generate_gpu_id() of Linux 6.12, before it is made unique. */
static uint16_t hash_gpu(const struct machine_gpu *gpu)
{
	const uint32_t words[8] = {
		gpu->pci_devfn,
		gpu->subvendor_id | (uint32_t)gpu->subdevice_id << 16,
		gpu->pci_domain,
		gpu->device_id,
		gpu->pci_bus,
		(uint32_t)gpu->vram,
		(uint32_t)(gpu->vram >> 32),
		gpu->asic.xcc_count << 16, /* and the number of its first one, 0 */
	};
	uint8_t bytes[sizeof(words)];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(words[i / 4] >> i % 4 * 8);
	return crc16(bytes, sizeof(bytes));
}

static bool is_taken(const struct machine_profile *m, unsigned int n, uint16_t id)
{
	for (unsigned int i = 0; i < n; i++)
		if (m->gpus[i].gpu_id == id)
			return true;
	return false;
}

void machine_fill_gpu_ids(struct machine_profile *m)
{
	for (unsigned int i = 0; i < m->n_gpus; i++) {
		uint16_t id = hash_gpu(&m->gpus[i]);

		while (!id || is_taken(m, i, id))
			id = id ? (uint16_t)(id + 1) : 1;
		m->gpus[i].gpu_id = id;
	}
}
