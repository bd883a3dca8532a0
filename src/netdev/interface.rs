//! One interface of the connection's namespace: found, renamed, moved, switched on and off.

use std::os::fd::AsFd;

use nix::errno::Errno;

use super::error::{NetdevError, refused};
use crate::kernel::{Conn, NetlinkError, Netns};
use crate::types::IfName;
use crate::wire::link::change;
use crate::wire::link::message::{Link, dump, get, get_by_name};

/// How many names are made for one interface.
const MOST_SPARE: u32 = 16;

/// Every interface.
///
/// # Errors
/// [`NetdevError::Netlink`].
pub fn list(conn: &mut Conn) -> Result<Vec<Link>, NetdevError> {
    Ok(conn.list(&dump(false), Link::decode)?)
}

/// The interface with this index.
///
/// # Errors
/// [`NetdevError::Netlink`].
pub fn with_index(conn: &mut Conn, index: u32) -> Result<Option<Link>, NetdevError> {
    if_there(conn.get(&get(index, false), Link::decode))
}

/// The interface with this name, or this further name.
///
/// # Errors
/// [`NetdevError::Netlink`].
pub fn named(conn: &mut Conn, name: &IfName) -> Result<Option<Link>, NetdevError> {
    if_there(conn.get(&get_by_name(name), Link::decode))
}

fn if_there(answer: Result<Link, NetlinkError>) -> Result<Option<Link>, NetdevError> {
    match answer {
        Ok(link) => Ok(Some(link)),
        Err(NetlinkError::Refused(refusal)) if refusal.errno == Errno::ENODEV => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Switches an interface on or off.
///
/// # Errors
/// [`NetdevError`]; not when its driver is slow to come up.
pub fn set_up(conn: &mut Conn, link: &Link, up: bool) -> Result<(), NetdevError> {
    let what = || format!("switch {} {}", link.name, if up { "on" } else { "off" });
    conn.change(&change::set_up(link.index, up))
        .map_err(|error| refused(error, &link.name, what))
}

/// Sets the largest packet of an interface, in bytes.
///
/// # Errors
/// [`NetdevError`].
pub fn set_mtu(conn: &mut Conn, link: &Link, mtu: u32) -> Result<(), NetdevError> {
    let what = || format!("set the MTU of {} to {mtu}", link.name);
    conn.change(&change::set_mtu(link.index, mtu))
        .map_err(|error| refused(error, &link.name, what))
}

/// Renames an interface that is switched off, and returns it as it is then. A further name that
/// is the new name is taken from it first, for the kernel counts it as taken.
///
/// # Errors
/// [`NetdevError::NameTaken`] and the others.
pub fn rename(conn: &mut Conn, link: &Link, name: &IfName) -> Result<Link, NetdevError> {
    if link.name == name.as_str() {
        return Ok(link.clone());
    }
    set_name(conn, link, name)?;
    match with_index(conn, link.index)? {
        Some(now) if now.name == name.as_str() => Ok(now),
        Some(_) => {
            let what = renaming(link, name);
            Err(NetdevError::NotDone { what })
        }
        None => Err(gone(link)),
    }
}

/// As [`rename`], but leaves it to the caller to list the names of all when they are done.
///
/// # Errors
/// As [`rename`], [`NetdevError::NotDone`] apart.
pub fn set_name(conn: &mut Conn, link: &Link, name: &IfName) -> Result<(), NetdevError> {
    if link.alt_names.iter().any(|alt| alt == name.as_str()) {
        delete_alt_name(conn, link, name.as_str())?;
    }
    match conn.change(&change::rename(link.index, name)) {
        Err(NetlinkError::Refused(refusal)) if refusal.errno == Errno::EEXIST => {
            Err(NetdevError::NameTaken {
                name: link.name.clone(),
                wanted: name.to_string(),
            })
        }
        outcome => outcome.map_err(|error| refused(error, &link.name, || renaming(link, name))),
    }
}

fn renaming(link: &Link, name: &IfName) -> String {
    format!("rename {} to {name}", link.name)
}

/// Takes a further name from an interface; one that is not there any more is fine.
///
/// # Errors
/// [`NetdevError`].
pub fn delete_alt_name(conn: &mut Conn, link: &Link, name: &str) -> Result<(), NetdevError> {
    let what = || format!("take the further name {name} from {}", link.name);
    match conn.change(&change::delete_alt_name(link.index, name)) {
        Err(NetlinkError::Refused(refusal)) if refusal.errno == Errno::ENOENT => Ok(()),
        outcome => outcome.map_err(|error| refused(error, &link.name, what)),
    }
}

/// Gives an interface a further name; one that another interface has is left to that.
///
/// # Errors
/// [`NetdevError`].
pub fn add_alt_name(conn: &mut Conn, link: &Link, name: &str) -> Result<(), NetdevError> {
    let what = || format!("give {} the further name {name}", link.name);
    match conn.change(&change::add_alt_name(link.index, name)) {
        Err(NetlinkError::Refused(refusal)) if refusal.errno == Errno::EEXIST => Ok(()),
        outcome => outcome.map_err(|error| refused(error, &link.name, what)),
    }
}

/// Moves an interface to `target`, there to be called `name`. It arrives switched off, and perhaps
/// with another index.
///
/// # Errors
/// [`NetdevError::NameTaken`] when it stayed because its name and `name` are taken there,
/// [`NetdevError::Misnamed`] when it left and could not be renamed.
pub fn move_to(
    conn: &mut Conn,
    link: &Link,
    target: &Netns,
    name: &IfName,
) -> Result<(), NetdevError> {
    let what = || format!("move {} to network namespace {}", link.name, target.word());
    let outcome = conn.change(&change::move_to(link.index, target.as_fd(), Some(name)));
    // An index may be given anew at once: what counts is the address too.
    let here = with_index(conn, link.index)?;
    let stayed = here.is_some_and(|here| here.address == link.address);
    match (outcome, stayed) {
        (Ok(()), false) => Ok(()),
        (Ok(()), true) => Err(NetdevError::NotDone { what: what() }),
        (Err(NetlinkError::Refused(refusal)), true) if refusal.errno == Errno::EEXIST => {
            Err(NetdevError::NameTaken {
                name: link.name.clone(),
                wanted: name.to_string(),
            })
        }
        (Err(NetlinkError::Refused(refusal)), false) if refusal.errno == Errno::EEXIST => {
            Err(NetdevError::Misnamed {
                name: link.name.clone(),
                wanted: name.to_string(),
                netns: target.word().to_owned(),
            })
        }
        (Err(error), _) => Err(refused(error, &link.name, what)),
    }
}

/// Names for an interface that nobody else would think of, made from its index.
pub fn spare_names(index: u32) -> impl Iterator<Item = IfName> {
    let again = (1..MOST_SPARE).map(move |round| format!("rdma{index:x}-{round:x}"));
    let names = std::iter::once(format!("rdma{index:x}")).chain(again);
    names.filter_map(|name| name.parse().ok())
}

fn gone(link: &Link) -> NetdevError {
    NetdevError::Gone {
        name: link.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_for_the_largest_index_too() {
        for (index, first, last) in [
            (0x2a, "rdma2a", "rdma2a-f"),
            (u32::MAX, "rdmaffffffff", "rdmaffffffff-f"),
        ] {
            let names: Vec<String> = spare_names(index).map(|name| name.to_string()).collect();
            assert_eq!(names.len(), 16);
            assert_eq!([&names[0], &names[15]], [first, last]);
        }
    }
}
