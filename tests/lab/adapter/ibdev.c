// SPDX-License-Identifier: GPL-2.0
/* The ib_device of a function: registration, port, GIDs and identity. */
#include <linux/slab.h>
#include <rdma/ib_mad.h>

#include "rdmalab.h"

/* ---- link ---- */

/* Policy of the PF first, then what a test forces, then (RoCE) whether the netdev is up, as mlx5 reports it. */
bool lab_link_up(const struct lab_fn *fn)
{
	int policy = IFLA_VF_LINK_STATE_AUTO;

	if (fn->kind == LAB_VF)
		policy = READ_ONCE(fn->pf->vf[fn->vf].link_state);
	if (policy == IFLA_VF_LINK_STATE_DISABLE || lab_port_forced_down(fn->vf))
		return false;
	/* auto follows the physical port, which is the PF's */
	if (policy == IFLA_VF_LINK_STATE_AUTO && fn->kind != LAB_PF && lab_port_forced_down(-1))
		return false;
	return true;
}

static bool port_active(const struct lab_fn *fn)
{
	if (fn->eth && !netif_running(fn->eth))
		return false;
	return lab_link_up(fn);
}

/* ---- what the core asks ---- */

static int query_device(struct ib_device *ibdev, struct ib_device_attr *attr, struct ib_udata *udata)
{
	struct lab_fn *fn = lab_fn_of(ibdev);
	struct lab_fn *pf = fn->pf->fn ?: fn;	/* the PF is asked before it is known */

	memset(attr, 0, sizeof(*attr));
	attr->fw_ver = 20ULL << 32 | 43 << 16 | 1014;
	attr->sys_image_guid = cpu_to_be64(pf->node_guid);
	attr->max_mr_size = ~0ULL;
	attr->page_size_cap = 0xfffff000;
	attr->vendor_id = 0x02c9;
	attr->vendor_part_id = fn->kind == LAB_VF ? 4124 : 4123;
	attr->device_cap_flags = IB_DEVICE_BAD_PKEY_CNTR | IB_DEVICE_BAD_QKEY_CNTR | IB_DEVICE_AUTO_PATH_MIG |
				 IB_DEVICE_CHANGE_PHY_PORT | IB_DEVICE_PORT_ACTIVE_EVENT | IB_DEVICE_SYS_IMAGE_GUID |
				 IB_DEVICE_RC_RNR_NAK_GEN | IB_DEVICE_MEM_WINDOW | IB_DEVICE_XRC |
				 IB_DEVICE_MEM_MGT_EXTENSIONS | IB_DEVICE_RAW_IP_CSUM | IB_DEVICE_MANAGED_FLOW_STEERING;
	if (fn->kind == LAB_VF)
		attr->kernel_cap_flags = IBK_VIRTUAL_FUNCTION;
	attr->max_qp = 1 << 17;
	attr->max_qp_wr = 32768;
	attr->max_send_sge = 30;
	attr->max_recv_sge = 32;
	attr->max_sge_rd = 30;
	attr->max_cq = 1 << 24;
	attr->max_cqe = 4194303;
	attr->max_mr = 1 << 24;
	attr->max_pd = 1 << 24;
	attr->max_qp_rd_atom = 16;
	attr->max_res_rd_atom = 1 << 21;
	attr->max_qp_init_rd_atom = 16;
	attr->atomic_cap = IB_ATOMIC_HCA;
	attr->max_srq = 1 << 23;
	attr->max_srq_wr = 32767;
	attr->max_srq_sge = 31;
	attr->max_pkeys = 2;
	attr->local_ca_ack_delay = 16;
	return 0;
}

static int query_port(struct ib_device *ibdev, u32 port, struct ib_port_attr *attr)
{
	struct lab_fn *fn = lab_fn_of(ibdev);
	bool up = port_active(fn);
	int err = lab_fault_hit(&lab_fail_port, fn->vf);

	if (err)
		return err;
	/* The core has zeroed the rest; it adds the subnet prefix itself. */
	attr->state = up ? IB_PORT_ACTIVE : IB_PORT_DOWN;
	attr->phys_state = up ? IB_PORT_PHYS_STATE_LINK_UP :
		fn->pf->eth ? IB_PORT_PHYS_STATE_DISABLED : IB_PORT_PHYS_STATE_POLLING;
	attr->max_mtu = IB_MTU_4096;
	attr->active_mtu = fn->pf->eth ? IB_MTU_1024 : IB_MTU_4096;
	attr->max_msg_sz = 1 << 30;
	attr->active_width = IB_WIDTH_4X;
	attr->active_speed = IB_SPEED_EDR;
	if (fn->pf->eth) {
		attr->gid_tbl_len = 16;
		attr->pkey_tbl_len = 1;
		attr->ip_gids = true;
		attr->port_cap_flags = IB_PORT_CM_SUP;
	} else {
		attr->gid_tbl_len = 8;
		attr->pkey_tbl_len = 2;
		attr->port_cap_flags = 0x2651e848;
		attr->lid = up ? fn->lid : 0xffff;
		attr->sm_lid = up ? 1 : 0;
		attr->subnet_timeout = 18;
		attr->max_vl_num = 4;
	}
	return 0;
}

