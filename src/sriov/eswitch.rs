//! The mode of the switch in a PF, by devlink.

use nix::errno::Errno;

use crate::kernel::{Host, NetlinkError};
use crate::pci::devlink;
use crate::types::{EswitchMode, PciAddr};
use crate::wire::devlink as wire;

/// Why the switch has not the mode that it shall have.
#[derive(Debug, thiserror::Error)]
pub enum EswitchError {
    /// The kernel has no devlink.
    #[error("this kernel has no devlink")]
    NoDevlink,
    /// It is not offered for this PF: its driver has none, or its port is InfiniBand.
    #[error("the driver of {pf} has no switch whose mode can be set")]
    NotOffered {
        /// The PF.
        pf: PciAddr,
    },
    /// Some VF has a driver.
    #[error("the mode of {pf} changes only while its VFs have no drivers: {source}")]
    Busy {
        /// The PF.
        pf: PciAddr,
        /// The kernel's word.
        #[source]
        source: NetlinkError,
    },
    /// It was taken, and is another.
    #[error("the kernel took the mode of {pf}, and it is not so")]
    NotKept {
        /// The PF.
        pf: PciAddr,
    },
    /// The kernel said no.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
}

/// The mode of a PF's switch; `None` when it has none that can be asked for, or one without a
/// name here.
///
/// # Errors
/// [`NetlinkError`].
pub fn read(host: &Host, pf: PciAddr) -> Result<Option<EswitchMode>, NetlinkError> {
    let Some((mut conn, family)) = devlink::open(host)? else {
        return Ok(None);
    };
    let request = wire::eswitch_get(family, &pf.to_string());
    match conn.get(&request, wire::eswitch_mode) {
        Ok(number) => Ok(number.and_then(EswitchMode::of_number)),
        // No such device, or a driver without a switch (net/devlink/dev.c).
        Err(NetlinkError::Refused(refusal))
            if matches!(refusal.errno, Errno::ENODEV | Errno::EOPNOTSUPP) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Sets the mode, and reads it back. The VFs of the PF have no drivers then.
///
/// # Errors
/// [`EswitchError`].
pub fn set(host: &Host, pf: PciAddr, mode: EswitchMode) -> Result<(), EswitchError> {
    let (mut conn, family) = devlink::open(host)?.ok_or(EswitchError::NoDevlink)?;
    let request = wire::eswitch_set(family, &pf.to_string(), mode.number());
    if let Err(error) = conn.change(&request) {
        return Err(match error.errno() {
            Some(Errno::ENODEV | Errno::EOPNOTSUPP) => EswitchError::NotOffered { pf },
            Some(Errno::EBUSY) => EswitchError::Busy { pf, source: error },
            _ => error.into(),
        });
    }
    match read(host, pf)? == Some(mode) {
        true => Ok(()),
        false => Err(EswitchError::NotKept { pf }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::{Answer, Machine};
    use crate::wire::{Attrs, Request};
    use std::sync::{Arc, Mutex};

    const FAMILY: u16 = 0x15;

    /// A kernel whose one switch answers a set with this errno, or keeps what it is told.
    fn host(machine: &Machine, refuses: Option<Errno>, keeps: bool) -> Host {
        let mode = Mutex::new(0_u16);
        machine.host_with(Arc::new(move |kind, body| {
            if kind == wire::GENL_ID_CTRL {
                let id = Request::new(0)
                    .fixed(&[1, 2, 0, 0])
                    .bytes(1, &FAMILY.to_ne_bytes());
                return Answer::Data(vec![id.body().to_vec()]);
            }
            let attributes = Attrs::new(&body[4..]);
            if attributes.find(2).unwrap().text() != "0000:3b:00.0" {
                return Answer::Refused(Errno::ENODEV, None);
            }
            let mut mode = mode.lock().unwrap();
            if body[0] == wire::ESWITCH_SET {
                if let Some(errno) = refuses {
                    return Answer::Refused(errno, None);
                }
                if keeps {
                    *mode = attributes.find(25).and_then(|attr| attr.u16()).unwrap();
                }
                return Answer::Done;
            }
            let told = Request::new(0)
                .fixed(&[29, 1, 0, 0])
                .bytes(25, &mode.to_ne_bytes());
            Answer::Data(vec![told.body().to_vec()])
        }))
    }

    #[test]
    fn set_and_read_again() {
        let machine = Machine::new();
        let pf = "0000:3b:00.0".parse().unwrap();
        let host = host(&machine, None, true);
        assert_eq!(read(&host, pf).unwrap(), Some(EswitchMode::Legacy));
        set(&host, pf, EswitchMode::Switchdev).unwrap();
        assert_eq!(read(&host, pf).unwrap(), Some(EswitchMode::Switchdev));
        assert_eq!(read(&host, "0000:3c:00.0".parse().unwrap()).unwrap(), None);
    }

    #[test]
    fn every_refusal_has_a_name() {
        let machine = Machine::new();
        let pf = "0000:3b:00.0".parse().unwrap();
        let refused = |errno| {
            let host = host(&machine, Some(errno), true);
            set(&host, pf, EswitchMode::Switchdev).unwrap_err()
        };
        assert!(matches!(
            refused(Errno::EOPNOTSUPP),
            EswitchError::NotOffered { .. }
        ));
        assert!(matches!(refused(Errno::EBUSY), EswitchError::Busy { .. }));
        assert!(matches!(refused(Errno::EINVAL), EswitchError::Netlink(_)));
        let forgetful = host(&machine, None, false);
        assert!(matches!(
            set(&forgetful, pf, EswitchMode::Switchdev),
            Err(EswitchError::NotKept { .. })
        ));
    }
}
