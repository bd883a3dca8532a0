//! Connections, with their addresses and ports.

use rdmactl::wire::Request;
use rdmactl::wire::nldev::attr_ids::*;
use rdmactl::wire::nldev::resource::Kind;

use crate::devices::{call, devices, printed, query, table};
use crate::support::{Tape, done};

/// The first device has this connection, the second none.
fn connection(cm_id: &Request) -> Tape {
    devices()
        .then(
            query(Kind::CmId).dump(0, None),
            vec![table(Kind::CmId, 0, std::slice::from_ref(cm_id)), done(0)],
        )
        .then(query(Kind::CmId).dump(1, None), vec![done(0)])
}

#[test]
fn connections_show_their_addresses_behind_the_maker() {
    let mut address = vec![2, 0, 0x1c, 0x06, 192, 168, 77, 1];
    address.resize(128, 0);
    let cm_id = Request::new(0)
        .u32(RDMA_NLDEV_ATTR_PORT_INDEX, 1)
        .u8(RDMA_NLDEV_ATTR_RES_STATE, 8)
        .u32(RDMA_NLDEV_ATTR_RES_PS, 0x106)
        .u32(RDMA_NLDEV_ATTR_RES_CM_IDN, 0)
        .u32(RDMA_NLDEV_ATTR_RES_PID, 42)
        .bytes(RDMA_NLDEV_ATTR_RES_SRC_ADDR, &address);
    let tape = || connection(&cm_id);
    let line = "link mlx5_0/1 cm-idn 0 state LISTEN ps TCP pid 42 comm rping src-addr 192.168.77.1:7174 \n";
    assert_eq!(printed(&tape(), "rdma res show cm_id src-port 7174"), line);
    assert_eq!(printed(&tape(), "rdma res show c src-a 192.168.77.1"), line);
    assert_eq!(printed(&tape(), "rdma res show c dst-addr 0.0.0.0"), "");
}

/// iproute2 writes an IPv6 address and its port with nothing but a colon between, and has one word
/// for two port spaces.
#[test]
fn connections_are_clear_in_tables_and_to_programs() {
    // struct sockaddr_in6: family, port, flow, address
    let mut address = vec![10, 0, 0x1c, 0x06, 0, 0, 0, 0, 0xfe, 0x80];
    address.resize(23, 0);
    address.push(1);
    address.resize(128, 0);
    let cm_id = Request::new(0)
        .u8(RDMA_NLDEV_ATTR_RES_STATE, 8)
        .u32(RDMA_NLDEV_ATTR_RES_PS, 0x13f)
        .bytes(RDMA_NLDEV_ATTR_RES_DST_ADDR, &address);
    let tape = || connection(&cm_id);
    let line = "link mlx5_0/- state LISTEN ps IPoIB dst-addr fe80::1:7174 \n";
    for words in ["rdma -d res show cm_id", "rdmactl res show cm_id"] {
        assert_eq!(printed(&tape(), words), line);
    }
    let table = call(&tape(), "rdmactl res show cm_id", Some(80)).out;
    assert_eq!(
        table,
        "DEVICE  STATE   PS  DESTINATION\nmlx5_0  LISTEN  IB  [fe80::1]:7174\n"
    );
    let json = "[{\"ifindex\":0,\"ifname\":\"mlx5_0\",\"state\":\"LISTEN\",\"ps\":\"IPoIB\",\"dst-addr\":\"fe80::1:7174\"";
    for words in ["rdma -j -d res show cm_id", "rdmactl -j res show cm_id"] {
        assert_eq!(printed(&tape(), words), json.to_owned() + "}\n]\n");
    }
    assert_eq!(
        printed(&tape(), "rdmactl -j -d res show cm_id"),
        json.to_owned() + ",\"dst-ip\":\"fe80::1\",\"dst-port\":7174}\n]\n"
    );
}
