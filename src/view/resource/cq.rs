//! `resource show cq`: the properties of a completion queue.

use crate::rdma::resource::words;
use crate::view::{Field, Row};
use crate::wire::nldev::resource::Cq;

/// Its fields, without place and maker.
pub(super) fn fields(row: &mut Row, cq: &Cq) {
    row.extend(cq.cqn.map(|n| Field::new("cqn", "CQN", n)));
    row.push(Field::new("cqe", "CQE", cq.cqe));
    row.push(Field::new("users", "USERS", cq.users));
    let poll_ctx = cq.poll_ctx.map(words::poll_ctx);
    row.extend(poll_ctx.map(|word| Field::word("poll-ctx", "POLL CTX", word)));
    if let Some(dim @ (0 | 1)) = cq.dim {
        row.push(Field::new("adaptive-moderation", "MODERATION", dim == 1));
    }
    row.extend(cq.ctxn.map(|n| Field::new("ctxn", "CTXN", n)));
}
