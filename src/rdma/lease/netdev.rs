//! The interface of a lent device: IPoIB makes it anew with every move, under the lowest free name.

use super::locate::Search;
use crate::kernel::Host;
use crate::netdev::{NetdevError, interface, on_function};
use crate::pci::function;
use crate::types::{DeviceId, IfName};

/// `ARPHRD_INFINIBAND` (`uapi/linux/if_arp.h`).
const ARPHRD_INFINIBAND: u16 = 32;

/// The one interface of a function at home, before its RDMA device leaves.
pub(super) fn at_home(host: &Host, id: &DeviceId) -> Option<IfName> {
    let DeviceId::Pci(function) = id else {
        return None;
    };
    let names = function::netdevs(host.sysfs(), *function).ok()?;
    match names.as_slice() {
        [name] => Some(name.clone()),
        _ => None,
    }
}

/// Gives an IPoIB interface that is at home its name again. The device is home whatever comes of
/// it, so that a taken name, say, is no failure.
pub(super) fn restore(search: &Search<'_>) {
    let recorded = search.record.and_then(|record| record.netdev.as_ref());
    if let (Some(name), Some(DeviceId::Pci(function))) = (recorded, search.device_id) {
        let renamed = || -> Result<(), NetdevError> {
            let host = search.host;
            let names = function::netdevs(host.sysfs(), *function)?;
            if names.is_empty() || names.contains(name) {
                return Ok(());
            }
            let mut route = host.route()?;
            let link = on_function::here(&mut route, host.sysfs(), *function)?;
            let Some(link) = link.filter(|link| link.hardware == ARPHRD_INFINIBAND) else {
                return Ok(());
            };
            interface::set_up(&mut route, &link, false)?;
            let renamed = interface::rename(&mut route, &link, name);
            if link.up {
                interface::set_up(&mut route, &link, true)?;
            }
            renamed.map(|_| ())
        };
        let _ = renamed();
    }
}
