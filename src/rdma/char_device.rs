//! The character devices of RDMA devices, their ports and the machine.

use std::fmt;

use crate::kernel::{Conn, NetlinkError, Sysfs};
use crate::rdma::RdmaError;
use crate::wire::nldev::chardev::{CharDev, Kind, question};
use crate::wire::nldev::device::Device;

/// Of what a character device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Which of them.
    pub kind: Kind,
    /// RDMA index of the device; none for the machine's.
    pub device: Option<u32>,
    /// The port, for those that ports have.
    pub port: Option<u32>,
}

/// The kinds whose module is loaded. The kernel would load the others when asked for one of them,
/// which a look must not make it do.
pub fn kinds(sysfs: &Sysfs) -> Vec<Kind> {
    kinds_among(sysfs, &[Kind::Uverbs, Kind::Umad, Kind::Issm, Kind::RdmaCm])
}

fn kinds_among(sysfs: &Sysfs, kinds: &[Kind]) -> Vec<Kind> {
    // Where each module registers itself: drivers/infiniband/core/{uverbs_main,user_mad,ucma}.c.
    let places: [(&[Kind], &str); 3] = [
        (&[Kind::Uverbs], "class/infiniband_verbs"),
        (&[Kind::Umad, Kind::Issm], "class/infiniband_mad"),
        (&[Kind::RdmaCm], "class/misc/rdma_cm"),
    ];
    let mut there = Vec::new();
    for (registered, place) in places {
        let mut wanted = registered
            .iter()
            .filter(|kind| kinds.contains(kind))
            .peekable();
        if wanted.peek().is_some() && sysfs.exists(place) {
            there.extend(wanted);
        }
    }
    there
}

/// The character devices that are wanted, in that order; `None` for what has none.
///
/// # Errors
/// [`RdmaError::Netlink`] when the kernel cannot be asked.
pub fn list(conn: &mut Conn, wanted: &[Wanted]) -> Result<Vec<Option<CharDev>>, RdmaError> {
    let questions: Vec<_> = wanted
        .iter()
        .map(|wanted| question(wanted.kind, wanted.device, wanted.port))
        .collect();
    let mut found = Vec::with_capacity(wanted.len());
    for answer in conn.get_all(&questions, CharDev::decode)? {
        found.push(match answer {
            Ok(device) => Some(device),
            // No such device, or a kernel before 5.3, which has no such command.
            Err(NetlinkError::Refused(_)) => None,
            Err(error) => return Err(error.into()),
        });
    }
    Ok(found)
}

/// A character device of an RDMA device or of its first port, by name and number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    kind: Kind,
    found: Option<(String, u64)>,
}

impl fmt::Display for Numbered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((name, number)) = &self.found else {
            return write!(f, "no {}", self.kind.word());
        };
        // `new_decode_dev` (`linux/kdev_t.h`).
        let major = (number >> 8) & 0xfff;
        let minor = (number & 0xff) | ((number >> 12) & 0xfff00);
        write!(f, "{name} ({major}:{minor})")
    }
}

/// The kinds that devices and their ports have, as far as their modules are loaded.
pub fn kinds_of_devices(sysfs: &Sysfs) -> Vec<Kind> {
    kinds_among(sysfs, &[Kind::Uverbs, Kind::Umad, Kind::Issm])
}

/// The verbs file of a device and the management files of its first port, of these kinds; `conn` is of the namespace
/// that the device is in.
///
/// # Errors
/// [`RdmaError::Netlink`] when the kernel cannot be asked.
pub fn of(conn: &mut Conn, kinds: &[Kind], device: &Device) -> Result<Vec<Numbered>, RdmaError> {
    let wanted: Vec<_> = kinds
        .iter()
        .map(|kind| Wanted {
            kind: *kind,
            device: Some(device.index),
            port: (*kind != Kind::Uverbs).then_some(1),
        })
        .collect();
    let found = list(conn, &wanted)?.into_iter().zip(kinds);
    Ok(found
        .map(|(found, kind)| Numbered {
            kind: *kind,
            found: found.map(|found| (found.name, found.number)),
        })
        .collect())
}

/// As [`of`], for what was asked `before`.
///
/// # Errors
/// As [`of`].
pub fn again(
    conn: &mut Conn,
    before: &[Numbered],
    device: &Device,
) -> Result<Vec<Numbered>, RdmaError> {
    let kinds: Vec<Kind> = before.iter().map(|each| each.kind).collect();
    of(conn, &kinds, device)
}

/// The names of all character devices of a device and its ports, in the order of kinds and ports;
/// `conn` is of the namespace that the device is in.
///
/// # Errors
/// [`RdmaError::Netlink`] when the kernel cannot be asked.
pub fn names(sysfs: &Sysfs, conn: &mut Conn, device: &Device) -> Result<Vec<String>, RdmaError> {
    let last = device.last_port.unwrap_or(1).min(MAX_PORTS);
    let mut wanted = Vec::new();
    for kind in kinds(sysfs) {
        let ports = match kind {
            Kind::RdmaCm => continue,
            Kind::Uverbs => vec![None],
            Kind::Umad | Kind::Issm => (1..=last).map(Some).collect(),
        };
        wanted.extend(ports.into_iter().map(|port| Wanted {
            kind,
            device: Some(device.index),
            port,
        }));
    }
    let found = list(conn, &wanted)?.into_iter().flatten();
    Ok(found.map(|found| found.name).collect())
}

/// Ports are numbered in 8 bits wherever they have management files (`u8 port_num`, `user_mad.c`).
const MAX_PORTS: u32 = 255;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;

    #[test]
    fn by_name_and_number() {
        let verbs = |found| Numbered {
            kind: Kind::Uverbs,
            found,
        };
        let found = Some(("uverbs300".to_owned(), 231 << 8 | 0x10_0000 | 0xec));
        assert_eq!(verbs(found).to_string(), "uverbs300 (231:492)");
        assert_eq!(verbs(None).to_string(), "no uverbs");
    }

    #[test]
    fn only_what_is_loaded_is_asked_for() {
        let machine = Machine::new()
            .file("sys/class/infiniband_verbs/abi_version", "6")
            .file("sys/class/misc/rdma_cm/dev", "10:1");
        assert_eq!(kinds(machine.host().sysfs()), [Kind::Uverbs, Kind::RdmaCm]);
        assert!(kinds(Machine::new().host().sysfs()).is_empty());
    }
}
