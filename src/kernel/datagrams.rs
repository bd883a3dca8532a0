//! `Datagrams`: the seam between netlink and its tests; two methods are all that has to be written.

use std::fmt;
use std::io;
use std::time::Duration;

use netlink_sys::Socket;
use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, SysconfVar, sysconf};

use super::burst::{self, Burst};
use super::child::{self, Outcome};
use crate::wire::nldev::event;

/// Sends and receives whole netlink datagrams; a socket in production, a tape in tests.
pub trait Datagrams: Send {
    /// Sends one datagram to the kernel.
    fn send(&mut self, datagram: &[u8]) -> io::Result<()>;

    /// As [`Self::send`], for what the kernel may take longer to do than anybody wants to wait: it
    /// does what a datagram asks for while that is being sent. The answer comes as ever, and after
    /// [`Outcome::Stuck`] perhaps later.
    fn send_within(&mut self, datagram: &[u8], limit: Duration) -> io::Result<Outcome> {
        let _ = limit;
        self.send(datagram).map(|()| Outcome::Done(Ok(())))
    }

    /// As [`Self::send_within`], for several, one after the other, with one deadline for all: when it is over, none is
    /// sent any more.
    fn send_all_within(&mut self, datagrams: &[Vec<u8>], limit: Duration) -> io::Result<Outcome> {
        for datagram in datagrams {
            match self.send_within(datagram, limit)? {
                Outcome::Done(Ok(())) => {}
                other => return Ok(other),
            }
        }
        Ok(Outcome::Done(Ok(())))
    }

    /// As [`Self::receive`], where a datagram is there already; whether one is.
    fn receive_ready(&mut self, into: &mut Vec<u8>) -> io::Result<bool> {
        let _ = into;
        Ok(false)
    }

    /// Replaces the content of `into` by the next datagram of the kernel, whole.
    fn receive(&mut self, into: &mut Vec<u8>) -> io::Result<()>;

    /// As [`Self::receive`], behind the first datagram of a listing: with the next one come those that the kernel makes
    /// meanwhile, one behind the other.
    fn receive_more(&mut self, into: &mut Vec<u8>) -> io::Result<()> {
        self.receive(into)
    }
}

/// The netlink families in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// NETLINK_RDMA.
    Rdma,
    /// NETLINK_ROUTE.
    Route,
    /// NETLINK_RDMA's announcements, Linux 6.12.
    RdmaEvents,
    /// NETLINK_ROUTE's announcements of interfaces.
    LinkEvents,
    /// NETLINK_KOBJECT_UEVENT: what udev hears.
    Uevents,
    /// NETLINK_GENERIC, of which devlink is a part.
    Generic,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rdma | Self::RdmaEvents => "NETLINK_RDMA",
            Self::Route | Self::LinkEvents => "NETLINK_ROUTE",
            Self::Uevents => "NETLINK_KOBJECT_UEVENT",
            Self::Generic => "NETLINK_GENERIC",
        })
    }
}

/// The most that the kernel puts in a part of a listing. It pays where many parts come full.
const LARGE: usize = 32 * 1024;
/// So many full parts in a row are many.
const MANY: u32 = 3;

/// Room for every answer but a full part of a listing: what the kernel makes an answer in
/// (`NLMSG_GOODSIZE`, `include/linux/netlink.h`).
///
/// A part of a listing is made as large as the reader's largest buffer so far (`netlink_dump`,
/// `net/netlink/af_netlink.c`), and all of it is cleared: one byte more here, and each takes twice
/// the memory. Devices come one to a part, whatever room there is.
fn small() -> usize {
    /// `struct skb_shared_info`, which ends the same memory.
    const OVERHEAD: usize = 320;
    let page = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
    let page = page.and_then(|size| usize::try_from(size).ok());
    page.unwrap_or(4096).clamp(4096, 8192) - OVERHEAD
}

/// Announcements come in bursts: 120 VFs that go take several hundred at once.
const EVENT_BUFFER: usize = 2 * 1024 * 1024;

/// `RTNLGRP_LINK` (`uapi/linux/rtnetlink.h`).
const RTNLGRP_LINK: u32 = 1;
/// The group of the kernel's own uevents; udev passes them on to group 2.
const KERNEL_UEVENTS: u32 = 1;

