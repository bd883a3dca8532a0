//! `vf create` where the kernel, a driver or the firmware refuses, or the caller is wrong.

use std::fs;

use super::doctor::doctor;
use super::vf_create::{FOLDERS, autoprobe, has, numvfs};
use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::pci;

pub(super) fn cases() -> Vec<Case> {
    let bare = |name, run| case(name, run).vfs(0).exclusive().may_change(FOLDERS);
    vec![
        bare("refusals_and_failures", refusals_and_failures),
        bare("no_vfs_offered", no_vfs_offered).adapter("mode=ib total_vfs=0"),
        case("stock_driver", stock_driver)
            .no_adapter()
            .may_change(&["folder /", "function", "netdev", "vf "]),
    ]
}

fn refusals_and_failures(lab: &Lab) {
    let pf = lab.pf();
    for (errno, error, cause) in [
        (
            "12",
            "Cannot allocate memory",
            "not enough address space or bus numbers left for 3 VFs",
        ),
        (
            "28",
            "No space left on device",
            "interrupt vectors run out at 3 VFs",
        ),
        ("16", "Device or resource busy", "somebody else gave"),
        ("5", "Input/output error", "the SR-IOV capability of"),
        (
            "95",
            "Operation not supported",
            "makes no VFs in the mode it is in",
        ),
        ("110", "Connection timed out", "cannot have 3 VFs"),
    ] {
        lab.inject("fail_numvfs", &format!("pf,{errno},1"));
        lab.rdmactl(&["vf", "create", &pf, "3", "--no-probe"])
            .fails(1)
            .stderr_has(&format!("error: {error}\ncause: "))
            .stderr_has(cause)
            .stderr_has("  fix: ");
        assert_eq!((numvfs(&pf).as_str(), autoprobe(&pf).as_str()), ("0", "1"));
    }
    // One VF fails: it is named, the others are of use, and it can be tried again.
    lab.inject("fail_probe_vf", "1,12");
    let made = lab.rdmactl(&["-j", "vf", "create", &pf, "3"]).fails(1);
    let rows = has(&made, &pf, 3);
    assert!(rows[1].get("driver").is_none() && rows[2]["rdma"].is_string());
    let vf = lab.vf(1);
    made.stderr_has(&format!("VF 1 ({vf}) has no driver\n"))
        .stderr_has(&format!(
            "cause: mlx5_core failed to start on {vf}: Out of memory"
        ))
        .stderr_has(&format!("  fix: dmesg | grep {vf}; rdmactl vf bind {vf}\n"));
    // A failure that passes is none.
    lab.inject("fail_probe_vf", "2,5,1");
    let made = lab.rdmactl(&["-j", "vf", "create", &pf, "4"]).ok();
    assert!(has(&made, &pf, 4)[2]["rdma"].is_string());
    // Who keeps drivers from VFs by hand is told so.
    let probing = pci::device(&pf).join("sriov_drivers_autoprobe");
    fs::write(&probing, "0").expect("root may");
    let made = lab.rdmactl(&["-j", "vf", "create", &pf, "2"]).ok();
    assert!(has(&made, &pf, 2)[0].get("driver").is_none());
    made.stderr_has("no driver was offered the VFs: sriov_drivers_autoprobe of");
    assert_eq!(autoprobe(&pf), "0");
    fs::write(&probing, "1").expect("root may");

    let ours = format!("{FACES}/rdmactl");
    for words in [["create", "3"], ["destroy", ""]] {
        let words = words.join(&format!(" {pf} "));
        lab.exec(&format!(
            "setpriv --reuid 1000 --clear-groups {ours} vf {words}"
        ))
        .fails(1)
        .stderr_has("Permission denied")
        .stderr_has("cause: only root may change VFs")
        .stderr_has("  fix: run the command as root on the host");
    }
    assert_eq!(numvfs(&pf), "2");
    for (words, status, text) in [
        (
            &["destroy", "lo"][..],
            1,
            "there is no PCI function, network interface or RDMA device \"lo\" here",
        ),
        (&["destroy", &lab.vf(1)], 1, "is VF 1 of"),
        (&["create", &pf, "0"], 2, "0 is not in 1..=65535"),
        (&["create", &pf, "70000"], 2, "70000 is not in 1..=65535"),
        (&["create", &pf], 2, "<N>"),
        (&["destroy", "../x"], 1, "there is no PCI function"),
    ] {
        lab.rdmactl(&[&["vf"], words].concat())
            .fails(status)
            .stdout_is("")
            .stderr_has(text);
    }
    lab.rdmactl(&["vf", "destroy", &pf]).ok().silent();
}

/// The firmware offers none: said by whoever is asked for some, and by the doctor.
fn no_vfs_offered(lab: &Lab) {
    let pf = lab.pf();
    lab.rdmactl(&["vf", "create", &pf, "2"])
        .fails(1)
        .stderr_has(&format!("{pf} offers 0 VFs, and 2 are wanted"))
        .stderr_has("  fix: raise the number of VFs in the settings of the adapter's firmware");
    let total = format!("/sys/bus/pci/devices/{pf}/sriov_totalvfs: 0");
    doctor(lab, &["vfs"])
        .is_clean()
        .has("vfs.none-possible", &total);
    lab.rdmactl(&["vf", "show", &pf])
        .ok()
        .stderr_has("has no VFs; it can have 0");
}

/// igb and igbvf as the distribution has them: no RDMA device comes, and none is waited for.
fn stock_driver(lab: &Lab) {
    let pf = lab.pf();
    lab.rdmactl(&["vf", "create", &pf, "2"])
        .fails(1)
        .stderr_has("error: No such file or directory\ncause: no driver is bound to");
    lab.sh("modprobe igb").ok();
    let netdev = pci::netdev(&pf).expect("igb has a netdev");
    let alone = lab.rdmactl(&["-j", "vf", "create", &netdev, "2"]).fails(1);
    assert!(has(&alone, &pf, 2)[1].get("driver").is_none());
    alone
        .stderr_has("VFs 0, 1 have no driver\ncause: no driver that is loaded knows")
        .stderr_has("rdmactl vf bind");
    lab.sh("modprobe igbvf").ok();
    let made = lab.rdmactl(&["-j", "vf", "create", &netdev, "7"]).ok();
    for row in has(&made, &pf, 7) {
        assert_eq!(row["driver"], "igbvf");
        assert!(
            row["netdev"].is_string() && row.get("rdma").is_none(),
            "{row}"
        );
    }
    let shown = lab.ip(&["-j", "link", "show", &netdev]).ok().json();
    assert_eq!(shown[0]["vfinfo_list"].as_array().map(Vec::len), Some(7));
    let vf = lab.vf_netdev(3);
    lab.sh(&format!(
        "ip link set {vf} up; ip addr add 192.0.2.1/24 dev {vf}"
    ))
    .ok();
    lab.rdmactl(&["vf", "rebind", &vf])
        .fails(1)
        .stderr_has(&format!("VF 3 of {pf} is in use"))
        .stderr_has(&format!("interface {vf} is up and has 192.0.2.1/24"));
    lab.rdmactl(&["vf", "rebind", &vf, "--force"]).ok();
    lab.rdmactl(&["vf", "destroy", &pf]).ok().silent();
    assert_eq!(numvfs(&pf), "0");
    lab.sh("rmmod igbvf igb").ok();
}
