//! `provision apply`: from bare to ready, after kills and failures, and never over a user.

use std::fs;
use std::time::Instant;

use serde_json::Value;

use super::provision::with;
use super::vf::ip_vfs;
use super::vf_bind::Guest;
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
        bare("one_at_a_time", one_at_a_time).only(
            &["6.12"],
            "the lock is ours, and no kernel knows it from another",
        ),
        bare("held_by_a_guest", held_by_a_guest)
            .pf("igb-iommu")
            .only(
                &["6.12"],
                "who holds a VF is found as by vf, which is shown on every kernel",
            ),
        bare("120_infiniband", many_infiniband)
            .pf("nvme")
            .limit(120)
            .only(&["6.12"], MANY),
        bare("120_ethernet", many_ethernet)
            .ethernet()
            .pf("nvme")
            .limit(120)
            .only(&["6.12"], MANY),
    ]
}

const MANY: &str = "what kernels do with a few VFs they do with many, and vf is shown so on all";

pub(super) fn document(lab: &Lab, vfs: usize, more: &str) -> String {
    let pf = lab.pf();
    format!("version = 1\n{more}\n[[pf]]\nmatch = {{ pci = \"{pf}\" }}\nnum_vfs = {vfs}\n")
}

/// The numbers of the VFs' RDMA devices, in the order of VFs.
pub(super) fn numbers(pf: &str) -> Vec<u32> {
    let mut numbers = Vec::new();
    while let Some(vf) = pci::vf(pf, numbers.len() as u32) {
        let name = pci::rdma(&vf).expect("an RDMA device");
        let number = name.strip_prefix("mlx5_").expect("a name of the kernel");
        numbers.push(number.parse().expect("a number"));
    }
    numbers
}

/// Whether the interfaces of VFs are numbered in their order, as without udev they are.
fn interfaces_rise(pf: &str) -> bool {
    let vfs = (0..).map_while(|index| pci::vf(pf, index));
    let number = |vf: String| {
        let name = pci::netdev(&vf).expect("an interface");
        let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
        digits.parse().expect("a number")
    };
    is_rising(&vfs.map(number).collect::<Vec<u32>>())
}

pub(super) fn is_rising(numbers: &[u32]) -> bool {
    numbers.windows(2).all(|pair| pair[0] < pair[1])
}

/// What is planned is done, step by step, and nothing is left then.
pub(super) fn as_planned(lab: &Lab, words: &str, document: &str) -> Value {
    let plan = with(lab, "-j plan", document).fails(2).json();
    let applied = with(lab, &format!("-j apply {words}"), document);
    let applied = applied.ok().stderr_is("").json();
    let rows = applied.as_array().expect("an array").iter();
    let done = rows.map(|row| {
        let mut row = row.clone();
        let fields = row.as_object_mut().expect("an object");
        assert_eq!(fields.remove("outcome"), Some("done".into()), "{applied}");
        row
    });
    assert_eq!(Value::Array(done.collect()), plan);
    with(lab, "plan", document).ok().stdout_is("");
    applied
}

/// How many steps do this.
pub(super) fn count(rows: &Value, action: &str) -> usize {
    let rows = rows.as_array().expect("an array").iter();
    rows.filter(|row| row["action"] == action).count()
}

/// A bare PF becomes what is declared, by the steps that were planned, and stays so; then what is
/// declared becomes something else, and VFs are taken from their drivers for it.
fn from_bare(lab: &Lab, keys: &[&str]) {
    let pf = lab.pf();
    let document = document(lab, 7, "");
    let applied = as_planned(lab, "", &document);
    assert_eq!(count(&applied, "bind"), 7);
    with(lab, "status", &document).ok();
    let before = numbers(&pf);
    assert!(before.len() == 7 && is_rising(&before), "{before:?}");
    assert!(interfaces_rise(&pf), "interfaces are out of order");
    assert_eq!(autoprobe(&pf), "1");
    has_what_was_foretold(lab, &document, keys);
    let again = with(lab, "-j apply", &document).ok().stderr_is("");
    assert_eq!(again.json(), Value::Array(Vec::new()));
    let export = lab.rdmactl(&["provision", "export"]).ok().stdout;
    with(lab, "plan", &export).ok().stdout_is("");

    only_observed(lab, &document, keys.len());
    let moved = format!("{document}\n[host]\nsite = \"elsewhere\"\n");
    let applied = as_planned(lab, "", &moved);
    assert_eq!(count(&applied, "create-vfs"), 0);
    assert_eq!((count(&applied, "unbind"), count(&applied, "bind")), (7, 7));
    has_what_was_foretold(lab, &moved, keys);
    let after = numbers(&pf);
    assert!(after.len() == 7 && is_rising(&after), "{after:?}");
    lab.rdmactl(&["vf", "destroy", &pf]).ok();
}

