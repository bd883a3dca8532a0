//! Conversations with the kernel in another namespace, over sockets that are kept for the next.

use std::fmt;
use std::sync::Mutex;

use super::netns::{Netns, NetnsError};
use super::{Conn, Host, NetlinkError};

/// The conversations of one namespace.
#[derive(Debug, Default)]
pub(super) struct Talks {
    rdma: Kept,
    route: Kept,
}

/// A conversation between two uses of it.
#[derive(Default)]
struct Kept(Mutex<Option<Conn>>);

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept")
    }
}

impl Kept {
    fn take(&self) -> Option<Conn> {
        self.0.lock().ok()?.take()
    }

    fn put(&self, conn: Conn) {
        if let Ok(mut kept) = self.0.lock() {
            *kept = Some(conn);
        }
    }
}

impl Netns {
    /// Speaks NETLINK_RDMA in the namespace. A socket stays where it was opened: the namespace is entered for the
    /// first conversation alone, which takes a thread and some thirty system calls. To move an RDMA device is nothing for
    /// this: the kernel wants the thread itself inside.
    ///
    /// # Errors
    /// [`NetnsError`] when it cannot be entered; that of opening the socket is inside.
    pub fn over_rdma<T, E: From<NetlinkError>>(
        &self,
        host: &Host,
        work: impl FnOnce(&mut Conn) -> Result<T, E>,
    ) -> Result<Result<T, E>, NetnsError> {
        self.over(&self.talks().rdma, || host.rdma(), work)
    }

    /// As [`Self::over_rdma`], NETLINK_ROUTE.
    ///
    /// # Errors
    /// As [`Self::over_rdma`].
    pub fn over_route<T, E: From<NetlinkError>>(
        &self,
        host: &Host,
        work: impl FnOnce(&mut Conn) -> Result<T, E>,
    ) -> Result<Result<T, E>, NetnsError> {
        self.over(&self.talks().route, || host.route(), work)
    }

    fn over<T, E: From<NetlinkError>>(
        &self,
        kept: &Kept,
        open: impl FnOnce() -> Result<Conn, NetlinkError> + Send,
        work: impl FnOnce(&mut Conn) -> Result<T, E>,
    ) -> Result<Result<T, E>, NetnsError> {
        let opened = match kept.take() {
            Some(conn) => Ok(conn),
            None => self.within(open)?,
        };
        let mut conn = match opened {
            Ok(conn) => conn,
            Err(error) => return Ok(Err(error.into())),
        };
        let outcome = work(&mut conn);
        // After a failure nobody knows what is still to come over it.
        if outcome.is_ok() {
            kept.put(conn);
        }
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Protocol;
    use crate::kernel::fake::Machine;
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    struct Silent;

    impl crate::kernel::Datagrams for Silent {
        fn send(&mut self, _: &[u8]) -> io::Result<()> {
            Ok(())
        }
        fn receive(&mut self, _: &mut Vec<u8>) -> io::Result<()> {
            Err(io::ErrorKind::WouldBlock.into())
        }
    }

    #[test]
    fn one_socket_for_all_that_goes_well() {
        // To enter the namespace one is in takes root; the lab runs it for real.
        let Ok(netns) = Netns::current(&Host::this()) else {
            return;
        };
        if netns.within(|| ()).is_err() {
            return;
        }
        let opened = Arc::new(AtomicU32::new(0));
        let counter = opened.clone();
        let open = move |protocol| {
            assert_eq!(protocol, Protocol::Rdma);
            counter.fetch_add(1, Ordering::SeqCst);
            Ok(Box::new(Silent) as _)
        };
        let host = Host::new(&Machine::new().path(""), Box::new(open));
        let sockets_after = |fails: bool| {
            let spoken = netns.over_rdma(&host, |_| match fails {
                true => Err(NetlinkError::Overrun),
                false => Ok(()),
            });
            assert_eq!(spoken.unwrap().is_err(), fails);
            opened.load(Ordering::SeqCst)
        };
        let sockets = [false, true, false, false].map(sockets_after);
        assert_eq!(sockets, [1, 1, 2, 2]);
    }
}
