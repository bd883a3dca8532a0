//! `provision rollback`, and what is left to people: the way back, firmware, a PF that hangs.

use std::time::Instant;

use serde_json::Value;

use super::provision::with;
use super::provision_apply::document;
use super::vf::ip_vfs;
use super::vf_create::autoprobe;
use crate::case::{Case, case};
use crate::handle::Lab;
use crate::pci;

pub(super) fn cases() -> Vec<Case> {
    const LEFT: &[&str] = &["folder /", "file /run/rdmactl/"];
    vec![
        case("taken_back", taken_back)
            .vfs(0)
            .exclusive()
            .may_change(LEFT),
        case("a_pf_that_hangs", a_pf_that_hangs)
            .vfs(0)
            .exclusive()
            .may_change(LEFT),
        case("firmware", firmware)
            .adapter("mode=ib fw_vfs=4")
            .vfs(0)
            .exclusive()
            .may_change(LEFT),
    ]
}

/// VFs that were there get back what they had, and those that were made go.
fn taken_back(lab: &Lab) {
    let pf = lab.pf();
    let netdev = pci::netdev(&pf).expect("an interface");
    lab.rdmactl(&["vf", "create", &pf, "2"]).ok();
    let other = "02:00:00:00:00:00:00:77";
    lab.rdmactl(&["vf", "set", &format!("{pf}/1"), "guid", other, "--rebind"])
        .ok();
    let before = ip_vfs(lab, &netdev);
    let document = document(lab, 2, "");
    with(lab, "apply", &document).ok();
    assert_ne!(ip_vfs(lab, &netdev), before);
    lab.rdmactl(&["provision", "rollback"]).ok();
    assert_eq!(ip_vfs(lab, &netdev), before);
    with(lab, "plan", &document).fails(2);
    lab.rdmactl(&["vf", "destroy", &pf]).ok();
    with(lab, "apply", &document).ok();
    lab.rdmactl(&["provision", "rollback"])
        .fails(4)
        .stderr_has("VFs would be removed");
    lab.rdmactl(&["provision", "rollback", "--yes"]).ok();
    assert!(pci::vf(&pf, 0).is_none());
    let nothing = lab.rdmactl(&["-j", "provision", "rollback"]).ok();
    assert_eq!(nothing.json(), Value::Array(Vec::new()));
}

/// More VFs than the card offers: set by devlink, there after a reset, and then made.
fn firmware(lab: &Lab) {
    let pf = lab.pf();
    let document = document(lab, 6, "[policy]\nfirmware = \"write\"");
    let plan = with(lab, "-j plan", &document).fails(2).json();
    assert!(
        plan.as_array()
            .expect("an array")
            .iter()
            .all(|row| row["action"] == "set-firmware" && row["class"] == "reboot"),
        "{plan}"
    );
    with(lab, "apply", &document).fails(3).stderr_has("left");
    // It is not set again, and nothing restarts.
    with(lab, "-j apply", &document).fails(3).stdout_is("[]\n");
    let told = lab
        .exec(&format!(
            "devlink -j dev param show pci/{pf} name total_vfs"
        ))
        .ok();
    assert!(told.stdout.contains("\"value\":6"), "{}", told.stdout);
    let waits = with(lab, "-j plan", &document).fails(2).json();
    assert_eq!(waits[0]["action"], "reset-firmware");
    lab.exec(&format!(
        "devlink dev param set pci/{pf} name total_vfs value 4 cmode permanent"
    ))
    .ok();
    // What has come, or was taken back, is forgotten: the next change is a first one.
    with(
        lab,
        "apply",
        &document.replace("num_vfs = 6", "num_vfs = 0"),
    )
    .ok();
}

/// A PF that does not come back from a setting is told of in time, with what hangs and where to look; when it has come
/// back, the next apply does the rest.
fn a_pf_that_hangs(lab: &Lab) {
    let pf = lab.pf();
    let document = document(lab, 2, "[policy]\nwait = \"1s\"");
    lab.inject("guid_delay_ms", "5000");
    let begun = Instant::now();
    with(lab, "apply", &document)
        .fails(7)
        .stderr_has(&format!(
            "error: {pf}/0: the kernel has not answered yet, and process "
        ))
        .stderr_has("setting node-guid of VF 0 to ")
        .stderr_has("fix: cat /proc/")
        .stdout_has("failed 1");
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    // No driver comes to a VF without its address.
    assert_eq!(autoprobe(&pf), "0");
    lab.inject("guid_delay_ms", "0");
    with(lab, "apply", &document).ok();
    assert_eq!(autoprobe(&pf), "1");
    // One setting was begun, and no other behind it.
    assert!(begun.elapsed().as_secs() < 12, "{:?}", begun.elapsed());
    with(lab, "plan", &document).ok().stdout_is("");
    lab.rdmactl(&["vf", "destroy", &pf]).ok();
}
