// SPDX-License-Identifier: GPL-2.0
/*
 * Verbs objects of user processes: contexts, PDs, MRs, CQs, SRQs and QPs that can be made, listed and destroyed.
 *
 * Nothing can be posted or polled, and there are no kernel verbs: without those the core gives these devices only to
 * clients that can do without (uverbs, ours), and leaves out the ones that would try to send (CM, NFS, real IPoIB).
 */
#include <linux/slab.h>
#include <rdma/restrack.h>
#include <rdma/uverbs_ioctl.h>

#include "rdmalab.h"

struct lab_ucontext {
	struct ib_ucontext ib;
};

struct lab_pd {
	struct ib_pd ib;
};

struct lab_cq {
	struct ib_cq ib;
};

struct lab_srq {
	struct ib_srq ib;
	struct ib_srq_attr attr;
};

struct lab_qp {
	struct ib_qp ib;
	struct ib_qp_attr attr;
	struct ib_qp_cap cap;
};

/* ---- contexts, PDs, MRs ---- */

static int alloc_ucontext(struct ib_ucontext *context, struct ib_udata *udata)
{
	return 0;
}

static void dealloc_ucontext(struct ib_ucontext *context)
{
}

static int alloc_pd(struct ib_pd *pd, struct ib_udata *udata)
{
	return 0;
}

static int dealloc_pd(struct ib_pd *pd, struct ib_udata *udata)
{
	return 0;
}

/* No page is pinned: nothing ever reads or writes the memory. */
static struct ib_mr *reg_mr(struct ib_pd *pd, u64 length, int access)
{
	struct lab_ibdev *dev = container_of(pd->device, struct lab_ibdev, ib);
	struct ib_mr *mr = kzalloc(sizeof(*mr), GFP_KERNEL);
	int err;

	if (!mr)
		return ERR_PTR(-ENOMEM);
	err = lab_frmr_take(pd->device, mr, length, access);
	if (err) {
		kfree(mr);
		return ERR_PTR(err);
	}
	mr->lkey = atomic_inc_return(&dev->keys) << 8;
	mr->rkey = mr->lkey;
	mr->length = length;	/* the core fills this in for some kinds of MR only */
	return mr;
}

#if LAB_HAS_DMAH
static struct ib_mr *reg_user_mr(struct ib_pd *pd, u64 start, u64 length, u64 virt_addr, int access,
				 struct ib_dmah *dmah, struct ib_udata *udata)
{
	return dmah ? ERR_PTR(-EOPNOTSUPP) : reg_mr(pd, length, access);
}
#else
static struct ib_mr *reg_user_mr(struct ib_pd *pd, u64 start, u64 length, u64 virt_addr, int access,
				 struct ib_udata *udata)
{
	return reg_mr(pd, length, access);
}
#endif

static int dereg_mr(struct ib_mr *mr, struct ib_udata *udata)
{
	lab_frmr_give(mr);
	kfree(mr);
	return 0;
}

/* ---- CQs, SRQs ---- */

#if LAB_CQ_TAKES_ATTRS
static int create_cq(struct ib_cq *cq, const struct ib_cq_init_attr *attr, struct uverbs_attr_bundle *attrs)
#else
static int create_cq(struct ib_cq *cq, const struct ib_cq_init_attr *attr, struct ib_udata *udata)
#endif
{
	if (!attr->cqe || attr->cqe > cq->device->attrs.max_cqe)
		return -EINVAL;
	cq->cqe = attr->cqe;
	return 0;
}

static int destroy_cq(struct ib_cq *cq, struct ib_udata *udata)
{
	return 0;
}

static int modify_cq(struct ib_cq *cq, u16 count, u16 period)
{
	return 0;
}

static int create_srq(struct ib_srq *srq, struct ib_srq_init_attr *init, struct ib_udata *udata)
{
	struct lab_srq *s = container_of(srq, struct lab_srq, ib);

	if (init->srq_type != IB_SRQT_BASIC)
		return -EOPNOTSUPP;
	s->attr = init->attr;
	return 0;
}

