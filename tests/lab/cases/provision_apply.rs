//! `provision apply`: from bare to ready, after kills and failures, and never over a user.

use std::fs;
use std::time::Instant;

use serde_json::Value;

use super::provision::{steps, with};
use super::vf::ip_vfs;
use super::vf_create::autoprobe;
use crate::adapter::until;
use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::pci;

pub(super) fn cases() -> Vec<Case> {
    const LEFT: &[&str] = &["folder /", "file /run/rdmactl/"];
    let bare = |name, run| case(name, run).vfs(0).exclusive().may_change(LEFT);
    vec![
        bare("infiniband", infiniband),
        bare("ethernet", ethernet).ethernet(),
        bare("failures", failures),
        bare("what_is_in_use_stays", what_is_in_use_stays),
        bare("taken_back", taken_back),
        bare("firmware", firmware).adapter("mode=ib fw_vfs=4"),
        bare("killed_at_every_step", killed).limit(180).only(
            &["6.12"],
            "what is left behind is ours, and every kernel keeps it alike",
        ),
        bare("one_at_a_time", one_at_a_time).only(
            &["6.12"],
            "the lock is ours, and no kernel knows it from another",
        ),
        bare("120_vfs", many).pf("nvme").limit(120),
    ]
}

fn document(lab: &Lab, vfs: usize, more: &str) -> String {
    let pf = lab.pf();
    format!("version = 1\n{more}\n[[pf]]\nmatch = {{ pci = \"{pf}\" }}\nnum_vfs = {vfs}\n")
}

/// The numbers of the VFs' RDMA devices, in the order of VFs.
fn numbers(pf: &str) -> Vec<u32> {
    let mut numbers = Vec::new();
    while let Some(vf) = pci::vf(pf, numbers.len() as u32) {
        let name = pci::rdma(&vf).expect("an RDMA device");
        let number = name.strip_prefix("mlx5_").expect("a name of the kernel");
        numbers.push(number.parse().expect("a number"));
    }
    numbers
}

fn is_rising(numbers: &[u32]) -> bool {
    numbers.windows(2).all(|pair| pair[0] < pair[1])
}

/// A bare PF becomes what is declared, by the steps that were planned, and stays so.
fn from_bare(lab: &Lab, keys: &[&str]) {
    let pf = lab.pf();
    let document = document(lab, 7, "");
    let plan = with(lab, "-j plan", &document).fails(2).json();
    let applied = with(lab, "-j apply", &document).ok().stderr_is("").json();
    assert_eq!(steps(&applied), steps(&plan));
    let rows = applied.as_array().expect("an array");
    assert!(rows.iter().all(|row| row["outcome"] == "done"), "{applied}");
    with(lab, "plan", &document).ok().stdout_is("");
    with(lab, "status", &document).ok();
    let numbers = numbers(&pf);
    assert!(numbers.len() == 7 && is_rising(&numbers), "{numbers:?}");
    assert_eq!(autoprobe(&pf), "1");
    let table = with(lab, "-j addresses", &document).ok().json();
    let netdev = pci::netdev(&pf).expect("an interface");
    for (index, told) in ip_vfs(lab, &netdev).iter().enumerate() {
        for key in keys {
            let shown = match *key {
                "node_guid" => "node guid",
                "port_guid" => "port guid",
                _ => "address",
            };
            assert_eq!(told[shown], table[index][*key], "{told}");
        }
    }
    let again = with(lab, "-j apply", &document).ok().stderr_is("");
    assert_eq!(again.json(), Value::Array(Vec::new()));
    lab.rdmactl(&["vf", "destroy", &pf]).ok();
}

fn infiniband(lab: &Lab) {
    from_bare(lab, &["node_guid", "port_guid"]);
}

fn ethernet(lab: &Lab) {
    from_bare(lab, &["mac"]);
}

/// What failed is told, the rest is done, and the next apply does what is left.
fn failures(lab: &Lab) {
    let pf = lab.pf();
    let document = document(lab, 4, "");
    lab.inject("fail_guid_vf", "2,5");
    lab.inject("fail_probe_vf", "1,12");
    with(lab, "apply", &document)
        .fails(5)
        .stderr_has(&format!("error: {pf}/2: "))
        .stderr_has(&format!("error: {pf}/1: "))
        .stderr_has("left");
    let driver = |index| pci::target(pci::device(&lab.vf(index)).join("driver"));
    assert!(driver(0).is_some() && driver(3).is_some());
    assert!(driver(1).is_none() && driver(2).is_none());
    assert_eq!(autoprobe(&pf), "1");
    lab.inject("fail_guid_vf", "off");
    with(lab, "apply", &document).fails(5);
    lab.inject("fail_probe_vf", "off");
    with(lab, "apply", &document).ok();
    with(lab, "plan", &document).ok().stdout_is("");
    lab.rdmactl(&["vf", "destroy", &pf]).ok();
    lab.inject("fail_numvfs", "pf,12");
    with(lab, "apply", &document)
        .fails(5)
        .stderr_has("Cannot allocate memory");
    assert_eq!(autoprobe(&pf), "1");
    lab.inject("fail_numvfs", "off");
    with(lab, "apply", &document).ok();
    lab.rdmactl(&["vf", "destroy", &pf]).ok();
}

