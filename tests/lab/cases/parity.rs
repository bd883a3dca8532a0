//! `dev`, `link` and `system` through iproute2's `rdma` and through ours, in the same state: same output, status, error.

use crate::adapter::until;
use crate::beside::{Beside, Place, Setting};
use crate::case::{Case, case};
use crate::handle::Lab;
use crate::pci;
use crate::soft_roce::SoftRoce;

const SHOWS: &str = include_str!("../lines/shows.txt");
const CHANGES: &str = include_str!("../lines/changes.txt");
const HARDWARE: &str = include_str!("../lines/hardware.txt");
const SOFTWARE: &str = include_str!("../lines/software.txt");
const DIFFER: &str = include_str!("../lines/differ.txt");

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("no_devices", no_devices).no_adapter(),
        case("soft_roce", soft_roce).no_adapter().limit(180),
        case("infiniband", infiniband).limit(180),
        case("ethernet", ethernet).ethernet().limit(180),
        case("unprivileged", unprivileged).limit(120),
        case("another_namespace", another_namespace)
            .exclusive()
            .limit(120),
        case("exclusive_mode", exclusive_mode)
            .exclusive()
            .limit(120),
        case("on_purpose", on_purpose),
    ]
}

fn no_devices(lab: &Lab) {
    let beside = Beside::new(lab, Place::Root, &[Setting::Shared]).name("DEV", "nope");
    assert!(beside.compare(SHOWS) >= 40);
}

fn soft_roce(lab: &Lab) {
    let devices = SoftRoce::pairs(2);
    (0..2).for_each(|number| devices.add(number));
    let beside = Beside::new(lab, Place::Root, &[Setting::SoftRoce, Setting::Shared])
        .name("DEV", "rxe0")
        .name("TAKEN", "rxe1")
        .name("VETH", "par2")
        .name("MODE", "shared");
    let compared = beside.compare(SHOWS) + beside.compare(CHANGES);
    lab.exec("ip link add link par2 name par2.5 type vlan id 5")
        .ok();
    let compared = compared + beside.compare(SOFTWARE);
    assert!(compared >= 75, "{compared}");
}

/// On the simulated adapter: the second VF, which another is beside.
fn hardware<'a>(lab: &Lab, place: Place<'a>, settings: &[Setting]) -> Beside<'a> {
    Beside::new(lab, place, settings)
        .name("DEV", lab.vf_rdma(1))
        .name("TAKEN", lab.vf_rdma(0))
        .name("VETH", "lo")
        .name("MODE", "shared")
}

fn infiniband(lab: &Lab) {
    let beside = hardware(lab, Place::Root, &[Setting::InfiniBand, Setting::Shared]).all();
    assert!(beside.compare(SHOWS) + beside.compare(CHANGES) >= 150);
    let _netns = lab.netns("par");
    assert!(beside.compare(HARDWARE) >= 10);
}

fn ethernet(lab: &Lab) {
    let beside = hardware(lab, Place::Root, &[Setting::Ethernet, Setting::Shared]);
    assert!(beside.compare(SHOWS) + beside.compare(CHANGES) >= 70);
}

/// Reading is for everyone, changing for the administrator.
fn unprivileged(lab: &Lab) {
    let beside = hardware(lab, Place::Nobody, &[Setting::Shared]);
    assert!(beside.compare(SHOWS) + beside.compare(CHANGES) >= 70);
    let _netns = lab.netns("par");
    assert!(beside.compare(HARDWARE) >= 10);
}

/// Another namespace sees the device that was moved there and no other.
fn another_namespace(lab: &Lab) {
    let dev = lab.vf_rdma(1);
    let netns = lab.netns("par");
    lab.iproute2_rdma(&["dev", "set", &dev, "netns", "par"])
        .ok();
    // Sub-devices and, before 7.1, soft-RoCE devices appear in the first namespace whoever asks: out of reach of their
    // undoing here.
    let beside = Beside::new(lab, Place::Netns("par"), &[Setting::Exclusive])
        .name("DEV", &dev)
        .name("TAKEN", &dev)
        .name("MODE", "exclusive")
        .without(&["parent DEV", "VETH"]);
    let compared = beside.compare(SHOWS) + beside.compare(CHANGES);
    lab.rdmactl(&["--netns", "par", "dev", "set", &dev, "netns", "1"])
        .ok();
    drop(netns);
    assert!(compared >= 70, "{compared}");
}

/// With a namespace in the way the mode cannot change, and a device moves and comes back.
fn exclusive_mode(lab: &Lab) {
    let dev = lab.vf_rdma(1);
    let _netns = lab.netns("par");
    let beside = hardware(lab, Place::Root, &[Setting::Exclusive]).name("MODE", "exclusive");
    assert!(beside.compare(CHANGES) >= 25);
    let inside = lab.start("nsenter --net=/run/netns/par sleep 1000");
    let own = pci::target("/proc/self/ns/net");
    let entered = || pci::target(format!("/proc/{}/ns/net", inside.pid())) != own;
    until("the process is in the namespace", entered).unwrap_or_else(|error| panic!("{error}"));
    let beside = beside.name("INSIDE", inside.pid().to_string());
    for (line, since) in [
        ("dev set DEV netns par", (0, 0)),
        ("-j dev set DEV netns par", (0, 0)),
        ("dev set DEV netns INSIDE", (7, 1)),
        ("dev set DEV netns /run/netns/par", (7, 1)),
    ] {
        if beside.iproute2 < since {
            continue;
        }
        let mut said = Vec::new();
        for ours in [false, true] {
            let out = if ours {
                beside.ours(line)
            } else {
                beside.theirs(line)
            };
            said.push(out.ok().stdout);
            lab.rdmactl(&["--netns", "par", "dev", "set", &dev, "netns", "1"])
                .ok();
        }
        assert_eq!(said[0], said[1], "{line}");
        beside.note([line]);
    }
}

/// Where ours is another on purpose, iproute2 is what the README says it is.
fn on_purpose(lab: &Lab) {
    hardware(lab, Place::Root, &[]).differ(DIFFER);
}
