//! `export`: a host as it is, written as a document that finds nothing to do there.

use std::fmt::Write;

use super::observed::PfState;
use crate::rdma::boot::BootSettings;
use crate::sriov::link_layer::LinkLayer;
use crate::sriov::vf_side::VfSide;
use crate::types::{DriverName, EswitchMode, Guid, LinkPolicy, PciAddr, VlanProto};
use crate::wire::link::vf::Vf as Told;

/// The document of these PFs, in TOML, and what it leaves out. PFs without VFs are not in it.
pub fn document(netns: &BootSettings, pfs: &[PfState]) -> String {
    let mut text = String::from("version = 1\n");
    if let Some(mode) = netns.running.filter(|mode| is_lasting(netns, *mode)) {
        let _ = write!(text, "\n[host]\nrdma_netns = \"{mode}\"\n");
    }
    for state in pfs {
        if state.pf.vfs.is_empty() {
            let (address, total) = (state.pf.address, state.pf.total_vfs);
            let _ = write!(text, "\n# {address} has no VFs; it can have {total}.\n");
        } else {
            pf(&mut text, state);
        }
    }
    text
}

/// Whether declaring the mode that runs would change no file.
fn is_lasting(netns: &BootSettings, running: crate::types::NetnsMode) -> bool {
    match &netns.configured {
        _ if netns.is_built_in || netns.command_line.is_some() => true,
        Some(configured) => configured.mode == Some(running),
        None => running == crate::types::NetnsMode::Shared,
    }
}

fn pf(text: &mut String, state: &PfState) {
    let layer = match state.layer {
        Some(LinkLayer::InfiniBand) => "ib",
        Some(LinkLayer::Ethernet) => "eth",
        None => {
            let address = state.pf.address;
            let _ = write!(
                text,
                "\n# {address} has VFs, and nothing says whether it is InfiniBand or Ethernet.\n"
            );
            return;
        }
    };
    let is_ib = layer == "ib";
    let _ = write!(
        text,
        "\n# {} ({})\n[[pf]]\nmatch = {{ {} }}\nlink_type = \"{layer}\"\nnum_vfs = {}\n",
        // A name is text from the kernel: it must not end the line of the comment.
        state.name.replace(char::is_control, "?"),
        state.pf.address,
        mark(state),
        state.pf.vfs.len(),
    );
    if state.eswitch == Some(EswitchMode::Switchdev) {
        text.push_str("eswitch = \"switchdev\"\n");
    }
    let key = if is_ib { "guid" } else { "mac" };
    let all: Option<Vec<String>> = state
        .pf
        .vfs
        .iter()
        .map(|vf| address(state.told.get(&vf.index)?, is_ib))
        .collect();
    let all = all.filter(|all| {
        let mut once = all.clone();
        once.sort();
        once.dedup();
        once.len() == all.len()
    });
    match &all {
        Some(list) => {
            let _ = writeln!(text, "{key} = {{ mode = \"list\", list = [");
            for each in list {
                let _ = writeln!(text, "    \"{each}\",");
            }
            text.push_str("] }\n");
        }
        // Addresses that some lack, or that two share, are for each VF to say.
        None => {
            let _ = writeln!(text, "{key} = {{ mode = \"unmanaged\" }}");
        }
    }
    let nothing = (Told::default(), VfSide::default());
    let mut vectors = state.vectors.values();
    let first = vectors.next();
    let differ = vectors.any(|other| Some(other) != first);
    for vf in &state.pf.vfs {
        let told = state.told.get(&vf.index).unwrap_or(&nothing.0);
        let side = state.sides.get(&vf.index).unwrap_or(&nothing.1);
        let mut lines = settings(told);
        if all.is_none() {
            lines.splice(0..0, own_addresses(told, is_ib));
        }
        lines.extend(driver(side, state.driver.as_deref()));
        // Where all have the same, that is what the device gives them.
        let vectors = state.vectors.get(&vf.index);
        if let Some(vectors) = vectors.filter(|_| differ) {
            lines.push(format!("msix = {vectors}"));
        }
        if !lines.is_empty() {
            let _ = write!(text, "\n[[pf.vf]]\nrange = \"{}\"\n", vf.index);
            for line in lines {
                let _ = writeln!(text, "{line}");
            }
        }
    }
}

