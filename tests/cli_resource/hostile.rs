//! Words that make no command, and bytes that make no object.

use proptest::prelude::*;
use rdmactl::wire::Request;
use rdmactl::wire::nldev::attr_ids::*;
use rdmactl::wire::nldev::resource::{Kind, Query, Summary};

use crate::devices::{about, call, query};
use crate::support::Tape;

#[test]
fn words_that_make_no_command() {
    for line in [
        "rdma res bogus",
        "rdma res show qp bogus 1",
        "rdma res show qp lqpn x",
        "rdma res show qp lqpn 1,,2",
        "rdma res show qp link mlx5_0 dev mlx5_1",
        "rdma res show mlx5_0 qp",
        "rdma res set frmr_pools aging 5",
        "rdma res set frmr_pools dev mlx5_0 aging 0",
        "rdma res set frmr_pools dev mlx5_0 pinned 1:2:3 5",
    ] {
        let ran = call(&Tape::default(), line, None);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{line}");
        assert!(ran.err.starts_with("error: "), "{line}: {}", ran.err);
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = Summary::decode(&bytes);
        for kind in Kind::ALL {
            for raw in [false, true] {
                let query = Query { raw, ..query(kind) };
                let _ = query.decode_table(&bytes);
                let _ = query.decode_one(&bytes);
            }
        }
    }

    /// Bytes that look like attributes reach deeper than noise does.
    #[test]
    fn no_attributes_make_a_decoder_panic(
        attrs in proptest::collection::vec((0u16..130, proptest::collection::vec(any::<u8>(), 0..40)), 0..20),
    ) {
        let inner = attrs.iter().fold(Request::new(0), |request, (id, value)| request.bytes(*id, value));
        for kind in Kind::ALL {
            let (table, each) = kind.table();
            let list = Request::new(0).bytes(each, inner.body());
            let _ = query(kind).decode_table(about(0).bytes(table, list.body()).body());
            let _ = query(kind).decode_one(about(0).fixed(inner.body()).body());
        }
        let _ = Summary::decode(about(0).bytes(RDMA_NLDEV_ATTR_RES_SUMMARY, inner.body()).body());
    }
}
