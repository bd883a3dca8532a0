//! The objects that the kernel tracks: counts, listings, single ones, and pools that can be set.

mod filter;
mod keys;
mod maker;
mod select;
pub mod words;

use super::Listing;
use super::device;
use super::error::{RdmaError, too_old_or};
use crate::kernel::{Conn, NetlinkError};
use crate::types::FrmrKey;
use crate::wire::nldev::device::Device;
use crate::wire::nldev::op;
use crate::wire::nldev::resource::{Kind, Object, Query, Summary, frmr_pools, summary};

pub use filter::Filter;
pub use keys::{Key, Takes, keys};
pub use maker::{Maker, Makers};
pub use select::{Ports, Selector};

/// Which objects are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// Their kind and form.
    pub query: Query,
    /// On this device or port only.
    pub selector: Option<&'a Selector>,
    /// With these properties only.
    pub filter: &'a Filter,
}

/// How many objects of each kind the devices have, or the one with this name.
///
/// # Errors
/// [`RdmaError::NoSuchDevice`], [`RdmaError::TooOld`] before 4.16, [`RdmaError::Netlink`].
pub fn summaries(
    conn: &mut Conn,
    name: Option<&str>,
    driver_details: bool,
) -> Result<Listing<Summary>, RdmaError> {
    let what = || "count tracked objects".to_owned();
    if name.is_none() && !driver_details {
        // One question for all devices.
        return match conn.list(&summary::dump(), Summary::decode) {
            Ok(found) => Ok(Listing {
                found,
                failed: Vec::new(),
            }),
            Err(error) => Err(too_old_or(conn, error, (op::RES_GET, "4.16"), what())?),
        };
    }
    let devices = match name {
        Some(name) => vec![device::find(conn, name)?],
        None => device::addresses(conn)?,
    };
    each(conn, &devices, |conn, device| {
        match conn.get(&summary::get(device.index, driver_details), Summary::decode) {
            Ok(summary) => Ok(vec![summary]),
            Err(error) => Err(too_old_or(conn, error, (op::RES_GET, "4.16"), what())?),
        }
    })
}

/// The objects that are wanted; a device that cannot be asked does not end the listing.
///
/// # Errors
/// [`RdmaError::NoSuchDevice`], [`RdmaError::NoSuchPort`], [`RdmaError::NotPermitted`] for raw
/// forms, [`RdmaError::TooOld`], [`RdmaError::Netlink`].
pub fn list(conn: &mut Conn, wish: Wish<'_>) -> Result<Listing<Object>, RdmaError> {
    let (devices, ports) = match wish.selector {
        None => (device::addresses(conn)?, Ports::All),
        Some(selector) => {
            let devices = device::named(conn, selector.word())?;
            let (device, ports) = selector.among(&devices)?;
            (vec![device.clone()], ports)
        }
    };
    each(conn, &devices, |conn, device| {
        objects(conn, wish, device, ports)
    })
}

/// Asks one device after the other.
fn each<T>(
    conn: &mut Conn,
    devices: &[Device],
    ask: impl Fn(&mut Conn, &Device) -> Result<Vec<T>, RdmaError>,
) -> Result<Listing<T>, RdmaError> {
    let mut listing = Listing {
        found: Vec::new(),
        failed: Vec::new(),
    };
    for device in devices {
        match ask(conn, device) {
            Ok(found) => listing.found.extend(found),
            // These say nothing about one device, and the others could not be asked either.
            Err(
                error @ (RdmaError::NotPermitted { .. }
                | RdmaError::TooOld { .. }
                | RdmaError::Netlink(NetlinkError::Transport(_))),
            ) => return Err(error),
            // It went away or was moved since it was listed.
            Err(_) if device::with_index(conn, device.index)?.is_none() => {}
            Err(error) => listing.failed.push(error),
        }
    }
    Ok(listing)
}

