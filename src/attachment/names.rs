//! Names at home after several attachments ended: one may have had the name of another meanwhile.

use super::error::AttachError;
use super::netdev_side::{self, Homecoming};
use super::record::Original;
use super::register::Entry;
use crate::kernel::Host;
use crate::netdev::on_function;
use crate::pci::device::rdma_names;
use crate::rdma::lease::give_back::{self, Name};
use crate::rdma::{RdmaError, device};
use crate::types::DeviceId;

/// Gives interfaces their names that other interfaces had when they came home: one that ended
/// later may have had the name of one that ended before.
///
/// # Errors
/// [`AttachError`], taken names apart.
pub fn settle(host: &Host, ended: &[Entry]) -> Result<(), AttachError> {
    let mut route = host.route()?;
    let mut waiting: Vec<&Entry> = ended.iter().collect();
    loop {
        let before = waiting.len();
        let mut still = Vec::new();
        for entry in waiting {
            let (Some(DeviceId::Pci(function)), Some(name)) = (&entry.device, &entry.netdev) else {
                continue;
            };
            let original = Original {
                netdev: Some(name.clone()),
                up: on_function::here(&mut route, host.sysfs(), *function)?
                    .is_some_and(|link| link.up),
                ..Original::default()
            };
            let netdev = netdev_side::restore(host, &mut route, *function, &original)?;
            let rdma = rename_rdma(host, entry)?;
            if rdma || matches!(netdev, Homecoming::Kept(_)) {
                still.push(entry);
            }
        }
        if still.is_empty() || still.len() == before {
            return Ok(());
        }
        waiting = still;
    }
}

/// Gives the RDMA device of a record its name again; whether another one has it.
fn rename_rdma(host: &Host, entry: &Entry) -> Result<bool, AttachError> {
    let (Some(id), Some(wanted)) = (&entry.device, &entry.host_name) else {
        return Ok(false);
    };
    match rdma_names(host.sysfs(), id)?.as_slice() {
        [name] if name != wanted => {
            let mut home = host.rdma().map_err(RdmaError::from)?;
            let device = device::find_shown(&mut home, name)?;
            let name = give_back::restore_name(&mut home, &device, wanted)?;
            Ok(matches!(name, Name::Kept(_)))
        }
        _ => Ok(false),
    }
}