/// Every VF that is not as declared is told of, and stays as it is, whatever the document allows.
fn only_observed(lab: &Lab, document: &str, keys: usize) {
    let observe = format!("{document}ownership = \"observe\"\n");
    with(lab, "plan", &observe).ok().stdout_is("").stderr_is("");
    let netdev = pci::netdev(&lab.pf()).expect("an interface");
    let before = ip_vfs(lab, &netdev);
    let policy = "[policy]\ndisruptive = \"force\"\n[host]\nsite = \"elsewhere\"\n";
    let moved = format!("{observe}{policy}");
    let plan = with(lab, "-j plan", &moved).fails(2).json();
    assert_eq!(count(&plan, "set"), 7 * keys);
    let rows = plan.as_array().expect("an array");
    for row in rows {
        assert_eq!(
            row["blocked"], "ownership = \"observe\" is declared",
            "{row}"
        );
    }
    let status = with(lab, "-j status", &moved).fails(1).json();
    let rows = status.as_array().expect("an array").iter();
    let vfs: Vec<&Value> = rows.filter(|row| row["kind"] == "vf").collect();
    assert!(
        vfs.len() == 7 && vfs.iter().all(|vf| vf["standing"] == "blocked"),
        "{status}"
    );
    with(lab, "-j apply --yes --disruptive force", &moved)
        .fails(1)
        .stdout_is("[]\n")
        .stderr_has("has PFs with ownership = \"observe\", which are not as declared");
    // The number, too, is for somebody else to change.
    let fewer = moved.replace("num_vfs = 7", "num_vfs = 5");
    with(lab, "apply --yes --disruptive force", &fewer)
        .fails(1)
        .stderr_has("5 VFs are declared and 7 are there");
    assert_eq!(ip_vfs(lab, &netdev), before);
}

/// PF and VFs themselves have what `addresses` says.
fn has_what_was_foretold(lab: &Lab, document: &str, keys: &[&str]) {
    let pf = lab.pf();
    let table = with(lab, "-j addresses", document).ok().json();
    let netdev = pci::netdev(&pf).expect("an interface");
    let told = ip_vfs(lab, &netdev);
    assert_eq!(Some(told.len()), table.as_array().map(Vec::len));
    for (index, told) in told.iter().enumerate() {
        for key in keys {
            let shown = match *key {
                "node_guid" => "node guid",
                "port_guid" => "port guid",
                _ => "address",
            };
            assert_eq!(told[shown], table[index][*key], "{told}");
        }
    }
    let shown = lab.rdmactl(&["-j", "vf", "show", &pf]).ok().json();
    for (index, row) in shown.as_array().expect("an array").iter().enumerate() {
        assert_ne!(row["needs_rebind"], true, "{row}");
        for key in keys {
            assert_eq!(row[format!("active_{key}")], table[index][*key], "{row}");
        }
    }
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
    // Who has it, and not that there is somebody alone.
    let holder = format!("VF 1 ({}): RDMA device", lab.vf(1));
    with(lab, "apply --yes", &fewer)
        .fails(4)
        .stderr_has(&format!("left\ncause: {holder}"))
        .stderr_has("network namespace user (");
    assert!(pci::vf(&pf, 2).is_some());
    lab.rdmactl(&["dev", "reclaim", &rdma]).ok();
    drop(netns);
    with(lab, "apply --yes", &fewer).ok();
    assert!(pci::vf(&pf, 1).is_some() && pci::vf(&pf, 2).is_none());
    lab.rdmactl(&["vf", "destroy", &pf]).ok();
}

fn one_at_a_time(lab: &Lab) {
    let pf = lab.pf();
    let document = document(lab, 2, "");
    lab.inject("probe_delay_ms", "3000");
    let file = "/run/lab-provision.toml";
    fs::write(file, &document).expect("a file");
    let line = format!("{FACES}/rdmactl provision apply --file {file}");
    let mut first = lab.on_terminal(&line, 80, 24);
    until("VFs are there", || pci::vf(&pf, 1).is_some()).expect("they come");
    first.until("a bar with all steps", |screen| screen.has("7/9 "));
    with(lab, "apply --lock-wait 0", &document)
        .fails(6)
        .stderr_has("provision.lock is locked by process")
        .stderr_has("(rdmactl)");
    // Looking waits for nobody.
    let begun = Instant::now();
    with(lab, "status", &document)
        .fails(1)
        .stdout_has("standing starting");
    assert!(begun.elapsed().as_millis() < 2500, "{:?}", begun.elapsed());
    with(lab, "apply --lock-wait 60", &document).ok();
    assert!(first.wait().success());
    // The bar is gone, and a row for the PF is there.
    let screen = first.screen();
    assert!(
        !screen.has("/9 ") && screen.has("TARGET"),
        "{:?}",
        screen.rows()
    );
    assert!(
        screen.has("autoprobe 2, create-vfs, set 4, bind 2"),
        "{:?}",
        screen.rows()
    );
    fs::remove_file(file).expect("a file");
    lab.inject("probe_delay_ms", "0");
    with(lab, "plan", &document).ok().stdout_is("");
    lab.rdmactl(&["vf", "destroy", &pf]).ok();
}

