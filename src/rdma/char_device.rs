//! The character devices of RDMA devices, their ports and the machine.

use crate::kernel::{Conn, NetlinkError, Sysfs};
use crate::rdma::RdmaError;
use crate::wire::nldev::chardev::{CharDev, Kind, question};

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
    // Where each module registers itself: drivers/infiniband/core/{uverbs_main,user_mad,ucma}.c.
    let places = [
        (Kind::Uverbs, "class/infiniband_verbs"),
        (Kind::Umad, "class/infiniband_mad"),
        (Kind::Issm, "class/infiniband_mad"),
        (Kind::RdmaCm, "class/misc/rdma_cm"),
    ];
    let there = places.into_iter().filter(|(_, place)| sysfs.exists(place));
    there.map(|(kind, _)| kind).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;

    #[test]
    fn only_what_is_loaded_is_asked_for() {
        let machine = Machine::new()
            .file("sys/class/infiniband_verbs/abi_version", "6")
            .file("sys/class/misc/rdma_cm/dev", "10:1");
        assert_eq!(kinds(machine.host().sysfs()), [Kind::Uverbs, Kind::RdmaCm]);
        assert!(kinds(Machine::new().host().sysfs()).is_empty());
    }
}