fn objects(
    conn: &mut Conn,
    wish: Wish<'_>,
    device: &Device,
    ports: Ports,
) -> Result<Vec<Object>, RdmaError> {
    let query = wish.query;
    if let Some(id) = wish.filter.id(query.kind) {
        let (mut found, refused) = one_by_id(conn, query, device, (ports, id));
        if !found.is_empty() {
            found.retain_mut(|object| query.is_raw() || wish.filter.keeps(object));
            return Ok(found);
        }
        // Raw objects have no properties to look for in a listing.
        if let Some(error) = refused.filter(|_| query.is_raw()) {
            return Err(refused_listing(conn, error, query, device)?);
        }
    }
    let port = match ports {
        Ports::One(port) if query.kind.has_ports() => Some(port),
        _ => None,
    };
    let listed = conn.list(&query.dump(device.index, port), |body| {
        query.decode_table(body)
    });
    let mut found: Vec<Object> = match listed {
        Ok(tables) => tables.into_iter().flatten().collect(),
        Err(error) => return Err(refused_listing(conn, error, query, device)?),
    };
    if query.is_raw() {
        return Ok(found);
    }
    if query.kind.has_ports() {
        found.retain(|object| match ports {
            Ports::All => true,
            Ports::One(port) => object.port == Some(port),
            Ports::Without => object.port.is_none(),
        });
        // What has no port comes first, as if ports had been asked for one after the other.
        found.sort_by_key(|object| object.port);
    }
    found.retain_mut(|object| wish.filter.keeps(object));
    Ok(found)
}

/// Asks for the object with this number, on every port it may be at, and says what the last
/// refusal was. Numbers that only a listing shows, such as those of GSI queue pairs, are refused.
fn one_by_id(
    conn: &mut Conn,
    query: Query,
    device: &Device,
    (ports, id): (Ports, u32),
) -> (Vec<Object>, Option<NetlinkError>) {
    let places: Vec<Option<u32>> = match ports {
        _ if !query.kind.has_ports() => vec![None],
        Ports::One(port) => vec![Some(port)],
        Ports::All => (1..=device.last_port.unwrap_or(1)).map(Some).collect(),
        Ports::Without => Vec::new(),
    };
    let (mut found, mut refused) = (Vec::new(), None);
    for place in places {
        let Some(request) = query.get(device.index, place, id) else {
            continue;
        };
        match conn.get(&request, |body| query.decode_one(body)) {
            Ok(object) => found.push(object),
            Err(error) => refused = Some(error),
        }
    }
    (found, refused)
}

fn refused_listing(
    conn: &mut Conn,
    error: NetlinkError,
    query: Query,
    device: &Device,
) -> Result<RdmaError, RdmaError> {
    let raw = if query.is_raw() { "raw " } else { "" };
    let what = format!(
        "list the {raw}{} of {}",
        words::plural(query.kind),
        device.name
    );
    let since = match query.kind {
        Kind::Srq if query.is_raw() => "6.7",
        _ if query.is_raw() => "5.9",
        Kind::Qp => "4.16",
        Kind::CmId | Kind::Cq | Kind::Mr | Kind::Pd => "4.17",
        Kind::Ctx | Kind::Srq => "5.13",
        Kind::FrmrPools => "7.1",
    };
    let op = query.message_type() & 0x3ff;
    too_old_or(conn, error, (op, since), what)
}

/// Sets how many seconds unused handles of the pools of a device stay.
///
/// # Errors
/// [`RdmaError::NotPermitted`], [`RdmaError::TooOld`] before 7.1, [`RdmaError::Refused`] with
/// EOPNOTSUPP or EINVAL when the driver has no pools.
pub fn set_aging(conn: &mut Conn, device: &Device, seconds: u32) -> Result<(), RdmaError> {
    let what = format!("set the aging period of the FRMR pools of {}", device.name);
    match conn.change(&frmr_pools::set_aging(device.index, seconds)) {
        Err(error) => Err(too_old_or(conn, error, (op::FRMR_POOLS_SET, "7.1"), what)?),
        Ok(()) => Ok(()),
    }
}

/// Sets how many handles of a pool stay for good.
///
/// # Errors
/// As [`set_aging`].
pub fn set_pinned(
    conn: &mut Conn,
    device: &Device,
    key: &FrmrKey,
    handles: u32,
) -> Result<(), RdmaError> {
    let what = format!("pin handles of the FRMR pool {key} of {}", device.name);
    match conn.change(&frmr_pools::set_pinned(device.index, key, handles)) {
        Err(error) => Err(too_old_or(conn, error, (op::FRMR_POOLS_SET, "7.1"), what)?),
        Ok(()) => Ok(()),
    }
}
