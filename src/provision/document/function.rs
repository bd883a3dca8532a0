//! `match`: which function an entry is about.

use super::Match;
use super::node::Node;
use super::reader::Reader;

/// Reads the conditions; one at least.
pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<Match> {
    let known = [
        "guid",
        "pci",
        "perm_mac",
        "serial",
        "netdev",
        "vendor_device",
    ];
    let table = reader.table(node, "match", &known)?;
    let before = reader.faults.len();
    let found = Match {
        guid: table
            .get("guid")
            .and_then(|node| reader.parsed(node, "guid")),
        pci: table.get("pci").and_then(|node| reader.parsed(node, "pci")),
        perm_mac: table
            .get("perm_mac")
            .and_then(|node| reader.parsed(node, "perm_mac")),
        netdev: table
            .get("netdev")
            .and_then(|node| reader.parsed(node, "netdev")),
        vendor_device: table
            .get("vendor_device")
            .and_then(|node| vendor_device(reader, node)),
        serial: table.get("serial").and_then(|node| serial(reader, node)),
    };
    if reader.faults.len() > before {
        return None;
    }
    if found == Match::default() && table.keys().next().is_none() {
        let what = format!("match has no condition: it takes {}", known.join(", "));
        reader.fault(&node.span, what);
    }
    (found != Match::default()).then_some(found)
}

/// As `lspci -vv` prints it behind "Serial number".
fn serial(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    const LONGEST: usize = 255;
    let text = reader.text(node, "serial")?;
    let is_one = !text.is_empty()
        && text.len() <= LONGEST
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() || byte == b' ')
        && text.trim() == text;
    if !is_one {
        let what = "it is no serial number: write what lspci -vv prints behind \"Serial number\"";
        reader.fault(&node.span, what);
    }
    is_one.then(|| text.to_owned())
}

/// `15b3:101b`, as `lspci -n` prints it.
fn vendor_device(reader: &mut Reader<'_>, node: &Node) -> Option<(u16, u16)> {
    let text = reader.text(node, "vendor_device")?;
    let half = |word: &str| {
        let is_hex = word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then(|| u16::from_str_radix(word, 16).ok()).flatten()
    };
    let found = text.split_once(':');
    let found = found.and_then(|(vendor, device)| Some((half(vendor)?, half(device)?)));
    if found.is_none() {
        let what = "it is no PCI vendor and device: write four hex digits each, as \"15b3:101b\"";
        reader.fault(&node.span, what);
    }
    found
}