static int modify_srq(struct ib_srq *srq, struct ib_srq_attr *attr, enum ib_srq_attr_mask mask, struct ib_udata *udata)
{
	struct lab_srq *s = container_of(srq, struct lab_srq, ib);

	if (mask & IB_SRQ_MAX_WR)
		s->attr.max_wr = attr->max_wr;
	if (mask & IB_SRQ_LIMIT)
		s->attr.srq_limit = attr->srq_limit;
	return 0;
}

static int query_srq(struct ib_srq *srq, struct ib_srq_attr *attr)
{
	*attr = container_of(srq, struct lab_srq, ib)->attr;
	return 0;
}

static int destroy_srq(struct ib_srq *srq, struct ib_udata *udata)
{
	return 0;
}

/* ---- QPs ---- */

static int create_qp(struct ib_qp *qp, struct ib_qp_init_attr *init, struct ib_udata *udata)
{
	struct lab_ibdev *dev = container_of(qp->device, struct lab_ibdev, ib);
	struct lab_qp *q = container_of(qp, struct lab_qp, ib);
	int qpn;

	switch (init->qp_type) {
	case IB_QPT_RC:
	case IB_QPT_UC:
	case IB_QPT_UD:
	case IB_QPT_RAW_PACKET:
		break;
	default:
		return -EOPNOTSUPP;
	}
	qpn = ida_alloc_range(&dev->qpns, 0x100, 0xffffff, GFP_KERNEL);
	if (qpn < 0)
		return qpn;
	qp->qp_num = qpn;
	q->cap = init->cap;
	q->attr.qp_state = IB_QPS_RESET;
	q->attr.path_mig_state = IB_MIG_MIGRATED;
	return 0;
}

static int modify_qp(struct ib_qp *qp, struct ib_qp_attr *attr, int mask, struct ib_udata *udata)
{
	struct lab_qp *q = container_of(qp, struct lab_qp, ib);
	enum ib_qp_state cur = q->attr.qp_state;
	enum ib_qp_state new = mask & IB_QP_STATE ? attr->qp_state : cur;

	if (!ib_modify_qp_is_ok(cur, new, qp->qp_type, mask & IB_QP_ATTR_STANDARD_BITS))
		return -EINVAL;
	if (mask & IB_QP_PORT)
		q->attr.port_num = attr->port_num;
	if (mask & IB_QP_PKEY_INDEX)
		q->attr.pkey_index = attr->pkey_index;
	if (mask & IB_QP_QKEY)
		q->attr.qkey = attr->qkey;
	if (mask & IB_QP_ACCESS_FLAGS)
		q->attr.qp_access_flags = attr->qp_access_flags;
	if (mask & IB_QP_PATH_MTU)
		q->attr.path_mtu = attr->path_mtu;
	if (mask & IB_QP_DEST_QPN)
		q->attr.dest_qp_num = attr->dest_qp_num;
	if (mask & IB_QP_RQ_PSN)
		q->attr.rq_psn = attr->rq_psn;
	if (mask & IB_QP_SQ_PSN)
		q->attr.sq_psn = attr->sq_psn;
	q->attr.qp_state = new;
	return 0;
}

static int query_qp(struct ib_qp *qp, struct ib_qp_attr *attr, int mask, struct ib_qp_init_attr *init)
{
	struct lab_qp *q = container_of(qp, struct lab_qp, ib);

	*attr = q->attr;
	attr->cur_qp_state = q->attr.qp_state;
	attr->cap = q->cap;
	memset(init, 0, sizeof(*init));
	init->cap = q->cap;
	init->qp_type = qp->qp_type;
	return 0;
}

static int destroy_qp(struct ib_qp *qp, struct ib_udata *udata)
{
	struct lab_ibdev *dev = container_of(qp->device, struct lab_ibdev, ib);

	ida_free(&dev->qpns, qp->qp_num);
	return 0;
}

