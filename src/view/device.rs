//! `dev show`: a device as a row.

use super::names;
use super::{Detail, Field, Row, Text, Value};
use crate::wire::nldev::device::Device;

/// The row of one device.
pub fn row(device: &Device, detail: Detail) -> Row {
    let mut row = Row::with_capacity(8);
    row.push(Field::head("ifindex", "INDEX", device.index));
    row.push(Field::head("ifname", "NAME", device.name.as_str()));
    if let Some(value) = device.node_type {
        row.push(Field::word("node_type", "TYPE", names::node_type(value)));
    }
    if let Some(protocol) = &device.protocol {
        row.push(Field::new("protocol", "PROTOCOL", protocol.as_str()));
    }
    if let Some(firmware) = device.firmware.as_deref().filter(|text| !text.is_empty()) {
        row.push(Field::new("fw", "FIRMWARE", firmware));
    }
    if let Some(guid) = device.node_guid {
        row.push(Field::new("node_guid", "NODE GUID", guid.quads()));
    }
    if let Some(guid) = device.sys_image_guid {
        row.push(Field::new(
            "sys_image_guid",
            "SYSTEM IMAGE GUID",
            guid.quads(),
        ));
    }
    if let Some(value) = device.dev_type {
        let word = if value == 1 { "smi" } else { "unknown" };
        row.push(Field::word("type", "SUB-DEVICE", word));
    }
    if let Some(parent) = &device.parent {
        row.push(Field::new("parent", "PARENT", parent.as_str()));
    }
    if detail != Detail::Usual {
        if let Some(dim @ (0 | 1)) = device.dim {
            row.push(Field::new(
                "adaptive-moderation",
                "ADAPTIVE MODERATION",
                dim == 1,
            ));
        }
        if let Some(flags) = device.caps {
            row.extend(caps(names::device_caps(flags), names::device_bits(flags)));
        }
    }
    if detail == Detail::Own {
        row.extend(device.caps.map(cap_flags));
    }
    row
}

/// Capabilities under iproute2's names, on a line of their own in text; tables have their right names.
pub(super) fn caps(
    names: impl Iterator<Item = &'static str>,
    right: impl Iterator<Item = Value>,
) -> [Field; 2] {
    let field = Field::new("caps", "", Value::words(names));
    let text = Text::Bracketed("    caps: ");
    [
        Field { text, ..field }.broken(),
        Field::in_tables("CAPABILITIES", Value::List(right.collect())),
    ]
}

/// All bits of them, those without a name too.
pub(super) fn cap_flags(flags: u64) -> Field {
    Field::in_json("cap_flags", flags)
}