fn many_infiniband(lab: &Lab) {
    many(lab, &["node_guid", "port_guid"]);
}

fn many_ethernet(lab: &Lab) {
    many(lab, &["mac"]);
}

/// From none to 120, and from there through none to 40 that go by other addresses.
fn many(lab: &Lab, keys: &[&str]) {
    let pf = lab.pf();
    let all = document(lab, 120, "");
    lab.inject("probe_delay_ms", "50");
    let begun = Instant::now();
    let applied = with(lab, "apply", &all).ok();
    let took = begun.elapsed();
    // A line for each phase, and one for the PF: not for each of some hundred steps.
    let lines: Vec<&str> = applied.stderr.lines().collect();
    assert_eq!(lines.len(), 5, "{applied}");
    let bound = format!("{pf}: bind, 120 steps, ");
    assert!(lines[4].starts_with(&bound), "{applied}");
    let sum = format!("pf {pf} done {} steps ", 123 + 120 * keys.len());
    assert!(applied.stdout.starts_with(&sum), "{applied}");
    assert_eq!(applied.stdout.lines().count(), 1, "{applied}");
    lab.inject("probe_delay_ms", "0");
    let names = numbers(&pf);
    assert!(names.len() == 120 && is_rising(&names), "{names:?}");
    assert!(interfaces_rise(&pf), "interfaces are out of order");
    has_what_was_foretold(lab, &all, keys);
    // One after the other, the probes alone would take 6 s.
    let begun = Instant::now();
    with(lab, "apply", &all).ok().stdout_is("");
    fs::write(
        "/dev/kmsg",
        format!(
            "rdmalab: 120 VFs in {took:?}, again in {:?}\n",
            begun.elapsed()
        ),
    )
    .expect("a log");
    let fewer = document(
        lab,
        40,
        "[policy]\ndisruptive = \"if-idle\"\n[host]\nsite = \"other\"",
    );
    let applied = as_planned(lab, "--yes", &fewer);
    assert_eq!(count(&applied, "remove-vfs"), 1);
    let names = numbers(&pf);
    assert!(names.len() == 40 && is_rising(&names), "{names:?}");
    has_what_was_foretold(lab, &fewer, keys);
    lab.rdmactl(&["vf", "destroy", &pf]).ok();
}

/// A VF that a guest has open stays with it, whatever the document says.
fn held_by_a_guest(lab: &Lab) {
    let pf = lab.pf();
    lab.sh("modprobe vfio_iommu_type1 allow_unsafe_interrupts=1 && modprobe vfio-pci")
        .ok();
    let policy = "[policy]\ndisruptive = \"if-idle\"";
    let own = "[[pf.vf]]\nrange = \"1\"\ndriver = \"vfio-pci\"\n";
    let lent = format!("{}{own}", document(lab, 2, policy));
    as_planned(lab, "", &lent);
    let vf = lab.vf(1);
    let driver = || pci::target(pci::device(&vf).join("driver"));
    assert_eq!(driver().as_deref(), Some("vfio-pci"));
    let group = pci::target(pci::device(&vf).join("iommu_group")).expect("an IOMMU");
    let guest = Guest::new(&group, &vf);
    let pid = std::process::id();
    let used = format!("pid {pid} lab has /dev/vfio/{group} open");
    let plan = with(lab, "plan", &document(lab, 2, policy)).fails(2);
    plan.stdout_has(&used);
    with(lab, "apply --yes", &document(lab, 1, policy)).fails(4);
    with(
        lab,
        "apply --yes --disruptive force",
        &document(lab, 2, policy),
    )
    .fails(4);
    assert_eq!(driver().as_deref(), Some("vfio-pci"));
    drop(guest);
    as_planned(lab, "", &document(lab, 2, policy));
    assert_eq!(driver().as_deref(), Some("mlx5_core"));
    lab.rdmactl(&["vf", "destroy", &pf]).ok();
    lab.sh("rmmod vfio_pci vfio_iommu_type1").ok();
}
