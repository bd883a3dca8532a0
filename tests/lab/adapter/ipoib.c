// SPDX-License-Identifier: GPL-2.0
/*
 * The IPoIB netdev of a function. It is a client of the RDMA core, as ib_ipoib is: the core removes and adds clients
 * around a namespace move, which is why the netdev of a moved device is destroyed and another one made.
 */
#include <linux/if_arp.h>
#include <linux/if_infiniband.h>
#include <linux/notifier.h>
#include <linux/rtnetlink.h>

#include "rdmalab.h"

#define IPOIB_HARD_LEN	4
#define IPOIB_MTU	2044

struct lab_ipoib {
	struct net_device *dev;
	struct ib_device *ibdev;
	struct ib_event_handler events;
};

static struct ib_device *ibdev_of(struct net_device *dev)
{
	return ((struct lab_ipoib *)netdev_priv(dev))->ibdev;
}

/* ---- link and traffic ---- */

static void link_update(struct lab_ipoib *p)
{
	if (netif_running(p->dev) && lab_link_up(lab_fn_of(p->ibdev)))
		netif_carrier_on(p->dev);
	else
		netif_carrier_off(p->dev);
}

static void port_event(struct ib_event_handler *handler, struct ib_event *event)
{
	link_update(container_of(handler, struct lab_ipoib, events));
}

static int ipoib_open(struct net_device *dev)
{
	netif_start_queue(dev);
	link_update(netdev_priv(dev));
	return 0;
}

static int ipoib_stop(struct net_device *dev)
{
	netif_stop_queue(dev);
	netif_carrier_off(dev);
	return 0;
}

static netdev_tx_t ipoib_xmit(struct sk_buff *skb, struct net_device *dev)
{
	dev->stats.tx_dropped++;
	dev_kfree_skb_any(skb);
	return NETDEV_TX_OK;
}

/* ---- VFs, on a PF: only what real IPoIB hands on ---- */

static int set_vf_link(struct net_device *dev, int vf, int state)
{
	return ib_set_vf_link_state(ibdev_of(dev), vf, LAB_PORT, state);
}

/* The address is the PF's own for each VF, as users see it on real adapters. */
static int get_vf_config(struct net_device *dev, int vf, struct ifla_vf_info *info)
{
	int err = ib_get_vf_config(ibdev_of(dev), vf, LAB_PORT, info);

	if (err)
		return err;
	info->vf = vf;
	memcpy(info->mac, dev->dev_addr, dev->addr_len);
	return 0;
}

static int get_vf_stats(struct net_device *dev, int vf, struct ifla_vf_stats *stats)
{
	return ib_get_vf_stats(ibdev_of(dev), vf, LAB_PORT, stats);
}

static int get_vf_guid(struct net_device *dev, int vf, struct ifla_vf_guid *node, struct ifla_vf_guid *port)
{
	return ib_get_vf_guid(ibdev_of(dev), vf, LAB_PORT, node, port);
}

static int set_vf_guid(struct net_device *dev, int vf, u64 guid, int type)
{
	return ib_set_vf_guid(ibdev_of(dev), vf, LAB_PORT, guid, type);
}

static const struct net_device_ops vf_netdev_ops = {
	.ndo_open = ipoib_open,
	.ndo_stop = ipoib_stop,
	.ndo_start_xmit = ipoib_xmit,
};

static const struct net_device_ops pf_netdev_ops = {
	.ndo_open = ipoib_open,
	.ndo_stop = ipoib_stop,
	.ndo_start_xmit = ipoib_xmit,
	.ndo_set_vf_link_state = set_vf_link,
	.ndo_get_vf_config = get_vf_config,
	.ndo_get_vf_stats = get_vf_stats,
	.ndo_get_vf_guid = get_vf_guid,
	.ndo_set_vf_guid = set_vf_guid,
};

bool lab_is_ipoib(const struct net_device *dev)
{
	return dev->netdev_ops == &vf_netdev_ops || dev->netdev_ops == &pf_netdev_ops;
}

/* ---- sysfs ---- */

static ssize_t mode_show(struct device *d, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "datagram\n");
}
static DEVICE_ATTR_RO(mode);

static ssize_t pkey_show(struct device *d, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "0xffff\n");
}
static DEVICE_ATTR_RO(pkey);

static ssize_t umcast_show(struct device *d, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "0\n");
}
static DEVICE_ATTR_RO(umcast);

static struct attribute *ipoib_attrs[] = { &dev_attr_mode.attr, &dev_attr_pkey.attr, &dev_attr_umcast.attr, NULL };
static const struct attribute_group ipoib_group = { .attrs = ipoib_attrs };

/* ---- life ---- */

