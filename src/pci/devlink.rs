//! devlink, as the running kernel numbers it.

use nix::errno::Errno;

use crate::kernel::{Conn, Host, NetlinkError};
use crate::wire::devlink;

/// Opens it, and says its number among the families of generic netlink; `None` when this kernel
/// has no devlink.
///
/// # Errors
/// [`NetlinkError`].
pub fn open(host: &Host) -> Result<Option<(Conn, u16)>, NetlinkError> {
    let mut conn = host.generic()?;
    match conn.get(&devlink::family_request(), devlink::family) {
        Ok(family) => Ok(Some((conn, family))),
        Err(NetlinkError::Refused(refusal)) if refusal.errno == Errno::ENOENT => Ok(None),
        Err(error) => Err(error),
    }
}
