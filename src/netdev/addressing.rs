//! Addresses and routes of an interface: what a container gets from its IPAM plugin.

use std::net::IpAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::error::{NetdevError, refused};
use crate::kernel::{Conn, NetlinkError};
use crate::types::IpNet;
use crate::wire::address::{self, Address};
use crate::wire::link::message::Link;
use crate::wire::route::{self, Listed, Route};

/// Duplicate address detection takes a second or two; a container should not begin before.
const DETECTION: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);

/// Gives an interface an address; one it has already is fine.
///
/// # Errors
/// [`NetdevError`].
pub fn add(conn: &mut Conn, link: &Link, net: IpNet) -> Result<(), NetdevError> {
    let what = || format!("give {} the address {net}", link.name);
    already(conn.change(&address::add(link.index, net)))
        .map_err(|error| refused(error, &link.name, what))
}

/// Adds a route through an interface that is switched on; one that is there already is fine.
///
/// # Errors
/// [`NetdevError`].
pub fn add_route(conn: &mut Conn, link: &Link, wanted: &Route) -> Result<(), NetdevError> {
    let what = || match wanted.gateway {
        Some(gateway) => format!("add the route to {} via {gateway}", wanted.to),
        None => format!("add the route to {} through {}", wanted.to, link.name),
    };
    already(conn.change(&route::add(link.index, wanted)))
        .map_err(|error| refused(error, &link.name, what))
}

fn already(outcome: Result<(), NetlinkError>) -> Result<(), NetlinkError> {
    match outcome {
        Err(NetlinkError::Refused(refusal)) if refusal.errno == Errno::EEXIST => Ok(()),
        outcome => outcome,
    }
}

/// The addresses of an interface.
///
/// # Errors
/// [`NetdevError::Netlink`].
pub fn of(conn: &mut Conn, link: &Link) -> Result<Vec<Address>, NetdevError> {
    let all = conn.list(&address::dump(), Address::decode)?;
    Ok(all
        .into_iter()
        .flatten()
        .filter(|address| address.index == link.index)
        .collect())
}

/// The routes through an interface.
///
/// # Errors
/// [`NetdevError::Netlink`].
pub fn routes(conn: &mut Conn, link: &Link) -> Result<Vec<Route>, NetdevError> {
    let all = conn.list(&route::dump(), Listed::decode)?;
    let through = |listed: &Listed| listed.index == Some(link.index);
    let all = all.into_iter().flatten();
    Ok(all.filter(through).map(|listed| listed.route).collect())
}

/// Waits until the kernel knows of every IPv6 address whether another node has it.
///
/// # Errors
/// [`NetdevError::Duplicate`]; a detection that does not end in five seconds is no error.
pub fn await_detection(conn: &mut Conn, link: &Link) -> Result<(), NetdevError> {
    let begun = Instant::now();
    loop {
        let addresses = of(conn, link)?;
        let v6 = || addresses.iter().filter(|a| is_v6(a.net.address()));
        if let Some(taken) = v6().find(|address| address.duplicate) {
            return Err(NetdevError::Duplicate {
                name: link.name.clone(),
                address: taken.net.to_string(),
            });
        }
        if !v6().any(|address| address.tentative) || begun.elapsed() > DETECTION {
            return Ok(());
        }
        sleep(PAUSE);
    }
}

fn is_v6(address: IpAddr) -> bool {
    address.is_ipv6()
}
