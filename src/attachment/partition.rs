//! The interface of a partition that a container gets on top of its VF's own.

use super::error::AttachError;
use crate::kernel::netns_sysfs::NetnsSysfs;
use crate::kernel::{Host, Netns, Sysfs};
use crate::netdev::{NetdevError, interface, on_function, pkey_child};
use crate::pci::device::rdma_names;
use crate::types::{DeviceId, IfName, PKey, PciAddr};
use crate::wire::link::message::Link;
use crate::wire::link::pkey_child::PkeyChild;

/// What is wanted, and on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// The partition.
    pub pkey: PKey,
    /// The name of its interface.
    pub ifname: IfName,
}

/// Makes the interface on top of `link`, which is in the container, and switches it on.
///
/// # Errors
/// [`AttachError::Netdev`].
pub fn enter(
    host: &Host,
    netns: &Netns,
    link: &Link,
    wanted: &Partition,
) -> Result<Link, AttachError> {
    netns.within(|| -> Result<Link, AttachError> {
        let mut conn = host.route()?;
        pkey_child::make(&mut conn, link, &wanted.ifname, wanted.pkey)?;
        let name = || NetdevError::Gone {
            name: wanted.ifname.to_string(),
        };
        let child = interface::named(&mut conn, &wanted.ifname)?.ok_or_else(name)?;
        interface::set_up(&mut conn, &child, true)?;
        Ok(interface::with_index(&mut conn, child.index)?.ok_or_else(name)?)
    })?
}

/// Removes the interface in the container, and at home: there it comes when a namespace ends.
///
/// # Errors
/// [`AttachError`].
pub fn leave(
    host: &Host,
    netns: Option<&Netns>,
    function: PciAddr,
    wanted: &Partition,
) -> Result<(), AttachError> {
    if let Some(netns) = netns {
        let main = on_function::inside(host, netns, function)?;
        netns.within(|| remove_here(host, function, main.as_ref(), wanted))??;
    }
    let mut home = host.route()?;
    let main = on_function::here(&mut home, host.sysfs(), function)?;
    remove_here(host, function, main.as_ref(), wanted)
}

fn remove_here(
    host: &Host,
    function: PciAddr,
    main: Option<&Link>,
    wanted: &Partition,
) -> Result<(), AttachError> {
    let mut conn = host.route()?;
    for child in pkey_child::of(&mut conn, function, main)? {
        if child.pkey == Some(wanted.pkey) {
            pkey_child::remove(&mut conn, &child)?;
        }
    }
    Ok(())
}

/// The interface as it is in the container now.
///
/// # Errors
/// [`AttachError`].
pub fn inside(
    host: &Host,
    netns: &Netns,
    function: PciAddr,
    main: &Link,
    wanted: &Partition,
) -> Result<Option<(PkeyChild, Link)>, AttachError> {
    netns.within(|| -> Result<_, AttachError> {
        let mut conn = host.route()?;
        let children = pkey_child::of(&mut conn, function, Some(main))?;
        let child = children
            .into_iter()
            .find(|child| child.pkey == Some(wanted.pkey));
        let Some(child) = child else { return Ok(None) };
        let link = interface::with_index(&mut conn, child.index)?;
        Ok(link.map(|link| (child, link)))
    })?
}

/// Whether the subnet manager has put the port of a VF into the partition. Its RDMA device is in
/// the container or at home.
///
/// # Errors
/// [`AttachError`].
pub fn is_member(
    host: &Host,
    netns: &Netns,
    function: PciAddr,
    pkey: PKey,
) -> Result<bool, AttachError> {
    if let Ok(sysfs) = NetnsSysfs::of(netns)?
        && has_pkey(sysfs.tree(), function, pkey)?
    {
        return Ok(true);
    }
    has_pkey(host.sysfs(), function, pkey)
}

fn has_pkey(sysfs: &Sysfs, function: PciAddr, pkey: PKey) -> Result<bool, AttachError> {
    let names = rdma_names(sysfs, &DeviceId::Pci(function))?;
    for name in names {
        let folder = format!("bus/pci/devices/{function}/infiniband/{name}/ports/1/pkeys");
        for entry in sysfs.list_if_there(&folder)? {
            let text = sysfs.read(format!("{folder}/{entry}")).unwrap_or_default();
            if text.trim().parse::<PKey>().ok() == Some(pkey) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;

    #[test]
    fn the_table_of_the_port() {
        let pkeys = "sys/bus/pci/devices/0000:01:10.2/infiniband/mlx5_2/ports/1/pkeys";
        let machine = Machine::new()
            .file(&format!("{pkeys}/0"), "0xffff\n")
            .file(&format!("{pkeys}/1"), "0x0005\n")
            .file(&format!("{pkeys}/2"), "0x0000\n");
        let host = machine.host();
        let has = |pkey: u16| {
            let function = "0000:01:10.2".parse().unwrap();
            has_pkey(host.sysfs(), function, PKey::new(pkey).unwrap()).unwrap()
        };
        assert!(has(0x8005) && has(0x7fff));
        assert!(!has(0x8006));
    }
}
