//! `provision addresses`: a VF and what it goes by, as a row.

use crate::provision::addresses::Addressed;
use crate::types::Guid;
use crate::view::{Field, Row};

/// The rows.
pub fn rows(vfs: &[Addressed]) -> Vec<Row> {
    let alike = vfs.iter().all(|vf| vf.node_guid == vf.port_guid);
    vfs.iter().map(|vf| row(vf, alike)).collect()
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
