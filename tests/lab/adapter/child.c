// SPDX-License-Identifier: GPL-2.0
/*
 * IPoIB interfaces of a further P_Key, which users make on top of an IPoIB netdev: kind `ipoib`, as ib_ipoib's own.
 *
 * They live as long as the netdev below and no longer, wherever either of the two is. Only with the parameter `pkey`:
 * there can be one owner of the kind, and ib_ipoib must not be loaded beside us, nor can it be while we are.
 */
#include <linux/if_arp.h>
#include <linux/if_infiniband.h>
#include <linux/rtnetlink.h>
#include <net/rtnetlink.h>

#include "rdmalab.h"

struct lab_child {
	struct list_head entry;	/* of all children, under rtnl */
	struct net_device *dev, *below;
	u16 pkey;
};

static LIST_HEAD(children);

static const struct nla_policy policy[IFLA_IPOIB_MAX + 1] = {
	[IFLA_IPOIB_PKEY] = { .type = NLA_U16 },
	[IFLA_IPOIB_MODE] = { .type = NLA_U16 },
	[IFLA_IPOIB_UMCAST] = { .type = NLA_U16 },
};

/* A child of a P_Key that the port lacks exists, and has no carrier. */
static int child_open(struct net_device *dev)
{
	struct lab_child *child = netdev_priv(dev);

	netif_start_queue(dev);
	if (netif_running(child->below) && child->pkey == (lab_pkey | 0x8000))
		netif_carrier_on(dev);
	return 0;
}

static int child_stop(struct net_device *dev)
{
	netif_stop_queue(dev);
	netif_carrier_off(dev);
	return 0;
}

static netdev_tx_t child_xmit(struct sk_buff *skb, struct net_device *dev)
{
	dev->stats.tx_dropped++;
	dev_kfree_skb_any(skb);
	return NETDEV_TX_OK;
}

static int child_iflink(const struct net_device *dev)
{
	return ((struct lab_child *)netdev_priv(dev))->below->ifindex;
}

static void child_uninit(struct net_device *dev)
{
	list_del_init(&((struct lab_child *)netdev_priv(dev))->entry);
}

static const struct net_device_ops child_ops = {
	.ndo_open = child_open,
	.ndo_stop = child_stop,
	.ndo_start_xmit = child_xmit,
	.ndo_get_iflink = child_iflink,
	.ndo_uninit = child_uninit,
};

static int child_add(struct net *net, struct net_device *dev, struct nlattr **tb, struct nlattr **data)
{
	struct lab_child *child = netdev_priv(dev), *other;
	struct net_device *below;
	u8 broadcast[INFINIBAND_ALEN];
	u16 pkey;
	int err;

	below = tb[IFLA_LINK] ? __dev_get_by_index(net, nla_get_u32(tb[IFLA_LINK])) : NULL;
	if (!below)
		return -ENODEV;
	if (!lab_is_ipoib(below) || !data || !data[IFLA_IPOIB_PKEY])
		return -EINVAL;
	pkey = nla_get_u16(data[IFLA_IPOIB_PKEY]) | 0x8000;
	if (pkey == 0x8000)
		return -EINVAL;
	list_for_each_entry(other, &children, entry)
		if (other->below == below && other->pkey == pkey)
			return -ENOTUNIQ;
	child->dev = dev;
	child->below = below;
	child->pkey = pkey;
	dev->netdev_ops = &child_ops;
	dev->needs_free_netdev = true;
	SET_NETDEV_DEV(dev, below->dev.parent);
	dev_addr_set(dev, below->dev_addr);
	memcpy(broadcast, below->broadcast, sizeof(broadcast));
	broadcast[8] = pkey >> 8;
	broadcast[9] = pkey & 0xff;
	memcpy(dev->broadcast, broadcast, sizeof(broadcast));
	netif_carrier_off(dev);
	INIT_LIST_HEAD(&child->entry);
	err = register_netdevice(dev);
	if (!err)
		list_add(&child->entry, &children);
	return err;
}

#if LAB_NEWLINK_PARAMS
static int child_newlink(struct net_device *dev, struct rtnl_newlink_params *params, struct netlink_ext_ack *extack)
{
	return child_add(rtnl_newlink_link_net(params), dev, params->tb, params->data);
}
#else
static int child_newlink(struct net *net, struct net_device *dev, struct nlattr *tb[], struct nlattr *data[],
			 struct netlink_ext_ack *extack)
{
	return child_add(net, dev, tb, data);
}
#endif

static void child_dellink(struct net_device *dev, struct list_head *head)
{
	unregister_netdevice_queue(dev, head);
}

static size_t child_size(const struct net_device *dev)
{
	return 3 * nla_total_size(2);
}

static int child_fill(struct sk_buff *skb, const struct net_device *dev)
{
	const struct lab_child *child = netdev_priv(dev);

	if (nla_put_u16(skb, IFLA_IPOIB_PKEY, child->pkey) || nla_put_u16(skb, IFLA_IPOIB_MODE, IPOIB_MODE_DATAGRAM) ||
	    nla_put_u16(skb, IFLA_IPOIB_UMCAST, 0))
		return -EMSGSIZE;
	return 0;
}

static struct rtnl_link_ops child_link_ops = {
	.kind = "ipoib",
	.netns_refund = true,
	.maxtype = IFLA_IPOIB_MAX,
	.policy = policy,
	.priv_size = sizeof(struct lab_child),
	.setup = lab_ipoib_setup,
	.newlink = child_newlink,
	.dellink = child_dellink,
	.get_size = child_size,
	.fill_info = child_fill,
};

/* Before the netdev below goes. */
void lab_children_remove(struct net_device *below)
{
	struct lab_child *child, *next;
	LIST_HEAD(gone);

	rtnl_lock();
	list_for_each_entry_safe(child, next, &children, entry)
		if (child->below == below)
			unregister_netdevice_queue(child->dev, &gone);
	unregister_netdevice_many(&gone);
	rtnl_unlock();
}

int lab_child_init(void)
{
	return lab_pkey ? rtnl_link_register(&child_link_ops) : 0;
}

void lab_child_exit(void)
{
	if (lab_pkey)
		rtnl_link_unregister(&child_link_ops);
}