/// What finds the PF again, wherever it is plugged in.
fn mark(state: &PfState) -> String {
    match (state.guid, state.mac) {
        (Some(guid), _) => format!("guid = \"{guid}\""),
        (None, Some(mac)) => format!("perm_mac = \"{mac}\""),
        (None, None) => format!("pci = \"{}\"", state.pf.address),
    }
}

fn is_good(guid: &Guid) -> bool {
    guid.is_assignable() && !guid.is_group()
}

/// The one address of a VF, if one does for it.
fn address(told: &Told, is_ib: bool) -> Option<String> {
    if is_ib {
        let node = told.node_guid.filter(is_good)?;
        return (told.port_guid == Some(node)).then(|| node.to_string());
    }
    let mac = told.mac.filter(|mac| !mac.is_zero() && !mac.is_group());
    mac.map(|mac| mac.to_string())
}

fn own_addresses(told: &Told, is_ib: bool) -> Vec<String> {
    if !is_ib {
        let mac = address(told, false);
        return mac
            .map(|mac| format!("mac = \"{mac}\""))
            .into_iter()
            .collect();
    }
    let guids = [
        ("node_guid", told.node_guid.filter(is_good)),
        ("port_guid", told.port_guid.filter(is_good)),
    ];
    let named = guids.into_iter();
    named
        .filter_map(|(key, guid)| Some(format!("{key} = \"{}\"", guid?)))
        .collect()
}

/// What differs from what a new VF has.
fn settings(told: &Told) -> Vec<String> {
    let mut lines = Vec::new();
    match told.state {
        None | Some(LinkPolicy::Auto) => {}
        Some(LinkPolicy::Enable) => lines.push("policy = \"up\"".to_owned()),
        Some(LinkPolicy::Disable) => lines.push("policy = \"down\"".to_owned()),
    }
    if let Some(vlan) = told.vlan.filter(|vlan| vlan.id > 0) {
        lines.push(format!("vlan = {}", vlan.id));
        if vlan.qos > 0 {
            lines.push(format!("qos = {}", vlan.qos));
        }
        if vlan.proto == VlanProto::Ad {
            lines.push("proto = \"802.1ad\"".to_owned());
        }
    }
    for (key, on) in [
        ("trust", told.trust),
        ("spoofchk", told.spoofchk),
        ("query_rss", told.query_rss),
    ] {
        if on == Some(true) {
            lines.push(format!("{key} = true"));
        }
    }
    if let Some(rates) = told.rates.filter(|rates| rates.min > 0 || rates.max > 0) {
        lines.push(format!("min_rate = {}", rates.min));
        lines.push(format!("max_rate = {}", rates.max));
    }
    lines
}

/// A driver other than that of the PF, which is the usual one of its VFs.
fn driver(side: &VfSide, usual: Option<&str>) -> Option<String> {
    match side.driver.as_deref() {
        None => Some("driver = \"none\"".to_owned()),
        Some(driver) if Some(driver) == usual => None,
        Some(driver) => {
            let name: Option<DriverName> = driver.parse().ok();
            Some(match name {
                Some(name) => format!("driver = \"{name}\""),
                None => "driver = \"unmanaged\"".to_owned(),
            })
        }
    }
}

/// The PFs that are named, or all.
pub fn chosen(pfs: Vec<PfState>, only: &[PciAddr]) -> Vec<PfState> {
    let wanted = |state: &PfState| only.is_empty() || only.contains(&state.pf.address);
    pfs.into_iter().filter(wanted).collect()
}
