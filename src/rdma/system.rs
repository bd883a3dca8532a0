//! The settings of the whole subsystem: namespace mode and privileged Q_Keys.

use nix::errno::Errno;

use super::error::{RdmaError, too_old_or};
use crate::kernel::{Conn, NetlinkError};
use crate::types::NetnsMode;
use crate::wire::nldev::op;
use crate::wire::nldev::system::{self as wire, System};

/// The settings as they are.
///
/// # Errors
/// [`RdmaError::TooOld`] before 5.2, [`RdmaError::Netlink`].
pub fn get(conn: &mut Conn) -> Result<System, RdmaError> {
    match conn.get(&wire::get(), |body| Ok(System::decode(body))) {
        Err(NetlinkError::Refused(refusal)) if refusal.errno == Errno::EINVAL => {
            Err(RdmaError::TooOld {
                what: "report the settings of the RDMA subsystem".to_owned(),
                since: "5.2",
                refusal,
            })
        }
        other => Ok(other?),
    }
}

/// Sets the namespace mode and reads it back; the mode it has is set at once and always.
///
/// # Errors
/// [`RdmaError::NamespacesExist`], [`RdmaError::NotPermitted`], [`RdmaError::TooOld`] before 5.2,
/// [`RdmaError::NotDone`].
pub fn set_netns_mode(conn: &mut Conn, mode: NetnsMode) -> Result<(), RdmaError> {
    let what = || format!("set the netns mode to {mode}");
    if let Err(error) = conn.change(&wire::set_netns_mode(mode)) {
        return Err(match error {
            NetlinkError::Refused(refusal) if refusal.errno == Errno::EBUSY => {
                RdmaError::NamespacesExist {
                    wanted: mode,
                    refusal,
                }
            }
            other => too_old_or(conn, other, (op::SYS_SET, "5.2"), what())?,
        });
    }
    match get(conn)?.netns_mode() {
        Some(now) if now == mode => Ok(()),
        _ => Err(RdmaError::NotDone { what: what() }),
    }
}

/// Opens privileged Q_Keys to unprivileged users or closes them, and reads the setting back.
///
/// # Errors
/// [`RdmaError::NotPermitted`], [`RdmaError::TooOld`] before 6.7, [`RdmaError::NotDone`].
pub fn set_privileged_qkey(conn: &mut Conn, on: bool) -> Result<(), RdmaError> {
    let what = || format!("set privileged-qkey {}", if on { "on" } else { "off" });
    if let Err(error) = conn.change(&wire::set_privileged_qkey(on)) {
        // Before 6.7 the command is known and this attribute is not.
        return Err(match error {
            NetlinkError::Refused(refusal)
                if refusal.errno == Errno::EINVAL && get(conn)?.privileged_qkey.is_none() =>
            {
                RdmaError::TooOld {
                    what: what(),
                    since: "6.7",
                    refusal,
                }
            }
            other => RdmaError::refused(other, what()),
        });
    }
    match get(conn)?.privileged_qkey {
        Some(now) if now == on => Ok(()),
        _ => Err(RdmaError::NotDone { what: what() }),
    }
}
