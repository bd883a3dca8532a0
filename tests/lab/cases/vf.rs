//! `vf show` and `vf set` on InfiniBand, read by `ip -j link show` and from /sys.

use serde_json::Value;

use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::output::Output;
use crate::pci;

pub(super) fn cases() -> Vec<Case> {
    vec![case("infiniband", infiniband).vfs(7).may_change(REBOUND)]
}

/// A VF that was bound again has another RDMA index, and may have another netdev; the folders of
/// locks stay.
/// The folder of the locks of GUIDs that are being given.
pub(super) const LOCKS: &[&str] = &["folder /run/rdmactl"];
pub(super) const REBOUND: &[&str] = &[
    "rdma device",
    "netdev ib",
    "netdev eth",
    "folder /run/rdmactl",
];
pub(super) const GUID: &str = "02:00:00:00:00:00:00:0a";
pub(super) const OTHER: &str = "02:00:00:00:00:00:00:0b";
pub(super) const NONE: &str = "00:00:00:00:00:00:00:00";
pub(super) const NOBODY: &str = "setpriv --reuid=65534 --regid=65534 --clear-groups";

/// The interface of the PF.
pub(super) fn pf_netdev(lab: &Lab) -> String {
    pci::netdev(&lab.pf()).expect("the PF has a netdev here")
}

/// What `ip` says of the VFs of an interface, by index.
pub(super) fn ip_vfs(lab: &Lab, netdev: &str) -> Vec<Value> {
    let links = lab.ip(&["-j", "link", "show", netdev]).ok().json();
    links[0]["vfinfo_list"]
        .as_array()
        .cloned()
        .unwrap_or_default()
}

/// What `ip` says of one.
pub(super) fn ip_vf(lab: &Lab, index: usize) -> Value {
    ip_vfs(lab, &pf_netdev(lab))[index].clone()
}

/// What we say of one.
pub(super) fn shown(lab: &Lab, vf: &str) -> Value {
    let rows = lab.rdmactl(&["-j", "vf", "show", vf]).ok().json();
    assert_eq!(rows.as_array().map(Vec::len), Some(1), "{rows}");
    rows[0].clone()
}

pub(super) fn set(lab: &Lab, vf: &str, words: &str) -> Output {
    let mut argv = vec!["vf", "set", vf];
    argv.extend(words.split(' '));
    lab.rdmactl(&argv)
}

/// Runs commands in one process, which in the emulated guest is much quicker than one each.
pub(super) fn batch(lab: &Lab, options: &str, lines: &[String]) -> Output {
    let lines = lines.join("\n");
    lab.sh(&format!(
        "{FACES}/rdmactl {options} -batch - <<'END'\n{lines}\nEND"
    ))
}

/// Sets a VF in ways that all fail, each with its own words.
pub(super) fn all_fail(lab: &Lab, vf: &str, tries: &[(&str, &str)]) {
    let lines: Vec<String> = tries
        .iter()
        .map(|(words, _)| format!("vf set {vf} {words}"))
        .collect();
    let output = batch(lab, "-force", &lines).fails(1).stdout_is("");
    let said: Vec<&str> = output.stderr.split("Command failed -:").collect();
    assert_eq!(said.len(), tries.len() + 1, "{output}");
    for ((words, why), said) in tries.iter().zip(said) {
        assert!(said.contains(why), "{words}: expected {why}\n{said}");
    }
}

/// Node and port GUID as `ip` reads them back.
pub(super) fn guids(lab: &Lab, index: usize) -> (String, String) {
    let vf = ip_vf(lab, index);
    let text = |key: &str| vf[key].as_str().unwrap_or_default().to_owned();
    (text("node guid"), text("port guid"))
}

pub(super) fn rebind(lab: &Lab, vf: &str) {
    lab.sh(&format!(
        "cd /sys/bus/pci/drivers/mlx5_core && echo {vf} > unbind && echo {vf} > bind"
    ))
    .ok();
}

