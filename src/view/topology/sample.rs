//! A small machine for the tests of this folder: a PF with three VFs, an SF, and soft-RoCE.

use std::collections::BTreeMap;

use super::map::Map;
use crate::kernel::Namespace;
use crate::kernel::namespace::Process;
use crate::kernel::owner::Owner;
use crate::rdma::away::Away;
use crate::rdma::topology::{Census, Port, Presence, Resident};
use crate::sriov::seat::{Kind, Seat};
use crate::sriov::vfio::Guest;
use crate::types::{Guid, Mac};
use crate::view::namespace::tests::namespace;
use crate::wire::link::interface::Interface;
use crate::wire::link::vf::Vf;
use crate::wire::nldev::chardev::CharDev;
use crate::wire::nldev::device::Device;
use crate::wire::nldev::port;

fn seat(kind: Kind, address: &str, driver: Option<&str>) -> Seat {
    Seat {
        kind,
        address: address.parse().unwrap(),
        driver: driver.map(str::to_owned),
        numa_node: Some(1),
    }
}

fn seats() -> Vec<Seat> {
    let pf = "0000:01:00.0".parse().unwrap();
    vec![
        seat(Kind::Pf, "0000:01:00.0", Some("mlx5_core")),
        seat(Kind::Vf { pf, index: 0 }, "0000:01:10.0", Some("mlx5_core")),
        seat(Kind::Vf { pf, index: 1 }, "0000:01:10.2", None),
        seat(Kind::Vf { pf, index: 2 }, "0000:01:10.4", Some("vfio-pci")),
        seat(
            Kind::Auxiliary("mlx5_core.sf.2".parse().unwrap()),
            "0000:01:00.0",
            Some("mlx5_core.sf"),
        ),
        seat(Kind::Pf, "0000:05:00.0", Some("igb")),
    ]
}

fn resident(index: u32, name: &str, id: Option<&str>, netdev: Option<u32>) -> Resident {
    let node_guid = Some(Guid::new(u64::from(index)));
    let protocol = if id.is_some() { "ib" } else { "roce" };
    Resident {
        device: Device {
            index,
            name: name.to_owned(),
            node_guid,
            firmware: id.map(|_| "20.43".to_owned()),
            protocol: Some(protocol.to_owned()),
            ..Device::default()
        },
        id: id.map(|id| id.parse().unwrap()),
        ports: vec![Port {
            port: port::Port {
                device_index: index,
                number: 1,
                state: Some(4),
                physical_state: Some(5),
                netdev_index: netdev,
                ..port::Port::default()
            },
            guid: node_guid.filter(|_| id.is_some()),
            rate: Some("100 Gb/sec (4X EDR)".to_owned()),
            char_devices: Vec::new(),
        }],
        uverbs: Some(CharDev {
            name: format!("uverbs{index}"),
            number: u64::from((231 << 8) | (192 + index)),
            driver_id: Some(if id.is_some() { 1 } else { 14 }),
        }),
        model: id.map(|_| ("MT4123".to_owned(), "MT_1".to_owned())),
    }
}

fn interface(index: u32, name: &str, parent: Option<&str>) -> Interface {
    Interface {
        index,
        name: name.to_owned(),
        is_ipoib: parent == Some("0000:01:00.0"),
        mac: (parent != Some("0000:01:00.0")).then(|| Mac::new([2, 0, 0, 0, 0, index as u8])),
        parent: parent.map(|parent| parent.parse().unwrap()),
        is_child: false,
        is_up: index % 2 == 1,
    }
}

fn presence(
    namespace: Namespace,
    residents: Vec<Resident>,
    interfaces: Vec<Interface>,
) -> Presence {
    Presence {
        namespace,
        residents,
        interfaces,
        administered: BTreeMap::new(),
        dev_ports: BTreeMap::new(),
    }
}

/// `device` is the name of the VF's device, in a namespace of its own.
pub fn with(device: &str, look: impl FnOnce(&Map<'_>)) {
    let seats = seats();
    let mut home = namespace(None, &[]);
    (home.id.0, home.is_current, home.is_initial) = (1, true, true);
    let mut own = presence(
        home,
        vec![
            resident(0, "mlx5_0", Some("0000:01:00.0"), None),
            resident(9, "rxe0", None, Some(7)),
        ],
        vec![
            interface(3, "ib0", Some("0000:01:00.0")),
            interface(4, "enp5s0", Some("0000:05:00.0")),
            interface(7, "veth0", None),
        ],
    );
    let vf = Vf {
        index: 1,
        mac: Some(Mac::new([0; 6])),
        node_guid: Some(Guid::new(0x77)),
        port_guid: Some(Guid::new(0)),
        ..Vf::default()
    };
    own.administered
        .insert("0000:01:00.0".parse().unwrap(), vec![vf]);
    let blue = namespace(Some("/run/netns/blue"), &[(812, "sleep", "0::/")]);
    let there = presence(
        blue,
        vec![resident(3, device, Some("0000:01:10.0"), None)],
        vec![interface(5, "eth0", Some("0000:01:10.0"))],
    );
    let id = "7be92808767a667f35c8505cbf40d14e931ef6db5b0210329cf193b15ba9d605";
    let pod = "4f5ad9ce-6b63-4d5d-8f0e-5d8a4f5a3b1c";
    let guest = |pid, comm: &str| Guest {
        file: "/dev/vfio/12".to_owned(),
        process: Process {
            pid,
            comm: comm.to_owned(),
            owner: Owner::read(&format!("0::/kubepods/pod{pod}/cri-containerd-{id}.scope")),
        },
    };
    let guests = [(
        "0000:01:10.4".parse().unwrap(),
        vec![guest(900, "qemu"), guest(901, "helper")],
    )]
    .into();
    let census = Census {
        presences: vec![own, there],
        missing: vec![Away {
            id: "mlx5_core.sf.2".parse().ok(),
            name: "mlx5_1".to_owned(),
            uverbs: "uverbs1".to_owned(),
        }],
        ..Census::default()
    };
    look(&Map::of(&seats, &census, &guests));
}
