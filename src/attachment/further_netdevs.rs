//! The further interfaces of a VF with several RDMA devices: IPoIB makes one for each of them.

use super::error::AttachError;
use crate::kernel::{Conn, Host};
use crate::netdev::{NetdevError, interface, on_function};
use crate::types::{IfName, PciAddr};
use crate::wire::link::message::Link;

/// Their names at home, in the order in which their devices were made; `links` are all of the VF, as
/// [`on_function::all_here`] sorts them.
pub fn names(links: &[Link]) -> Vec<IfName> {
    let further = links.iter().skip(1).filter(|link| !link.is_child);
    further.filter_map(|link| link.name.parse().ok()).collect()
}

/// Gives them their names again, wherever these are free: made anew with every move, they have the
/// lowest free ones, which may be those of the VF's own first interface.
///
/// # Errors
/// [`AttachError::Netdev`], taken names apart.
pub fn restore(
    host: &Host,
    home: &mut Conn,
    function: PciAddr,
    names: &[IfName],
) -> Result<(), AttachError> {
    // Each may have the name of the other: as many rounds as there are interfaces.
    for _ in names {
        let links = on_function::all_here(home, host.sysfs(), function)?;
        let further = links.iter().skip(1).filter(|link| !link.is_child);
        let misnamed: Vec<_> = further
            .zip(names)
            .filter(|(link, name)| link.name != name.as_str())
            .collect();
        if misnamed.is_empty() {
            break;
        }
        for (link, name) in misnamed {
            interface::set_up(home, link, false)?;
            match interface::rename(home, link, name) {
                Ok(_) | Err(NetdevError::NameTaken { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            if link.up {
                interface::set_up(home, link, true)?;
            }
        }
    }
    Ok(())
}
