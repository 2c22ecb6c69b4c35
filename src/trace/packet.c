/* SPDX-License-Identifier: MIT */
/**
 * DOC: Names of packets
 *
 * By the numbers of spec/: the queue's type, the operation, and where it says more,
 * the sub-operation.
 */
#include "spec/aql.h"
#include "spec/pm4.h"
#include "spec/sdma_v4.h"
#include "trace/table.h"

#define TYPE_OF(packet) ((packet) >> 16)
#define SUB_OF(packet)  ((packet) >> 8 & 0xff)
#define OP_OF(packet)   ((packet)&0xff)

struct name {
	uint8_t op, sub;
	const char *name;
};

static const struct name sdma[] = {
	{ SDMA_V4_OP_NOP, 0, "NOP" },
	{ SDMA_V4_OP_COPY, SDMA_V4_SUB_COPY_LINEAR, "COPY_LINEAR" },
	{ SDMA_V4_OP_COPY, SDMA_V4_SUB_COPY_RECT, "COPY_RECT" },
	{ SDMA_V4_OP_WRITE, 0, "WRITE_LINEAR" },
	{ SDMA_V4_OP_INDIRECT, 0, "INDIRECT" },
	{ SDMA_V4_OP_FENCE, 0, "FENCE" },
	{ SDMA_V4_OP_TRAP, 0, "TRAP" },
	{ SDMA_V4_OP_POLL_REGMEM, 0, "POLL_REGMEM" },
	{ SDMA_V4_OP_ATOMIC, 0, "ATOMIC" },
	{ SDMA_V4_OP_CONST_FILL, 0, "CONST_FILL" },
	{ SDMA_V4_OP_TIMESTAMP, SDMA_V4_SUB_TIMESTAMP_GET_GLOBAL, "TIMESTAMP" },
	{ SDMA_V4_OP_DUMMY_TRAP, 0, "DUMMY_TRAP" },
	{ SDMA_V4_OP_DUMMY_TRAP_V6, 0, "DUMMY_TRAP" },
	{ 0, 0, NULL },
};

static const struct name pm4[] = {
	{ PM4_OP_NOP, 0, "NOP" },
	{ PM4_OP_ATOMIC_MEM, 0, "ATOMIC_MEM" },
	{ PM4_OP_PRED_EXEC, 0, "PRED_EXEC" },
	{ PM4_OP_WRITE_DATA, 0, "WRITE_DATA" },
	{ PM4_OP_WAIT_REG_MEM, 0, "WAIT_REG_MEM" },
	{ PM4_OP_INDIRECT_BUFFER, 0, "INDIRECT_BUFFER" },
	{ PM4_OP_COPY_DATA, 0, "COPY_DATA" },
	{ PM4_OP_EVENT_WRITE, 0, "EVENT_WRITE" },
	{ PM4_OP_RELEASE_MEM, 0, "RELEASE_MEM" },
	{ PM4_OP_DMA_DATA, 0, "DMA_DATA" },
	{ PM4_OP_ACQUIRE_MEM, 0, "ACQUIRE_MEM" },
	{ PM4_OP_SET_SH_REG, 0, "SET_SH_REG" },
	{ 0, 0, NULL },
};

static const struct name aql[] = {
	{ AQL_TYPE_VENDOR, 0, "vendor" },
	{ AQL_TYPE_INVALID, 0, "invalid" },
	{ AQL_TYPE_KERNEL_DISPATCH, 0, "dispatch" },
	{ AQL_TYPE_BARRIER_AND, 0, "barrier-and" },
	{ AQL_TYPE_AGENT_DISPATCH, 0, "agent dispatch" },
	{ AQL_TYPE_BARRIER_OR, 0, "barrier-or" },
	{ 0, 0, NULL },
};

const char *trace_packet_name(uint32_t packet)
{
	static const struct name *const types[] = { pm4, sdma, aql, sdma };
	const struct name *n;

	if (TYPE_OF(packet) >= VKF_ARRAY_SIZE(types))
		return NULL;
	for (n = types[TYPE_OF(packet)]; n->name; n++)
		if (n->op == OP_OF(packet) && n->sub == SUB_OF(packet))
			return n->name;
	return NULL;
}
