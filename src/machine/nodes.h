/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MACHINE_NODES_H
#define VKFD_MACHINE_NODES_H

/**
 * DOC: From a profile to topology records
 *
 * Linux builds its topology as it probes: first the CPU nodes, then one GPU after
 * the other, and each GPU adds links to the nodes that are there already, with
 * what is known at that moment. Some numbers that programs see follow from that
 * order alone (an indirect link has no recommended engines, a peer link has them
 * only when its owner was probed first), so nodes.c does the same steps in the
 * same order: kfd_crat.c and kfd_topology.c of 6.12.
 */
#include "machine/profile.h"
#include "topology/topology.h"

/* The caller frees it with topology_free(). Return: 0 or -ENOMEM. */
int machine_nodes_create(const struct machine_profile *m, struct topology **ret_topology);

#endif
