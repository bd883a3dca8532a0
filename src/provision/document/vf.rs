//! `vf` and `vf_defaults`: what VFs are to have.

use super::addresses;
use super::node::{Key, Node};
use super::reader::{Reader, Table};
use super::{DriverWish, VfEntry, VfWish};
use crate::sriov::link_layer::LinkLayer;
use crate::sriov::wish::Wish;
use crate::types::{DriverName, LinkPolicy, VlanProto};

/// Keys of every VF, of either link layer.
const COMMON: [&str; 3] = ["driver", "msix", "policy"];
/// VFs of Ethernet alone have these, and the address behind.
const ETHERNET: [&str; 8] = [
    "vlan",
    "qos",
    "proto",
    "trust",
    "spoofchk",
    "min_rate",
    "max_rate",
    "query_rss",
];
const MAC: &str = "mac";
/// And these those of InfiniBand.
const INFINIBAND: [&str; 3] = ["guid", "node_guid", "port_guid"];

/// Keys that several VFs can have alike.
fn shared() -> impl Iterator<Item = &'static str> {
    COMMON.into_iter().chain(ETHERNET)
}

/// Keys that mean one VF.
fn single() -> impl Iterator<Item = &'static str> {
    INFINIBAND.into_iter().chain([MAC])
}

/// The highest number of a VF, as the capability has 16 bits for how many there are.
const LAST: i64 = 65_534;

pub(super) fn defaults(
    reader: &mut Reader<'_>,
    node: &Node,
    layer: Option<LinkLayer>,
) -> Option<VfWish> {
    let known: Vec<&str> = shared().collect();
    let table = reader.table(node, "vf_defaults", &known)?;
    Some(wish(reader, &table, layer))
}

/// One entry of `pf.vf`.
pub(super) fn entry(
    reader: &mut Reader<'_>,
    node: &Node,
    layer: Option<LinkLayer>,
) -> Option<VfEntry> {
    let known: Vec<&str> = ["range", "managed"]
        .into_iter()
        .chain(shared())
        .chain(single())
        .collect();
    let table = reader.table(node, "vf", &known)?;
    let mut vf = wish(reader, &table, layer);
    if let Some(node) = table.get("managed") {
        vf.is_left = reader.flag(node, "managed") == Some(false);
        let own = |key: &&Key| !["range", "managed"].contains(&key.text.as_str());
        if vf.is_left
            && let Some(key) = table.keys().find(own)
        {
            let what = format!("{} is for VFs that are not left to others", key.text);
            reader.fault(&key.span, what);
        }
    }
    let Some(range) = table.get("range") else {
        reader.fault(
            &node.span,
            "vf has no range: write that of its VFs, as \"0-3\" or \"5\"",
        );
        return None;
    };
    let (first, last) = indices(reader, range)?;
    if first != last
        && let Some(key) = single().find_map(|key| table.get(key))
    {
        let what =
            format!("VFs {first} to {last} cannot have one address: write an entry for each");
        reader.fault(&key.span, what);
    }
    Some(VfEntry { first, last, vf })
}

/// `0-3` or `5`.
fn indices(reader: &mut Reader<'_>, node: &Node) -> Option<(u16, u16)> {
    let text = reader.text(node, "range")?;
    let number = |word: &str| {
        let is_plain = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        let number: Option<u16> = is_plain.then(|| word.parse().ok()).flatten();
        number.filter(|number| i64::from(*number) <= LAST)
    };
    let found = match text.split_once('-') {
        None => number(text).map(|only| (only, only)),
        Some((first, last)) => number(first).zip(number(last)),
    };
    let found = found.filter(|(first, last)| first <= last);
    if found.is_none() {
        reader.fault(&node.span, "it is no range of VFs: write \"0-3\" or \"5\"");
    }
    found
}

