//! Counts, contexts, memory regions, shared receive queues, and the raw form.

use rdmactl::wire::nldev::attr_ids::*;
use rdmactl::wire::nldev::resource::{Kind, Query, summary};
use rdmactl::wire::{Request, nldev};

use crate::devices::{about, call, devices, printed, query, table};
use crate::support::{Tape, ack, data, done, entry};

#[test]
fn counts_come_in_one_listing() {
    let counts = |index: u32| {
        let count = |name: &str, n: u64| {
            Request::new(0)
                .text(RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_NAME, name)
                .u64(RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_CURR, n)
        };
        let qp = count("qp", u64::MAX).u64(RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_MAX, 131_072);
        let inner = Request::new(0)
            .bytes(RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY, count("pd", 3).body())
            .bytes(RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY, qp.body());
        about(index).bytes(RDMA_NLDEV_ATTR_RES_SUMMARY, inner.body())
    };
    let all = || {
        Tape::default().then(
            summary::dump(),
            vec![
                entry(0x1409, &counts(0)),
                entry(0x1409, &counts(1)),
                done(0),
            ],
        )
    };
    let line = |n| format!("{n}: mlx5_{n}: pd 3 qp 18446744073709551615/131072 \n");
    assert_eq!(printed(&all(), "rdma r"), line(0) + &line(1));
    assert_eq!(printed(&all(), "rdmactl r"), line(0) + &line(1));
    assert!(printed(&all(), "rdma -j res").starts_with(
        "[{\"ifindex\":0,\"ifname\":\"mlx5_0\",\"pd\":3,\"qp\":18446744073709551615,\"qp-max\":131072}\n,"
    ));
    let table = call(&all(), "rdmactl resource", Some(80)).out;
    assert!(
        table.starts_with("INDEX  NAME    PD  QP                    QP MAX\n"),
        "{table}"
    );
    let one = devices().then(
        summary::get(1, true),
        vec![data(0x1409, &counts(1)), ack(0)],
    );
    assert_eq!(printed(&one, "rdma -dd res show mlx5_1"), line(1));
}

#[test]
fn owners_are_told_in_our_own_words_only() {
    let ctx = Request::new(0)
        .u32(RDMA_NLDEV_ATTR_RES_CTXN, 0)
        .u32(RDMA_NLDEV_ATTR_RES_PID, 42);
    let tape = || {
        devices()
            .then(
                query(Kind::Ctx).dump(0, None),
                vec![table(Kind::Ctx, 0, std::slice::from_ref(&ctx)), done(0)],
            )
            .then(query(Kind::Ctx).dump(1, None), vec![done(0)])
    };
    let line = "dev mlx5_0 ctxn 0 pid 42 comm rping ";
    assert_eq!(
        printed(&tape(), "rdma -d res show ctx"),
        format!("{line}\n")
    );
    assert_eq!(
        printed(&tape(), "rdmactl resource show ctx"),
        format!("{line}\n")
    );
    assert_eq!(
        printed(&tape(), "rdmactl -d resource show ctx"),
        format!("{line}unit nfs.service \n")
    );
}

#[test]
fn keys_are_hexadecimal_and_whole() {
    let mr = Request::new(0)
        .u32(RDMA_NLDEV_ATTR_RES_MRN, 3)
        .u32(RDMA_NLDEV_ATTR_RES_RKEY, 0x249)
        .u32(RDMA_NLDEV_ATTR_RES_LKEY, 0x249)
        .u64(RDMA_NLDEV_ATTR_RES_IOVA, 0x7f00_1234_5678_9000)
        .u64(RDMA_NLDEV_ATTR_RES_MRLEN, 1 << 40)
        .text(RDMA_NLDEV_ATTR_RES_KERN_NAME, "nvme_rdma");
    let tape = |one: bool| {
        let tape = devices().then(
            query(Kind::Mr).dump(0, None),
            vec![table(Kind::Mr, 0, std::slice::from_ref(&mr)), done(0)],
        );
        if one {
            tape
        } else {
            tape.then(query(Kind::Mr).dump(1, None), vec![done(0)])
        }
    };
    let line = "dev mlx5_0 mrn 3 rkey 0x249 lkey 0x249 iova 0x7f00123456789000 mrlen 1099511627776 comm [nvme_rdma] \n";
    assert_eq!(printed(&tape(false), "rdma res show mr"), line);
    assert_eq!(
        printed(&tape(true), "rdma res show mr d mlx5_0 lk 0x249"),
        line
    );
    assert_eq!(
        printed(
            &tape(true),
            "rdma res show mr link mlx5_0/1 mrlen 0-1099511627775"
        ),
        ""
    );
    assert!(printed(&tape(false), "rdma -j res show mr").contains("\"iova\":\"7f00123456789000\""));
}

#[test]
fn an_srq_shows_the_queue_pairs_that_are_wanted() {
    let qps = Request::new(0)
        .nest(RDMA_NLDEV_ATTR_RES_QP_ENTRY, |run| {
            run.u32(RDMA_NLDEV_ATTR_MIN_RANGE, 19)
                .u32(RDMA_NLDEV_ATTR_MAX_RANGE, 22)
        })
        .nest(RDMA_NLDEV_ATTR_RES_QP_ENTRY, |one| {
            one.u32(RDMA_NLDEV_ATTR_RES_LQPN, 30)
        });
    let srq = Request::new(0)
        .u32(RDMA_NLDEV_ATTR_RES_SRQN, 0)
        .u8(RDMA_NLDEV_ATTR_RES_TYPE, 0)
        .u32(RDMA_NLDEV_ATTR_RES_PDN, 3)
        .bytes(RDMA_NLDEV_ATTR_RES_QP, qps.body());
    let tape = || {
        devices()
            .then(
                query(Kind::Srq).dump(0, None),
                vec![table(Kind::Srq, 0, std::slice::from_ref(&srq)), done(0)],
            )
            .then(query(Kind::Srq).dump(1, None), vec![done(0)])
    };
    assert_eq!(
        printed(&tape(), "rdma res show srq"),
        "dev mlx5_0 srqn 0 type BASIC lqpn 19-22,30 pdn 3 \n"
    );
    assert_eq!(
        printed(&tape(), "rdma res show srq lqpn 18-20"),
        "dev mlx5_0 srqn 0 type BASIC lqpn 19-20 pdn 3 \n"
    );
    assert!(printed(&tape(), "rdma -j res show srq").contains("\"lqpn\":[\"19-22\",\"30\"]"));
}

#[test]
fn raw_forms() {
    let q = Query {
        raw: true,
        ..query(Kind::Cq)
    };
    let raw = Request::new(0).bytes(RDMA_NLDEV_ATTR_RES_RAW, &[0, 18, 255]);
    let tape = || {
        devices().then(
            q.dump(0, None),
            vec![table(Kind::Cq, 0, std::slice::from_ref(&raw)), done(0)],
        )
    };
    assert_eq!(
        printed(&tape(), "rdma -r res show cq dev mlx5_0"),
        "dev mlx5_0 018255>\n"
    );
    assert_eq!(
        printed(&tape(), "rdma -r -j res show cq dev mlx5_0"),
        "[{\"ifindex\":0,\"ifname\":\"mlx5_0\",\"data\":[0,18,255]}\n]\n"
    );
    assert_eq!(q.message_type(), 0x1400 + nldev::op::RES_CQ_GET_RAW);
}
