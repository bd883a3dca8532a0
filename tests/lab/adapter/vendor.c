// SPDX-License-Identifier: GPL-2.0
/*
 * The vendor's own folder for VF settings, which the mainline kernel does not have: sriov/N/ below the PF's PCI device,
 * with node, port and policy (InfiniBand) or node, mac, link_state and trust (Ethernet). It exists while VFs do.
 */
#include <linux/slab.h>

#include "rdmalab.h"

struct lab_vendor_vf {
	struct kobject kobj;
	struct lab_pf *pf;
	int vf;
};

struct lab_vendor {
	struct kobject *dir;
	int count;
	struct lab_vendor_vf *vf[];
};

struct vendor_attr {
	struct attribute attr;
	ssize_t (*show)(struct lab_vendor_vf *v, char *buf);
	ssize_t (*store)(struct lab_vendor_vf *v, const char *buf);	/* 0 or -errno */
};

/* ---- files ---- */

static ssize_t show_guid(char *buf, u64 guid)
{
	u8 b[8];

	put_unaligned_be64(guid, b);
	return sysfs_emit(buf, "%8phC\n", b);
}

static ssize_t store_guid(struct lab_vendor_vf *v, const char *buf, bool port)
{
	u8 b[8];
	int used = 0;

	if (sscanf(buf, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", b, b + 1, b + 2, b + 3, b + 4, b + 5,
		   b + 6, b + 7, &used) < 8 || used != 23)
		return -EINVAL;
	return lab_vf_set_guid(v->pf, v->vf, get_unaligned_be64(b), port);
}

static ssize_t node_show(struct lab_vendor_vf *v, char *buf)
{
	u64 node, port;
	int err = lab_vf_get_guid(v->pf, v->vf, &node, &port);

	return err ?: show_guid(buf, node);
}

static ssize_t node_store(struct lab_vendor_vf *v, const char *buf)
{
	return store_guid(v, buf, false);
}

static ssize_t port_show(struct lab_vendor_vf *v, char *buf)
{
	u64 node, port;
	int err = lab_vf_get_guid(v->pf, v->vf, &node, &port);

	return err ?: show_guid(buf, port);
}

static ssize_t port_store(struct lab_vendor_vf *v, const char *buf)
{
	return store_guid(v, buf, true);
}

static const char *const policies[] = { "Follow", "Up", "Down" };	/* by IFLA_VF_LINK_STATE_* */

static ssize_t policy_show(struct lab_vendor_vf *v, char *buf)
{
	struct ifla_vf_info info = { };
	int err = lab_vf_config(v->pf, v->vf, &info);

	return err ?: sysfs_emit(buf, "%s\n", policies[info.linkstate]);
}

static ssize_t policy_store(struct lab_vendor_vf *v, const char *buf)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(policies); i++)
		if (sysfs_streq(buf, policies[i]))
			return lab_vf_set_link(v->pf, v->vf, i);
	return -EINVAL;
}

static ssize_t mac_show(struct lab_vendor_vf *v, char *buf)
{
	struct ifla_vf_info info = { };
	int err = lab_vf_config(v->pf, v->vf, &info);

	return err ?: sysfs_emit(buf, "%pM\n", info.mac);
}

static ssize_t mac_store(struct lab_vendor_vf *v, const char *buf)
{
	u8 mac[ETH_ALEN];

	if (sscanf(buf, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5) < ETH_ALEN)
		return -EINVAL;
	return lab_vf_set_mac(v->pf, v->vf, mac);
}

static ssize_t trust_show(struct lab_vendor_vf *v, char *buf)
{
	struct ifla_vf_info info = { };
	int err = lab_vf_config(v->pf, v->vf, &info);

	return err ?: sysfs_emit(buf, "%s\n", info.trusted ? "ON" : "OFF");
}

static ssize_t trust_store(struct lab_vendor_vf *v, const char *buf)
{
	bool on;
	int err = kstrtobool(buf, &on);

	return err ?: lab_vf_set_flag(v->pf, v->vf, offsetof(struct lab_vf, trust), on);
}

