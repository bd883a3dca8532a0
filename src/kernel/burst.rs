//! Several small datagrams by one system call: NETLINK_RDMA sends a listing device by device.

use std::io::{self, IoSliceMut};
use std::os::fd::AsRawFd;

use netlink_sys::Socket;
use nix::sys::socket::{MsgFlags, MultiHeaders, NetlinkAddr, recvmmsg};

/// Room for each: a device takes some 130 bytes, and at most 64 more for its name.
pub(super) const ROOM: usize = 512;
/// So many at once.
const MOST: usize = 32;

/// What came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Burst {
    /// One datagram of the kernel, or several.
    Some,
    /// None of the kernel: any process may send to our address.
    OfOthers,
    /// One had no room, and its end is lost.
    Cut,
}

/// Waits for a datagram, takes it and those that are there by then, and makes the whole ones of the kernel the content of
/// `into`, one behind the other, each from a multiple of 4 on. While a listing is read, the kernel makes the next part
/// whenever one is taken (`netlink_recvmsg`, `net/netlink/af_netlink.c`).
pub(super) fn receive(socket: &Socket, into: &mut Vec<u8>) -> io::Result<Burst> {
    into.clear();
    into.resize(MOST * ROOM, 0);
    let mut rooms: Vec<[IoSliceMut<'_>; 1]> = into
        .chunks_mut(ROOM)
        .map(|room| [IoSliceMut::new(room)])
        .collect();
    let mut headers = MultiHeaders::<NetlinkAddr>::preallocate(MOST, None);
    let fd = socket.as_raw_fd();
    let came = recvmmsg(fd, &mut headers, &mut rooms, MsgFlags::MSG_WAITFORONE, None)?;
    // Port 0 is the kernel.
    let sizes: Vec<(usize, bool, bool)> = came
        .map(|each| {
            let is_kernels = each.address.is_none_or(|sender| sender.pid() == 0);
            let is_cut = each.flags.contains(MsgFlags::MSG_TRUNC);
            (each.bytes, is_kernels, is_cut)
        })
        .collect();
    if sizes
        .iter()
        .any(|(_, is_kernels, is_cut)| *is_kernels && *is_cut)
    {
        into.clear();
        return Ok(Burst::Cut);
    }
    let mut end = 0;
    for (at, (size, is_kernels, _)) in sizes.into_iter().enumerate() {
        if is_kernels {
            into.copy_within(at * ROOM..at * ROOM + size, end);
            into[end + size..end + size.next_multiple_of(4)].fill(0);
            end += size.next_multiple_of(4);
        }
    }
    into.truncate(end);
    Ok(if end == 0 {
        Burst::OfOthers
    } else {
        Burst::Some
    })
}

#[cfg(test)]
mod tests {
    use super::super::messages::Messages;
    use super::*;
    use crate::wire::link::message::{get, get_by_name};
    use netlink_packet_core::NLMSG_ERROR;
    use nix::libc::NETLINK_ROUTE;

    #[test]
    fn both_answers_or_none() {
        let socket = Socket::new(NETLINK_ROUTE as isize).unwrap();
        for sequence in [1, 2] {
            let nobody = get(i32::MAX as u32, false);
            socket.send(&nobody.datagram(sequence), 0).unwrap();
        }
        let mut bytes = Vec::new();
        assert_eq!(receive(&socket, &mut bytes).unwrap(), Burst::Some);
        let told: Vec<_> = Messages(&bytes)
            .map(|message| message.unwrap())
            .map(|message| (message.kind, message.sequence))
            .collect();
        assert_eq!(told, [(NLMSG_ERROR, 1), (NLMSG_ERROR, 2)]);
        // What an interface answers has no room.
        let loopback = get_by_name(&"lo".parse().unwrap());
        socket.send(&loopback.datagram(3), 0).unwrap();
        assert_eq!(receive(&socket, &mut bytes).unwrap(), Burst::Cut);
        assert!(bytes.is_empty());
    }
}