/* Protocol bits only: without IB_MAD and IB_CM no MAD agents, no CM and no SA come, which would need a data path. */
static int get_port_immutable(struct ib_device *ibdev, u32 port, struct ib_port_immutable *immutable)
{
	struct ib_port_attr attr;
	int err;

	immutable->core_cap_flags = lab_fn_of(ibdev)->pf->eth ?
		RDMA_CORE_CAP_PROT_ROCE | RDMA_CORE_CAP_PROT_ROCE_UDP_ENCAP | RDMA_CORE_CAP_ETH_AH :
		RDMA_CORE_CAP_PROT_IB;
	err = ib_query_port(ibdev, port, &attr);
	if (err)
		return err;
	immutable->pkey_tbl_len = attr.pkey_tbl_len;
	immutable->gid_tbl_len = attr.gid_tbl_len;
	return 0;
}

static enum rdma_link_layer get_link_layer(struct ib_device *ibdev, u32 port)
{
	return lab_fn_of(ibdev)->pf->eth ? IB_LINK_LAYER_ETHERNET : IB_LINK_LAYER_INFINIBAND;
}

static int query_gid(struct ib_device *ibdev, u32 port, int index, union ib_gid *gid)
{
	/* Every entry carries the prefix, as a port's GUID table does: the core takes it from the last one. */
	gid->global.subnet_prefix = cpu_to_be64(0xfe80000000000000ULL);
	gid->global.interface_id = index ? 0 : cpu_to_be64(lab_fn_of(ibdev)->port_guid);
	return 0;
}

static int query_pkey(struct ib_device *ibdev, u32 port, u16 index, u16 *pkey)
{
	*pkey = index ? lab_pkey : 0xffff;
	return 0;
}

/* The core keeps the RoCE GID table; there is no hardware table behind it to fill. */
static int add_gid(const struct ib_gid_attr *attr, void **context)
{
	return 0;
}

static int del_gid(const struct ib_gid_attr *attr, void **context)
{
	return 0;
}

static void get_dev_fw_str(struct ib_device *ibdev, char *str)
{
	strscpy(str, LAB_FW, IB_FW_VERSION_NAME_MAX);
}

static const struct ib_device_ops lab_dev_ops = {
	.owner = THIS_MODULE,
	.uverbs_abi_ver = 1,
	.query_device = query_device,
	.query_port = query_port,
	.get_port_immutable = get_port_immutable,
	.get_link_layer = get_link_layer,
	.query_gid = query_gid,
	.query_pkey = query_pkey,
	.get_dev_fw_str = get_dev_fw_str,
};

static const struct ib_device_ops lab_roce_ops = {
	.add_gid = add_gid,
	.del_gid = del_gid,
};

bool lab_is_ours(const struct ib_device *ibdev)
{
	return ibdev->ops.query_port == query_port && !container_of(ibdev, struct lab_ibdev, ib)->sub;
}

/* ---- moves ---- */

/* Nothing to take away: no page of a device is mapped into a process. That it exists is what allows a move. */
static void disassociate_ucontext(struct ib_ucontext *context)
{
}

static const struct ib_device_ops lab_move_ops = {
	.disassociate_ucontext = disassociate_ucontext,
};

/* ---- life ---- */

/* Not the op dealloc_driver: with that, the core frees the device at unregistration itself. */
static void ibdev_free(struct ib_device *ibdev)
{
	lab_frmr_exit(ibdev);
	ida_destroy(&container_of(ibdev, struct lab_ibdev, ib)->qpns);
	ib_dealloc_device(ibdev);
}

/* What every device has, sub-devices too. */
static struct ib_device *ibdev_alloc(struct lab_fn *fn)
{
	struct lab_ibdev *dev = ib_alloc_device(lab_ibdev, ib);
	struct ib_device *ibdev;