#define VENDOR_ATTR(file, func)									\
	static struct vendor_attr attr_##file = {						\
		.attr = { .name = #file, .mode = 0644 }, .show = func##_show, .store = func##_store	\
	}

VENDOR_ATTR(node, node);
VENDOR_ATTR(port, port);
VENDOR_ATTR(policy, policy);
VENDOR_ATTR(mac, mac);
VENDOR_ATTR(link_state, policy);
VENDOR_ATTR(trust, trust);

static struct attribute *ib_attrs[] = { &attr_node.attr, &attr_port.attr, &attr_policy.attr, NULL };
static struct attribute *eth_attrs[] = { &attr_node.attr, &attr_mac.attr, &attr_link_state.attr, &attr_trust.attr, NULL };
static const struct attribute_group ib_group = { .attrs = ib_attrs };
static const struct attribute_group eth_group = { .attrs = eth_attrs };

/* ---- folders ---- */

static ssize_t vendor_show(struct kobject *kobj, struct attribute *attr, char *buf)
{
	return container_of(attr, struct vendor_attr, attr)->show(container_of(kobj, struct lab_vendor_vf, kobj), buf);
}

static ssize_t vendor_store(struct kobject *kobj, struct attribute *attr, const char *buf, size_t count)
{
	ssize_t err = container_of(attr, struct vendor_attr, attr)->store(container_of(kobj, struct lab_vendor_vf, kobj), buf);

	return err ?: count;
}

static const struct sysfs_ops vendor_sysfs_ops = { .show = vendor_show, .store = vendor_store };

static void vendor_release(struct kobject *kobj)
{
	kfree(container_of(kobj, struct lab_vendor_vf, kobj));
}

static const struct kobj_type vendor_type = { .sysfs_ops = &vendor_sysfs_ops, .release = vendor_release };

static int vendor_vf_add(struct lab_vendor *vendor, struct lab_pf *pf, int vf)
{
	struct lab_vendor_vf *v = kzalloc(sizeof(*v), GFP_KERNEL);
	int err;

	if (!v)
		return -ENOMEM;
	v->pf = pf;
	v->vf = vf;
	err = kobject_init_and_add(&v->kobj, &vendor_type, vendor->dir, "%d", vf);
	if (!err)
		err = sysfs_create_group(&v->kobj, pf->eth ? &eth_group : &ib_group);
	if (err) {
		kobject_put(&v->kobj);
		return err;
	}
	vendor->vf[vendor->count++] = v;
	return 0;
}

/* Called, as the removal, with the PF's device lock held. */
int lab_vendor_add(struct lab_pf *pf)
{
	struct lab_vendor *vendor;
	int i, err;

	if (!lab_vendor_sysfs)
		return 0;
	vendor = kzalloc(struct_size(vendor, vf, pf->num_vfs), GFP_KERNEL);
	if (!vendor)
		return -ENOMEM;
	pf->vendor = vendor;
	vendor->dir = kobject_create_and_add("sriov", &pf->fn->pdev->dev.kobj);
	if (!vendor->dir) {
		err = -ENOMEM;
		goto fail;
	}
	for (i = 0; i < pf->num_vfs; i++) {
		err = vendor_vf_add(vendor, pf, i);
		if (err)
			goto fail;
	}
	return 0;

fail:
	lab_vendor_remove(pf);
	return err;
}

void lab_vendor_remove(struct lab_pf *pf)
{
	struct lab_vendor *vendor = pf->vendor;

	if (!vendor)
		return;
	while (vendor->count) {
		struct lab_vendor_vf *v = vendor->vf[--vendor->count];

		kobject_del(&v->kobj);	/* waits for readers and writers */
		kobject_put(&v->kobj);
	}
	kobject_put(vendor->dir);
	pf->vendor = NULL;
	kfree(vendor);
}
