// SPDX-License-Identifier: GPL-2.0
/* The PF's table of VFs. A VF reads its GUIDs and MAC here when it is probed, and not again. */
#include <linux/if_vlan.h>

#include "rdmalab.h"

/* Looks the record up and leaves the lock taken, or returns NULL without. */
static struct lab_vf *vf_get(struct lab_pf *pf, int vf)
{
	mutex_lock(&pf->lock);
	if (vf >= 0 && vf < pf->num_vfs)
		return &pf->vf[vf];
	mutex_unlock(&pf->lock);
	return NULL;
}

static void vf_put(struct lab_pf *pf)
{
	mutex_unlock(&pf->lock);
}

/* ---- life ---- */

/* What a change of the number of VFs leaves of the settings. Caller holds pf->lock. */
void lab_vf_wipe(struct lab_pf *pf)
{
	int i;

	for (i = 0; i < pf->total_vfs; i++) {
		struct lab_vf *v = &pf->vf[i];
		struct lab_vf old = *v;

		memset(v, 0, sizeof(*v));
		v->fn = old.fn;
		if (lab_keep_guids) {
			v->node_guid = old.node_guid;
			v->port_guid = old.port_guid;
			v->link_state = old.link_state;
		}
		if (lab_vf_guids && !v->node_guid && pf->fn)
			v->node_guid = pf->fn->node_guid + 1 + i;
		if (lab_vf_guids && !v->port_guid && pf->fn)
			v->port_guid = pf->fn->port_guid + 1 + i;
	}
}

/* Gives a function that is being probed its identity. */
int lab_vf_take(struct lab_pf *pf, int vf, struct lab_fn *fn)
{
	struct lab_vf *v = vf_get(pf, vf);

	if (!v)
		return -ENODEV;
	fn->node_guid = v->node_guid;
	fn->port_guid = v->port_guid;
	ether_addr_copy(fn->mac, v->mac);
	vf_put(pf);
	return 0;
}

void lab_vf_bound(struct lab_pf *pf, int vf, struct lab_fn *fn)
{
	mutex_lock(&pf->lock);
	pf->vf[vf].fn = fn;
	mutex_unlock(&pf->lock);
}

/* ---- settings ---- */

int lab_vf_set_guid(struct lab_pf *pf, int vf, u64 guid, bool port)
{
	struct lab_vf *v;
	int err;

	lab_delay(&lab_guid_delay_ms);
	err = lab_fault_hit(&lab_fail_guid, vf);
	if (err)
		return err;
	v = vf_get(pf, vf);
	if (!v)
		return -EINVAL;
	if (port)
		v->port_guid = guid;
	else
		v->node_guid = guid;
	vf_put(pf);
	return 0;
}

int lab_vf_get_guid(struct lab_pf *pf, int vf, u64 *node, u64 *port)
{
	struct lab_vf *v = vf_get(pf, vf);

	if (!v)
		return -EINVAL;
	*node = v->node_guid;
	*port = v->port_guid;
	vf_put(pf);
	return 0;
}

/* As mlx5: the node GUID follows the MAC, with ff:fe in the middle and no bit flipped. */
int lab_vf_set_mac(struct lab_pf *pf, int vf, const u8 *mac)
{
	struct lab_vf *v;
	int err;

	if (is_multicast_ether_addr(mac))
		return -EINVAL;
	err = lab_fault_hit(&lab_fail_mac, vf);
	if (err)
		return err;
	v = vf_get(pf, vf);
	if (!v)
		return -EINVAL;
	ether_addr_copy(v->mac, mac);
	v->node_guid = (u64)get_unaligned_be24(mac) << 40 | 0xfffeULL << 24 | get_unaligned_be24(mac + 3);
	vf_put(pf);
	return 0;
}

int lab_vf_set_vlan(struct lab_pf *pf, int vf, u16 vlan, u8 qos, __be16 proto)
{
	struct lab_vf *v;

	if (vlan >= VLAN_N_VID || qos > 7)
		return -EINVAL;
	if (proto != htons(ETH_P_8021Q))
		return -EPROTONOSUPPORT;
	v = vf_get(pf, vf);
	if (!v)
		return -EINVAL;
	v->vlan = vlan;
	v->qos = qos;
	vf_put(pf);
	return 0;
}

int lab_vf_set_rate(struct lab_pf *pf, int vf, int min, int max)
{
	struct lab_vf *v;

	if (min < 0 || max < 0 || (max && min > max))
		return -EINVAL;
	v = vf_get(pf, vf);
	if (!v)
		return -EINVAL;
	v->min_rate = min;
	v->max_rate = max;
	vf_put(pf);
	return 0;
}

