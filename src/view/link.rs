//! `link show`: a port as a row.

use super::device::{cap_flags, caps};
use super::names;
use super::{Detail, Field, Row, Value};
use crate::types::Guid;
use crate::wire::nldev::port::Port;

/// The row of one port; its netdev is the last word of the line unless details are wanted.
pub fn row(port: &Port, detail: Detail) -> Row {
    let details = detail != Detail::Usual;
    let name = ["link ", &port.device, "/", &port.number.to_string(), " "].concat();
    let mut row = Row::with_capacity(14);
    row.push(Field::new("ifindex", "", port.device_index).not_in_text());
    row.push(Field::with_text(
        "ifname",
        "DEVICE",
        name,
        port.device.as_str(),
    ));
    row.push(Field::new("port", "PORT", port.number).not_in_text());
    if let Some(prefix) = port.subnet_prefix {
        row.push(Field::new(
            "subnet_prefix",
            "SUBNET PREFIX",
            Guid::new(prefix).quads(),
        ));
    }
    if let Some(lid) = port.lid {
        row.push(Field::new("lid", "LID", lid));
    }
    if let Some(lid) = port.sm_lid {
        row.push(Field::new("sm_lid", "SM LID", lid));
    }
    if let Some(lmc) = port.lmc {
        row.push(Field::new("lmc", "LMC", lmc));
    }
    if let Some(state) = port.state {
        row.push(Field::word("state", "STATE", names::port_state(state)));
    }
    if let Some(state) = port.physical_state {
        row.push(Field::word(
            "physical_state",
            "",
            names::physical_state(state),
        ));
        let right = names::physical_state_right(state);
        row.push(Field::in_tables("PHYSICAL", Value::word(right)));
    }
    if let Some(netdev) = &port.netdev {
        row.push(Field::new("netdev", "NETDEV", netdev.as_str()));
    }
    if let Some(index) = port.netdev_index {
        let field = Field::new("netdev_index", "", index);
        row.push(if details { field } else { field.not_in_text() });
    }
    if details && let Some(flags) = port.caps {
        row.extend(caps(names::port_caps(flags), names::port_bits(flags)));
    }
    if detail == Detail::Own {
        row.extend(port.caps.map(cap_flags));
    }
    row
}
