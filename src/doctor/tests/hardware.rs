//! Devices, VFs, ports.

use super::bench::{Bench, ETH, IB};
use super::{Case, case};
use crate::doctor::{Id, Saw};
use crate::types::{Guid, LinkPolicy, Mac};

/// RDMA indices: the InfiniBand PF and its VF 0; the Ethernet PF and its VF 0.
const PF: usize = 0;
const VF: usize = 1;
const ETH_PF: usize = 6;
const ETH_VF: usize = 7;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        case(
            Id::DevicesNoMove,
            |bench| {
                soft_roce(bench);
                bench.file("proc/sys/kernel/osrelease", "6.12.0\n");
            },
            soft_roce,
        )
        .also(&[Id::KernelFeatures]),
    ];
    cases.extend(vfs());
    cases.extend(addresses());
    cases.extend(ports());
    cases
}

fn soft_roce(bench: &mut Bench) {
    let mut device = bench.devices[ETH_PF].clone();
    device.name = "rxe0".to_owned();
    device.guid += 0xff;
    bench.devices.push(device);
    bench.file("sys/class/infiniband/rxe0/parent", "eth0\n");
}

fn vfs() -> Vec<Case> {
    vec![
        case(
            Id::VfsNoDriver,
            |bench| {
                bench.remove("sys/devices/0000:01:00.2/driver");
                bench.file(&format!("sys/devices/{IB}/sriov_drivers_autoprobe"), "0\n");
            },
            // A VM has it.
            |bench| {
                bench.link(
                    "sys/devices/0000:01:00.2/driver",
                    "../../bus/pci/drivers/vfio-pci",
                );
            },
        ),
        case(
            Id::VfsListShort,
            |bench| {
                bench.netdevs[PF].vfs.truncate(1);
            },
            |bench| {
                bench.netdevs[PF].vfs.clear();
            },
        ),
        case(
            Id::VfsNonePossible,
            |bench| {
                bench.file(&format!("sys/devices/{IB}/sriov_totalvfs"), "0\n");
                bench.remove(&format!("sys/devices/{IB}/virtfn"));
            },
            // Other hardware than adapters.
            |bench| {
                bench.function("0000:09:00.0", Some("nvme"));
                bench.file("sys/devices/0000:09:00.0/sriov_totalvfs", "0\n");
            },
        ),
        case(
            Id::VfsSriovOff,
            |bench| {
                bench.remove(&format!("sys/devices/{ETH}/sriov_totalvfs"));
            },
            |bench| {
                bench.function("0000:09:00.0", Some("e1000e"));
                bench.member("0000:09:00.0", "net", "eth9");
            },
        ),
    ]
}

fn addresses() -> Vec<Case> {
    vec![
        case(
            Id::VfsGuidZero,
            |bench| {
                bench.told(PF).port_guid = Some(Guid::new(0));
                // The reset marker of Go's ib-sriov.
                bench.netdevs[PF].vfs[1].node_guid = Some(Guid::new(u64::MAX));
            },
            // A driver that does not tell is asked on the VF's side.
            |bench| {
                bench.told(PF).node_guid = None;
                bench.told(PF).port_guid = None;
            },
        ),
        case(
            Id::VfsGuidDuplicate,
            |bench| {
                let taken = bench.told(PF).port_guid;
                bench.netdevs[3].vfs[1].port_guid = taken;
            },
            // Node and port of one function, and two ports of one adapter.
            |bench| {
                bench.told(PF).port_guid = bench.told(PF).node_guid;
                bench.device(3).guid = bench.device(PF).guid;
            },
        ),
        case(
            Id::VfsGuidPending,
            |bench| {
                bench.device(VF).guid = 0;
            },
            // It is in a container.
            |bench| {
                bench.device(VF).guid = 0;
                bench.remove("sys/devices/0000:01:00.2/infiniband/");
            },
        ),
        case(
            Id::VfsMacUnset,
            |bench| {
                bench.told(ETH_PF).mac = Some(Mac::new([0; 6]));
            },
            |bench| {
                bench.told(PF).mac = Some(Mac::new([0; 6]));
            },
        ),
        case(
            Id::VfsMacDuplicate,
            |bench| {
                bench.netdevs[ETH_PF].vfs[1].mac = bench.told(ETH_PF).mac;
            },
            // On IPoIB all have the PF's.
            |bench| {
                bench.netdevs[PF].vfs[1].mac = bench.told(PF).mac;
            },
        ),
    ]
}

fn down(bench: &mut Bench, device: usize, state: u8, physical: u8) {
    bench.device(device).state = state;
    bench.device(device).physical = physical;
}

