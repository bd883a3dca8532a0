//! `provision addresses`: a VF and what it goes by, as a row.

use crate::provision::addresses::Addressed;
use crate::provision::duplicates::Double;
use crate::types::Guid;
use crate::view::{Field, Row};

/// The rows.
pub fn rows(vfs: &[Addressed]) -> Vec<Row> {
    let alike = vfs.iter().all(|vf| vf.node_guid == vf.port_guid);
    vfs.iter().map(|vf| row(vf, alike)).collect()
}

/// The port GUIDs, one a line, as the partitions of a subnet manager have them.
pub fn guids(vfs: &[Addressed]) -> String {
    let guids = vfs.iter().filter_map(|vf| vf.port_guid);
    guids
        .map(|guid| format!("0x{:016x}\n", guid.value()))
        .collect()
}

/// The file from which the SR-IOV network operator takes GUIDs: PFs by address where they are
/// there, and by GUID otherwise.
pub fn operator(vfs: &[Addressed]) -> String {
    let mut parts: Vec<(&'static str, String, Vec<String>)> = Vec::new();
    for vf in vfs {
        let Some(guid) = vf.port_guid else { continue };
        let pci = vf.pf.map(|pf| ("pciAddress", pf.to_string()));
        let by_guid = || vf.pf_guid.map(|pf| ("pfGuid", pf.to_string()));
        let Some((key, pf)) = pci.or_else(by_guid) else {
            continue;
        };
        match parts.last_mut() {
            Some((_, last, guids)) if *last == pf => guids.push(guid.to_string()),
            _ => parts.push((key, pf, vec![guid.to_string()])),
        }
    }
    let parts = parts.into_iter().map(|(key, pf, guids)| {
        let mut part = serde_json::Map::new();
        part.insert(key.to_owned(), pf.into());
        part.insert("guids".to_owned(), guids.into());
        serde_json::Value::Object(part)
    });
    let mut text = format!("{:#}", serde_json::Value::Array(parts.collect()));
    text.push('\n');
    text
}

/// An address, and all that have it.
pub fn doubles(doubles: &[Double]) -> Vec<Row> {
    let row = |double: &Double| {
        let owners = double.owners.iter();
        let owners: Vec<String> = owners
            .map(|owner| {
                let (file, pf, vf) = (&owner.file, &owner.pf, owner.vf);
                format!("{}: {pf}/{vf}", file.replace(char::is_control, "?"))
            })
            .collect();
        let text = format!("vfs \"{}\" ", owners.join(", "));
        vec![
            Field::new("address", "ADDRESS", double.address.as_str()),
            Field::with_text("vfs", "VFS", text, owners),
        ]
    };
    doubles.iter().map(row).collect()
}

/// No two have one address.
pub fn all_different(addresses: usize, files: usize) -> String {
    format!("{addresses} addresses of {files} files, each of one VF")
}

fn row(vf: &Addressed, alike: bool) -> Row {
    let mut row = vec![Field::new("vf", "VF", u32::from(vf.index))];
    if let Some(pf) = vf.pf {
        row.push(Field::new("pf_pci", "PF", pf.to_string()));
    }
    let guid =
        |key: &'static str, head: &'static str, guid: Guid| Field::new(key, head, guid.to_string());
    row.extend(vf.pf_guid.map(|pf| guid("pf_guid", "PF GUID", pf)));
    row.extend(
        vf.pf_mac
            .map(|mac| Field::new("pf_mac", "PF MAC", mac.to_string())),
    );
    let heads = if alike {
        ["", "GUID"]
    } else {
        ["NODE GUID", "PORT GUID"]
    };
    row.extend(vf.node_guid.map(|node| guid("node_guid", heads[0], node)));
    row.extend(vf.port_guid.map(|port| guid("port_guid", heads[1], port)));
    row.extend(vf.mac.map(|mac| Field::new("mac", "MAC", mac.to_string())));
    row
}
