//! Queue pairs: by port, by property, by number.

use rdmactl::wire::Request;
use rdmactl::wire::nldev::attr_ids::*;
use rdmactl::wire::nldev::device;
use rdmactl::wire::nldev::resource::Kind;

use crate::devices::{about, call, devices, mlx5, printed, query, table};
use crate::support::{Tape, ack, data, done, entry};

fn qp(lqpn: u32, port: u32, pid: u32) -> Request {
    let qp = Request::new(0).u32(RDMA_NLDEV_ATTR_RES_LQPN, lqpn);
    let qp = if port > 0 {
        qp.u32(RDMA_NLDEV_ATTR_PORT_INDEX, port)
    } else {
        qp
    };
    qp.u32(RDMA_NLDEV_ATTR_RES_RQPN, 7)
        .u8(RDMA_NLDEV_ATTR_RES_TYPE, 2)
        .u8(RDMA_NLDEV_ATTR_RES_STATE, 3)
        .u32(RDMA_NLDEV_ATTR_RES_SQ_PSN, 5)
        .u32(RDMA_NLDEV_ATTR_RES_PID, pid)
        .u32(4000, 1)
}

pub(crate) fn gsi(port: u32) -> Request {
    Request::new(0)
        .u32(RDMA_NLDEV_ATTR_PORT_INDEX, port)
        .u32(RDMA_NLDEV_ATTR_RES_LQPN, 1)
        .u8(RDMA_NLDEV_ATTR_RES_TYPE, 1)
        .u8(RDMA_NLDEV_ATTR_RES_STATE, 3)
        .u32(RDMA_NLDEV_ATTR_RES_SQ_PSN, 0)
        .text(RDMA_NLDEV_ATTR_RES_KERN_NAME, "ib_core")
}

fn qps() -> Tape {
    let q = query(Kind::Qp);
    let listed = [gsi(2), qp(18, 1, 42), qp(17, 0, 99)];
    devices()
        .then(q.dump(0, None), vec![table(Kind::Qp, 0, &listed), done(0)])
        .then(q.dump(1, None), vec![done(0)])
}

const QP_17: &str = "link mlx5_0/- lqpn 17 rqpn 7 type RC state RTS sq-psn 5 pid 99 \n";
const QP_18: &str = "link mlx5_0/1 lqpn 18 rqpn 7 type RC state RTS sq-psn 5 pid 42 comm rping \n";
pub(crate) const QP_GSI: &str =
    "link mlx5_0/2 lqpn 1 type GSI state RTS sq-psn 0 comm [ib_core] \n";

#[test]
fn queue_pairs_by_port_and_by_property() {
    let all = QP_17.to_owned() + QP_18 + QP_GSI;
    for (line, expected) in [
        ("rdma res show qp", all.as_str()),
        ("rdma r l q", &all),
        ("rdma res show qp p 42", QP_18),
        ("rdma res show qp pid 0-42,100", QP_18),
        ("rdma res show qp ty gsi", QP_GSI),
        ("rdma res show qp type rc pid 99", QP_17),
        ("rdma res show qp path-mig-state migrated", ""),
        ("rdma res show qp lqpn 17-18 lqpn", ""),
    ] {
        if line.ends_with(" lqpn") {
            assert_eq!(call(&Tape::default(), line, None).code, 2, "{line}");
            continue;
        }
        assert_eq!(printed(&qps(), line), expected, "{line}");
    }
    let q = query(Kind::Qp);
    let one = |port| {
        let listed = table(Kind::Qp, 0, &[gsi(2), qp(18, 1, 42), qp(17, 0, 99)]);
        devices().then(q.dump(0, port), vec![listed, done(0)])
    };
    assert_eq!(printed(&one(None), "rdma res show qp link mlx5_0/-"), QP_17);
    assert_eq!(
        printed(&one(Some(2)), "rdma res show qp li mlx5_0/2"),
        QP_GSI
    );
    assert_eq!(printed(&one(None), "rdma res show qp dev mlx5_0"), all);
    assert_eq!(
        printed(&one(Some(1)), "rdma -j res show qp link mlx5_0/1"),
        "[{\"ifindex\":0,\"ifname\":\"mlx5_0\",\"port\":1,\"lqpn\":18,\"rqpn\":7,\"type\":\"RC\",\
         \"state\":\"RTS\",\"sq-psn\":5,\"pid\":42,\"comm\":\"rping\"}\n]\n"
    );
}

/// The kernel is asked for the one object, and listed when it does not know it by its number.
#[test]
fn an_object_by_its_number() {
    let q = query(Kind::Qp);
    let only = || {
        let listing = vec![entry(0x1401, &mlx5(0)), done(0)];
        Tape::default().then(device::dump(), listing)
    };
    let get = |port, id| q.get(0, Some(port), id).unwrap();
    let flat = about(0).fixed(qp(18, 1, 42).body());
    let tape = only()
        .then(get(1, 18), vec![data(0x140a, &flat), ack(0)])
        .then(get(2, 18), vec![ack(2)]);
    assert_eq!(printed(&tape, "rdma res show qp lqpn 18"), QP_18);
    let tape = only()
        .then(get(1, 1), vec![ack(2)])
        .then(get(2, 1), vec![ack(2)])
        .then(
            q.dump(0, None),
            vec![table(Kind::Qp, 0, &[gsi(2), qp(18, 1, 42)]), done(0)],
        );
    assert_eq!(printed(&tape, "rdma res show qp lqpn 1"), QP_GSI);
}
