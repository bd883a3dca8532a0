//! `vf set` that fails: what does not fit, what the kernel refuses, and what is undone.

use serde_json::Value;

use super::vf::{GUID, LOCKS, NOBODY, NONE, OTHER, all_fail, guids, ip_vfs, pf_netdev, set};
use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::output::Output;

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("a_failure_half_way_is_undone", a_failure_half_way_is_undone)
            .adapter("mode=ib vendor_sysfs=1")
            .may_change(LOCKS),
        case("what_does_not_fit", what_does_not_fit).may_change(LOCKS),
        case("refusals_are_explained", refusals_are_explained).may_change(LOCKS),
    ]
}

/// Sets both GUIDs of VF 0 while `fault` strikes between the two: once the first is in the PF's
/// table, which the vendor's file shows without waiting for anybody.
fn with_a_fault_between(lab: &Lab, vf: &str, fault: &str) -> Output {
    let node = format!("/sys/bus/pci/devices/{}/sriov/0/node", lab.pf());
    lab.inject("guid_delay_ms", "200");
    let output = lab.sh(&format!(
        "(until grep -q {GUID} {node}; do :; done; echo {fault} > /sys/module/rdmalab/parameters/fail_guid_vf) & \
         {FACES}/rdmactl vf set {vf} guid {GUID}; status=$?; wait; exit $status"
    ));
    lab.inject("guid_delay_ms", "0");
    lab.inject("fail_guid_vf", "off");
    output
}

fn a_failure_half_way_is_undone(lab: &Lab) {
    let vf = format!("{}/0", pf_netdev(lab));
    set(lab, &vf, &format!("guid {OTHER}")).ok();
    let old = (OTHER.to_owned(), OTHER.to_owned());
    with_a_fault_between(lab, &vf, "0,16,1")
        .fails(1)
        .stderr_has("error: Device or resource busy\n")
        .stderr_has("is at something else; undone: node-guid\n")
        .stderr_has("fix: run the command again in a moment\n");
    assert_eq!(guids(lab, 0), old);
    // All of it in reverse, when the last of three fails.
    lab.inject("fail_link_vf", "0,5");
    set(lab, &vf, &format!("guid {GUID} state enable"))
        .fails(1)
        .stderr_has("error: Input/output error\n")
        .stderr_has(
            "cause: the firmware below the driver mlx5_core refused state enable; undone: port-guid, node-guid\n",
        );
    lab.inject("fail_link_vf", "off");
    assert_eq!(guids(lab, 0), old);
    // What cannot be undone either is named, as it is now and as it was.
    with_a_fault_between(lab, &vf, "0,16")
        .fails(1)
        .stderr_has(&format!(
            "; node-guid stays {GUID}, and not {OTHER} again: "
        ));
    assert_eq!(guids(lab, 0), (GUID.to_owned(), OTHER.to_owned()));
    set(lab, &vf, "guid none").ok();
}

fn what_does_not_fit(lab: &Lab) {
    let vf = format!("{}/0", pf_netdev(lab));
    let ones = "ff:ff:ff:ff:ff:ff:ff:ff";
    all_fail(
        lab,
        &vf,
        &[
            (
                "mac 02:00:00:00:00:01",
                "error: InfiniBand VFs have no mac\n",
            ),
            ("trust on", "has guid, node-guid, port-guid and state\n"),
            ("vlan 5 guid none", "error: InfiniBand VFs have no vlan\n"),
            (
                "guid 11:22:33:44:77:66:77:90",
                "10:22:33:44:77:66:77:90 is one device's",
            ),
            (&format!("guid {NONE}"), "write none to take it back"),
            (&format!("port-guid {ones}"), "write none to take it back"),
            ("guid 02:00:00:00:00:00:01", "is not a valid GUID"),
            ("guid", "a value is required"),
            ("state up", "write auto, enable or disable"),
            ("state auto state enable", "cannot be used multiple times"),
            ("guid none node-guid none", "cannot be used with"),
        ],
    );
    set(lab, &vf, "gid 0200000000000001")
        .fails(2)
        .stderr_has("'--guid'");
    lab.rdmactl(&["vf", "set", &vf])
        .fails(2)
        .stderr_has("nothing is named that is to be set");
    let vfs = ip_vfs(lab, &pf_netdev(lab));
    let untouched = |vf: &Value| vf["node guid"] == NONE && vf["link_state"] == "auto";
    assert!(vfs.iter().all(untouched), "{vfs:?}");
    // The group bit passes when it is meant.
    set(lab, &vf, "guid 11:22:33:44:77:66:77:90 --force").ok();
    assert_eq!(guids(lab, 0).0, "11:22:33:44:77:66:77:90");
    set(lab, &vf, "guid none").ok();
}

fn refusals_are_explained(lab: &Lab) {
    let (pf, address) = (pf_netdev(lab), lab.pf());
    let vf = format!("{pf}/1");
    for (errno, first, cause) in [
        (
            1,
            "Operation not permitted",
            "a security module may forbid it",
        ),
        (
            16,
            "Device or resource busy",
            "or the firmware below it, is at something else",
        ),
        (22, "Invalid argument", "takes no node-guid"),
        (
            34,
            "Numerical result out of range",
            "is outside what the driver mlx5_core takes",
        ),
        (19, "No such device", "went away meanwhile"),
        (
            95,
            "Operation not supported",
            "the driver mlx5_core cannot set node-guid of a VF",
        ),
        (
            110,
            "Connection timed out",
            "the firmware below the driver mlx5_core refused",
        ),
        (
            12,
            "Cannot allocate memory",
            "the driver mlx5_core refused node-guid",
        ),
    ] {
        lab.inject("fail_guid_vf", &format!("1,{errno}"));
        set(lab, &vf, &format!("guid {GUID}"))
            .fails(1)
            .stdout_is("")
            .stderr_has(&format!("error: {first}\ncause: "))
            .stderr_has(cause);
    }
    lab.inject("fail_guid_vf", "off");
    assert_eq!(guids(lab, 1).0, NONE);
    // Everybody may look, root alone may set.
    let shown = lab.exec(&format!("{NOBODY} {FACES}/rdmactl vf show {address}"));
    shown
        .ok()
        .stdout_has(&format!("vf {pf}/1 "))
        .stdout_has("state auto");
    lab.exec(&format!("{NOBODY} {FACES}/rdmactl vf set {vf} guid {GUID}"))
        .fails(1)
        .stderr_has("error: Operation not permitted\n")
        .stderr_has("cause: setting a VF takes CAP_NET_ADMIN, and the caller has none\n")
        .stderr_has("fix: run the command as root on the host\n");
    lab.exec(&format!(
        "unshare --user --map-root-user {FACES}/rdmactl vf set {vf} guid {GUID}"
    ))
    .fails(1)
    .stderr_has("only in a user namespace of its own");
}
