//! `resource show cm_id`: the properties of a connection.

use crate::rdma::resource::words;
use crate::view::{Field, Row};
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
    row.push(Field::word("ps", "PS", port_space));
}

/// Its addresses, which iproute2 shows behind the maker; IPv6 without brackets.
pub(super) fn addresses(row: &mut Row, cm_id: &CmId) {
    let shown = |end: &Endpoint| format!("{}:{}", end.address, end.port);
    let source = cm_id.source.as_ref().map(shown);
    row.extend(source.map(|text| Field::new("src-addr", "SOURCE", text)));
    let destination = cm_id.destination.as_ref().map(shown);
    row.extend(destination.map(|text| Field::new("dst-addr", "DESTINATION", text)));
}