	if (!dev)
		return NULL;
	dev->fn = fn;
	ida_init(&dev->qpns);
	ibdev = &dev->ib;
	ibdev->node_type = RDMA_NODE_IB_CA;
	ibdev->phys_port_cnt = 1;
	ibdev->num_comp_vectors = 4;
	ibdev->node_guid = cpu_to_be64(fn->node_guid);
	ibdev->dev.parent = fn->parent;
	ibdev->use_cq_dim = true;
	snprintf(ibdev->node_desc, sizeof(ibdev->node_desc), "rdmalab");
	ib_set_device_ops(ibdev, &lab_dev_ops);
	return ibdev;
}

#if LAB_HAS_SUB_DEV
/* `rdma dev add NAME type SMI parent DEV`: a device without verbs, which can be neither moved nor opened. */
static struct ib_device *add_sub_dev(struct ib_device *parent, enum rdma_nl_dev_type type, const char *name)
{
	struct ib_device *sub;
	int err;

	if (type != RDMA_DEVICE_TYPE_SMI)
		return ERR_PTR(-EOPNOTSUPP);
	sub = ibdev_alloc(lab_fn_of(parent));
	if (!sub)
		return ERR_PTR(-ENOMEM);
	container_of(sub, struct lab_ibdev, ib)->sub = true;
	err = ib_register_device(sub, name, &lab_fn_of(parent)->pdev->dev);
	if (err) {
		ibdev_free(sub);
		return ERR_PTR(err);
	}
	return sub;
}

static void del_sub_dev(struct ib_device *sub)
{
	ib_unregister_device(sub);
	ibdev_free(sub);
}

static const struct ib_device_ops lab_sub_ops = {
	.add_sub_dev = add_sub_dev,
	.del_sub_dev = del_sub_dev,
};
#endif

static struct ib_device *ibdev_new(struct lab_fn *fn)
{
	struct ib_device *ibdev = ibdev_alloc(fn);

	if (!ibdev)
		return NULL;
	if (lab_frmr_init(ibdev)) {
		ibdev_free(ibdev);
		return NULL;
	}
	ib_set_device_ops(ibdev, &lab_verbs_ops);
	ib_set_device_ops(ibdev, &lab_counter_ops);
	if (fn->pf->eth)
		ib_set_device_ops(ibdev, &lab_roce_ops);
	else if (fn->kind == LAB_PF)
		ib_set_device_ops(ibdev, &lab_vf_ib_ops);
#if LAB_HAS_SUB_DEV
	if (!fn->pf->eth)
		ib_set_device_ops(ibdev, &lab_sub_ops);
#endif
	if (!lab_nomove)
		ib_set_device_ops(ibdev, &lab_move_ops);
	ibdev->ops.driver_id = lab_driver_id;
	return ibdev;
}

static int ibdev_register(struct lab_fn *fn, struct ib_device *ibdev)
{
	int err;

	if (fn->eth) {
		err = ib_device_set_netdev(ibdev, fn->eth, LAB_PORT);
		if (err)
			return err;
	}
	return ib_register_device(ibdev, "mlx5_%d", &fn->pdev->dev);
}

/* All of one function share its identity, its port and its netdev. */
static int further_add(struct lab_fn *fn)
{
	unsigned int i, count = clamp(lab_ibdevs, 1U, (unsigned int)LAB_MAX_IBDEVS) - 1;
	struct ib_device *ibdev;
	int err;

	if (fn->kind != LAB_VF)
		return 0;
	for (i = 0; i < count; i++) {
		ibdev = ibdev_new(fn);
		if (!ibdev)
			return -ENOMEM;
		err = ibdev_register(fn, ibdev);
		if (err) {
			ibdev_free(ibdev);
			return err;
		}
		fn->further[i] = ibdev;
	}
	return 0;
}

int lab_ibdev_add(struct lab_fn *fn)
{
	struct ib_device *ibdev = ibdev_new(fn);
	int err;

	if (!ibdev)
		return -ENOMEM;
	fn->ibdev = ibdev;
	err = ibdev_register(fn, ibdev);
	if (err) {
		fn->ibdev = NULL;
		ibdev_free(ibdev);
		return err;
	}
	err = further_add(fn);
	if (err)
		lab_ibdev_remove(fn);
	return err;
}

void lab_ibdev_remove(struct lab_fn *fn)
{
	int i;

	for (i = ARRAY_SIZE(fn->further) - 1; i >= 0; i--) {
		if (!fn->further[i])
			continue;
		ib_unregister_device(fn->further[i]);
		ibdev_free(fn->further[i]);
		fn->further[i] = NULL;
	}
	ib_unregister_device(fn->ibdev);
	ibdev_free(fn->ibdev);
	fn->ibdev = NULL;
}
