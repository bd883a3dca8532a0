//! `resource show cm_id`: the properties of a connection.

use std::net::SocketAddr;

use crate::rdma::resource::words;
use crate::view::{Detail, Field, Row};
use crate::wire::nldev::resource::CmId;
use crate::wire::nldev::resource::cm_id::Endpoint;

/// Its fields, without place, maker and addresses.
pub(super) fn fields(row: &mut Row, cm_id: &CmId) {
    row.extend(cm_id.cm_idn.map(|n| Field::new("cm-idn", "CM ID", n)));
    row.extend(cm_id.lqpn.map(|n| Field::new("lqpn", "LQPN", n)));
    let qp_type = cm_id.qp_type.map(words::qp_type);
    row.extend(qp_type.map(|word| Field::word("qp-type", "QP TYPE", word)));
    row.push(Field::word("state", "STATE", words::cm_state(cm_id.state)));
    let port_space = words::port_space(cm_id.port_space);
    row.push(Field::word("ps", "", port_space));
    let right = words::port_space_right(cm_id.port_space);
    row.push(Field::in_tables("PS", right));
}

/// Its addresses, which iproute2 shows behind the maker: IPv6 without brackets, which tables have.
/// Programs get address and port apart as well, in our own words.
pub(super) fn addresses(row: &mut Row, cm_id: &CmId, detail: Detail) {
    let ends = [
        (&cm_id.source, "src-addr", "SOURCE", ["src-ip", "src-port"]),
        (
            &cm_id.destination,
            "dst-addr",
            "DESTINATION",
            ["dst-ip", "dst-port"],
        ),
    ];
    let mut apart = Row::new();
    for (end, key, head, [ip, port]) in ends {
        let Some(Endpoint {
            address,
            port: number,
        }) = end
        else {
            continue;
        };
        row.push(Field::new(key, "", format!("{address}:{number}")));
        let bracketed = SocketAddr::new(*address, *number).to_string();
        row.push(Field::in_tables(head, bracketed));
        if detail == Detail::Own {
            apart.push(Field::in_json(ip, address.to_string()));
            apart.push(Field::in_json(port, u64::from(*number)));
        }
    }
    row.extend(apart);
}
