//! The doctor on real adapters: GUIDs, MACs, drivers, ports, and whoever holds the lock of a device.

use super::doctor::{Told, doctor};
use crate::case::{Case, case};
use crate::handle::{FACES, Lab};

/// A VF that was bound anew has a new RDMA index.
const REBOUND: &[&str] = &["rdma device"];

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("guids_missing_late_and_twice", guids).may_change(REBOUND),
        case("a_vf_without_driver", a_vf_without_driver).may_change(REBOUND),
        case("macs_and_interfaces", macs_and_interfaces).ethernet(),
        case("ports_and_why_they_are_down", ports).adapter("mode=ib vf_guids=1"),
        case("no_ipoib_and_no_uverbs", modules_beside).adapter("mode=ib ipoib=0"),
        case("soft_roce_stays", soft_roce_stays)
            .no_adapter()
            .exclusive(),
        case("not_held_by_who_makes_vfs", not_held)
            .vfs(0)
            .may_change(REBOUND),
    ]
}

fn pf_netdev(lab: &Lab) -> String {
    let folder = format!("/sys/bus/pci/devices/{}/net", lab.pf());
    lab.exec(&format!("ls {folder}"))
        .ok()
        .stdout
        .trim()
        .to_owned()
}

fn guids(lab: &Lab) {
    let (pf, netdev) = (lab.pf(), pf_netdev(lab));
    let said = doctor(lab, &["vfs"]);
    let zero = said.has("vfs.guid-zero", "VFs 0-1");
    let first = zero["commands"][0].as_str().unwrap().to_owned();
    let guid = first
        .strip_prefix(&format!("rdmactl vf set {pf}/0 guid "))
        .and_then(|rest| rest.strip_suffix(" --rebind"))
        .unwrap_or_else(|| panic!("{first}"))
        .to_owned();
    lab.rdmactl(&["doctor"])
        .fails(1)
        .stdout_has("error vfs.guid-zero: ")
        .stdout_has(&format!("    fix: {first}\n"));
    // What the remedy does, by other hands; the driver has not read it yet.
    let set = |vf: u32, kind: &str, guid: &str| {
        lab.exec(&format!("ip link set {netdev} vf {vf} {kind} {guid}"))
            .ok();
    };
    set(0, "node_guid", &guid);
    set(0, "port_guid", &guid);
    let said = doctor(lab, &["vfs"]);
    said.has("vfs.guid-zero", "VFs 1");
    said.mends(
        "vfs.guid-pending",
        &guid,
        &format!("rdmactl vf rebind {pf}/0"),
    );
    let driver = format!("/sys/bus/pci/devices/{}/driver", lab.vf(0));
    let vf = lab.vf(0);
    lab.sh(&format!(
        "cd $(readlink -f {driver}); echo {vf} > unbind; echo {vf} > bind"
    ))
    .ok();
    set(1, "node_guid", &guid);
    set(1, "port_guid", "0e:00:00:00:00:00:00:99");
    let said = doctor(lab, &["vfs"]);
    said.lacks("vfs.guid-zero");
    let twice = said.has("vfs.guid-duplicate", "VF ");
    assert_eq!(twice["about"], guid.as_str());
    let commands = twice["commands"].to_string();
    assert!(
        commands.contains(&format!("vf set {pf}/1 guid ")),
        "{commands}"
    );
    for vf in [0, 1] {
        set(vf, "node_guid", "00:00:00:00:00:00:00:00");
        set(vf, "port_guid", "00:00:00:00:00:00:00:00");
    }
    lab.sh(&format!(
        "cd $(readlink -f {driver}); echo {vf} > unbind; echo {vf} > bind"
    ))
    .ok();
}

fn a_vf_without_driver(lab: &Lab) {
    let (pf, vf) = (lab.pf(), lab.vf(1));
    let driver = lab
        .exec(&format!("readlink -f /sys/bus/pci/devices/{vf}/driver"))
        .ok()
        .stdout;
    let driver = driver.trim();
    doctor(lab, &["vfs"]).lacks("vfs.no-driver");
    lab.sh(&format!("echo {vf} > {driver}/unbind")).ok();
    doctor(lab, &["vfs"]).mends("vfs.no-driver", "VFs 1", &format!("rdmactl vf bind {pf}/1"));
    lab.sh(&format!("echo {vf} > {driver}/bind")).ok();
}