void lab_ipoib_setup(struct net_device *dev)
{
	/* IPv4's broadcast group on the default partition, link-local scope */
	static const u8 broadcast[INFINIBAND_ALEN] = {
		0x00, 0xff, 0xff, 0xff, 0xff, 0x12, 0x40, 0x1b, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
	};

	dev->type = ARPHRD_INFINIBAND;
	dev->hard_header_len = IPOIB_HARD_LEN;
	dev->addr_len = INFINIBAND_ALEN;
	dev->mtu = IPOIB_MTU;
	dev->max_mtu = IPOIB_MTU;
	dev->min_mtu = 68;
	dev->tx_queue_len = 256;
	dev->flags |= IFF_BROADCAST | IFF_MULTICAST;
	memcpy(dev->broadcast, broadcast, INFINIBAND_ALEN);
}

static struct ib_client ipoib_client;

static int ipoib_add(struct ib_device *ibdev)
{
	struct lab_fn *fn;
	struct lab_ipoib *p;
	struct net_device *dev;
	u8 addr[INFINIBAND_ALEN] = { };
	int err;

	if (!lab_is_ours(ibdev) || lab_fn_of(ibdev)->pf->eth)
		return -EOPNOTSUPP;	/* "not for me"; the core says nothing of it */
	fn = lab_fn_of(ibdev);

	dev = alloc_netdev(sizeof(*p), "ib%d", NET_NAME_UNKNOWN, lab_ipoib_setup);
	if (!dev)
		return -ENOMEM;
	p = netdev_priv(dev);
	p->dev = dev;
	p->ibdev = ibdev;
	dev->netdev_ops = fn->kind == LAB_PF ? &pf_netdev_ops : &vf_netdev_ops;
	SET_NETDEV_DEV(dev, fn->parent);
	dev->sysfs_groups[0] = &ipoib_group;
	if (lab_ipoib_in_device_ns())
		dev_net_set(dev, read_pnet(&ibdev->coredev.rdma_net));

	/* flags and QPN, subnet prefix, port GUID */
	put_unaligned_be32(0x100 + fn->lid, addr);
	put_unaligned_be64(0xfe80000000000000ULL, addr + 4);
	put_unaligned_be64(fn->port_guid, addr + 12);
	dev_addr_set(dev, addr);
	netif_carrier_off(dev);

	err = register_netdev(dev);
	if (err) {
		free_netdev(dev);
		return err;
	}
	INIT_IB_EVENT_HANDLER(&p->events, ibdev, port_event);
	ib_register_event_handler(&p->events);
	ib_set_client_data(ibdev, &ipoib_client, p);
	return 0;
}

static void ipoib_remove(struct ib_device *ibdev, void *data)
{
	struct lab_ipoib *p = data;

	ib_unregister_event_handler(&p->events);
	lab_children_remove(p->dev);
	unregister_netdev(p->dev);
	free_netdev(p->dev);
}

static struct ib_client ipoib_client = {
	.name = "rdmalab_ipoib",
	.add = ipoib_add,
	.remove = ipoib_remove,
	.no_kverbs_req = 1,
};

/* ---- with or without ib_ipoib ---- */

static DEFINE_MUTEX(client_lock);
static bool ready, registered, module_loaded;

static void client_update(void)
{
	bool wanted;

	mutex_lock(&client_lock);
	wanted = ready && (lab_ipoib_wanted() == 1 || (lab_ipoib_wanted() == 2 && module_loaded));
	if (wanted && !registered)
		registered = !ib_register_client(&ipoib_client);
	else if (!wanted && registered) {
		ib_unregister_client(&ipoib_client);
		registered = false;
	}
	mutex_unlock(&client_lock);
}

/* Parameters are parsed before the module starts: `ready` keeps that from registering anything. */
void lab_ipoib_mode_changed(void)
{
	client_update();
}

static int module_event(struct notifier_block *nb, unsigned long action, void *data)
{
	struct module *mod = data;

	if (strcmp(mod->name, "ib_ipoib"))
		return NOTIFY_DONE;
	if (action == MODULE_STATE_LIVE || action == MODULE_STATE_GOING) {
		module_loaded = action == MODULE_STATE_LIVE;
		client_update();
	}
	return NOTIFY_OK;
}

static struct notifier_block module_nb = { .notifier_call = module_event };

int lab_ipoib_init(void)
{
	int err = register_module_notifier(&module_nb);

	if (err)
		return err;
	ready = true;
	client_update();
	return 0;
}

void lab_ipoib_exit(void)
{
	unregister_module_notifier(&module_nb);
	mutex_lock(&client_lock);
	ready = false;
	mutex_unlock(&client_lock);
	client_update();
}
