//! `resource show frmr_pools`: the properties of a pool.

use crate::view::{Field, Row};
use crate::wire::nldev::resource::FrmrPool;

/// Its fields, without place; `details` takes the key apart.
pub(super) fn fields(row: &mut Row, pool: &FrmrPool, details: bool) {
    let key = pool.key;
    row.push(Field::new("key", "KEY", key.to_string()));
    if details {
        row.push(Field::new("ats", "ATS", u8::from(key.ats)));
        row.push(Field::new("access_flags", "ACCESS", key.access_flags));
        row.push(Field::new("vendor_key", "VENDOR KEY", key.vendor));
        row.push(Field::new("num_dma_blocks", "BLOCKS", key.dma_blocks));
        let kernel = pool.kernel_vendor_key;
        row.extend(kernel.map(|n| Field::new("kernel_vendor_key", "KERNEL KEY", n)));
    }
    row.extend(pool.queue.map(|n| Field::new("queue", "QUEUE", n)));
    row.extend(pool.in_use.map(|n| Field::new("in_use", "IN USE", n)));
    row.extend(
        pool.max_in_use
            .map(|n| Field::new("max_in_use", "MAX IN USE", n)),
    );
    row.extend(pool.pinned.map(|n| Field::new("pinned", "PINNED", n)));
}
