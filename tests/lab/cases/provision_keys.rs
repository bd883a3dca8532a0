//! Keys of the document beside numbers and addresses: the switch, vectors, what others hold or make.

use std::fs;

use super::provision::{steps, with};
use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::pci;

pub(super) fn cases() -> Vec<Case> {
    const LEFT: &[&str] = &["folder /", "file /run/rdmactl/"];
    let bare = |name, run| case(name, run).vfs(0).exclusive().may_change(LEFT);
    vec![
        bare("eswitch", eswitch).adapter("mode=eth fw_vfs=4"),
        bare("vectors_and_no_switch", vectors),
        bare("who_else", who_else),
    ]
}

fn document(lab: &Lab, more: &str) -> String {
    let pf = lab.pf();
    format!("version = 1\n[[pf]]\nmatch = {{ pci = \"{pf}\" }}\n{more}\n")
}

/// What iproute2's devlink says of the switch.
fn mode(lab: &Lab) -> String {
    let line = format!("devlink -j dev eswitch show pci/{}", lab.pf());
    let told = lab.exec(&line).ok().json();
    let mode = &told["dev"][format!("pci/{}", lab.pf())]["mode"];
    mode.as_str().expect("a mode").to_owned()
}

fn eswitch(lab: &Lab) {
    let pf = lab.pf();
    let switched = document(lab, "num_vfs = 2\neswitch = \"switchdev\"");
    let plan = with(lab, "-j plan", &switched).fails(2).json();
    assert_eq!(
        steps(&plan)[..3],
        ["pf autoprobe", "pf create-vfs", "pf set-eswitch"]
    );
    assert_eq!(
        (&plan[2]["from"], &plan[2]["to"]),
        (&"legacy".into(), &"switchdev".into())
    );
    let applied = with(lab, "-j apply", &switched).ok().stderr_is("").json();
    assert_eq!(steps(&applied), steps(&plan));
    assert_eq!(mode(lab), "switchdev");
    with(lab, "plan", &switched).ok().stdout_is("");
    let export = lab.rdmactl(&["provision", "export"]).ok().stdout;
    assert!(export.contains("eswitch = \"switchdev\""), "{export}");
    with(lab, "plan", &export).ok().stdout_is("");
    // VFs that are there lose their drivers for it, unless somebody has one.
    let legacy = document(lab, "eswitch = \"legacy\"");
    let netns = lab.netns("user");
    let rdma = lab.vf_rdma(1);
    lab.rdmactl(&["dev", "set", &rdma, "netns", "user"]).ok();
    with(lab, "apply", &legacy).fails(4);
    let status = with(lab, "-j status", &legacy).fails(1).json();
    assert_eq!(
        (&status[1]["eswitch"], &status[1]["standing"]),
        (&"switchdev".into(), &"blocked".into())
    );
    lab.rdmactl(&["dev", "reclaim", &rdma]).ok();
    drop(netns);
    assert!(pci::rdma(&lab.vf(0)).is_some());
    with(lab, "apply", &legacy).ok();
    assert_eq!(mode(lab), "legacy");
    assert!(pci::rdma(&lab.vf(0)).is_some() && pci::rdma(&lab.vf(1)).is_some());
    // What was there first comes back: no VFs, and the mode.
    with(lab, "apply", &switched).ok();
    lab.rdmactl(&["provision", "rollback", "--yes"]).ok();
    assert_eq!(mode(lab), "legacy");
    assert!(pci::vf(&pf, 0).is_none());
}

/// The table of a VF is read from its configuration space. This adapter's driver shares none out,
/// and its ports are InfiniBand.
fn vectors(lab: &Lab) {
    let pf = lab.pf();
    let wants = |number: u64| {
        document(
            lab,
            &format!("num_vfs = 1\nvf_defaults = {{ msix = {number} }}"),
        )
    };
    lab.rdmactl(&["vf", "create", &pf, "1"]).ok();
    with(lab, "apply", &document(lab, "num_vfs = 1")).ok();
    let status = with(lab, "-j status", &wants(2000)).fails(1).json();
    let has = status[2]["msix"].as_u64().expect("a number");
    with(lab, "plan", &wants(has)).ok().stdout_is("");
    let plan = with(lab, "-j plan", &wants(has + 1)).fails(2).json();
    assert_eq!(steps(&plan), ["vf 0 unbind", "vf 0 set-msix", "vf 0 bind"]);
    assert_eq!(plan[1]["from"], has.to_string());
    with(lab, "apply", &wants(has + 1))
        .fails(5)
        .stderr_has("interrupt vectors")
        .stderr_has("the driver of the PF does not share out interrupt vectors");
    assert!(pci::rdma(&lab.vf(0)).is_some(), "it has its driver again");
    with(lab, "plan", &document(lab, "eswitch = \"switchdev\""))
        .fails(1)
        .stderr_has("has no switch whose mode can be set");
    with(lab, "plan", &document(lab, "eswitch = \"legacy\"")).ok();
    lab.rdmactl(&["vf", "destroy", &pf]).ok();
}

