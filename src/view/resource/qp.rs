//! `resource show qp`: the properties of a queue pair.

use crate::rdma::resource::words;
use crate::view::{Field, Row};
use crate::wire::nldev::resource::Qp;

/// Its fields, without place and maker.
pub(super) fn fields(row: &mut Row, qp: &Qp) {
    row.push(Field::new("lqpn", "LQPN", qp.lqpn));
    row.extend(qp.rqpn.map(|n| Field::new("rqpn", "RQPN", n)));
    row.push(Field::word("type", "TYPE", words::qp_type(qp.qp_type)));
    let subtype = qp.subtype.as_deref();
    row.extend(subtype.map(|word| Field::new("subtype", "SUBTYPE", word)));
    row.push(Field::word("state", "STATE", words::qp_state(qp.state)));
    row.extend(qp.rq_psn.map(|n| Field::new("rq-psn", "RQ PSN", n)));
    row.push(Field::new("sq-psn", "SQ PSN", qp.sq_psn));
    let path = qp.path_mig_state.map(words::path_mig_state);
    row.extend(path.map(|word| Field::word("path-mig-state", "PATH", word)));
    row.extend(qp.pdn.map(|n| Field::new("pdn", "PDN", n)));
}
