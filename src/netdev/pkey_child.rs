//! IPoIB interfaces of partitions in the connection's namespace: found, made, removed.

use nix::errno::Errno;

use super::error::{NetdevError, refused};
use crate::kernel::{Conn, NetlinkError};
use crate::types::{IfName, PKey, PciAddr};
use crate::wire::link::message::Link;
use crate::wire::link::pkey_child::{self, PkeyChild};

/// Those that stand on `main`, or that sit on its function wherever `main` is.
///
/// # Errors
/// [`NetdevError::Netlink`].
pub fn of(
    conn: &mut Conn,
    function: PciAddr,
    main: Option<&Link>,
) -> Result<Vec<PkeyChild>, NetdevError> {
    let all = conn.list(&crate::wire::link::message::dump(false), PkeyChild::decode)?;
    let parent = function.to_string();
    let is_of = |child: &PkeyChild| match &child.parent {
        Some(told) => *told == parent,
        None => main.is_some_and(|main| main.index == child.lower),
    };
    Ok(all.into_iter().flatten().filter(is_of).collect())
}

/// Makes one on top of `link`.
///
/// # Errors
/// [`NetdevError`].
pub fn make(conn: &mut Conn, link: &Link, name: &IfName, pkey: PKey) -> Result<(), NetdevError> {
    let what = || format!("make {name} of partition {pkey} on {}", link.name);
    match conn.change(&pkey_child::make(link.index, name, pkey)) {
        Err(NetlinkError::Refused(refusal)) if refusal.errno == Errno::EEXIST => {
            Err(NetdevError::NameTaken {
                name: format!("of partition {pkey}"),
                wanted: name.to_string(),
            })
        }
        outcome => outcome.map_err(|error| refused(error, &link.name, what)),
    }
}

/// Removes one; it may be gone already.
///
/// # Errors
/// [`NetdevError`].
pub fn remove(conn: &mut Conn, child: &PkeyChild) -> Result<(), NetdevError> {
    let what = || format!("remove {}", child.name);
    match conn.change(&pkey_child::remove(child.index)) {
        Err(NetlinkError::Refused(refusal)) if refusal.errno == Errno::ENODEV => Ok(()),
        outcome => outcome.map_err(|error| refused(error, &child.name, what)),
    }
}