fn macs_and_interfaces(lab: &Lab) {
    let (pf, netdev) = (lab.pf(), pf_netdev(lab));
    let said = doctor(lab, &["vfs", "ports"]);
    said.mends(
        "vfs.mac-unset",
        "VFs 0-1",
        &format!("rdmactl vf set {pf}/1 mac MAC --rebind"),
    );
    said.lacks("vfs.guid-zero").lacks("vfs.mac-duplicate");
    lab.sh(&format!(
        "for vf in 0 1; do ip link set {netdev} vf $vf mac 02:00:00:00:00:07; done"
    ))
    .ok();
    let said = doctor(lab, &["vfs"]);
    said.lacks("vfs.mac-unset").mends(
        "vfs.mac-duplicate",
        &format!("VF {pf}/1"),
        &format!("rdmactl vf set {pf}/1 mac MAC --rebind"),
    );
    let down = format!("ip link set {} down", lab.vf_netdev(0));
    let up = format!("ip link set {} up", lab.vf_netdev(0));
    lab.sh(&format!(
        "for vf in 0 1; do ip link set {netdev} vf $vf mac 00:00:00:00:00:00; done; {up}"
    ))
    .ok();
    let name = format!("{}/1", lab.vf_rdma(0));
    let about = |said: &Told| said.1.iter().any(|found| found["about"] == name.as_str());
    assert!(!about(&doctor(lab, &["ports"])));
    lab.exec(&down).ok();
    let said = doctor(lab, &["ports"]);
    let found = said.1.iter().find(|found| found["about"] == name.as_str());
    let found = found.unwrap_or_else(|| panic!("{}", said.0));
    assert_eq!(found["id"], "ports.netdev-down");
    assert_eq!(found["commands"][0], up.as_str());
    said.is_clean();
}

fn ports(lab: &Lab) {
    let (pf, netdev) = (lab.pf(), pf_netdev(lab));
    let vf = format!("{}/1", lab.vf_rdma(0));
    assert!(doctor(lab, &["ports"]).1.is_empty());
    lab.exec(&format!("ip link set {netdev} vf 0 state disable"))
        .ok();
    let said = doctor(lab, &["ports"]);
    said.mends(
        "ports.vf-disabled",
        "link-state disable",
        &format!("rdmactl vf set {pf}/0 state auto"),
    );
    assert_eq!(said.has("ports.vf-disabled", &vf)["about"], vf.as_str());
    lab.exec(&format!("ip link set {netdev} vf 0 state auto"))
        .ok();
    lab.inject("port_down_vf", "0");
    doctor(lab, &["ports"]).has("ports.vf-unvirtualised", "LID 65535");
    lab.inject("port_down_vf", "pf");
    let said = doctor(lab, &["ports"]);
    said.is_clean()
        .has("ports.no-link", "physical state 2 (polling)");
    let follows = said
        .1
        .iter()
        .filter(|found| found["id"] == "ports.vf-follows");
    assert_eq!(follows.count(), 2, "{}", said.0);
    lab.inject("port_down_vf", "off");
}

fn modules_beside(lab: &Lab) {
    let said = doctor(lab, &["modules"]);
    said.mends("modules.ipoib", "ib_ipoib", "modprobe ib_ipoib");
    assert_eq!(said.has("modules.ipoib", "")["content"], "ib_ipoib\n");
    said.lacks("modules.uverbs");
    // Modules that an earlier case needed stand on it.
    lab.sh("rmmod rdma_ucm rdma_rxe siw 2> /dev/null; rmmod ib_uverbs")
        .ok();
    doctor(lab, &["modules"]).mends("modules.uverbs", "ib_uverbs", "modprobe ib_uverbs");
    lab.exec("modprobe ib_uverbs").ok();
}

fn soft_roce_stays(lab: &Lab) {
    lab.sh("ip link add d0 type veth peer name d1; ip link set d0 up; rdma link add rxe0 type rxe netdev d0")
        .ok();
    let said = doctor(lab, &["devices"]);
    let old = !lab.exec("uname -r").ok().stdout.starts_with("7.3");
    if old {
        assert_eq!(
            said.has("devices.no-move", "d0: it is soft-RoCE")["about"],
            "rxe0"
        );
    } else {
        assert!(said.1.is_empty(), "{}", said.0);
    }
    lab.sh("rdma link delete rxe0; ip link delete d0").ok();
}

/// Whoever makes VFs holds the lock of the device, and whoever reads `sriov_numvfs` waits for it.
fn not_held(lab: &Lab) {
    let numvfs = format!("/sys/bus/pci/devices/{}/sriov_numvfs", lab.pf());
    lab.inject("numvfs_delay_ms", "20000");
    let script = format!(
        "echo 2 > {numvfs} & sleep 0.3; cat {numvfs} > /dev/null & reader=$!
        {FACES}/rdmactl -j doctor --only vfs --only modules > /tmp/found
        kill -0 $reader || exit 9
        echo 0 > /sys/module/rdmalab/parameters/numvfs_delay_ms; wait; cat /tmp/found; rm /tmp/found"
    );
    assert!(lab.sh(&script).ok().json().is_array());
    lab.sh(&format!("echo 0 > {numvfs}")).ok();
}