/* ---- what `-dd` and `-r` show: values that a reader can get wrong ---- */

static int fill_details(struct sk_buff *msg)
{
	struct nlattr *table = nla_nest_start(msg, RDMA_NLDEV_ATTR_DRIVER);

	if (!table)
		return -EMSGSIZE;
	if (rdma_nl_put_driver_string(msg, "lab_kind", "simulated") ||
	    rdma_nl_put_driver_u32(msg, "lab_u32", 0x80000001U) ||
	    rdma_nl_put_driver_u32_hex(msg, "lab_u32_hex", 0xdeadbeefU) ||
	    rdma_nl_put_driver_u64(msg, "lab_u64", 9007199254740993ULL) ||
	    rdma_nl_put_driver_u64_hex(msg, "lab_u64_hex", 0xfedcba9876543210ULL)) {
		nla_nest_cancel(msg, table);
		return -EMSGSIZE;
	}
	nla_nest_end(msg, table);
	return 0;
}

static int fill_raw(struct sk_buff *msg, u32 id)
{
	u8 raw[32];
	int i;

	for (i = 0; i < sizeof(raw); i++)
		raw[i] = id + 17 * i;
	return nla_put(msg, RDMA_NLDEV_ATTR_RES_RAW, sizeof(raw), raw);
}

static int fill_mr(struct sk_buff *msg, struct ib_mr *mr)
{
	return fill_details(msg);
}

static int fill_cq(struct sk_buff *msg, struct ib_cq *cq)
{
	return fill_details(msg);
}

static int fill_qp(struct sk_buff *msg, struct ib_qp *qp)
{
	return fill_details(msg);
}

static int fill_mr_raw(struct sk_buff *msg, struct ib_mr *mr)
{
	return fill_raw(msg, mr->lkey);
}

static int fill_cq_raw(struct sk_buff *msg, struct ib_cq *cq)
{
	return fill_raw(msg, cq->res.id);
}

static int fill_qp_raw(struct sk_buff *msg, struct ib_qp *qp)
{
	return fill_raw(msg, qp->qp_num);
}

const struct ib_device_ops lab_verbs_ops = {
	.alloc_ucontext = alloc_ucontext,
	.dealloc_ucontext = dealloc_ucontext,
	.alloc_pd = alloc_pd,
	.dealloc_pd = dealloc_pd,
	.reg_user_mr = reg_user_mr,
	.dereg_mr = dereg_mr,
	.create_cq = create_cq,	/* 7.3 offers users the call only with this, and then makes the other one */
#if LAB_CREATE_USER_CQ
	.create_user_cq = create_cq,
#endif
	.destroy_cq = destroy_cq,
	.modify_cq = modify_cq,
	.create_srq = create_srq,
	.modify_srq = modify_srq,
	.query_srq = query_srq,
	.destroy_srq = destroy_srq,
	.create_qp = create_qp,
	.modify_qp = modify_qp,
	.query_qp = query_qp,
	.destroy_qp = destroy_qp,
	.fill_res_mr_entry = fill_mr,
	.fill_res_cq_entry = fill_cq,
	.fill_res_qp_entry = fill_qp,
	.fill_res_mr_entry_raw = fill_mr_raw,
	.fill_res_cq_entry_raw = fill_cq_raw,
	.fill_res_qp_entry_raw = fill_qp_raw,
	INIT_RDMA_OBJ_SIZE(ib_ucontext, lab_ucontext, ib),
	INIT_RDMA_OBJ_SIZE(ib_pd, lab_pd, ib),
	INIT_RDMA_OBJ_SIZE(ib_cq, lab_cq, ib),
	INIT_RDMA_OBJ_SIZE(ib_srq, lab_srq, ib),
	INIT_RDMA_OBJ_SIZE(ib_qp, lab_qp, ib),
};
