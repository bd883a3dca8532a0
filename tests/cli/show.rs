//! What `dev show` and `link show` print.

use rdmactl::wire::Request;
use rdmactl::wire::nldev::attr_ids::*;
use rdmactl::wire::nldev::{device, port, system};

use crate::devices::{GET, MLX5_0, MLX5_1, call, devices, listing, printed};
use crate::support::{Tape, ack, data};

#[test]
fn dev_show_is_iproute2s() {
    assert_eq!(
        printed(&devices(), "rdma dev"),
        format!("{MLX5_0}\n{MLX5_1}\n")
    );
    assert_eq!(
        printed(&devices(), "rdmactl dev show mlx5_1"),
        format!("{MLX5_1}\n")
    );
    let details = "adaptive-moderation on \n    caps: <XRC, UNKNOWN>\n";
    assert_eq!(
        printed(&devices(), "rdma -d d s mlx5_0"),
        format!("{MLX5_0}{details}")
    );
    let oneline = "adaptive-moderation on \\    caps: <XRC, UNKNOWN>\n";
    assert_eq!(
        printed(&devices(), "rdma d s mlx5_0 -d -o"),
        format!("{MLX5_0}{oneline}")
    );
    assert_eq!(
        printed(&devices(), "rdma -j -d dev show mlx5_0"),
        "[{\"ifindex\":0,\"ifname\":\"mlx5_0\",\"node_type\":\"ca\",\"protocol\":\"ib\",\"fw\":\"16.35.4030\",\
         \"node_guid\":\"0011:2233:4455:6600\",\"sys_image_guid\":\"0011:2233:4455:6600\",\
         \"adaptive-moderation\":true,\"caps\":[\"XRC\",\"UNKNOWN\"]}\n]\n"
    );
}

#[test]
fn a_terminal_gets_a_table_but_not_under_iproute2s_name() {
    let table = call(&devices(), "rdmactl dev", Some(120)).out;
    assert_eq!(
        table,
        "INDEX  NAME    TYPE  PROTOCOL  FIRMWARE    NODE GUID            SYSTEM IMAGE GUID\n\
         0      mlx5_0  ca    ib        16.35.4030  0011:2233:4455:6600  0011:2233:4455:6600\n\
         1      mlx5_1  ca    ib        16.35.4030  0011:2233:4455:6601  0011:2233:4455:6600\n"
    );
    assert_eq!(
        call(&devices(), "rdma dev", Some(120)).out,
        format!("{MLX5_0}\n{MLX5_1}\n")
    );
    assert!(printed(&devices(), "rdmactl --format table dev").starts_with("INDEX"));
    assert!(printed(&devices(), "rdmactl --format=json dev").starts_with("[{"));
}

#[test]
fn in_shared_mode_all_namespaces_have_the_same() {
    let mode = Request::new(0).u8(RDMA_NLDEV_SYS_ATTR_NETNS_MODE, 1);
    let tape = || {
        Tape::default()
            .then(system::get(), vec![data(0x1406, &mode), ack(0)])
            .then(device::dump(), listing())
    };
    let plain = printed(&devices(), "rdmactl dev");
    assert_eq!(printed(&tape(), "rdmactl --all-netns dev"), plain);
    assert_eq!(printed(&tape(), "rdma -a d s"), plain);
}

#[test]
fn link_show_by_device_and_by_port() {
    let one = || {
        Request::new(0)
            .u32(RDMA_NLDEV_ATTR_DEV_INDEX, 1)
            .text(RDMA_NLDEV_ATTR_DEV_NAME, "mlx5_1")
            .u32(RDMA_NLDEV_ATTR_PORT_INDEX, 1)
            .u64(RDMA_NLDEV_ATTR_CAP_FLAGS, 0x2)
            .u64(RDMA_NLDEV_ATTR_SUBNET_PREFIX, 0xfe80_0000_0000_0000)
            .u32(RDMA_NLDEV_ATTR_LID, 13)
            .u32(RDMA_NLDEV_ATTR_SM_LID, 49)
            .u8(RDMA_NLDEV_ATTR_LMC, 0)
            .u8(RDMA_NLDEV_ATTR_PORT_STATE, 4)
            .u8(RDMA_NLDEV_ATTR_PORT_PHYS_STATE, 5)
            .u32(RDMA_NLDEV_ATTR_NDEV_INDEX, 5)
            .text(RDMA_NLDEV_ATTR_NDEV_NAME, "ib1")
    };
    let line = "link mlx5_1/1 subnet_prefix fe80:0000:0000:0000 lid 13 sm_lid 49 lmc 0 state ACTIVE \
                physical_state LINK_UP netdev ib1 ";
    let by_port = || devices().then(port::get(1, 1), vec![data(GET, &one()), ack(0)]);
    assert_eq!(
        printed(&by_port(), "rdma link show mlx5_1/1"),
        format!("{line}\n")
    );
    assert_eq!(
        printed(&by_port(), "rdma -d link show mlx5_1/1"),
        format!("{line}netdev_index 5 \n    caps: <SM>\n")
    );
    let by_device = devices().then(port::get(1, 1), vec![data(GET, &one())]);
    assert_eq!(
        printed(&by_device, "rdmactl link show mlx5_1"),
        format!("{line}\n")
    );
}

#[test]
fn absent_devices_and_ports() {
    let shared = || {
        data(
            0x1406,
            &Request::new(0).u8(RDMA_NLDEV_SYS_ATTR_NETNS_MODE, 1),
        )
    };
    for (line, headline) in [
        ("rdma dev show mlx5_7", "Wrong device name - mlx5_7\n"),
        ("rdma link show mlx5_7/1", "Wrong device name - mlx5_7\n"),
    ] {
        // Looked for, then looked for again to say what there is instead.
        let tape = devices()
            .then(device::dump(), listing())
            .then(system::get(), vec![shared(), ack(0)])
            .then(device::dump(), listing());
        let ran = call(&tape, line, None);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{line}");
        assert!(ran.err.starts_with(headline), "{line}: {}", ran.err);
        assert!(ran.err.contains("mlx5_0"), "{line}: {}", ran.err);
    }
}
