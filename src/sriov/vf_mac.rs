//! The VFs that were given a MAC address through their PF.

use std::collections::BTreeSet;

use crate::kernel::{Host, NetlinkError, SysfsError};
use crate::pci::device;
use crate::types::{Mac, PciAddr};
use crate::wire::link::message::{Link, get};

/// Why the VFs could not be looked through.
#[derive(Debug, thiserror::Error)]
pub enum VfMacError {
    /// The interfaces could not be listed.
    #[error(transparent)]
    Sysfs(#[from] SysfsError),
    /// The kernel could not be asked.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
}

/// The VFs with this administrative address. Only interfaces of PFs with VFs are asked: a host
/// may have thousands of others.
///
/// # Errors
/// [`VfMacError`]; an interface that goes away meanwhile has no VFs.
pub fn vfs_with_mac(host: &Host, mac: Mac) -> Result<Vec<PciAddr>, VfMacError> {
    let sysfs = host.sysfs();
    let mut found = BTreeSet::new();
    let mut conn = None;
    for name in sysfs.list_if_there("class/net")? {
        // sriov_numvfs would wait for whoever is creating VFs.
        let has_vfs = sysfs.exists(format!("class/net/{name}/device/virtfn0"));
        let index = sysfs.read(format!("class/net/{name}/ifindex"));
        let Some(index) = index.ok().and_then(|index| index.parse().ok()) else {
            continue;
        };
        if !has_vfs {
            continue;
        }
        let conn = match &mut conn {
            Some(conn) => conn,
            none => none.insert(host.route()?),
        };
        let link = match conn.get(&get(index, true), Link::decode) {
            Err(NetlinkError::Refused(_)) => continue,
            other => other?,
        };
        for vf in link.vfs.iter().filter(|vf| vf.mac == Some(mac)) {
            found.extend(device::vf_of_netdev(sysfs, &name, vf.index).ok());
        }
    }
    Ok(found.into_iter().collect())
}
