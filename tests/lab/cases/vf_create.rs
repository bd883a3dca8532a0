//! `vf create` and `vf destroy`: checked against sysfs and `ip`.

use std::fs;

use serde_json::Value;

use crate::case::{Case, case};
use crate::handle::Lab;
use crate::output::Output;
use crate::pci;

/// Locks leave their folders behind.
pub(super) const FOLDERS: &[&str] = &["folder /"];

pub(super) fn cases() -> Vec<Case> {
    let bare = |name, run| case(name, run).vfs(0).exclusive().may_change(FOLDERS);
    vec![
        bare("create_and_destroy", create_and_destroy),
        bare("seven_ethernet", seven).ethernet(),
        bare("120_vfs", many_vfs).pf("nvme").limit(120),
    ]
}

/// Every VF of the PF as sysfs has it, in the shape of a row.
fn there(pf: &str) -> Vec<Value> {
    let name = pci::netdev(pf).unwrap_or_else(|| pf.to_owned());
    let mut rows = Vec::new();
    while let Some(vf) = pci::vf(pf, rows.len() as u32) {
        rows.push(row_of(pf, &name, rows.len(), &vf));
    }
    rows
}

/// What sysfs has of one VF.
pub(super) fn row_of(pf: &str, name: &str, index: usize, vf: &str) -> Value {
    let mut row = serde_json::json!({
        "vf": format!("{name}/{index}"),
        "pf": name,
        "pf_pci": pf,
        "index": index,
        "pci": vf,
    });
    let facts = [
        ("driver", pci::target(pci::device(vf).join("driver"))),
        ("rdma", pci::rdma(vf)),
        ("netdev", pci::netdev(vf)),
    ];
    for (key, value) in facts {
        if let Some(value) = value {
            row[key] = value.into();
        }
    }
    row
}

pub(super) fn numvfs(pf: &str) -> String {
    let file = pci::device(pf).join("sriov_numvfs");
    fs::read_to_string(file).expect("a PF").trim().to_owned()
}

pub(super) fn autoprobe(pf: &str) -> String {
    let file = pci::device(pf).join("sriov_drivers_autoprobe");
    fs::read_to_string(file).expect("a PF").trim().to_owned()
}

/// The last line of what was printed on stdout is JSON with these VFs, and sysfs agrees.
#[track_caller]
pub(super) fn has(output: &Output, pf: &str, count: usize) -> Vec<Value> {
    let rows = there(pf);
    assert_eq!(rows.len(), count, "{output}");
    assert_eq!(output.json(), Value::Array(rows.clone()), "{output}");
    rows
}

