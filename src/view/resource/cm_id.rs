//! `resource show cm_id`: the properties of a connection.

use crate::rdma::resource::words;
use crate::view::{Field, Row};
use crate::wire::nldev::resource::CmId;
use crate::wire::nldev::resource::cm_id::Endpoint;

/// Its fields, without place, maker and addresses.
pub(super) fn fields(cm_id: &CmId) -> Row {
    let mut row = Row::new();
    row.extend(cm_id.cm_idn.map(|n| Field::new("cm-idn", "CM ID", n)));
    row.extend(cm_id.lqpn.map(|n| Field::new("lqpn", "LQPN", n)));
    let qp_type = cm_id.qp_type.map(words::qp_type);
    row.extend(qp_type.map(|word| Field::new("qp-type", "QP TYPE", word)));
    row.push(Field::new("state", "STATE", words::cm_state(cm_id.state)));
    let port_space = words::port_space(cm_id.port_space);
    row.push(Field::new("ps", "PS", port_space));
    row
}

/// Its addresses, which iproute2 shows behind the maker; IPv6 without brackets.
pub(super) fn addresses(cm_id: &CmId) -> Row {
    let shown = |end: &Endpoint| format!("{}:{}", end.address, end.port);
    let mut row = Row::new();
    let source = cm_id.source.as_ref().map(shown);
    row.extend(source.map(|text| Field::new("src-addr", "SOURCE", text)));
    let destination = cm_id.destination.as_ref().map(shown);
    row.extend(destination.map(|text| Field::new("dst-addr", "DESTINATION", text)));
    row
}