fn infiniband(lab: &Lab) {
    let pf = pf_netdev(lab);
    // Every row against ip and sysfs.
    let rows = lab.rdmactl(&["-j", "vf"]).ok().json();
    let rows = rows.as_array().expect("an array");
    let told = ip_vfs(lab, &pf);
    assert_eq!((rows.len(), told.len()), (7, 7));
    for (index, (row, told)) in rows.iter().zip(&told).enumerate() {
        let address = lab.vf(index as u32);
        assert_eq!(row["vf"], format!("{pf}/{index}"));
        assert_eq!(
            (&row["index"], &row["pci"]),
            (&told["vf"], &address.clone().into())
        );
        assert_eq!(row["driver"], "mlx5_core");
        assert_eq!(row["rdma"], lab.vf_rdma(index as u32));
        assert_eq!(row["netdev"], lab.vf_netdev(index as u32));
        assert_eq!(row["node_guid"], told["node guid"]);
        assert_eq!(row["port_guid"], told["port guid"]);
        assert_eq!(row["state"], told["link_state"]);
        assert_eq!(row["link_layer"], "InfiniBand");
        assert!(row["mac"].is_null() && row["trust"].is_null(), "{row}");
    }
    // A GUID for both, while the driver has the old one.
    let vf = format!("{pf}/3");
    let rdma = lab.vf_rdma(3);
    set(lab, &vf, &format!("guid {GUID}"))
        .ok()
        .stderr_has(&format!(
            "note: {rdma} still has node GUID {NONE} and port GUID {NONE}"
        ))
        .stderr_has(&format!("rdmactl vf rebind {vf}\n"))
        .stdout_is("");
    assert_eq!(guids(lab, 3), (GUID.to_owned(), GUID.to_owned()));
    let row = shown(lab, &vf);
    assert_eq!(
        (&row["needs_rebind"], &row["active_node_guid"]),
        (&true.into(), &NONE.into())
    );
    lab.rdmactl(&["vf", "show", &vf])
        .ok()
        .stdout_has(" needs_rebind ");
    // Done already: nothing is sent, for it would fail, and the VF is looked at all the same.
    lab.inject("fail_guid_vf", "3,5");
    set(lab, &vf, &format!("guid {GUID}"))
        .ok()
        .stderr_has("still has node GUID");
    lab.inject("fail_guid_vf", "off");
    rebind(lab, &lab.vf(3));
    let node = lab.exec(&format!(
        "cat /sys/class/infiniband/{}/node_guid",
        lab.vf_rdma(3)
    ));
    node.ok().stdout_is("0200:0000:0000:000a\n");
    set(lab, &vf, &format!("guid {GUID}")).ok().silent();
    let row = shown(lab, &vf);
    assert_eq!(
        (&row["needs_rebind"], &row["active_port_guid"]),
        (&false.into(), &GUID.into())
    );
    assert_eq!(row["port_state"], "ACTIVE");
    // Each alone, and the link.
    set(lab, &vf, &format!("port-guid {OTHER} state disable")).ok();
    assert_eq!(guids(lab, 3), (GUID.to_owned(), OTHER.to_owned()));
    assert_eq!(ip_vf(lab, 3)["link_state"], "disable");
    assert_eq!(shown(lab, &vf)["port_state"], "DOWN");
    set(lab, &vf, "state enable").ok();
    assert_eq!(ip_vf(lab, 3)["link_state"], "enable");
    set(lab, &vf, &format!("node_guid {OTHER} port_guid {GUID}")).ok();
    assert_eq!(guids(lab, 3), (OTHER.to_owned(), GUID.to_owned()));
    // A dry run says all of it and does none.
    lab.rdmactl(&["--dry-run", "vf", "set", &vf, "guid", GUID, "state", "auto"])
        .ok()
        .stdout_is(&format!(
            "would set node-guid of VF {vf} to {GUID} (it is {OTHER})\n\
             would set state of VF {vf} to auto (it is enable)\n"
        ));
    assert_eq!(guids(lab, 3), (OTHER.to_owned(), GUID.to_owned()));
    set(lab, &vf, "guid none state auto").ok();
    assert_eq!(guids(lab, 3), (NONE.to_owned(), NONE.to_owned()));
    assert!(
        lab.rdmactl(&["-j", "vf", "set", &vf, "state", "auto"])
            .ok()
            .json()
            .is_array()
    );
    rebind(lab, &lab.vf(3));
}
