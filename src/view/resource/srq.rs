//! `resource show srq`: the properties of a shared receive queue.

use crate::rdma::resource::words;
use crate::view::{Field, Row};
use crate::wire::nldev::resource::Srq;
use crate::wire::nldev::resource::srq::Run;

/// Its fields, without place and maker.
pub(super) fn fields(row: &mut Row, srq: &Srq) {
    row.push(Field::new("srqn", "SRQN", srq.srqn));
    let srq_type = srq.srq_type.map(words::srq_type);
    row.extend(srq_type.map(|word| Field::word("type", "TYPE", word)));
    let qps: Vec<String> = srq.qps.iter().map(shown).collect();
    if !qps.is_empty() {
        let text = format!("lqpn {} ", qps.join(","));
        row.push(Field::with_text("lqpn", "LQPN", text, qps));
    }
    row.extend(srq.pdn.map(|n| Field::new("pdn", "PDN", n)));
    row.extend(srq.cqn.map(|n| Field::new("cqn", "CQN", n)));
}

fn shown(run: &Run) -> String {
    match run {
        Run { first, last } if first == last => first.to_string(),
        Run { first, last } => format!("{first}-{last}"),
    }
}
