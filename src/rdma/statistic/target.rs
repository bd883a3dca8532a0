//! `Target`: the ports that a word names, for commands about their counters.

use std::fmt;

use crate::kernel::Conn;
use crate::rdma::device;
use crate::rdma::error::RdmaError;
use crate::rdma::statistic::StatisticError;
use crate::types::PortSelector;
use crate::wire::nldev::device::Device;

/// One port of one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// RDMA index of the device.
    pub index: u32,
    /// Name of the device.
    pub device: String,
    /// Port number, 1 or more.
    pub port: u32,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.device, self.port)
    }
}

/// Every port, or those that `DEV`, `DEV/` or `DEV/PORT` names; `DEV/-` names what has no port.
///
/// # Errors
/// [`RdmaError::NoSuchDevice`], [`RdmaError::NoSuchPort`], [`RdmaError::Netlink`].
pub fn targets(conn: &mut Conn, selector: Option<&PortSelector>) -> Result<Vec<Target>, RdmaError> {
    let Some(selector) = selector else {
        return Ok(device::addresses(conn)?.iter().flat_map(ports_of).collect());
    };
    let devices = device::named(conn, selector.as_str())?;
    let named = |name: &str| devices.iter().find(|device| device.name == name);
    let word = selector.as_str();
    if let Some(device) = named(word) {
        return Ok(ports_of(device).collect());
    }
    let (name, port) = word.rsplit_once('/').unwrap_or((word, ""));
    let device = named(name).ok_or_else(|| RdmaError::NoSuchDevice {
        name: name.to_owned(),
    })?;
    match (port, selector.split()) {
        ("", _) => Ok(ports_of(device).collect()),
        ("-", _) => Ok(Vec::new()),
        (_, Some((_, number))) if number <= last(device) => Ok(vec![target(device, number)]),
        (_, split) => Err(RdmaError::NoSuchPort {
            device: device.name.clone(),
            port: split.map_or(0, |(_, number)| number),
        }),
    }
}

/// The one port that the word names: `DEV/PORT`, or `DEV` where the device has a single port.
///
/// # Errors
/// As [`targets`]; [`StatisticError::SeveralPorts`].
pub fn only(conn: &mut Conn, selector: &PortSelector) -> Result<Target, RdmaError> {
    let mut found = targets(conn, Some(selector))?.into_iter();
    match (found.next(), found.next()) {
        (Some(target), None) => Ok(target),
        (Some(target), Some(_)) => Err(StatisticError::SeveralPorts {
            device: target.device,
        }
        .into()),
        (None, _) => Err(RdmaError::NoSuchPort {
            device: selector.as_str().trim_end_matches("/-").to_owned(),
            port: 0,
        }),
    }
}

fn last(device: &Device) -> u32 {
    device.last_port.unwrap_or(0)
}

fn ports_of(device: &Device) -> impl Iterator<Item = Target> {
    (1..=last(device)).map(move |number| target(device, number))
}

fn target(device: &Device, port: u32) -> Target {
    Target {
        index: device.index,
        device: device.name.clone(),
        port,
    }
}
