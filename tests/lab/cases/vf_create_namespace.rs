//! `vf create` and its like on a PF whose RDMA device is in another namespace.

use super::vf_create::{FOLDERS, numvfs};
use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::output::Output;
use crate::pci;

/// A PF that was moved has another IPoIB interface.
const AWAY: &[&str] = &["folder /", "rdma device", "netdev"];

pub(super) fn cases() -> Vec<Case> {
    let bare = |name, run| case(name, run).vfs(0).exclusive().may_change(FOLDERS);
    vec![bare("named_in_another_namespace", named_in_another_namespace).may_change(AWAY)]
}

/// The PF is in another namespace: its name counts there, whichever /sys is seen, and what new
/// VFs get appears at home.
fn named_in_another_namespace(lab: &Lab) {
    let pf = lab.pf();
    let name = pci::rdma(&pf).expect("the PF has an RDMA device");
    let blue = lab.netns("blue");
    lab.rdmactl(&["dev", "set", &name, "netns", "blue"]).ok();
    let unknown = format!("network interface or RDMA device \"{name}\" here");
    for words in [
        &["create", &name, "2"][..],
        &["destroy", &name],
        &["bind", &format!("{name}/0")],
        &["unbind", &format!("{name}/0")],
        &["rebind", &format!("{name}/0")],
    ] {
        lab.rdmactl(&[&["vf"], words].concat())
            .fails(1)
            .stderr_has(&unknown);
    }
    let there = |words: &[&str]| lab.rdmactl(&[&["--netns", "blue", "-j", "vf"], words].concat());
    let ours = format!("{FACES}/rdmactl");
    let inside = |words: &[&str]| lab.in_netns("blue", &[&[&ours, "-j", "vf"], words].concat());
    let whole = |output: &Output, count: usize| {
        let rows = output.json().as_array().cloned().unwrap_or_default();
        assert_eq!(rows.len(), count, "{output}");
        for row in &rows {
            let vf = row["pci"].as_str().expect("an address");
            assert_eq!(row["driver"], "mlx5_core", "{output}");
            assert_eq!(row["rdma"].as_str(), pci::rdma(vf).as_deref(), "{output}");
            assert!(row["rdma"].is_string(), "{output}");
        }
    };
    // VFs that take their time are waited for, though none of it is seen in blue.
    lab.inject("probe_delay_ms", "300");
    whole(&there(&["create", &name, "2"]).ok(), 2);
    lab.inject("probe_delay_ms", "0");
    whole(&inside(&["create", &name, "3"]).ok(), 3);
    let first = format!("{name}/0");
    let gone = there(&["unbind", &first]).ok();
    assert!(gone.json()[0].get("driver").is_none(), "{gone}");
    whole(&there(&["bind", &first]).ok(), 1);
    whole(&inside(&["rebind", &first]).ok(), 1);
    // What is in blue is in use, seen from blue too.
    let moved = lab.vf_rdma(1);
    lab.rdmactl(&["dev", "set", &moved, "netns", "blue"]).ok();
    for words in [&["unbind", &moved][..], &["destroy", &name]] {
        for output in [there(words), inside(words)] {
            output
                .fails(1)
                .stderr_has("nothing was changed")
                .stderr_has(&format!("RDMA device {moved} is in network namespace blue"));
        }
    }
    whole(&there(&["rebind", &moved, "--force"]).ok(), 1);
    there(&["destroy", &name]).ok();
    assert_eq!(numvfs(&pf), "0");
    lab.rdmactl(&["--netns", "blue", "dev", "set", &name, "netns", "1"])
        .ok();
    drop(blue);
}
