// SPDX-License-Identifier: GPL-2.0
/*
 * Hardware counters of a port, optional ones among them, and counters bound to QPs.
 *
 * Values are made up: the same at each reading, different for each function and counter. A test that wants them to
 * change writes the parameter stat_base.
 */
#include <linux/idr.h>

#include "rdmalab.h"

#include <rdma/rdma_counter.h>	/* after ib_verbs.h, which it does not include */
#include <rdma/restrack.h>

/* The first NUM_QP of them are what a QP's counter has, as with mlx5's Q counters. Optional ones come last. */
enum { NUM_QP = 10, FIRST_OPTIONAL = 12 };

static const struct rdma_stat_desc descs[] = {
	{ .name = "rx_write_requests" },
	{ .name = "rx_read_requests" },
	{ .name = "rx_atomic_requests" },
	{ .name = "out_of_buffer" },
	{ .name = "out_of_sequence" },
	{ .name = "duplicate_request" },
	{ .name = "rnr_nak_retry_err" },
	{ .name = "packet_seq_err" },
	{ .name = "implied_nak_seq_err" },
	{ .name = "local_ack_timeout_err" },
	{ .name = "resp_local_length_error" },
	{ .name = "rx_icrc_encapsulated" },
	{ .name = "cc_rx_ce_pkts", .flags = IB_STAT_FLAG_OPTIONAL },
	{ .name = "cc_rx_cnp_pkts", .flags = IB_STAT_FLAG_OPTIONAL },
	{ .name = "cc_tx_cnp_pkts", .flags = IB_STAT_FLAG_OPTIONAL },
};

static struct rdma_hw_stats *alloc_stats(int count)
{
	struct rdma_hw_stats *stats = rdma_alloc_hw_stats_struct(descs, count, RDMA_HW_STATS_DEFAULT_LIFESPAN);
	int i;

	for (i = FIRST_OPTIONAL; stats && i < count; i++)
		set_bit(i, stats->is_disabled);
	return stats;
}

static struct rdma_hw_stats *alloc_port_stats(struct ib_device *ibdev, u32 port)
{
	return alloc_stats(ARRAY_SIZE(descs));
}

static u64 port_value(struct ib_device *ibdev, int index)
{
	u64 value = lab_stat_base + 100 * lab_fn_of(ibdev)->lid + index;

	/* one that fits neither 32 bits nor a double */
	return index == FIRST_OPTIONAL - 1 ? value + (1ULL << 60) : value;
}

static int get_stats(struct ib_device *ibdev, struct rdma_hw_stats *stats, u32 port, int index)
{
	int i;

	if (!port)
		return 0;
	for (i = 0; i < stats->num_counters; i++)
		stats->value[i] = test_bit(i, stats->is_disabled) ? 0 : port_value(ibdev, i);
	return stats->num_counters;
}

/* The core has checked that the counter is an optional one, and keeps its state. */
static int modify_stat(struct ib_device *ibdev, u32 port, unsigned int index, bool enable)
{
	return index >= FIRST_OPTIONAL && index < ARRAY_SIZE(descs) ? 0 : -EINVAL;
}

/* ---- counters bound to QPs ---- */

static DEFINE_IDA(counter_ids);

static int bind_qp(struct rdma_counter *counter, struct ib_qp *qp)
{
	if (!counter->id) {
		int id = ida_alloc_min(&counter_ids, 1, GFP_KERNEL);

		if (id < 0)
			return id;
		counter->id = id;
	}
	qp->counter = counter;
	return 0;
}

static int unbind_qp(struct ib_qp *qp)
{
	qp->counter = NULL;
	return 0;
}

#if LAB_COUNTER_OBJECT
struct lab_counter {
	struct rdma_counter rdma_counter;
};

static int counter_bind_qp(struct rdma_counter *counter, struct ib_qp *qp, u32 port)
{
	return bind_qp(counter, qp);
}

static int counter_unbind_qp(struct ib_qp *qp, u32 port)
{
	return unbind_qp(qp);
}

static void counter_init(struct rdma_counter *counter)
{
}
#else
static int counter_bind_qp(struct rdma_counter *counter, struct ib_qp *qp)
{
	return bind_qp(counter, qp);
}

static int counter_unbind_qp(struct ib_qp *qp)
{
	return unbind_qp(qp);
}
#endif

static int counter_dealloc(struct rdma_counter *counter)
{
	if (counter->id)
		ida_free(&counter_ids, counter->id);
	return 0;
}

static struct rdma_hw_stats *counter_alloc_stats(struct rdma_counter *counter)
{
	return alloc_stats(NUM_QP);
}

static int counter_update_stats(struct rdma_counter *counter)
{
	int i;

	for (i = 0; i < counter->stats->num_counters; i++)
		counter->stats->value[i] = 10 + i;
	return 0;
}

static int fill_stat_mr(struct sk_buff *msg, struct ib_mr *mr)
{
	struct nlattr *table = nla_nest_start(msg, RDMA_NLDEV_ATTR_STAT_HWCOUNTERS);

	if (!table)
		return -EMSGSIZE;
	if (rdma_nl_stat_hwcounter_entry(msg, "page_faults", 3) ||
	    rdma_nl_stat_hwcounter_entry(msg, "page_invalidations", 1) ||
	    rdma_nl_stat_hwcounter_entry(msg, "page_prefetch", 0)) {
		nla_nest_cancel(msg, table);
		return -EMSGSIZE;
	}
	nla_nest_end(msg, table);
	return 0;
}

void lab_counters_init(void)
{
	BUILD_BUG_ON(ARRAY_SIZE(descs) <= FIRST_OPTIONAL || NUM_QP > FIRST_OPTIONAL);
}

void lab_counters_exit(void)
{
	ida_destroy(&counter_ids);
}

const struct ib_device_ops lab_counter_ops = {
	.alloc_hw_port_stats = alloc_port_stats,
	.get_hw_stats = get_stats,
	.modify_hw_stat = modify_stat,
	.counter_bind_qp = counter_bind_qp,
	.counter_unbind_qp = counter_unbind_qp,
	.counter_dealloc = counter_dealloc,
	.counter_alloc_stats = counter_alloc_stats,
	.counter_update_stats = counter_update_stats,
	.fill_stat_mr_entry = fill_stat_mr,
#if LAB_COUNTER_OBJECT
	.counter_init = counter_init,
	INIT_RDMA_OBJ_SIZE(rdma_counter, lab_counter, rdma_counter),
#endif
};
