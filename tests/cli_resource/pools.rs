//! FRMR pools, shown and set.

use rdmactl::types::FrmrKey;
use rdmactl::wire::Request;
use rdmactl::wire::nldev::attr_ids::*;
use rdmactl::wire::nldev::resource::{Kind, frmr_pools};

use crate::devices::{devices, printed, query, table};
use crate::support::{ack, done};

#[test]
fn pools_are_shown_and_set() {
    let key: FrmrKey = "1f:10:f:1".parse().unwrap();
    let pool = Request::new(0)
        .nest(RDMA_NLDEV_ATTR_FRMR_POOL_KEY, |nest| {
            nest.u8(RDMA_NLDEV_ATTR_FRMR_POOL_KEY_ATS, 1)
                .u32(RDMA_NLDEV_ATTR_FRMR_POOL_KEY_ACCESS_FLAGS, 15)
                .u64(RDMA_NLDEV_ATTR_FRMR_POOL_KEY_VENDOR_KEY, 31)
                .u64(RDMA_NLDEV_ATTR_FRMR_POOL_KEY_NUM_DMA_BLOCKS, 16)
        })
        .u32(RDMA_NLDEV_ATTR_FRMR_POOL_QUEUE_HANDLES, 2)
        .u64(RDMA_NLDEV_ATTR_FRMR_POOL_MAX_IN_USE, 9)
        .u64(RDMA_NLDEV_ATTR_FRMR_POOL_IN_USE, 1 << 33)
        .u32(RDMA_NLDEV_ATTR_FRMR_POOL_PINNED_HANDLES, 4);
    let tape = || {
        devices().then(
            query(Kind::FrmrPools).dump(0, None),
            vec![
                table(Kind::FrmrPools, 0, std::slice::from_ref(&pool)),
                done(0),
            ],
        )
    };
    assert_eq!(
        printed(&tape(), "rdma res show f dev mlx5_0 vendor_key 0x1f"),
        "dev mlx5_0 key 1f:10:f:1 queue 2 in_use 8589934592 max_in_use 9 pinned 4 \n"
    );
    assert_eq!(
        printed(&tape(), "rdma -d res show frmr_pools dev mlx5_0"),
        "dev mlx5_0 key 1f:10:f:1 ats 1 access_flags 15 vendor_key 31 num_dma_blocks 16 \
         queue 2 in_use 8589934592 max_in_use 9 pinned 4 \n"
    );
    let set = devices().then(frmr_pools::set_aging(1, 10), vec![ack(0)]);
    assert_eq!(printed(&set, "rdma -j res se f dev mlx5_1 a 10"), "[]\n");
    let set = devices().then(frmr_pools::set_pinned(1, &key, 8), vec![ack(0)]);
    assert_eq!(
        printed(
            &set,
            "rdma res set frmr_pools dev mlx5_1 pinned 1f:10:f:1 8"
        ),
        ""
    );
    assert_eq!(
        printed(
            &devices(),
            "rdmactl --dry-run resource set frmr_pools dev mlx5_1 aging 9"
        ),
        "would keep unused handles of the FRMR pools of mlx5_1 for 9 seconds\n"
    );
}
