//! Interfaces that came home at once: each may have been given the name of another.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::store::VfStore;
use crate::kernel::{Conn, Host};
use crate::netdev::{NetdevError, interface};
use crate::pci::function;
use crate::rdma::lease::locks;
use crate::types::{IfName, PciAddr};
use crate::wire::link::message::Link;

/// How long another one that comes home may take to give a name away.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(10);

/// Calls an interface of `function` what it was called, and returns it as it is then: under another name, where its own
/// belongs to somebody who is not on his way home. It is switched off.
///
/// # Errors
/// [`NetdevError`], a taken name apart.
pub fn restore(
    host: &Host,
    home: &mut Conn,
    function: PciAddr,
    link: Link,
    name: &IfName,
) -> Result<Link, NetdevError> {
    match claim(host, home, function, &link, name)? {
        Some(link) => Ok(link),
        None => trade(host, home, link, name),
    }
}

/// Takes the name, from one that has it only until it gets its own, too. Whoever gives names has the lock of names, so
/// that none is taken from one that has just got it. `None`: it belongs to another.
fn claim(
    host: &Host,
    home: &mut Conn,
    function: PciAddr,
    link: &Link,
    name: &IfName,
) -> Result<Option<Link>, NetdevError> {
    // Where no lock can be had, on a read-only disk, nobody is disturbed.
    let lock = locks::names(host).ok();
    let begun = Instant::now();
    loop {
        match interface::rename(home, link, name) {
            Err(NetdevError::NameTaken { .. }) => {}
            other => return other.map(Some),
        }
        // The kernel may give the name to the next one that appears.
        let is_late = begun.elapsed() > PATIENCE;
        if lock.is_none() || is_late || !make_way(host, home, function, name)? {
            return Ok(None);
        }
    }
}

/// Has the interface with this name make way; whether it is worth another try. The container of its VF is on record and
/// ends or begins: the end gives it its own name, and a beginning takes it away, whatever it is called.
fn make_way(
    host: &Host,
    home: &mut Conn,
    function: PciAddr,
    name: &IfName,
) -> Result<bool, NetdevError> {
    let Some(link) = interface::named(home, name)? else {
        return Ok(true);
    };
    let other = function::of_member(host.sysfs(), "net", &link.name)?;
    let Some(other) = other.filter(|other| *other != function) else {
        return Ok(false);
    };
    let record = VfStore::new(host).of_this_boot(host, other).ok().flatten();
    let own = record.and_then(|record| record.original.netdev);
    if own.is_none_or(|own| own == *name) {
        return Ok(false);
    }
    let Ok(aside) = aside(&link) else {
        return Ok(false);
    };
    match interface::rename(home, &link, &aside) {
        Ok(_) | Err(NetdevError::Gone { .. }) => Ok(true),
        // It is switched on, and older kernels do not rename such a one.
        Err(_) => Ok(false),
    }
}

/// An interface that has a name which is on record for another one makes way for that, and waits for its own.
fn trade(host: &Host, home: &mut Conn, link: Link, name: &IfName) -> Result<Link, NetdevError> {
    let awaited = VfStore::new(host).all().unwrap_or_default();
    let mut owned = awaited.iter().filter_map(|entry| {
        let record = entry.record.as_ref()?;
        record.original.netdev.as_ref()
    });
    let (Ok(former), Ok(aside)) = (link.name.parse::<IfName>(), aside(&link)) else {
        return Ok(link);
    };
    if !owned.any(|owned| *owned == former) {
        return Ok(link);
    }
    let link = interface::rename(home, &link, &aside)?;
    let begun = Instant::now();
    loop {
        match interface::rename(home, &link, name) {
            Err(NetdevError::NameTaken { .. }) if begun.elapsed() < PATIENCE => sleep(PAUSE),
            Err(NetdevError::NameTaken { .. }) => break,
            other => return other,
        }
    }
    // Nobody came for it.
    match interface::rename(home, &link, &former) {
        Err(NetdevError::NameTaken { .. }) => Ok(link),
        other => other,
    }
}

fn aside(link: &Link) -> Result<IfName, <IfName as std::str::FromStr>::Err> {
    format!("vfdev{}", link.index).parse()
}
