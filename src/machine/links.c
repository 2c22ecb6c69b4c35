/* SPDX-License-Identifier: MIT */
#include "machine/links.h"

#include "base/macro.h"

#define WEIGHT_PCIE 20
#define WEIGHT_XGMI 15

static bool is_cpu(const struct machine_build *b, unsigned int node)
{
	return node < b->m->n_sockets;
}

static const struct machine_gpu *gpu_of(const struct machine_build *b, unsigned int node)
{
	return &b->m->gpus[node - b->m->n_sockets];
}

static struct topology_link *add_link(struct topology_link *links, unsigned int *n_links,
				      const struct topology_link *l, unsigned int from,
				      unsigned int to)
{
	struct topology_link *out = &links[(*n_links)++];

	*out = *l;
	out->node_from = from;
	out->node_to = to;
	return out;
}

static struct topology_link *add_io_link(struct machine_build *b, const struct topology_link *l,
					 unsigned int from, unsigned int to)
{
	struct topology_node *n = &b->t->nodes[from];

	return add_link(n->io_links, &n->n_io_links, l, from, to);
}

static struct topology_link *add_p2p_link(struct machine_build *b, const struct topology_link *l,
					  unsigned int from, unsigned int to)
{
	struct topology_node *n = &b->t->nodes[from];

	return add_link(n->p2p_links, &n->n_p2p_links, l, from, to);
}

static struct topology_link *find_link(struct topology_link *links, unsigned int n_links,
				       unsigned int to)
{
	for (unsigned int i = 0; i < n_links; i++)
		if (links[i].node_to == to)
			return &links[i];
	return NULL;
}

/* MB/s: lanes times gigatransfers. The least is one lane of the first generation. */
static unsigned int pcie_bandwidth(unsigned int lanes, unsigned int gts_x10)
{
	return lanes * gts_x10 * 100 / 8;
}

/* MB/s; the driver knows it from Aldebaran on. */
static unsigned int xgmi_bandwidth(const struct machine_gpu *gpu, unsigned int links)
{
	return gpu->asic.gfx_target < 90010 ? 0 : links * 16 * 25000 / 8;
}

/* kfd_fill_gpu_direct_io_link_to_cpu(): back from the CPU only when it can reach all of VRAM. */
static void link_to_cpu(struct machine_build *b, unsigned int node)
{
	const struct machine_gpu *gpu = gpu_of(b, node);
	const struct topology_link l = {
		.type = MACHINE_LINK_PCIE,
		.weight = WEIGHT_PCIE,
		.min_bandwidth = pcie_bandwidth(1, 25),
		.max_bandwidth = pcie_bandwidth(gpu->pcie_lanes, gpu->pcie_gts_x10),
	};

	add_io_link(b, &l, node, gpu->socket);
	if (machine_has_large_bar(gpu))
		add_io_link(b, &l, gpu->socket, node);
}

/* kfd_fill_gpu_xgmi_link_to_gpu(): to each member of the hive that is there already, and back. */
static void link_to_hive(struct machine_build *b, unsigned int node)
{
	const struct machine_gpu *gpu = gpu_of(b, node);
	unsigned int index = node - b->m->n_sockets;

	for (unsigned int peer = 0; peer < index; peer++) {
		const struct topology_link l = {
			.type = MACHINE_LINK_XGMI,
			.weight = WEIGHT_XGMI,
			.min_bandwidth = xgmi_bandwidth(gpu, 1),
			.max_bandwidth = xgmi_bandwidth(gpu, gpu->xgmi_links),
		};

		if (!machine_same_hive(b->m, index, peer))
			continue;
		add_io_link(b, &l, node, b->m->n_sockets + peer);
		add_io_link(b, &l, b->m->n_sockets + peer, node);
	}
}

/* Add the link between two sockets, if they are two, to a path: weights sum, the narrowest leg
 * counts. */
static void add_socket_leg(struct machine_build *b, struct topology_link *path, unsigned int from,
			   unsigned int to)
{
	struct topology_node *cpu = &b->t->nodes[from];
	const struct topology_link *leg = find_link(cpu->io_links, cpu->n_io_links, to);

	if (from == to || !leg)
		return;
	path->weight += leg->weight;
	path->min_bandwidth = VKF_MIN(path->min_bandwidth, leg->min_bandwidth);
	path->max_bandwidth = VKF_MIN(path->max_bandwidth, leg->max_bandwidth);
}

/* kfd_create_indirect_link_prop(): to the sockets that are not its own. */
static void link_to_far_cpus(struct machine_build *b, unsigned int node)
{
	const struct machine_gpu *gpu = gpu_of(b, node);

	for (unsigned int cpu = 0; cpu < b->m->n_sockets; cpu++) {
		struct topology_link path = b->t->nodes[node].io_links[0];

		if (cpu == gpu->socket)
			continue;
		add_socket_leg(b, &path, cpu, gpu->socket);
		add_p2p_link(b, &path, node, cpu);
		if (machine_has_large_bar(gpu))
			add_p2p_link(b, &path, cpu, node);
	}
}