/// Other managers, namespaces in the way, GUIDs of others, and the fabric's table.
fn who_else(lab: &Lab) {
    let pf = lab.pf();
    let two = document(lab, "num_vfs = 2");
    let folder = "/run/NetworkManager/system-connections";
    let existed = fs::exists("/run/NetworkManager").expect("a file system");
    fs::create_dir_all(folder).expect("a folder");
    let text = format!("[connection]\nid=x\n[match]\npath=pci-{pf}\n[sriov]\ntotal-vfs=4\n");
    fs::write(format!("{folder}/x.nmconnection"), text).expect("a file");
    let note =
        format!("NetworkManager makes VFs of {pf} too ({folder}/x.nmconnection:6: total-vfs=4)");
    with(lab, "plan", &two).fails(2).stderr_has(&note);
    let status = with(lab, "-j status", &two).fails(1).json();
    assert_eq!(
        status[1]["also_made_by"][0],
        format!("NetworkManager {folder}/x.nmconnection:6")
    );
    let theirs = document(lab, "num_vfs = 0\nownership = \"vfs-only\"");
    with(lab, "plan", &theirs).ok().stderr_is("");
    fs::remove_dir_all(if existed {
        folder
    } else {
        "/run/NetworkManager"
    })
    .expect("a folder");
    with(lab, "plan", &two).fails(2).stderr_is("");

    let shared = format!("{two}[host]\nrdma_netns = \"shared\"");
    let netns = lab.netns("keeper");
    let plan = with(lab, "-j plan", &shared).fails(2).json();
    let rows = plan.as_array().expect("an array").iter();
    let step = rows
        .clone()
        .find(|row| row["action"] == "set-netns")
        .expect("the mode");
    assert_eq!(step["blocked"], "1 other network namespace exists");
    assert!(
        step["users"][0]
            .as_str()
            .expect("a user")
            .contains("keeper"),
        "{step}"
    );
    drop(netns);

    let pool = "[host]\nreserved = [{ start = \"02:00:00:00:00:00:00:00\", end = \"02:ff:ff:ff:ff:ff:ff:ff\" }]";
    let inside = document(
        lab,
        "num_vfs = 1\nguid = { mode = \"list\", list = [\"02:00:00:00:00:00:00:05\"] }",
    );
    with(lab, "plan", &format!("{inside}{pool}"))
        .fails(1)
        .stderr_has("is among those that host has as reserved");

    // What is printed for the operator is what the operator's file says.
    let lines = with(lab, "addresses --as guids", &two).ok().stdout;
    assert_eq!(
        lines.lines().filter(|line| line.starts_with("0x")).count(),
        2
    );
    let file = "/run/lab-guids";
    fs::write(file, with(lab, "addresses --as operator", &two).ok().stdout).expect("a file");
    let by_file = document(
        lab,
        &format!("num_vfs = 2\nguid = {{ mode = \"file\", file = \"{file}\" }}"),
    );
    let table = |document: &str| with(lab, "-j addresses", document).ok();
    assert_eq!(table(&by_file).stdout, table(&two).stdout);
    for name in ["a", "b"] {
        fs::write(format!("/run/lab-{name}.json"), table(&two).stdout).expect("a file");
    }
    lab.rdmactl(&["provision", "check-dup", "/run/lab-a.json"])
        .ok()
        .stdout_is("2 addresses of 1 files, each of one VF\n");
    let line = format!("{FACES}/rdmactl -j provision check-dup /run/lab-a.json /run/lab-b.json");
    let doubles = lab.exec(&line).fails(1).json();
    assert_eq!(doubles.as_array().map(Vec::len), Some(2));
    for name in ["a.json", "b.json", "guids"] {
        fs::remove_file(format!("/run/lab-{name}")).expect("a file");
    }

    let line = "status --wait 1";
    with(lab, line, &two).fails(7);
    with(lab, "apply", &two).ok();
    with(lab, line, &two).ok();
    // VFs left to others are as declared whatever they have.
    lab.rdmactl(&[
        "vf",
        "set",
        &format!("{pf}/1"),
        "guid",
        "06:00:00:00:00:00:00:77",
        "--rebind",
    ])
    .ok();
    with(lab, "plan", &two).fails(2);
    let left = document(
        lab,
        "num_vfs = 2\n[[pf.vf]]\nrange = \"1\"\nmanaged = false",
    );
    with(lab, "plan", &left).ok().stdout_is("");
    lab.rdmactl(&["vf", "destroy", &pf]).ok();
}
