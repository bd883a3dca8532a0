//! `pf`: one physical function.

use super::node::{Kind, Node};
use super::reader::{Reader, Table};
use super::{Count, Ownership, PfEntry, Scheme, VfEntry, VfWish, addresses, function, vf};
use crate::sriov::link_layer::LinkLayer;
use crate::types::EswitchMode;

/// The capability has 16 bits for each number of VFs.
const MOST: i64 = 65_535;

const KEYS: [&str; 12] = [
    "match",
    "optional",
    "link_type",
    "ownership",
    "num_vfs",
    "total_vfs",
    "eswitch",
    "up",
    "vf_defaults",
    "guid",
    "mac",
    "vf",
];

/// Reads an entry; `None` where it does not say which function it is about.
pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<PfEntry> {
    let table = reader.table(node, "pf", &KEYS)?;
    let place = reader.place(node.span.start);
    let layers = [("ib", LinkLayer::InfiniBand), ("eth", LinkLayer::Ethernet)];
    let layer = table
        .get("link_type")
        .and_then(|node| reader.word(node, "link_type", &layers));
    let flag =
        |reader: &mut Reader<'_>, key| table.get(key).and_then(|node| reader.flag(node, key));
    let optional = flag(reader, "optional").unwrap_or(false);
    let up = flag(reader, "up").unwrap_or(false);
    let owners = [
        ("full", Ownership::Full),
        ("vfs-only", Ownership::VfsOnly),
        ("observe", Ownership::Observe),
    ];
    let ownership = table
        .get("ownership")
        .and_then(|node| reader.word(node, "ownership", &owners));
    let num_vfs = table.get("num_vfs").and_then(|node| count(reader, node));
    let total_vfs = table
        .get("total_vfs")
        .and_then(|node| reader.number(node, "total_vfs", (0, MOST)));
    let modes = [
        ("legacy", Some(EswitchMode::Legacy)),
        ("switchdev", Some(EswitchMode::Switchdev)),
        ("unmanaged", None),
    ];
    let eswitch = table
        .get("eswitch")
        .and_then(|node| reader.word(node, "eswitch", &modes))
        .flatten();
    if let (Some(node), Some(LinkLayer::InfiniBand)) = (table.get("eswitch"), layer)
        && eswitch.is_some()
    {
        reader.fault(&node.span, "InfiniBand PFs have no eswitch");
    }
    for (key, foreign) in [
        ("guid", LinkLayer::Ethernet),
        ("mac", LinkLayer::InfiniBand),
    ] {
        if let (Some(node), Some(layer)) = (table.get(key), layer)
            && layer == foreign
        {
            reader.fault(&node.span, format!("{layer} VFs have no {key}"));
        }
    }
    let guid = table
        .get("guid")
        .and_then(|node| addresses::scheme(reader, node, "guid"))
        .unwrap_or(Scheme::Derived);
    let mac = table
        .get("mac")
        .and_then(|node| addresses::scheme(reader, node, "mac"))
        .unwrap_or(Scheme::Derived);
    let defaults = table
        .get("vf_defaults")
        .and_then(|node| vf::defaults(reader, node, layer))
        .unwrap_or_else(VfWish::default);
    if let Some(Count::Number(number)) = num_vfs {
        room(reader, &table, "guid", guid.room(), number);
        room(reader, &table, "mac", mac.room(), number);
    }
    let vfs = entries(reader, &table, layer, num_vfs);
    let Some(matched) = table.get("match") else {
        reader.fault(
            &node.span,
            "pf has no match: it says which function is meant",
        );
        return None;
    };
    Some(PfEntry {
        place,
        function: function::read(reader, matched)?,
        optional,
        layer,
        ownership: ownership.unwrap_or(Ownership::Full),
        num_vfs,
        total_vfs,
        eswitch,
        up,
        guid,
        mac,
        defaults,
        vfs,
    })
}

fn count(reader: &mut Reader<'_>, node: &Node) -> Option<Count> {
    match &node.kind {
        Kind::Text(text) if text == "max" => Some(Count::Max),
        Kind::Text(_) => {
            reader.fault(&node.span, "num_vfs is a number or \"max\"");
            None
        }
        _ => reader.number(node, "num_vfs", (0, MOST)).map(Count::Number),
    }
}

fn room(reader: &mut Reader<'_>, table: &Table<'_>, key: &str, room: Option<u64>, number: u16) {
    if let (Some(room), Some(node)) = (room, table.get(key))
        && room < u64::from(number)
    {
        let what = format!("{key} has {room} addresses for {number} VFs");
        reader.fault(&node.span, what);
    }
}

fn entries(
    reader: &mut Reader<'_>,
    table: &Table<'_>,
    layer: Option<LinkLayer>,
    num_vfs: Option<Count>,
) -> Vec<VfEntry> {
    let mut found: Vec<VfEntry> = Vec::new();
    let Some(list) = table.get("vf") else {
        return found;
    };
    for node in reader.list(list, "vf") {
        let Some(entry) = vf::entry(reader, node, layer) else {
            continue;
        };
        if let Some(Count::Number(number)) = num_vfs
            && entry.last >= number
        {
            let what = format!(
                "there is no VF {} of {number}: they count from 0",
                entry.last
            );
            reader.fault(&node.span, what);
        }
        let overlaps = |other: &&VfEntry| other.first <= entry.last && entry.first <= other.last;
        if let Some(other) = found.iter().find(overlaps) {
            let both = other.first.max(entry.first);
            reader.fault(&node.span, format!("VF {both} is in another entry already"));
        }
        found.push(entry);
    }
    found
}