/* kfd_add_peer_prop(): how @accessor reaches the memory of @owner, through both root ports. */
static void link_peer(struct machine_build *b, unsigned int owner, unsigned int accessor)
{
	const struct topology_link *o = &b->t->nodes[owner].io_links[0];
	const struct topology_link *a = &b->t->nodes[accessor].io_links[0];
	struct topology_link path = *o;

	if (!machine_peer_accessible(b->m, owner - b->m->n_sockets, accessor - b->m->n_sockets))
		return;
	path.weight += a->weight;
	path.min_bandwidth = VKF_MIN(o->min_bandwidth, a->min_bandwidth);
	path.max_bandwidth = a->max_bandwidth;
	add_socket_leg(b, &path, o->node_to, a->node_to);
	add_p2p_link(b, &path, accessor, owner);
}

/* kfd_dev_create_p2p_links() */
static void link_to_peers(struct machine_build *b, unsigned int node)
{
	unsigned int index = node - b->m->n_sockets;

	link_to_far_cpus(b, node);
	for (unsigned int peer = 0; peer < index; peer++) {
		if (machine_same_hive(b->m, index, peer))
			continue;
		link_peer(b, node, b->m->n_sockets + peer);
		link_peer(b, b->m->n_sockets + peer, node);
	}
}

/*
 * kfd_set_iolink_no_atomics(): XGMI always has them, and so has the way to a GPU, each of which can
 * complete them. The way out of it has them when the root port forwards them.
 */
static void set_atomics(struct topology_link *out, const struct machine_gpu *gpu)
{
	out->flags = TOPOLOGY_LINK_ENABLED;
	if (out->type != MACHINE_LINK_XGMI && !gpu->pcie_atomics)
		out->flags |= TOPOLOGY_LINK_NO_ATOMICS;
}

/* kfd_set_iolink_non_coherent() */
static void set_coherence(const struct machine_build *b, struct topology_link *out,
			  struct topology_link *in)
{
	bool to_cpu = is_cpu(b, out->node_to);
	bool pcie = in->type == MACHINE_LINK_PCIE;

	if (to_cpu && pcie)
		in->flags |= TOPOLOGY_LINK_NON_COHERENT;
	if (to_cpu || (!pcie && gpu_of(b, out->node_to)->asic.gfx_target != 90006))
		return;
	out->flags |= TOPOLOGY_LINK_NON_COHERENT;
	in->flags |= TOPOLOGY_LINK_NON_COHERENT;
}

/* kfd_set_recommended_sdma_engines(), for chips with fewer than 14 XGMI engines */
static void set_engines(const struct machine_build *b, struct topology_link *out,
			struct topology_link *in)
{
	const struct machine_asic *a = &gpu_of(b, out->node_from)->asic;
	bool xgmi = out->type == MACHINE_LINK_XGMI && a->sdma_xgmi_engines;
	unsigned int first = xgmi ? a->sdma_engines : 0;
	unsigned int n = xgmi ? a->sdma_xgmi_engines : a->sdma_engines;

	out->sdma_mask |= ((1u << n) - 1) << first;
	in->sdma_mask |= ((1u << n) - 1) << first;
}

/* kfd_fill_iolink_non_crat_info(): flags and engines, for the links of @node and those back. */
static void finish_links(struct machine_build *b, unsigned int node)
{
	const struct machine_gpu *gpu = gpu_of(b, node);
	struct topology_node *n = &b->t->nodes[node];

	for (unsigned int i = 0; i < n->n_io_links; i++) {
		struct topology_link *out = &n->io_links[i], *in;
		struct topology_node *peer = &b->t->nodes[out->node_to];

		set_atomics(out, gpu);
		in = find_link(peer->io_links, peer->n_io_links, node);
		if (!in)
			continue;
		in->flags = TOPOLOGY_LINK_ENABLED;
		set_coherence(b, out, in);
		set_engines(b, out, in);
	}
	for (unsigned int i = 0; i < n->n_p2p_links; i++) {
		struct topology_link *out = &n->p2p_links[i], *in;
		struct topology_node *peer = &b->t->nodes[out->node_to];

		set_atomics(out, gpu);
		in = find_link(peer->p2p_links, peer->n_p2p_links, node);
		if (!in)
			continue;
		in->flags = TOPOLOGY_LINK_ENABLED;
		set_coherence(b, out, in);
	}
}

void machine_links_add(struct machine_build *b, unsigned int node)
{
	link_to_cpu(b, node);
	link_to_hive(b, node);
	link_to_peers(b, node);
	finish_links(b, node);
}