int lab_vf_set_link(struct lab_pf *pf, int vf, int state)
{
	struct lab_vf *v;
	int err;

	if (state < IFLA_VF_LINK_STATE_AUTO || state > IFLA_VF_LINK_STATE_DISABLE)
		return -EINVAL;
	err = lab_fault_hit(&lab_fail_link, vf);
	if (err)
		return err;
	v = vf_get(pf, vf);
	if (!v)
		return -EINVAL;
	WRITE_ONCE(v->link_state, state);
	lab_links_changed(pf);
	vf_put(pf);
	return 0;
}

/* offset: of spoofchk, trust or rss_query in struct lab_vf. */
int lab_vf_set_flag(struct lab_pf *pf, int vf, size_t offset, bool on)
{
	struct lab_vf *v = vf_get(pf, vf);

	if (!v)
		return -EINVAL;
	*(bool *)((char *)v + offset) = on;
	vf_put(pf);
	return 0;
}

int lab_vf_config(struct lab_pf *pf, int vf, struct ifla_vf_info *info)
{
	struct lab_vf *v = vf_get(pf, vf);

	if (!v)
		return -EINVAL;
	info->vf = vf;
	ether_addr_copy(info->mac, v->mac);
	info->vlan = v->vlan;
	info->qos = v->qos;
	info->vlan_proto = htons(ETH_P_8021Q);
	info->spoofchk = v->spoofchk;
	info->trusted = v->trust;
	info->rss_query_en = v->rss_query;
	info->linkstate = v->link_state;
	info->min_tx_rate = v->min_rate;
	info->max_tx_rate = v->max_rate;
	vf_put(pf);
	return 0;
}

/* Made up, different for each VF and always the same, so that two readers can be compared. */
int lab_vf_stats(struct lab_pf *pf, int vf, struct ifla_vf_stats *stats)
{
	if (!vf_get(pf, vf))
		return -EINVAL;
	vf_put(pf);
	stats->rx_packets = 1000 + vf;
	stats->tx_packets = 2000 + vf;
	stats->rx_bytes = 5000000000ULL + vf;
	stats->tx_bytes = 6000000000ULL + vf;
	stats->broadcast = 30 + vf;
	stats->multicast = 40 + vf;
	stats->rx_dropped = 5;
	stats->tx_dropped = 6;
	return 0;
}

/* ---- the ib_device's face of it, which the IPoIB netdev of a PF calls ---- */

static int ib_set_link(struct ib_device *ibdev, int vf, u32 port, int state)
{
	return lab_vf_set_link(lab_fn_of(ibdev)->pf, vf, state);
}

/* Nothing but the link state, as mlx5; what else `ip` shows of an IB VF is made up by IPoIB. */
static int ib_config(struct ib_device *ibdev, int vf, u32 port, struct ifla_vf_info *info)
{
	struct ifla_vf_info all = { };
	int err = lab_vf_config(lab_fn_of(ibdev)->pf, vf, &all);

	if (err)
		return err;
	memset(info, 0, sizeof(*info));
	info->linkstate = all.linkstate;
	return 0;
}

static int ib_stats(struct ib_device *ibdev, int vf, u32 port, struct ifla_vf_stats *stats)
{
	return lab_vf_stats(lab_fn_of(ibdev)->pf, vf, stats);
}

static int ib_get_guid(struct ib_device *ibdev, int vf, u32 port, struct ifla_vf_guid *node, struct ifla_vf_guid *pguid)
{
	u64 n, p;
	int err = lab_vf_get_guid(lab_fn_of(ibdev)->pf, vf, &n, &p);

	if (err)
		return err;
	node->guid = n;
	pguid->guid = p;
	return 0;
}

static int ib_set_guid(struct ib_device *ibdev, int vf, u32 port, u64 guid, int type)
{
	if (type != IFLA_VF_IB_NODE_GUID && type != IFLA_VF_IB_PORT_GUID)
		return -EINVAL;
	return lab_vf_set_guid(lab_fn_of(ibdev)->pf, vf, guid, type == IFLA_VF_IB_PORT_GUID);
}

const struct ib_device_ops lab_vf_ib_ops = {
	.set_vf_link_state = ib_set_link,
	.get_vf_config = ib_config,
	.get_vf_stats = ib_stats,
	.get_vf_guid = ib_get_guid,
	.set_vf_guid = ib_set_guid,
};
