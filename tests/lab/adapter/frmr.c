// SPDX-License-Identifier: GPL-2.0
/* Pools of fast registration memory regions: the core keeps them, we make their handles, and MRs take one while they live. */
#include "rdmalab.h"

#if LAB_HAS_FRMR_POOLS
static int create_frmrs(struct ib_device *ibdev, struct ib_frmr_key *key, u32 *handles, u32 count)
{
	struct lab_ibdev *dev = container_of(ibdev, struct lab_ibdev, ib);
	u32 i;

	for (i = 0; i < count; i++)
		handles[i] = atomic_inc_return(&dev->keys);
	return 0;
}

static void destroy_frmrs(struct ib_device *ibdev, u32 *handles, u32 count)
{
}

static const struct ib_frmr_pool_ops pool_ops = {
	.create_frmrs = create_frmrs,
	.destroy_frmrs = destroy_frmrs,
};

/* One handle of a pool that is the kernel's own, which only `-dd` shows, is taken for good. */
int lab_frmr_init(struct ib_device *ibdev)
{
	struct ib_mr *own = &container_of(ibdev, struct lab_ibdev, ib)->own_mr;
	int err = ib_frmr_pools_init(ibdev, &pool_ops);

	if (err)
		return err;
	own->device = ibdev;
	own->frmr.key.kernel_vendor_key = 0x15b3;
	own->frmr.key.num_dma_blocks = 16;
	err = ib_frmr_pool_pop(ibdev, own);
	if (err)
		ib_frmr_pools_cleanup(ibdev);
	return err;
}

void lab_frmr_exit(struct ib_device *ibdev)
{
	if (!ibdev->frmr_pools)
		return;
	ib_frmr_pool_push(ibdev, &container_of(ibdev, struct lab_ibdev, ib)->own_mr);
	ib_frmr_pools_cleanup(ibdev);
}

int lab_frmr_take(struct ib_device *ibdev, struct ib_mr *mr, u64 length, int access)
{
	mr->device = ibdev;
	mr->frmr.key.access_flags = access;
	mr->frmr.key.num_dma_blocks = DIV_ROUND_UP_ULL(length, PAGE_SIZE);
	return ib_frmr_pool_pop(ibdev, mr);
}

void lab_frmr_give(struct ib_mr *mr)
{
	ib_frmr_pool_push(mr->device, mr);
}
#endif
