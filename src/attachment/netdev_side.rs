//! The interface of a VF: into the container under the name that was asked for, and home again.

use super::netdev_name;
use super::record::Original;
use crate::kernel::{Conn, Host, Netns};
use crate::netdev::{NetdevError, interface, on_function};
use crate::types::{IfName, PciAddr};
use crate::wire::link::message::Link;

/// Moves the interface of `function` from home, or finds it in the container already, where the
/// RDMA device took it along (IPoIB since Linux 6.16). It ends switched on and called `ifname`.
///
/// # Errors
/// [`NetdevError`]; the interface may be in the container then.
pub fn enter(
    host: &Host,
    home: &mut Conn,
    function: PciAddr,
    netns: &Netns,
    ifname: &IfName,
) -> Result<Link, NetdevError> {
    if let Some(link) = on_function::here(home, host.sysfs(), function)? {
        interface::set_up(home, &link, false)?;
        interface::move_to(home, &link, netns, ifname)?;
    }
    let link = on_function::inside(host, netns, function)?;
    let link = link.ok_or_else(|| NetdevError::Gone {
        name: format!("of {function} in {}", netns.word()),
    })?;
    netns.over_route(host, |conn| -> Result<Link, NetdevError> {
        let link = named_so(conn, link, ifname)?;
        // A further name of the host's would be in the way of the next container's.
        for alt in &link.alt_names {
            interface::delete_alt_name(conn, &link, alt)?;
        }
        interface::set_up(conn, &link, true)?;
        let now = interface::with_index(conn, link.index)?;
        now.ok_or(NetdevError::Gone { name: link.name })
    })?
}

fn named_so(conn: &mut Conn, link: Link, name: &IfName) -> Result<Link, NetdevError> {
    if link.name == name.as_str() {
        return Ok(link);
    }
    interface::set_up(conn, &link, false)?;
    interface::rename(conn, &link, name)
}

/// How an interface came home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Homecoming {
    /// It is at home, under its own name.
    Restored,
    /// It is at home under this name, because its own belongs to another interface now.
    Kept(String),
    /// It is neither in the container nor at home: its function has no driver, or is gone.
    Nowhere,
}

/// Brings the interface of `function` home from `netns`, and gives it back what it had.
///
/// # Errors
/// [`NetdevError`]: it is still in the container, or not as it was.
pub fn leave(
    host: &Host,
    home: &mut Conn,
    function: PciAddr,
    netns: Option<&Netns>,
    original: &Original,
) -> Result<Homecoming, NetdevError> {
    if let Some(netns) = netns
        && let Some(link) = on_function::inside(host, netns, function)?
    {
        fetch(host, home, netns, &link, original)?;
    }
    restore(host, home, function, original)
}

/// Brings it home under a name that nobody has there, its own first: [`restore`] sees to the rest. By name alone the
/// kernel is asked, for a listing of all interfaces would not come to an end while many come and go.
fn fetch(
    host: &Host,
    home: &mut Conn,
    netns: &Netns,
    link: &Link,
    original: &Original,
) -> Result<(), NetdevError> {
    let target = Netns::current(host)?;
    netns.over_route(host, |conn| -> Result<(), NetdevError> {
        for alt in &link.alt_names {
            interface::delete_alt_name(conn, link, alt)?;
        }
        interface::set_up(conn, link, false)
    })??;
    let present = link.name.parse().ok();
    let wishes = original.netdev.iter().chain(&present).cloned();
    for name in wishes.chain(interface::spare_names(link.index)) {
        if interface::named(home, &name)?.is_some() {
            continue;
        }
        let moved = |conn: &mut Conn| interface::move_to(conn, link, &target, &name);
        match netns.over_route(host, moved)? {
            // Somebody came by that name meanwhile.
            Err(NetdevError::NameTaken { .. }) => {}
            // It is at home, where it kept the name that it had.
            Err(NetdevError::Misnamed { .. }) => return Ok(()),
            outcome => return outcome,
        }
    }
    Err(NetdevError::NameTaken {
        name: link.name.clone(),
        wanted: "anything".to_owned(),
    })
}

/// Gives an interface at home its name, its further names and its state again.
///
/// # Errors
/// [`NetdevError`], a taken name apart.
pub fn restore(
    host: &Host,
    home: &mut Conn,
    function: PciAddr,
    original: &Original,
) -> Result<Homecoming, NetdevError> {
    let Some(link) = on_function::here(home, host.sysfs(), function)? else {
        return Ok(Homecoming::Nowhere);
    };
    let mut link = link;
    let mut outcome = Homecoming::Restored;
    if let Some(name) = original
        .netdev
        .as_ref()
        .filter(|name| name.as_str() != link.name)
    {
        let up = link.up;
        interface::set_up(home, &link, false)?;
        link = netdev_name::restore(host, home, function, link, name)?;
        if link.name != name.as_str() {
            outcome = Homecoming::Kept(link.name.clone());
        }
        link.up = false;
        if up {
            interface::set_up(home, &link, true)?;
            link.up = true;
        }
    }
    if let Some(mtu) = original.mtu.filter(|mtu| link.mtu != Some(*mtu)) {
        interface::set_mtu(home, &link, mtu)?;
    }
    for alt in &original.alt_names {
        if !link.alt_names.contains(alt) && *alt != link.name {
            interface::add_alt_name(home, &link, alt)?;
        }
    }
    if original.up != link.up && original.netdev.is_some() {
        interface::set_up(home, &link, original.up)?;
    }
    Ok(outcome)
}