fn wish(reader: &mut Reader<'_>, table: &Table<'_>, layer: Option<LinkLayer>) -> VfWish {
    if let Some(layer) = layer {
        let is_foreign = |key: &str| match layer {
            LinkLayer::InfiniBand => ETHERNET.contains(&key) || key == MAC,
            LinkLayer::Ethernet => INFINIBAND.contains(&key),
        };
        for key in table.keys().filter(|key| is_foreign(&key.text)) {
            reader.fault(&key.span, format!("{layer} VFs have no {}", key.text));
        }
    }
    let flag =
        |reader: &mut Reader<'_>, key| table.get(key).and_then(|node| reader.flag(node, key));
    let rate = |reader: &mut Reader<'_>, key| {
        let node = table.get(key)?;
        reader.number::<u32>(node, key, (0, i64::from(u32::MAX)))
    };
    let mut wish = Wish {
        trust: flag(reader, "trust"),
        spoofchk: flag(reader, "spoofchk"),
        query_rss: flag(reader, "query_rss"),
        min_rate: rate(reader, "min_rate"),
        max_rate: rate(reader, "max_rate"),
        state: table.get("policy").and_then(|node| {
            let words = [
                ("follow", LinkPolicy::Auto),
                ("up", LinkPolicy::Enable),
                ("down", LinkPolicy::Disable),
            ];
            reader.word(node, "policy", &words)
        }),
        vlan: table
            .get("vlan")
            .and_then(|node| reader.number(node, "vlan", (0, 4094))),
        qos: table
            .get("qos")
            .and_then(|node| reader.number(node, "qos", (0, 7))),
        proto: table.get("proto").and_then(|node| {
            let words = [("802.1Q", VlanProto::Q), ("802.1ad", VlanProto::Ad)];
            reader.word(node, "proto", &words)
        }),
        mac: table
            .get("mac")
            .and_then(|node| addresses::one(reader, node, "mac")),
        ..Wish::default()
    };
    guids(reader, table, &mut wish);
    pairs(reader, table, &mut wish);
    VfWish {
        driver: table.get("driver").and_then(|node| driver(reader, node)),
        // PCI_MSIX_FLAGS_QSIZE has eleven bits.
        msix: table
            .get("msix")
            .and_then(|node| reader.number(node, "msix", (1, 2048))),
        is_left: false,
        wish,
    }
}

fn guids(reader: &mut Reader<'_>, table: &Table<'_>, wish: &mut Wish) {
    let mut of = |key| {
        let node = table.get(key)?;
        addresses::one(reader, node, key)
    };
    let both = of("guid");
    wish.node_guid = of("node_guid").or(both);
    wish.port_guid = of("port_guid").or(both);
}

/// The kernel takes these in pairs: what is not written is nothing, not what happens to be there.
fn pairs(reader: &mut Reader<'_>, table: &Table<'_>, wish: &mut Wish) {
    if wish.vlan.is_some() {
        wish.qos = wish.qos.or(Some(0));
        wish.proto = wish.proto.or(Some(VlanProto::Q));
    } else if table.get("vlan").is_none() {
        for key in ["qos", "proto"] {
            if let Some(node) = table.get(key) {
                reader.fault(&node.span, format!("{key} goes with vlan"));
            }
        }
    }
    if wish.min_rate.is_some() || wish.max_rate.is_some() {
        wish.min_rate = wish.min_rate.or(Some(0));
        wish.max_rate = wish.max_rate.or(Some(0));
    }
    if let (Some(min), Some(max), Some(node)) =
        (wish.min_rate, wish.max_rate, table.get("min_rate"))
        && max > 0
        && min > max
    {
        reader.fault(
            &node.span,
            format!("min_rate {min} is above max_rate {max}"),
        );
    }
}

fn driver(reader: &mut Reader<'_>, node: &Node) -> Option<DriverWish> {
    match reader.text(node, "driver")? {
        "default" => Some(DriverWish::Default),
        "none" => Some(DriverWish::None),
        "unmanaged" => Some(DriverWish::Unmanaged),
        _ => reader
            .parsed::<DriverName>(node, "driver")
            .map(DriverWish::Named),
    }
}
