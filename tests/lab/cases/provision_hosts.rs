//! `provision apply` on whole hosts: two PFs at once, each on its own, and the namespace mode.

use std::collections::BTreeSet;

use serde_json::Value;

use super::provision::with;
use super::provision_apply::{as_planned, count, is_rising, numbers};
use super::vf::ip_vfs;
use super::vf_create::autoprobe;
use crate::case::{Case, case};
use crate::handle::Lab;
use crate::pci;

pub(super) fn cases() -> Vec<Case> {
    const LEFT: &[&str] = &["folder /", "file /run/rdmactl/"];
    vec![
        case("two_pfs", two_pfs)
            .pf("two-igb")
            .vfs(0)
            .exclusive()
            .limit(120)
            .may_change(LEFT),
        case("namespace_mode", namespace_mode).may_change(LEFT),
    ]
}

fn document(pfs: &[String], vfs: [usize; 2]) -> String {
    let entry = |(pf, vfs): (&String, usize)| {
        format!("[[pf]]\nmatch = {{ pci = \"{pf}\" }}\nnum_vfs = {vfs}\n")
    };
    let entries: String = pfs.iter().zip(vfs).map(entry).collect();
    // One that is not there, and need not be, keeps nobody waiting.
    format!("version = 1\n{entries}[[pf]]\noptional = true\nmatch = {{ pci = \"0000:7f:00.0\" }}\n")
}

/// Both are finished as planned; what befalls one does not keep the other.
fn two_pfs(lab: &Lab) {
    let pfs = pci::pfs();
    assert_eq!(pfs.len(), 2, "{pfs:?}");
    let both = document(&pfs, [7, 3]);
    let applied = as_planned(lab, "", &both);
    assert_eq!(count(&applied, "bind"), 10);
    let names: Vec<u32> = pfs.iter().flat_map(|pf| numbers(pf)).collect();
    assert!(names.len() == 10 && is_rising(&names), "{names:?}");
    let table = with(lab, "-j addresses", &both).ok().json();
    let rows = table.as_array().expect("an array").iter();
    let guids: BTreeSet<&str> = rows.filter_map(|row| row["port_guid"].as_str()).collect();
    assert_eq!(guids.len(), 10, "{table}");
    let export = lab.rdmactl(&["provision", "export"]).ok().stdout;
    with(lab, "plan", &export).ok().stdout_is("");

    // A GUID that a device outside of the document has is nobody else's.
    let theirs = &table[7]["port_guid"].as_str().expect("a GUID").to_owned();
    let own = format!(
        "version = 1\n[[pf]]\nmatch = {{ pci = \"{}\" }}\nnum_vfs = 7\n\
         guid = {{ mode = \"keep\" }}\n[[pf.vf]]\nrange = \"2\"\nguid = \"{theirs}\"\n",
        pfs[0]
    );
    with(lab, "apply", &own)
        .fails(1)
        .stderr_has(&format!("the GUID {theirs} is taken"))
        .stderr_has(&format!("VF 0 of {}", pfs[1]));

    // A PF that the document does not have is left as it is, with all that it has.
    let theirs = ip_vfs(lab, &pci::netdev(&pfs[1]).expect("an interface"));
    let names = numbers(&pfs[1]);
    let own = format!("{}[host]\nsite = \"own\"\n", document(&pfs[..1], [7, 0]));
    as_planned(lab, "", &own);
    assert_eq!(
        ip_vfs(lab, &pci::netdev(&pfs[1]).expect("an interface")),
        theirs
    );
    assert_eq!(numbers(&pfs[1]), names);
    destroy(lab, &pfs);

    // One alone, and one that the document does not have.
    let first = document(&pfs, [2, 2]);
    with(lab, &format!("apply --only {}", pfs[1]), &first).ok();
    assert!(pci::vf(&pfs[0], 0).is_none() && pci::vf(&pfs[1], 1).is_some());
    let other = first
        .replace(&pfs[1], "0000:7e:00.0")
        .replace("[[pf]]\nmatch", "[[pf]]\noptional = true\nmatch");
    with(lab, &format!("apply --only {}", pfs[1]), &other)
        .fails(1)
        .stderr_has(&format!("the document has no PF {}", pfs[1]));
    destroy(lab, &pfs);

    // Whichever comes first gets no VFs; the other has all.
    lab.inject("fail_numvfs", "pf,12,1");
    with(lab, "apply", &both)
        .fails(5)
        .stderr_has("Cannot allocate memory");
    let there: Vec<bool> = pfs.iter().map(|pf| pci::vf(pf, 0).is_some()).collect();
    assert_eq!(there.iter().filter(|is| **is).count(), 1, "{there:?}");
    for (pf, is_there) in pfs.iter().zip(&there) {
        let only = format!("-j apply --only {pf}");
        let left = with(lab, &only, &both).ok().json();
        assert_eq!(
            left.as_array().is_some_and(Vec::is_empty),
            *is_there,
            "{left}"
        );
        assert_eq!(autoprobe(pf), "1");
    }
    with(lab, "plan", &both).ok().stdout_is("");
    destroy(lab, &pfs);
}

fn destroy(lab: &Lab, pfs: &[String]) {
    for pf in pfs {
        lab.rdmactl(&["vf", "destroy", pf]).ok();
    }
}

/// While there are other namespaces the mode cannot change: the next boot has it, a restart is left
/// to do. Then it changes at once, and the files are as they were.
fn namespace_mode(lab: &Lab) {
    let document = "version = 1\n[host]\nrdma_netns = \"exclusive\"\n";
    let netns = lab.netns("user");
    let plan = with(lab, "-j plan", document).fails(2).json();
    assert_eq!(
        [&plan[0]["action"], &plan[1]["action"], &plan[1]["class"]],
        ["persist-netns", "set-netns", "reboot"]
    );
    with(lab, "apply", document)
        .fails(3)
        .stderr_has("1 step is left");
    with(lab, "-j apply", document).fails(3).stdout_is("[]\n");
    drop(netns);
    let applied = as_planned(lab, "", document);
    assert_eq!(count(&applied, "set-netns"), 1);
    with(lab, "status", document)
        .ok()
        .stdout_has("netns exclusive");
    lab.exec("rdma system set netns shared").ok();
    lab.rdmactl(&["provision", "rollback"]).ok();
    let nothing = lab.rdmactl(&["-j", "provision", "rollback"]).ok();
    assert_eq!(nothing.json(), Value::Array(Vec::new()));
}
