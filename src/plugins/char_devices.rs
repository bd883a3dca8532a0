//! Character devices of RDMA devices over a move: the kernel gives out the lowest free numbers.
//!
//! A runtime decides which files of `/dev/infiniband` a container gets before the plugins are
//! called. With another number that file is another device's, or nobody's.

use crate::cni::config::load_error;
use crate::cni::{Code, Config, Failure};
use crate::kernel::{Conn, Host, Netns};
use crate::plugins::fault;
use crate::plugins::log::Log;
use crate::rdma::RdmaError;
use crate::rdma::char_device::{self, Numbered};
use crate::wire::nldev::device::Device;

const KEY: &str = "charDevices";

/// What ADD does when a number has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// Nothing: the container gets its files later, or all of them, and drivers of several VFs may
    /// be bound at once.
    Any,
    /// It warns.
    #[default]
    Warn,
    /// It fails, so that the container is begun anew.
    Require,
}

/// Reads `charDevices`.
///
/// # Errors
/// Code 7.
pub fn policy(config: &Config<'_>) -> Result<Policy, Failure> {
    let word = config.object.text(KEY);
    match word.map_err(|error| load_error(&error))?.as_str() {
        "" | "warn" => Ok(Policy::Warn),
        "require" => Ok(Policy::Require),
        "any" => Ok(Policy::Any),
        word => Err(Failure::new(
            Code::INVALID_CONFIG,
            format!("failed to load netconf: invalid {KEY} value: {word}"),
        )
        .details(format!("{KEY} is warn, require or any"))),
    }
}

/// The numbers of devices at home, before they leave, unless these are all the same to the configuration. What cannot be
/// asked is not compared.
pub fn before(
    host: &Host,
    home: &mut Conn,
    policy: Policy,
    devices: &[Device],
) -> Vec<Vec<Numbered>> {
    if policy == Policy::Any || devices.is_empty() {
        return Vec::new();
    }
    let kinds = char_device::kinds_of_devices(host.sysfs());
    let of = |device| char_device::of(home, &kinds, device);
    let found: Result<Vec<_>, _> = devices.iter().map(of).collect();
    found.unwrap_or_default()
}

/// Compares with what the devices have in the container, and warns of what is another now.
///
/// # Errors
/// Code 11 if the configuration requires the same numbers.
pub fn compare(
    host: &Host,
    log: &mut Log<'_>,
    policy: Policy,
    netns: &Netns,
    before: &[Vec<Numbered>],
    arrived: &[Device],
) -> Result<(), Failure> {
    if policy == Policy::Any || before.is_empty() {
        return Ok(());
    }
    let after = netns.over_rdma(host, |conn| -> Result<Vec<_>, RdmaError> {
        let pairs = arrived.iter().zip(before);
        pairs
            .map(|(device, before)| char_device::again(conn, before, device))
            .collect()
    });
    let after = after.map_err(|error| fault::netns(&error))?;
    let after = after.map_err(|error| fault::rdma(&error))?;
    let mut changed = Vec::new();
    for ((device, before), after) in arrived.iter().zip(before).zip(&after) {
        for (was, is) in before.iter().zip(after).filter(|(was, is)| was != is) {
            changed.push(format!("{}: {was} became {is}", device.name));
        }
    }
    if changed.is_empty() {
        return Ok(());
    }
    let changed = changed.join(", ");
    match policy {
        Policy::Any => Ok(()),
        Policy::Warn => {
            log.warn(format!(
                "character devices have other numbers than before: {changed}; a container that was given the old ones has those of another device"
            ));
            Ok(())
        }
        Policy::Require => Err(Failure::new(
            Code::TRY_AGAIN,
            format!("character devices have other numbers than before: {changed}"),
        )
        .details(format!(
            "the container may have been given those of another device: begin it anew, or set {KEY} to warn"
        ))),
    }
}
