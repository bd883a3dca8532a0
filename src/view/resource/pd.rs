//! `resource show pd`: the properties of a protection domain.

use super::hex;
use crate::view::{Field, Row};
use crate::wire::nldev::resource::Pd;

/// Its fields, without place and maker.
pub(super) fn fields(row: &mut Row, pd: &Pd) {
    row.extend(pd.pdn.map(|n| Field::new("pdn", "PDN", n)));
    let local = pd.local_dma_lkey;
    row.extend(local.map(|key| hex("local_dma_lkey", "LOCAL DMA LKEY", key)));
    row.push(Field::new("users", "USERS", pd.users));
    let global = pd.unsafe_global_rkey;
    row.extend(global.map(|key| hex("unsafe_global_rkey", "UNSAFE GLOBAL RKEY", key)));
    row.extend(pd.ctxn.map(|n| Field::new("ctxn", "CTXN", n)));
}
