//! Ports, and software devices on network interfaces (`rxe`, `siw`).

use nix::errno::Errno;

use super::device;
use super::error::RdmaError;
use crate::kernel::{Conn, NetlinkError};
use crate::types::{IfName, PortSelector, RdmaName};
use crate::wire::nldev::device::Device;
use crate::wire::nldev::link as wire;
use crate::wire::nldev::port::{self, Port};

/// Every port of every device, or those that `selector` names, in the kernel's order.
///
/// A device that disappears while the others are listed is left out.
///
/// # Errors
/// [`RdmaError::NoSuchDevice`], [`RdmaError::NoSuchPort`], [`RdmaError::Netlink`].
pub fn ports(conn: &mut Conn, selector: Option<&PortSelector>) -> Result<Vec<Port>, RdmaError> {
    let Some(selector) = selector else {
        let devices = device::addresses(conn)?;
        return ports_of(conn, &devices);
    };
    if let Some(port) = asked_before(conn, selector)? {
        return Ok(vec![port]);
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
        Ok(port) => Ok(vec![port]),
        Err(error) if error.errno() == Some(Errno::EINVAL) => Err(missing()),
        Err(error) => Err(error.into()),
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
        Err(error) if error.errno() == Some(Errno::EINVAL) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// All ports of some devices; one that disappears meanwhile has none.
pub(super) fn ports_of(conn: &mut Conn, devices: &[Device]) -> Result<Vec<Port>, RdmaError> {
    let of_one = |device: &Device| {
        let index = device.index;
        (1..=device.last_port.unwrap_or(0)).map(move |number| port::get(index, number))
    };
    let questions: Vec<_> = devices.iter().flat_map(of_one).collect();
    let answers = conn.get_all(&questions, Port::decode)?;
    // nldev cannot see the device or the port from here any more (nldev_port_get_doit).
    let gone = |error: &NetlinkError| error.errno() == Some(Errno::EINVAL);
    let ports = answers
        .into_iter()
        .filter(|answer| !answer.as_ref().is_err_and(gone));
    Ok(ports.collect::<Result<_, _>>()?)
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
