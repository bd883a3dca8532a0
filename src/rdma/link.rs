//! Ports, and software devices on network interfaces (`rxe`, `siw`).

use nix::errno::Errno;

use super::Listing;
use super::device;
use super::error::RdmaError;
use crate::kernel::{Conn, NetlinkError};
use crate::types::{IfName, PortSelector, RdmaName};
use crate::wire::nldev::device::Device;
use crate::wire::nldev::link as wire;
use crate::wire::nldev::port::{self, Port};

/// As [`listing`], where one port that cannot be asked spoils it all.
///
/// # Errors
/// Those of [`listing`], and [`RdmaError::Refused`].
pub fn ports(conn: &mut Conn, selector: Option<&PortSelector>) -> Result<Vec<Port>, RdmaError> {
    let listing = listing(conn, selector)?;
    match listing.failed.into_iter().next() {
        Some(error) => Err(error),
        None => Ok(listing.found),
    }
}

/// Every port of every device, or those that `selector` names, in the kernel's order.
///
/// A device that disappears while the others are listed is left out.
///
/// # Errors
/// [`RdmaError::NoSuchDevice`], [`RdmaError::NoSuchPort`], [`RdmaError::Netlink`].
pub fn listing(
    conn: &mut Conn,
    selector: Option<&PortSelector>,
) -> Result<Listing<Port>, RdmaError> {
    let Some(selector) = selector else {
        let devices = device::addresses(conn)?;
        return ports_of(conn, &devices);
    };
    if let Some(port) = asked_before(conn, selector)? {
        return Ok(Listing {
            found: vec![port],
            failed: Vec::new(),
        });
    }
    let devices = device::named(conn, selector.as_str())?;
    let named = |name: &str| devices.iter().find(|device| device.name == name);
    if let Some(device) = named(selector.as_str()) {
        return ports_of(conn, std::slice::from_ref(device));
    }
    let found = selector
        .split()
        .and_then(|(name, port)| Some((named(name)?, port)));
    let Some((device, number)) = found else {
        let name = selector.split().map_or(selector.as_str(), |(name, _)| name);
        return Err(RdmaError::NoSuchDevice {
            name: name.to_owned(),
        });
    };
    let missing = || RdmaError::NoSuchPort {
        device: device.name.clone(),
        port: number,
    };
    if device.last_port.is_some_and(|last| number > last) {
        return Err(missing());
    }
    match conn.get(&port::get(device.index, number), Port::decode) {
        Ok(port) => Ok(Listing {
            found: vec![port],
            failed: Vec::new(),
        }),
        Err(error) if error.errno() == Some(Errno::EINVAL) => Err(missing()),
        Err(error) => Err(unasked(error, device, number)),
    }
}

/// The one port that the word names, where an earlier command of a batch has listed its device:
/// the answer says whose port it is.
fn asked_before(conn: &mut Conn, selector: &PortSelector) -> Result<Option<Port>, RdmaError> {
    let Some((name, number)) = selector.split() else {
        return Ok(None);
    };
    let (None, Some(index)) = (conn.index_of(selector.as_str()), conn.index_of(name)) else {
        return Ok(None);
    };
    match conn.get(&port::get(index, number), Port::decode) {
        Ok(port) => Ok(Some(port).filter(|port| port.device == name)),
        // Whatever the kernel has against it, the long way says so in its own words.
        Err(NetlinkError::Refused(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// All ports of some devices; one that disappears meanwhile has none.
pub(super) fn ports_of(conn: &mut Conn, devices: &[Device]) -> Result<Listing<Port>, RdmaError> {
    let mut all = Vec::new();
    for device in devices {
        all.extend((1..=device.last_port.unwrap_or(0)).map(|number| (device, number)));
    }
    let question = |(device, number): &(&Device, u32)| port::get(device.index, *number);
    let questions: Vec<_> = all.iter().map(question).collect();
    let mut listing = Listing {
        found: Vec::with_capacity(all.len()),
        failed: Vec::new(),
    };
    let answers = conn.get_all(&questions, Port::decode)?;
    for (answer, (device, number)) in answers.into_iter().zip(all) {
        match answer {
            Ok(port) => listing.found.push(port),
            // nldev cannot see the device or the port from here any more (nldev_port_get_doit).
            Err(error) if error.errno() == Some(Errno::EINVAL) => {}
            // The driver could not say (fill_port_info); the others still can.
            Err(error) => listing.failed.push(unasked(error, device, number)),
        }
    }
    Ok(listing)
}

fn unasked(error: NetlinkError, device: &Device, number: u32) -> RdmaError {
    RdmaError::refused(error, format!("show port {number} of {}", device.name))
}

/// Adds the software device `name` of `driver` to `netdev`.
///
/// # Errors
/// [`RdmaError::NameTaken`] (any namespace), [`RdmaError::NotPermitted`], and
/// [`RdmaError::Refused`] with ENODEV (no such interface here), EEXIST (the interface has one
/// already), EINVAL (no such driver).
pub fn add(
    conn: &mut Conn,
    name: &RdmaName,
    driver: &str,
    netdev: &IfName,
) -> Result<(), RdmaError> {
    match conn.change(&wire::add(name, driver, netdev)) {
        Err(NetlinkError::Refused(refusal)) if refusal.errno == Errno::ENFILE => {
            Err(RdmaError::NameTaken {
                name: name.to_string(),
                refusal,
            })
        }
        Err(error) => Err(RdmaError::refused(
            error,
            format!("add {driver} device {name} on {netdev}"),
        )),
        Ok(()) => Ok(()),
    }
}