fn ports() -> Vec<Case> {
    vec![
        case(
            Id::PortsNoLink,
            |bench| {
                down(bench, PF, 1, 2);
                down(bench, ETH_PF, 1, 3);
                bench.file(
                    &format!("sys/devices/{ETH}/net/roce6f0/operstate"),
                    "down\n",
                );
            },
            // Deferred is still active.
            |bench| down(bench, PF, 5, 5),
        ),
        case(
            Id::PortsDisabled,
            |bench| down(bench, PF, 1, 3),
            |bench| down(bench, PF, 1, 2),
        ),
        case(
            Id::PortsNetdevDown,
            |bench| {
                down(bench, ETH_VF, 1, 3);
                bench.file("sys/devices/0000:05:00.2/net/roce6f1/flags", "0x1002\n");
            },
            |bench| down(bench, ETH_VF, 1, 3),
        ),
        case(
            Id::PortsNoSubnetManager,
            |bench| down(bench, PF, 2, 5),
            |bench| down(bench, ETH_PF, 2, 5),
        ),
        case(
            Id::PortsVfDisabled,
            |bench| {
                down(bench, VF, 1, 2);
                bench.told(PF).state = Some(LinkPolicy::Disable);
            },
            |bench| {
                bench.told(PF).state = Some(LinkPolicy::Disable);
            },
        ),
        case(
            Id::PortsVfFollows,
            |bench| {
                down(bench, PF, 1, 2);
                down(bench, VF, 1, 2);
            },
            |bench| {
                down(bench, PF, 1, 2);
                down(bench, VF, 1, 2);
                bench.told(PF).state = Some(LinkPolicy::Enable);
            },
        )
        .also(&[Id::PortsNoLink]),
        case(
            Id::PortsVfUnvirtualised,
            |bench| {
                down(bench, VF, 1, 5);
                bench.device(VF).lid = 0xffff;
            },
            |bench| down(bench, ETH_VF, 1, 5),
        ),
        case(
            Id::PortsDown,
            |bench| down(bench, ETH_VF, 1, 6),
            |bench| down(bench, ETH_VF, 4, 6),
        ),
    ]
}

fn commands(bench: &Bench, id: Id) -> Vec<String> {
    let findings = bench.findings(&[id.area()]);
    let found = findings.into_iter().filter(|finding| finding.id == id);
    found.flat_map(|finding| finding.remedy.commands).collect()
}

#[test]
fn the_remedy_is_a_guid_that_nobody_has() {
    let mut bench = Bench::sound();
    for vf in &mut bench.netdevs[PF].vfs {
        vf.node_guid = Some(Guid::new(0));
        vf.port_guid = Some(Guid::new(0));
    }
    assert_eq!(
        commands(&bench, Id::VfsGuidZero),
        [
            "rdmactl vf set 0000:01:00.0/0 guid 0e:42:a1:00:01:01:00:00 --rebind",
            "rdmactl vf set 0000:01:00.0/1 guid 0e:42:a1:00:02:01:00:00 --rebind",
        ]
    );
    // Somebody has the first.
    bench.netdevs[3].vfs[0].node_guid = "0e42a10001010000".parse().ok();
    assert_eq!(
        commands(&bench, Id::VfsGuidZero)[0],
        "rdmactl vf set 0000:01:00.0/0 guid GUID --rebind"
    );
}

#[test]
fn who_has_a_guid_twice_and_which_of_them_changes() {
    let mut bench = Bench::sound();
    bench.told(PF).node_guid = Some(Guid::new(bench.devices[3].guid));
    let findings = bench.findings(&[crate::doctor::Area::Vfs]);
    let twice = findings
        .iter()
        .find(|finding| finding.id == Id::VfsGuidDuplicate)
        .unwrap();
    let saw: Vec<&Saw> = twice
        .evidence
        .iter()
        .map(|evidence| &evidence.saw)
        .collect();
    assert_eq!(
        saw,
        [
            &Saw::Text("PF 0000:03:00.0, ibp3d0".to_owned()),
            &Saw::Text("node GUID of VF 0000:01:00.0/0".to_owned()),
        ]
    );
    assert!(twice.remedy.commands[0].starts_with("rdmactl vf set 0000:01:00.0/0 guid 0e:42"));
}

/// What the PF cannot tell is said, once for each PF, and what drivers have is checked all the same.
#[test]
fn a_list_that_is_too_long_is_told() {
    let mut bench = Bench::sound();
    bench.cramped = true;
    assert_eq!(bench.ids(), [Id::VfsListShort]);
    bench.device(1).guid = 0;
    assert_eq!(bench.ids(), [Id::VfsGuidZero, Id::VfsListShort]);
}