/// Opens a socket in the calling thread's namespace; it stays there for life.
///
/// No bind: the kernel gives the socket an address with the first datagram.
pub fn open(protocol: Protocol) -> io::Result<Box<dyn Datagrams>> {
    let (number, group) = match protocol {
        Protocol::Rdma => (libc::NETLINK_RDMA, None),
        Protocol::Route => (libc::NETLINK_ROUTE, None),
        Protocol::RdmaEvents => (libc::NETLINK_RDMA, Some(event::GROUP)),
        Protocol::LinkEvents => (libc::NETLINK_ROUTE, Some(RTNLGRP_LINK)),
        Protocol::Uevents => (libc::NETLINK_KOBJECT_UEVENT, Some(KERNEL_UEVENTS)),
        Protocol::Generic => (libc::NETLINK_GENERIC, None),
    };
    let mut socket = Socket::new(number as isize)?;
    if let Some(group) = group {
        socket.bind_auto()?;
        socket.set_rx_buf_sz(EVENT_BUFFER as libc::c_int)?;
        socket.add_membership(group)?;
    } else {
        socket.set_ext_ack(true)?;
        socket.set_cap_ack(true)?;
    }
    // A look at every datagram would double the system calls. What does not fit is asked for again, which an
    // announcement cannot be.
    let peeks = !matches!(protocol, Protocol::Rdma | Protocol::Route);
    // NETLINK_RDMA sends a datagram for each device, NETLINK_ROUTE as many interfaces as go into one.
    let is_small = protocol == Protocol::Rdma;
    Ok(Box::new(KernelSocket {
        socket,
        peeks,
        room: if is_small { small() } else { LARGE },
        full: 0,
        last: usize::MAX,
        come_small: is_small,
    }))
}

/// A netlink socket of this machine.
struct KernelSocket {
    socket: Socket,
    /// Messages of any size may come: each is looked at before it is taken.
    peeks: bool,
    /// Bytes that are set aside for a datagram.
    room: usize,
    /// How many datagrams in a row have nearly filled it.
    full: u32,
    /// Bytes of the datagram before.
    last: usize,
    /// Those of a listing that began with a small one have all been small so far.
    come_small: bool,
}

impl Datagrams for KernelSocket {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        let sent = retry(|| self.socket.send(datagram, 0))?;
        if sent == datagram.len() {
            Ok(())
        } else {
            Err(io::ErrorKind::WriteZero.into())
        }
    }

    fn send_within(&mut self, datagram: &[u8], limit: Duration) -> io::Result<Outcome> {
        // Both processes have the same socket: the child sends, the answer can be received here.
        child::within(limit, || self.sent(datagram))
    }

    fn send_all_within(&mut self, datagrams: &[Vec<u8>], limit: Duration) -> io::Result<Outcome> {
        let all = || datagrams.iter().try_for_each(|each| self.sent(each));
        let outcome = child::within(limit, all)?;
        if let Outcome::Stuck { pid } = outcome
            && let Ok(pid) = i32::try_from(pid)
        {
            // It ends behind what it is at, and sends nothing more.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        Ok(outcome)
    }

    fn receive_ready(&mut self, into: &mut Vec<u8>) -> io::Result<bool> {
        let mut no_room: &mut [u8] = &mut [];
        let flags = libc::MSG_PEEK | libc::MSG_TRUNC | libc::MSG_DONTWAIT;
        match retry(|| self.socket.recv(&mut no_room, flags)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            outcome => {
                outcome?;
                self.receive(into).map(|()| true)
            }
        }
    }

    fn receive(&mut self, into: &mut Vec<u8>) -> io::Result<()> {
        loop {
            into.clear();
            if self.peeks {
                let mut no_room: &mut [u8] = &mut [];
                let size = retry(|| {
                    self.socket
                        .recv(&mut no_room, libc::MSG_PEEK | libc::MSG_TRUNC)
                })?;
                self.room = self.room.max(size);
            }
            into.reserve(self.room);
            let (size, sender) = retry(|| self.socket.recv_from(into, libc::MSG_TRUNC))?;
            let is_full = size > self.room / 4 * 3;
            self.full = if is_full { self.full + 1 } else { 0 };
            if self.full == MANY {
                self.room = self.room.max(LARGE);
            }
            if size > into.len() {
                // Lost like one that found the socket's buffer full, and asked for again in the same way.
                self.room = self.room.max(size);
                return Err(Errno::ENOBUFS.into());
            }
            // Port 0 is the kernel; any process may send to our address.
            if sender.port_number() == 0 {
                self.last = size;
                return Ok(());
            }
        }
    }

    fn receive_more(&mut self, into: &mut Vec<u8>) -> io::Result<()> {
        if !self.come_small || self.last > burst::ROOM / 2 {
            return self.receive(into);
        }
        loop {
            match retry(|| burst::receive(&self.socket, into)) {
                Ok(Burst::Some) => return Ok(()),
                Ok(Burst::OfOthers) => {}
                Ok(Burst::Cut) => {
                    self.come_small = false;
                    return Err(Errno::ENOBUFS.into());
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl KernelSocket {
    /// Sends a datagram from a child process.
    fn sent(&self, datagram: &[u8]) -> Result<(), Errno> {
        match retry(|| self.socket.send(datagram, 0)) {
            Ok(sent) if sent == datagram.len() => Ok(()),
            Ok(_) => Err(Errno::EMSGSIZE),
            Err(error) => Err(error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)),
        }
    }
}

fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
