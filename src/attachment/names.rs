//! Names at home after several attachments ended: one may have had the name of another meanwhile.

use super::error::AttachError;
use super::home;
use super::netdev_side::{self, Homecoming};
use super::record::Original;
use super::register::Entry;
use crate::kernel::Host;
use crate::netdev::on_function;
use crate::types::DeviceId;

/// Gives interfaces their names that other interfaces had when they came home: one that ended
/// later may have had the name of one that ended before.
///
/// # Errors
/// [`AttachError`], taken names apart.
pub fn settle(host: &Host, ended: &[Entry]) -> Result<(), AttachError> {
    if ended.is_empty() {
        return Ok(());
    }
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

/// Gives the RDMA devices of a record their names again; whether others have some.
fn rename_rdma(host: &Host, entry: &Entry) -> Result<bool, AttachError> {
    let (Some(DeviceId::Pci(function)), false) = (&entry.device, entry.host_names.is_empty())
    else {
        return Ok(false);
    };
    let mut home = home::conn(host)?;
    let all = home::rename_anew(host, &mut home, *function, &entry.host_names)?;
    Ok(all.is_none())
}
