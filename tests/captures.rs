//! Bytes that real kernels sent, decoded; each file says which command had them sent.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;

use rdmactl::types::{Guid, NetnsMode};
use rdmactl::wire::link::message::Link;
use rdmactl::wire::link::vf::Vf;
use rdmactl::wire::nldev::device::Device;
use rdmactl::wire::nldev::port::Port;
use rdmactl::wire::nldev::system::System;
use support::capture;

#[test]
fn a_soft_roce_device() {
    assert_eq!(
        Device::decode(&capture("device-rxe")).unwrap(),
        Device {
            index: 0,
            name: "rxe0".into(),
            last_port: Some(1),
            node_type: Some(1),
            protocol: Some("roce".into()),
            firmware: None,
            node_guid: Some(Guid::new(0x9c98_52ff_fead_da08)),
            sys_image_guid: Some(Guid::new(0x9c98_52ff_fead_da08)),
            dev_type: None,
            parent: None,
            dim: Some(0),
            caps: Some(0x1c0_0122_3c76),
        }
    );
}

#[test]
fn a_soft_roce_port_and_an_infiniband_port() {
    let port = Port::decode(&capture("port-rxe")).unwrap();
    assert_eq!(
        (port.netdev.as_deref(), port.netdev_index, port.lid),
        (Some("eth9"), Some(3), None)
    );
    assert_eq!(
        (port.state, port.physical_state, port.caps),
        (Some(4), Some(5), None)
    );
    assert_eq!(
        Port::decode(&capture("port-ib")).unwrap(),
        Port {
            device_index: 2,
            device: "mlx5_1".into(),
            number: 1,
            subnet_prefix: Some(0xfe80_0000_0000_0000),
            lid: Some(3),
            sm_lid: Some(1),
            lmc: Some(0),
            state: Some(4),
            physical_state: Some(5),
            netdev: None,
            netdev_index: None,
            caps: Some(0x2651_e848),
        }
    );
}

#[test]
fn the_settings() {
    let system = System::decode(&capture("system"));
    assert_eq!(system.netns_mode(), Some(NetnsMode::Shared));
    assert_eq!(
        (system.privileged_qkey, system.monitor, system.copy_on_fork),
        (Some(false), Some(true), Some(true))
    );
}

#[test]
fn an_infiniband_interface_with_its_vfs() {
    let link = Link::decode(&capture("link-ib-2vfs")).unwrap();
    assert_eq!(
        (link.name.as_str(), link.hardware, link.num_vf),
        ("ib0", 32, Some(2))
    );
    assert_eq!(link.address[12..], [0x0c, 0x42, 0xa1, 0x03, 0, 1, 0, 0]);
    let guids: Vec<_> = link
        .vfs
        .iter()
        .map(|vf: &Vf| (vf.index, vf.node_guid, vf.port_guid))
        .collect();
    let guid = |value| Some(Guid::new(value));
    assert_eq!(
        guids,
        [
            (0, guid(0x0011_2233_4455_6677), guid(0x0c42_a103_0001_0001)),
            (1, guid(0x0c42_a103_0001_0002), guid(0x0c42_a103_0001_0002)),
        ]
    );
}

/// Every beginning of a capture is an answer that a torn read could leave.
#[test]
fn no_beginning_of_a_capture_panics() {
    for name in [
        "device-rxe",
        "port-rxe",
        "port-ib",
        "system",
        "link-ib-2vfs",
    ] {
        let bytes = capture(name);
        for end in 0..bytes.len() {
            let _ = Device::decode(&bytes[..end]);
            let _ = Port::decode(&bytes[..end]);
            let _ = System::decode(&bytes[..end]);
            let _ = Link::decode(&bytes[..end]);
        }
    }
}