fn what_is_in_use_stays(lab: &Lab) {
    let pf = lab.pf();
    with(lab, "apply", &document(lab, 3, "")).ok();
    let policy = "[policy]\ndisruptive = \"if-idle\"";
    let fewer = document(lab, 2, policy);
    // It has to be allowed twice.
    with(lab, "apply --yes", &document(lab, 2, ""))
        .fails(4)
        .stderr_has("left");
    with(lab, "apply", &fewer)
        .fails(4)
        .stderr_has("VFs would be removed");
    let netns = lab.netns("user");
    let rdma = lab.vf_rdma(1);
    lab.rdmactl(&["dev", "set", &rdma, "netns", "user"]).ok();
    with(lab, "apply --yes", &fewer).fails(4);
    assert!(pci::vf(&pf, 2).is_some());
    lab.rdmactl(&["dev", "reclaim", &rdma]).ok();
    drop(netns);
    with(lab, "apply --yes", &fewer).ok();
    assert!(pci::vf(&pf, 1).is_some() && pci::vf(&pf, 2).is_none());
    lab.rdmactl(&["vf", "destroy", &pf]).ok();
}

/// Whatever kills it, the next apply comes to the same end, and drivers may come to the PF again.
fn killed(lab: &Lab) {
    let pf = lab.pf();
    let document = document(lab, 3, "");
    let mut kept_away = 0;
    for (syscall, when) in [
        ("rename", 1),
        ("clone,clone3,vfork,fork", 1),
        ("clone,clone3,vfork,fork", 2),
        ("clone,clone3,vfork,fork", 3),
        ("clone,clone3,vfork,fork", 4),
        ("clone,clone3,vfork,fork", 5),
        ("clone,clone3,vfork,fork", 6),
        ("sendto", 9),
        ("sendto", 12),
        ("sendto", 16),
        ("rename", 2),
    ] {
        let kill = format!(
            "strace -f -o /dev/null -e trace={syscall} -e inject={syscall}:signal=KILL:when={when}"
        );
        lab.sh(&format!(
            "{kill} {FACES}/rdmactl provision apply --file - <<'END'\n{document}\nEND"
        ));
        if autoprobe(&pf) == "0" {
            kept_away += 1;
        }
        with(lab, "apply", &document).ok();
        assert_eq!(autoprobe(&pf), "1", "{syscall} {when}");
        with(lab, "plan", &document).ok().stdout_is("");
        assert!(is_rising(&numbers(&pf)), "{syscall} {when}");
        lab.rdmactl(&["vf", "destroy", &pf]).ok();
    }
    assert!(kept_away > 0, "no kill came while drivers were kept away");
}

fn one_at_a_time(lab: &Lab) {
    let pf = lab.pf();
    let document = document(lab, 2, "");
    lab.inject("probe_delay_ms", "3000");
    let file = "/run/lab-provision.toml";
    fs::write(file, &document).expect("a file");
    let first = lab.start(&format!("{FACES}/rdmactl provision apply --file {file}"));
    until("VFs are there", || pci::vf(&pf, 1).is_some()).expect("they come");
    with(lab, "apply --lock-wait 0", &document)
        .fails(6)
        .stderr_has("provision.lock is locked by process")
        .stderr_has("(rdmactl)");
    // Looking waits for nobody.
    let begun = Instant::now();
    with(lab, "status", &document);
    assert!(begun.elapsed().as_millis() < 2500, "{:?}", begun.elapsed());
    with(lab, "apply --lock-wait 60", &document).ok();
    drop(first);
    fs::remove_file(file).expect("a file");
    lab.inject("probe_delay_ms", "0");
    with(lab, "plan", &document).ok().stdout_is("");
    lab.rdmactl(&["vf", "destroy", &pf]).ok();
}

fn many(lab: &Lab) {
    let pf = lab.pf();
    let document = document(lab, 120, "");
    lab.inject("probe_delay_ms", "50");
    let begun = Instant::now();
    with(lab, "apply", &document).ok();
    let took = begun.elapsed();
    lab.inject("probe_delay_ms", "0");
    let numbers = numbers(&pf);
    assert!(numbers.len() == 120 && is_rising(&numbers), "{numbers:?}");
    // One after the other, the probes alone would take 6 s.
    let begun = Instant::now();
    with(lab, "apply", &document).ok().stdout_is("");
    fs::write(
        "/dev/kmsg",
        format!(
            "rdmalab: 120 VFs in {took:?}, again in {:?}\n",
            begun.elapsed()
        ),
    )
    .expect("a log");
    lab.rdmactl(&["vf", "destroy", &pf]).ok();
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
}
