//! GUIDs that `vf set` gives: taken by the driver at once, and by nobody else.

use serde_json::Value;

use super::doctor::doctor;
use super::vf::{GUID, LOCKS, NONE, OTHER, REBOUND, guids, pf_netdev, set};
use crate::case::{Case, case};
use crate::handle::Lab;
use crate::pci;

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("rebind_at_once", rebind_at_once).may_change(REBOUND),
        case("a_guid_is_somebodys", a_guid_is_somebodys).may_change(LOCKS),
        case("a_guid_of_another_adapter", a_guid_of_another_adapter)
            .pf("two-igb")
            .may_change(LOCKS)
            .only(
                &["6.12"],
                "the kernel knows nothing of it: only we ask both",
            ),
    ]
}

fn rebind_at_once(lab: &Lab) {
    let vf = format!("{}/0", pf_netdev(lab));
    let node_guid = || {
        let file = format!("/sys/class/infiniband/{}/node_guid", lab.vf_rdma(0));
        lab.exec(&format!("cat {file}")).ok().stdout
    };
    let done = set(lab, &vf, &format!("guid {GUID} --rebind")).ok();
    done.stdout_has(&format!("vf {vf} pci {} driver mlx5_core ", lab.vf(0)))
        .stdout_has(&format!(
            " rdma {} netdev {} ",
            lab.vf_rdma(0),
            lab.vf_netdev(0)
        ))
        .stderr_is("");
    assert_eq!(node_guid(), "0200:0000:0000:000a\n");
    // Set and taken already: its driver is left alone.
    let name = lab.vf_rdma(0);
    lab.rdmactl(&["dev", "set", &name, "name", "mine"]).ok();
    set(lab, &vf, &format!("guid {GUID} --rebind"))
        .ok()
        .silent();
    assert_eq!(lab.vf_rdma(0), "mine");
    // Somebody uses it: that is found out before anything is changed.
    let netdev = lab.vf_netdev(0);
    lab.sh(&format!(
        "ip link set {netdev} up && ip address add 192.0.2.9/24 dev {netdev}"
    ))
    .ok();
    set(lab, &vf, &format!("guid {OTHER} --rebind"))
        .fails(1)
        .stdout_is("")
        .stderr_has("192.0.2.9");
    assert_eq!(guids(lab, 0), (GUID.to_owned(), GUID.to_owned()));
    lab.rdmactl(&[
        "--dry-run",
        "--force",
        "vf",
        "set",
        &vf,
        "port-guid",
        OTHER,
        "--rebind",
    ])
    .ok()
    .stdout_has(&format!(
        "would set port-guid of VF {vf} to {OTHER} (it is {GUID})\nwould take it from its user: "
    ))
    .stdout_has(&format!(
        "would bind VF 0 ({}) to its own driver\n",
        lab.vf(0)
    ));
    assert_eq!(lab.vf_rdma(0), "mine");
    set(lab, &vf, &format!("guid {OTHER} --rebind --force")).ok();
    assert_eq!(node_guid(), "0200:0000:0000:000b\n");
    // The driver does not come back: what was set stays set, and that is said.
    lab.inject("fail_probe_vf", "0,12");
    let failed = set(lab, &vf, "guid none --rebind");
    lab.inject("fail_probe_vf", "off");
    failed
        .fails(1)
        .stderr_has(&format!("note: what was set for VF {vf} stays set\n"))
        .stderr_has(&format!("mlx5_core failed to start on {}", lab.vf(0)));
    assert_eq!(guids(lab, 0), (NONE.to_owned(), NONE.to_owned()));
    lab.rdmactl(&["vf", "bind", &vf]).ok();
    assert_eq!(node_guid(), "0000:0000:0000:0000\n");
}

fn a_guid_is_somebodys(lab: &Lab) {
    let pf = pf_netdev(lab);
    let (first, second) = (format!("{pf}/0"), format!("{pf}/1"));
    set(lab, &first, &format!("port-guid {GUID}")).ok();
    set(lab, &second, &format!("guid {GUID}"))
        .fails(1)
        .stderr_has(&format!("error: the GUID {GUID} is taken\n"))
        .stderr_has(&format!(
            "cause: VF 0 of {} ({}) was given it",
            lab.pf(),
            lab.vf(0)
        ))
        .stderr_has("guid none\n");
    assert_eq!(guids(lab, 1).0, NONE);
    // The PF's own.
    let own = lab.exec(&format!(
        "cat /sys/bus/pci/devices/{0}/infiniband/{1}/node_guid",
        lab.pf(),
        pci::rdma(&lab.pf()).unwrap_or_default()
    ));
    let own = own.ok().stdout.trim().to_owned();
    set(lab, &second, &format!("guid {own}"))
        .fails(1)
        .stderr_has("goes by it; two with one GUID");
    set(lab, &second, &format!("guid {GUID} --force")).ok();
    assert_eq!(guids(lab, 1).0, GUID);
    for vf in [first, second] {
        set(lab, &vf, "guid none").ok();
    }
}

fn a_guid_of_another_adapter(lab: &Lab) {
    let pfs = pci::pfs();
    let [first, second] = &pfs[..] else {
        panic!("{pfs:?}")
    };
    let numvfs = format!("/sys/bus/pci/devices/{second}/sriov_numvfs");
    lab.sh(&format!("echo 2 > {numvfs}")).ok();
    let everywhere = lab.rdmactl(&["-j", "vf", "show"]);
    set(lab, &format!("{second}/1"), &format!("port-guid {GUID}")).ok();
    let other = pci::vf(second, 1).expect("it was made");
    let refused = set(lab, &format!("{first}/0"), &format!("node-guid {GUID}"));
    // By force it is given out twice, which the doctor finds across PFs.
    let mut by_force = vec!["vf", "set"];
    let vf = format!("{first}/0");
    by_force.extend([vf.as_str(), "node-guid", GUID, "--force"]);
    let forced = lab.rdmactl(&by_force);
    let said = doctor(lab, &["vfs"]);
    let back = set(lab, &vf, "node-guid none");
    lab.sh(&format!("echo 0 > {numvfs}")).ok();
    forced.ok();
    back.ok();
    let twice = said.has("vfs.guid-duplicate", &format!("node GUID of VF {first}/0"));
    assert_eq!(twice["about"], GUID);
    let evidence = twice["evidence"].to_string();
    let other_vf = format!("port GUID of VF {second}/1");
    assert!(evidence.contains(&other_vf), "{}", said.0);
    let rows = everywhere.ok().json();
    let pfs_of_rows: Vec<_> = (0..4).map(|at| rows[at]["pf_pci"].clone()).collect();
    assert_eq!(
        pfs_of_rows,
        [first, first, second, second].map(|pf| Value::from(pf.as_str()))
    );
    refused
        .fails(1)
        .stderr_has(&format!("error: the GUID {GUID} is taken\n"))
        .stderr_has(&format!("cause: VF 1 of {second} ({other}) was given it"));
    assert_eq!(guids(lab, 0).0, NONE);
}
