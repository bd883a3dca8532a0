//! Watching the subsystem: the kernel's announcements as they are, or what really changed.

pub mod scene;
pub mod watch;

use super::error::RdmaError;
use super::system;
use crate::kernel::{Conn, Events, Host, NetlinkError, Protocol};
use crate::wire::nldev::event::Event;

/// The kernel's announcements for the caller's namespace, Linux 6.12 and later.
pub struct Announcements(Events);

/// Begins to listen.
///
/// # Errors
/// [`RdmaError::TooOld`] when this kernel announces nothing, [`RdmaError::Netlink`].
pub fn announcements(host: &Host, conn: &mut Conn) -> Result<Option<Announcements>, RdmaError> {
    if system::get(conn)?.monitor != Some(true) {
        return Ok(None);
    }
    let events = host.events(Protocol::RdmaEvents)?;
    Ok(Some(Announcements(events)))
}

impl Announcements {
    /// Waits for the next ones; lost ones are an error after which more may come.
    ///
    /// # Errors
    /// [`NetlinkError`].
    pub fn heard(&mut self) -> Result<Vec<Event>, NetlinkError> {
        let messages = self.0.heard()?;
        let events = messages
            .iter()
            .filter_map(|(kind, body)| Event::decode(*kind, body));
        Ok(events.collect())
    }
}
