//! `resource show mr`: the properties of a memory region.

use super::hex;
use crate::view::{Field, Row};
use crate::wire::nldev::resource::Mr;

/// Its fields, without place and maker.
pub(super) fn fields(row: &mut Row, mr: &Mr) {
    row.extend(mr.mrn.map(|n| Field::new("mrn", "MRN", n)));
    row.extend(mr.rkey.map(|key| hex("rkey", "RKEY", key)));
    row.extend(mr.lkey.map(|key| hex("lkey", "LKEY", key)));
    row.extend(mr.iova.map(|address| hex("iova", "IOVA", address)));
    row.push(Field::new("mrlen", "BYTES", mr.mrlen));
    row.extend(mr.pdn.map(|n| Field::new("pdn", "PDN", n)));
}
