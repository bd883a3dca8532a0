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
pub struct Kept(Mutex<Option<Conn>>);

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept")
    }
}

impl Kept {
    fn take(&self) -> Option<Conn> {
        self.0.lock().ok()?.take()
    }

    /// Keeps one for the next who speaks.
    pub fn put(&self, conn: Conn) {
        if let Ok(mut kept) = self.0.lock() {
            *kept = Some(conn);
        }
    }

    fn is_empty(&self) -> bool {
        self.0.lock().is_ok_and(|kept| kept.is_none())
    }

    /// Works over the socket that is kept, or one of the caller's namespace.
    ///
    /// # Errors
    /// [`NetlinkError::Open`]; that of the work is inside.
    pub fn speak_here<T, E>(
        &self,
        host: &Host,
        work: impl FnOnce(&mut Conn) -> Result<T, E>,
    ) -> Result<Result<T, E>, NetlinkError> {
        let conn = match self.take() {
            Some(conn) => conn,
            None => host.route()?,
        };
        Ok(self.over(conn, work))
    }

    /// Works over the socket that is kept, or one that `open` makes.
    fn speak<T, E: From<NetlinkError>>(
        &self,
        open: impl FnOnce() -> Result<Result<Conn, NetlinkError>, NetnsError>,
        work: impl FnOnce(&mut Conn) -> Result<T, E>,
    ) -> Result<Result<T, E>, NetnsError> {
        let opened = match self.take() {
            Some(conn) => Ok(conn),
            None => open()?,
        };
        match opened {
            Ok(conn) => Ok(self.over(conn, work)),
            Err(error) => Ok(Err(error.into())),
        }
    }

    fn over<T, E>(
        &self,
        mut conn: Conn,
        work: impl FnOnce(&mut Conn) -> Result<T, E>,
    ) -> Result<T, E> {
        let outcome = work(&mut conn);
        // After a failure nobody knows what is still to come over it.
        if outcome.is_ok() {
            self.put(conn);
        }
        outcome
    }
}

impl Netns {
    /// Enters the namespace once for all that is asked of it later: opens the sockets that are wanted, and notes the
    /// cookie. What fails here fails again where it is needed, and is told there.
    pub fn prepare(&self, host: &Host, rdma: bool, route: bool) {
        let rdma = rdma && self.talks().rdma.is_empty();
        let route = route && self.talks().route.is_empty();
        if !rdma && !route {
            return;
        }
        let open = || {
            let rdma = rdma.then(|| host.rdma().ok()).flatten();
            let route = route.then(|| host.route().ok()).flatten();
            (rdma, route, super::netns::own_cookie())
        };
        if let Ok((rdma, route, cookie)) = self.within(open) {
            let talks = self.talks();
            for (kept, conn) in [(&talks.rdma, rdma), (&talks.route, route)] {
                if let Some(conn) = conn {
                    kept.put(conn);
                }
            }
            self.note(cookie);
        }
    }

    /// Speaks NETLINK_RDMA in the namespace. A socket stays where it was opened: the namespace is entered for the
    /// first conversation alone, which takes a thread and some fifteen system calls. To move an RDMA device is nothing for
    /// this: the kernel wants the thread itself inside.
    ///
    /// # Errors
    /// [`NetnsError`] when it cannot be entered; that of opening the socket is inside.
    pub fn over_rdma<T, E: From<NetlinkError>>(
        &self,
        host: &Host,
        work: impl FnOnce(&mut Conn) -> Result<T, E>,
    ) -> Result<Result<T, E>, NetnsError> {
        let open = || self.within(|| host.rdma());
        self.talks().rdma.speak(open, work)
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
        let open = || self.within(|| host.route());
        self.talks().route.speak(open, work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

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
        let kept = Kept::default();
        let mut opened = 0;
        let mut sockets_after = |fails: bool| {
            let open = || {
                opened += 1;
                Ok(Ok(Conn::new(Box::new(Silent))))
            };
            let spoken = kept.speak(open, |_| match fails {
                true => Err(NetlinkError::Overrun),
                false => Ok(()),
            });
            assert_eq!(spoken.unwrap().is_err(), fails);
            opened
        };
        let sockets = [false, true, false, false].map(&mut sockets_after);
        assert_eq!(sockets, [1, 1, 2, 2]);
    }
}
