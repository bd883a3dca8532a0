//! `dev show`: a device as a row.

use super::names;
use super::{Field, Row, Text, Value};
use crate::wire::nldev::device::Device;

/// The row of one device.
pub fn row(device: &Device, details: bool) -> Row {
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
    if details {
        if let Some(dim @ (0 | 1)) = device.dim {
            row.push(Field::new(
                "adaptive-moderation",
                "ADAPTIVE MODERATION",
                dim == 1,
            ));
        }
        if let Some(flags) = device.caps {
            row.push(caps(names::device_caps(flags)));
        }
    }
    row
}

/// Capabilities, on a line of their own in text.
pub(super) fn caps(names: impl Iterator<Item = &'static str>) -> Field {
    let field = Field::new("caps", "CAPABILITIES", Value::words(names));
    let text = Text::Bracketed("    caps: ");
    Field { text, ..field }.broken()
}