fn create_and_destroy(lab: &Lab) {
    let pf = lab.pf();
    let netdev = pci::netdev(&pf).expect("the PF has a netdev");
    let made = lab.rdmactl(&["-j", "vf", "create", &pf, "3"]).ok();
    let rows = has(&made, &pf, 3);
    for row in &rows {
        assert_eq!(row["driver"], "mlx5_core", "{row}");
        assert!(
            row["rdma"].is_string() && row["netdev"].is_string(),
            "{row}"
        );
    }
    let shown = lab.ip(&["-j", "link", "show", &netdev]).ok().json();
    assert_eq!(shown[0]["vfinfo_list"].as_array().map(Vec::len), Some(3));
    // As many as there are: done, and nothing was touched: a new device would have a new index.
    let before = lab.iproute2_rdma(&["-j", "dev"]).ok().stdout;
    let again = lab.rdmactl(&["-j", "vf", "create", &netdev, "3"]).ok();
    has(&again, &pf, 3);
    assert_eq!(lab.iproute2_rdma(&["-j", "dev"]).ok().stdout, before);

    let total: u32 = fs::read_to_string(pci::device(&pf).join("sriov_totalvfs"))
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .expect("a PF has a total");
    lab.rdmactl(&["vf", "create", &netdev, &(total + 1).to_string()])
        .fails(1)
        .stdout_is("")
        .stderr_has(&format!(
            "{pf} offers {total} VFs, and {} are wanted",
            total + 1
        ))
        .stderr_has("  fix: raise the number of VFs in the settings of the adapter's firmware");
    lab.rdmactl(&["--dry-run", "vf", "create", &netdev, "5"])
        .ok()
        .stdout_is(&format!(
            "would remove all 3 VFs of PF {pf}\nwould create 5 VFs on PF {pf}\n"
        ));
    lab.rdmactl(&["vf", "destroy", &netdev, "--dry-run"])
        .ok()
        .stdout_is(&format!("would remove all 3 VFs of PF {pf}\n"));
    assert_eq!(lab.iproute2_rdma(&["-j", "dev"]).ok().stdout, before);

    // Another number goes through 0, and says so.
    let more = lab.rdmactl(&["vf", "create", &netdev, "5"]).ok();
    assert_eq!(numvfs(&pf), "5");
    more.stdout_has(&format!("vf {netdev}/4 pci {}", lab.vf(4)))
        .stderr_is(&format!(
            "note: {pf} had 3 VFs, which are gone: the number changes through 0 only\n"
        ));
    let rdma = pci::rdma(&pf).expect("the PF has an RDMA device");
    lab.rdmactl(&[
        "--format",
        "table",
        "vf",
        "create",
        &rdma,
        "1",
        "--no-probe",
    ])
    .ok()
    .stdout_is(&format!("VF     PCI\n{netdev}/0  {}\n", lab.vf(0)).replace(
        "VF     ",
        &format!("{:width$}", "VF", width = netdev.len() + 4),
    ));
    assert_eq!((numvfs(&pf).as_str(), autoprobe(&pf).as_str()), ("1", "1"));
    lab.rdmactl(&["vf", "destroy", &rdma]).ok().silent();
    assert_eq!(numvfs(&pf), "0");
    lab.rdmactl(&["-j", "vf", "destroy", &pf])
        .ok()
        .stdout_is("[]\n");
}

fn seven(lab: &Lab) {
    let pf = lab.pf();
    let netdev = pci::netdev(&pf).expect("the PF has a netdev");
    let made = lab.rdmactl(&["-j", "vf", "create", &netdev, "7"]).ok();
    let rows = has(&made, &pf, 7);
    let whole = |row: &Value| row["rdma"].is_string() && row["netdev"].is_string();
    assert!(rows.iter().all(whole), "{made}");
    let shown = lab.ip(&["-j", "link", "show", &netdev]).ok().json();
    assert_eq!(shown[0]["vfinfo_list"].as_array().map(Vec::len), Some(7));
    lab.rdmactl(&["vf", "destroy", &netdev]).ok().silent();
    assert_eq!(numvfs(&pf), "0");
}

fn many_vfs(lab: &Lab) {
    let pf = lab.pf();
    let made = lab.rdmactl(&["-j", "vf", "create", &pf, "120"]).ok();
    let rows = has(&made, &pf, 120);
    assert!(
        rows.iter()
            .all(|row| row["rdma"].is_string() && row["netdev"].is_string())
    );
    let netdev = pci::netdev(&pf).expect("the PF has a netdev");
    let shown = lab.ip(&["-j", "link", "show", &netdev]).ok().json();
    assert_eq!(shown[0]["vfinfo_list"].as_array().map(Vec::len), Some(120));
    let _blue = lab.netns("blue");
    let away = lab.vf_rdma(77);
    lab.rdmactl(&["dev", "set", &away, "netns", "blue"]).ok();
    lab.rdmactl(&["vf", "create", &pf, "7"])
        .fails(1)
        .stderr_has(&format!("1 of the 120 VFs of {pf} is in use"))
        .stderr_has(&format!("VF 77 ({}): RDMA device {away} is in", lab.vf(77)));
    lab.rdmactl(&["vf", "destroy", &pf, "--force"])
        .ok()
        .silent();
    assert_eq!(numvfs(&pf), "0");
}
