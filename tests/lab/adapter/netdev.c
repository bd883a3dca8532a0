// SPDX-License-Identifier: GPL-2.0
/* The Ethernet netdev of a function, and on a PF the settings of its VFs. It drops what it is given to send. */
#include <linux/ethtool.h>
#include <linux/rtnetlink.h>

#include "rdmalab.h"

struct lab_eth {
	struct lab_fn *fn;
};

static struct lab_fn *fn_of(struct net_device *dev)
{
	return ((struct lab_eth *)netdev_priv(dev))->fn;
}

static struct lab_pf *pf_of(struct net_device *dev)
{
	return fn_of(dev)->pf;
}

/* ---- link and traffic ---- */

void lab_eth_link_changed(struct lab_fn *fn)
{
	if (lab_link_up(fn) && netif_running(fn->eth))
		netif_carrier_on(fn->eth);
	else
		netif_carrier_off(fn->eth);
}

static int eth_open(struct net_device *dev)
{
	netif_start_queue(dev);
	lab_eth_link_changed(fn_of(dev));
	return 0;
}

static int eth_stop(struct net_device *dev)
{
	netif_stop_queue(dev);
	netif_carrier_off(dev);
	return 0;
}

static netdev_tx_t eth_xmit(struct sk_buff *skb, struct net_device *dev)
{
	dev->stats.tx_dropped++;
	dev_kfree_skb_any(skb);
	return NETDEV_TX_OK;
}

/* ---- VFs ---- */

static int set_vf_mac(struct net_device *dev, int vf, u8 *mac)
{
	return lab_vf_set_mac(pf_of(dev), vf, mac);
}

static int set_vf_vlan(struct net_device *dev, int vf, u16 vlan, u8 qos, __be16 proto)
{
	return lab_vf_set_vlan(pf_of(dev), vf, vlan, qos, proto);
}

static int set_vf_rate(struct net_device *dev, int vf, int min, int max)
{
	return lab_vf_set_rate(pf_of(dev), vf, min, max);
}

static int set_vf_spoofchk(struct net_device *dev, int vf, bool on)
{
	return lab_vf_set_flag(pf_of(dev), vf, offsetof(struct lab_vf, spoofchk), on);
}

static int set_vf_trust(struct net_device *dev, int vf, bool on)
{
	return lab_vf_set_flag(pf_of(dev), vf, offsetof(struct lab_vf, trust), on);
}

static int set_vf_rss_query(struct net_device *dev, int vf, bool on)
{
	return lab_vf_set_flag(pf_of(dev), vf, offsetof(struct lab_vf, rss_query), on);
}

static int set_vf_link(struct net_device *dev, int vf, int state)
{
	return lab_vf_set_link(pf_of(dev), vf, state);
}

static int get_vf_config(struct net_device *dev, int vf, struct ifla_vf_info *info)
{
	return lab_vf_config(pf_of(dev), vf, info);
}

static int get_vf_stats(struct net_device *dev, int vf, struct ifla_vf_stats *stats)
{
	return lab_vf_stats(pf_of(dev), vf, stats);
}

static const struct net_device_ops vf_netdev_ops = {
	.ndo_open = eth_open,
	.ndo_stop = eth_stop,
	.ndo_start_xmit = eth_xmit,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_validate_addr = eth_validate_addr,
};

static const struct net_device_ops pf_netdev_ops = {
	.ndo_open = eth_open,
	.ndo_stop = eth_stop,
	.ndo_start_xmit = eth_xmit,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_validate_addr = eth_validate_addr,
	.ndo_set_vf_mac = set_vf_mac,
	.ndo_set_vf_vlan = set_vf_vlan,
	.ndo_set_vf_rate = set_vf_rate,
	.ndo_set_vf_spoofchk = set_vf_spoofchk,
	.ndo_set_vf_trust = set_vf_trust,
	.ndo_set_vf_rss_query_en = set_vf_rss_query,
	.ndo_set_vf_link_state = set_vf_link,
	.ndo_get_vf_config = get_vf_config,
	.ndo_get_vf_stats = get_vf_stats,
};

/* ---- ethtool ---- */

static void get_drvinfo(struct net_device *dev, struct ethtool_drvinfo *info)
{
	strscpy(info->driver, LAB_DRIVER, sizeof(info->driver));
	strscpy(info->fw_version, LAB_FW, sizeof(info->fw_version));
	strscpy(info->bus_info, dev_name(fn_of(dev)->parent), sizeof(info->bus_info));
}

static int get_link_ksettings(struct net_device *dev, struct ethtool_link_ksettings *set)
{
	ethtool_link_ksettings_zero_link_mode(set, supported);
	set->base.speed = netif_carrier_ok(dev) ? SPEED_100000 : SPEED_UNKNOWN;
	set->base.duplex = netif_carrier_ok(dev) ? DUPLEX_FULL : DUPLEX_UNKNOWN;
	set->base.port = PORT_FIBRE;
	return 0;
}

static const struct ethtool_ops eth_ethtool_ops = {
	.get_drvinfo = get_drvinfo,
	.get_link = ethtool_op_get_link,
	.get_link_ksettings = get_link_ksettings,
};

/* ---- life ---- */

int lab_eth_add(struct lab_fn *fn)
{
	struct net_device *dev = alloc_etherdev(sizeof(struct lab_eth));
	int err;

	if (!dev)
		return -ENOMEM;
	((struct lab_eth *)netdev_priv(dev))->fn = fn;
	SET_NETDEV_DEV(dev, fn->parent);
	dev->netdev_ops = fn->kind == LAB_PF ? &pf_netdev_ops : &vf_netdev_ops;
	dev->ethtool_ops = &eth_ethtool_ops;
	dev->max_mtu = 9978;
	if (is_zero_ether_addr(fn->mac))
		eth_hw_addr_random(dev);
	else
		eth_hw_addr_set(dev, fn->mac);
	netif_carrier_off(dev);

	/* Known before it can be opened: opening asks for the link, and the link for the netdev. */
	fn->eth = dev;
	err = register_netdev(dev);
	if (err) {
		fn->eth = NULL;
		free_netdev(dev);
	}
	return err;
}

void lab_eth_remove(struct lab_fn *fn)
{
	struct net_device *dev = fn->eth;

	if (!dev)
		return;
	unregister_netdev(dev);
	fn->eth = NULL;
	free_netdev(dev);
}
