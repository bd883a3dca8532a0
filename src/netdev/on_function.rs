//! The interface that sits on a PCI function, in any namespace.

use std::time::{Duration, Instant};

use super::error::NetdevError;
use super::interface;
use crate::kernel::netns_sysfs::NetnsSysfs;
use crate::kernel::{Conn, Host, Netns, Sysfs};
use crate::types::{IfName, PciAddr};
use crate::wire::link::message::Link;

/// A client of the RDMA core makes its interface within the call that moves or binds a device;
/// udev may rename it a moment later.
const PAUSE: Duration = Duration::from_millis(10);

/// How often names are read anew that are not those of the function's interfaces any more.
const TRIES: u32 = 10;

/// The interface of a function in the caller's namespace, whose tree `sysfs` is.
///
/// # Errors
/// [`NetdevError`].
pub fn here(conn: &mut Conn, sysfs: &Sysfs, address: PciAddr) -> Result<Option<Link>, NetdevError> {
    Ok(main_one(all_here(conn, sysfs, address)?))
}

/// Every interface of a function in the caller's namespace, the main one first, children last.
///
/// Between two questions an interface may be renamed, and another have its name.
///
/// # Errors
/// [`NetdevError`].
pub fn all_here(
    conn: &mut Conn,
    sysfs: &Sysfs,
    address: PciAddr,
) -> Result<Vec<Link>, NetdevError> {
    let mut tries = TRIES;
    loop {
        let mut found = Vec::new();
        let mut is_whole = true;
        for name in names(sysfs, address)? {
            let link = interface::named(conn, &name)?;
            let link = link.filter(|link| is_on(link, address));
            is_whole &= link.is_some();
            found.extend(link);
        }
        tries -= 1;
        if is_whole || tries == 0 {
            sort(&mut found);
            return Ok(found);
        }
    }
}

/// Where the kernel does not tell, as before 5.14, sysfs has told.
fn is_on(link: &Link, address: PciAddr) -> bool {
    let parent = link.parent.as_ref();
    parent.is_none_or(|parent| *parent == address.to_string())
}

/// The interface of a function in another namespace.
///
/// Linux tells since 5.14 what an interface sits on; before, the namespace's own sysfs does.
///
/// # Errors
/// [`NetdevError`].
pub fn inside(host: &Host, netns: &Netns, address: PciAddr) -> Result<Option<Link>, NetdevError> {
    let links = netns.over_route(host, interface::list)??;
    let parent = address.to_string();
    let told = links.iter().any(|link| link.parent.is_some());
    let on_it = |link: &Link| link.parent.as_deref() == Some(&parent);
    let found: Vec<Link> = links.iter().filter(|link| on_it(link)).cloned().collect();
    if told || !found.is_empty() {
        return Ok(main_one(found));
    }
    let Ok(sysfs) = NetnsSysfs::of(netns)? else {
        return Ok(None);
    };
    let names = names(sysfs.tree(), address)?;
    let named = |link: &Link| names.iter().any(|name| name.as_str() == link.name);
    Ok(main_one(links.into_iter().filter(named).collect()))
}

/// As [`here`], waited for until `limit` has passed.
///
/// # Errors
/// [`NetdevError`].
pub fn await_here(
    conn: &mut Conn,
    sysfs: &Sysfs,
    address: PciAddr,
    limit: Duration,
) -> Result<Option<Link>, NetdevError> {
    let begun = Instant::now();
    loop {
        let found = here(conn, sysfs, address)?;
        if found.is_some() || begun.elapsed() >= limit {
            return Ok(found);
        }
        std::thread::sleep(PAUSE);
    }
}

/// The interfaces below a function, in the namespace that `sysfs` belongs to.
fn names(sysfs: &Sysfs, address: PciAddr) -> Result<Vec<IfName>, NetdevError> {
    let names = sysfs.list_if_there(format!("bus/pci/devices/{address}/net"))?;
    Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
}

/// Children (IPoIB with a P_Key, VLANs) sit on the function too; they are made later.
fn main_one(mut found: Vec<Link>) -> Option<Link> {
    sort(&mut found);
    found.into_iter().next()
}

fn sort(found: &mut [Link]) {
    found.sort_by_key(|link| (link.is_child, link.index));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_not_the_interface() {
        let link = |index, name: &str, is_child| Link {
            index,
            name: name.to_owned(),
            is_child,
            ..Link::default()
        };
        let found = main_one(vec![link(3, "ib1.8001", true), link(7, "ib1", false)]);
        assert_eq!(found.map(|link| link.index), Some(7));
        assert_eq!(main_one(Vec::new()), None);
    }
}
