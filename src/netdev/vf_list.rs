//! The interface of a PF with the list of its VFs, which some kernels have too little room for.

use nix::errno::Errno;

use crate::kernel::{Conn, NetlinkError};
use crate::wire::link::message::{Link, dump, get};

/// The interface with this index and what it tells of VFs; `None` when the kernel cannot put them
/// into one message.
///
/// Some kernels reckon too little room for the GUIDs of many VFs and answer EMSGSIZE
/// (`rtnl_vfinfo_size`, net/core/rtnetlink.c). A listing has room of its own.
///
/// # Errors
/// [`NetlinkError`].
pub fn of(conn: &mut Conn, index: u32) -> Result<Option<Link>, NetlinkError> {
    let too_long = |error: &NetlinkError| error.errno() == Some(Errno::EMSGSIZE);
    match conn.get(&get(index, true), Link::decode) {
        Err(error) if too_long(&error) => {}
        other => return other.map(Some),
    }
    match conn.list(&dump(true), Link::decode) {
        Err(error) if too_long(&error) => Ok(None),
        other => Ok(other?.into_iter().find(|link| link.index == index)),
    }
}
