//! Counters of queue pairs: shown, bound, unbound, and the automatic mode.

use rdmactl::types::AutoCriteria;
use rdmactl::wire::Request;
use rdmactl::wire::nldev::attr_ids::*;
use rdmactl::wire::nldev::statistic::{mode, queue_pair};

use crate::devices::{ENOENT, STAT, answer, call, counters, devices, named, printed};
use crate::support::{Tape, ack, done, entry};

fn bound() -> Request {
    named(0).nest(RDMA_NLDEV_ATTR_STAT_COUNTER, |table| {
        let one = |entry: Request, id, kind, qps: &[u32]| {
            let entry = entry
                .u32(RDMA_NLDEV_ATTR_PORT_INDEX, 1)
                .u32(RDMA_NLDEV_ATTR_STAT_COUNTER_ID, id)
                .u8(RDMA_NLDEV_ATTR_RES_TYPE, kind)
                .nest(RDMA_NLDEV_ATTR_RES_QP, |table| {
                    qps.iter().fold(table, |table, qp| {
                        table.nest(RDMA_NLDEV_ATTR_RES_QP_ENTRY, |entry| {
                            entry.u32(RDMA_NLDEV_ATTR_RES_LQPN, *qp)
                        })
                    })
                });
            counters(entry, &[("rx", 3)])
        };
        table
            .nest(RDMA_NLDEV_ATTR_STAT_COUNTER_ENTRY, |entry| {
                one(entry, 4, 2, &[178, 179])
            })
            .nest(RDMA_NLDEV_ATTR_STAT_COUNTER_ENTRY, |entry| {
                let entry = entry.text(RDMA_NLDEV_ATTR_RES_KERN_NAME, "ib_core");
                one(entry, 5, 4, &[1])
            })
    })
}

fn queue_pairs() -> Tape {
    devices().then(queue_pair::dump(0), vec![entry(STAT, &bound()), done(0)])
}

#[test]
fn counters_of_queue_pairs_and_filters() {
    let first = "link mlx5_0/1 cntn 4 qp-type RC \n    rx 3 \n    LQPN: <178,179>\n";
    let second = "link mlx5_0/1 cntn 5 qp-type UD comm [ib_core] \n    rx 3 \n    LQPN: <1>\n";
    for (filter, shown) in [
        ("", format!("{first}{second}")),
        (" cntn 4", first.to_owned()),
        (" cntn 1-4,9", first.to_owned()),
        (" lqpn 179", first.to_owned()),
        (" qp-type ud,uc", second.to_owned()),
        (" q rc cntn 5", String::new()),
        (" pid 1", String::new()),
    ] {
        let line = format!("rdma stat qp show link mlx5_0{filter}");
        assert_eq!(printed(&queue_pairs(), &line), shown, "{line}");
    }
    assert_eq!(
        printed(&queue_pairs(), "rdma -j stat qp s l mlx5_0/1 c 5"),
        "[{\"ifindex\":0,\"ifname\":\"mlx5_0\",\"port\":1,\"cntn\":5,\"qp-type\":\"UD\",\"comm\":\"ib_core\",\"rx\":3,\"lqpn\":[1]}\n]\n"
    );
}

#[test]
fn modes() {
    let told = |mask: Option<u32>| {
        let mode = named(0).u32(RDMA_NLDEV_ATTR_STAT_MODE, u32::from(mask.is_some()));
        match mask {
            Some(mask) => mode
                .u32(RDMA_NLDEV_ATTR_STAT_AUTO_MODE_MASK, mask)
                .u8(RDMA_NLDEV_ATTR_STAT_OPCOUNTER_ENABLED, 1),
            None => mode,
        }
    };
    for (mask, shown) in [
        (None, "qp auto off"),
        (Some(1), "qp auto type on optional-counters on"),
        (Some(3), "qp auto type,pid on optional-counters on"),
    ] {
        let tape = || devices().then(mode::get(0, 1), answer(&told(mask)));
        for line in [
            "rdma stat qp mode link mlx5_0/1",
            "rdma stat qp set link mlx5_0/1",
        ] {
            assert_eq!(
                printed(&tape(), line),
                format!("link mlx5_0/1 mode {shown} \n")
            );
        }
    }
    let criteria: AutoCriteria = "type".parse().unwrap();
    let set = |now| {
        devices()
            .then(mode::set_auto(0, 1, criteria, None), answer(&named(0)))
            .then(mode::get(0, 1), answer(&told(now)))
    };
    let line = "rdma stat qp set link mlx5_0/1 auto type on";
    assert_eq!(printed(&set(Some(1)), line), "");
    let ran = call(&set(None), line, None);
    assert!(
        ran.code == 1 && ran.err.contains("did not happen"),
        "{ran:?}"
    );
    let line = "rdmactl --dry-run stat qp set link mlx5_0 auto off";
    assert_eq!(
        printed(&devices(), line),
        "would end the automatic mode of mlx5_0/1\n"
    );
}

#[test]
fn binding_tells_the_counter_in_our_own_dialect() {
    let reply = named(0)
        .u32(RDMA_NLDEV_ATTR_STAT_COUNTER_ID, 4)
        .u32(RDMA_NLDEV_ATTR_RES_LQPN, 178);
    let tape = || devices().then(mode::bind(0, 1, 178, None), answer(&reply));
    let words = "stat qp bind link mlx5_0/1 lqpn 178";
    assert_eq!(printed(&tape(), &format!("rdma {words}")), "");
    assert_eq!(printed(&tape(), &format!("rdma -j {words}")), "[]\n");
    assert_eq!(
        printed(&tape(), &format!("rdmactl {words}")),
        "link mlx5_0/1 cntn 4 lqpn 178 \n"
    );
    assert_eq!(
        printed(&tape(), "rdmactl -j stat qp b l mlx5_0 l 178"),
        "[{\"ifindex\":0,\"ifname\":\"mlx5_0\",\"port\":1,\"cntn\":4,\"lqpn\":178}\n]\n"
    );
    let ran = call(&devices(), "rdmactl stat qp bind link mlx5_1 lqpn 1", None);
    assert!(
        ran.code == 1 && ran.err.contains("write mlx5_1/PORT"),
        "{ran:?}"
    );
}

#[test]
fn unbinding_is_never_silent() {
    let tape = devices().then(queue_pair::get(0, 1, 9), vec![ack(ENOENT)]);
    let ran = call(&tape, "rdma stat qp unbind link mlx5_0/1 cntn 9", None);
    assert_eq!(ran.code, 1);
    assert_eq!(
        ran.err,
        "error: No such file or directory\ncause: mlx5_0/1 has no counter 9\n  fix: rdmactl statistic qp show link mlx5_0/1\n"
    );
    let of_counter =
        named(0)
            .u32(RDMA_NLDEV_ATTR_STAT_COUNTER_ID, 4)
            .nest(RDMA_NLDEV_ATTR_RES_QP, |table| {
                [178, 179].iter().fold(table, |table, qp| {
                    table.nest(RDMA_NLDEV_ATTR_RES_QP_ENTRY, |entry| {
                        entry.u32(RDMA_NLDEV_ATTR_RES_LQPN, *qp)
                    })
                })
            });
    let tape = devices()
        .then(queue_pair::get(0, 1, 4), answer(&of_counter))
        .then(mode::unbind(0, 1, 4, 178), answer(&named(0)))
        .then(mode::unbind(0, 1, 4, 179), answer(&named(0)));
    assert_eq!(printed(&tape, "rdma stat qp u l mlx5_0/1 c 4"), "");
}
