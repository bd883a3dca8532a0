//! How many VFs a PF has: from none to some and back, and nothing in between.

use std::path::PathBuf;
use std::time::Duration;

use nix::errno::Errno;

use super::pf::{self, Pf};
use crate::kernel::bounded::{self, BoundedError};
use crate::kernel::{Host, Sysfs, SysfsError};
use crate::pci::device::{Presence, presence};
use crate::pci::function::folder;
use crate::types::{DeviceId, PciAddr};

/// Whether new VFs are offered to drivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probing {
    /// As the PF is set (`sriov_drivers_autoprobe`).
    AsSet,
    /// No, whatever the PF says; its setting is put back.
    Off,
}

/// Why a PF has not the number of VFs that it should have.
#[derive(Debug, thiserror::Error)]
pub enum CountError {
    /// More than the PF offers.
    #[error("{pf} offers {total} VFs, and {wanted} are wanted")]
    TooMany {
        /// The PF.
        pf: PciAddr,
        /// How many are wanted.
        wanted: u16,
        /// `sriov_totalvfs`.
        total: u16,
    },
    /// The kernel, or the driver of the PF, refused.
    #[error("{pf} cannot have {wanted} VFs: {}", .refusal.errno.desc())]
    Refused {
        /// The PF.
        pf: PciAddr,
        /// How many are wanted; 0 to have them removed.
        wanted: u16,
        /// What the errno means.
        why: Why,
        /// The errno.
        refusal: SysfsError,
    },
    /// The write was accepted, and the number of VFs is another one.
    #[error("{}", otherwise(*.pf, *.wanted, *.enabled, *.undone))]
    Other {
        /// The PF.
        pf: PciAddr,
        /// How many are wanted.
        wanted: u16,
        /// How many there were when it was read back.
        enabled: usize,
        /// They have been removed, as there were none before.
        undone: bool,
    },
    /// The PF went away meanwhile.
    #[error("the PF {pf} is not there any more")]
    Gone {
        /// The PF.
        pf: PciAddr,
    },
    /// The write came to no end.
    #[error(transparent)]
    Write(BoundedError),
    /// sysfs could not be read.
    #[error(transparent)]
    Sysfs(#[from] SysfsError),
}

/// What a refusal means (`sriov_numvfs_store`, `sriov_enable`, drivers/pci/iov.c).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// EACCES, EROFS: only root may, and not in a container.
    NotPermitted,
    /// EBUSY: somebody else gave it VFs meanwhile.
    Busy,
    /// ENOENT: the function is no PF now.
    NotPf,
    /// ENOENT: no driver is bound to the PF.
    NoDriver,
    /// ENOENT: this driver makes no VFs.
    Unable(String),
    /// ENOMEM: too little address space or too few bus numbers for them.
    NoRoom,
    /// ENOSPC: not enough interrupt vectors.
    NoVectors,
    /// EPERM: VFs are assigned to guests (Xen).
    Assigned,
    /// EIO: the SR-IOV capability of the PF is not in order.
    BadCapability,
    /// EINVAL: the PF does not take the number.
    BadNumber,
    /// ERANGE: more than it offers, as of now.
    TooMany,
    /// EOPNOTSUPP: the driver does not do it in the mode it is in.
    NotSupported,
    /// Whatever else the driver answers.
    Other,
}

fn otherwise(pf: PciAddr, wanted: u16, enabled: usize, undone: bool) -> String {
    match (wanted, undone) {
        (0, _) => format!("the removal of the VFs of {pf} was accepted, and {enabled} are there"),
        (_, true) => format!(
            "{wanted} VFs of {pf} were requested, and {enabled} were made; they were removed again"
        ),
        (_, false) => format!("{wanted} VFs of {pf} were requested, and {enabled} are there"),
    }
}

/// Gives VFs to a PF that has none, reads the number back, and says what is there now.
///
/// `limit` is for each write; the main one takes as long as the drivers of all VFs take to start.
///
/// # Errors
/// [`CountError`]; the PF has none again then, except after [`BoundedError::Stuck`] and
/// [`Why::Busy`].
pub fn create(
    host: &Host,
    pf: &Pf,
    wanted: u16,
    probing: Probing,
    limit: Duration,
) -> Result<Pf, CountError> {
    if wanted > pf.total_vfs {
        return Err(CountError::TooMany {
            pf: pf.address,
            wanted,
            total: pf.total_vfs,
        });
    }
    let sysfs = host.sysfs();
    let keeper = match probing {
        Probing::AsSet => None,
        Probing::Off => Keeper::begin(sysfs, pf.address, limit)?,
    };
    let file = folder(pf.address).join("sriov_numvfs");
    let written = bounded::write_then(sysfs, &file, &wanted.to_string(), limit, || {
        // In the child too: it outlives a caller that is killed.
        if let Some(keeper) = &keeper {
            keeper.restore();
        }
    });
    let refused = match written {
        Ok(()) => None,
        Err(error @ BoundedError::Stuck { .. }) => {
            // No VF is there yet: the child puts the setting back, when they are.
            std::mem::forget(keeper);
            return Err(CountError::Write(error));
        }
        Err(error @ BoundedError::NoChild { .. }) => return Err(CountError::Write(error)),
        Err(BoundedError::Refused(refusal)) => Some(refused(sysfs, pf.address, wanted, refusal)),
    };
    drop(keeper);
    if let Some(error @ CountError::Refused { why: Why::Busy, .. }) = refused {
        return Err(error);
    }
    let now = again(sysfs, pf.address)?;
    if refused.is_none() && now.vfs.len() == usize::from(wanted) {
        return Ok(now);
    }
    let enabled = now.vfs.len();
    let undone = enabled > 0 && destroy(host, &now, limit).is_ok();
    Err(refused.unwrap_or(CountError::Other {
        pf: pf.address,
        wanted,
        enabled,
        undone,
    }))
}

/// Takes all VFs from a PF; one that has none is done. Whoever uses one loses it, or keeps the
/// kernel waiting.
///
/// # Errors
/// [`CountError`].
pub fn destroy(host: &Host, pf: &Pf, limit: Duration) -> Result<Pf, CountError> {
    let sysfs = host.sysfs();
    let file = folder(pf.address).join("sriov_numvfs");
    match bounded::write(sysfs, &file, "0", limit) {
        Ok(()) => {}
        Err(BoundedError::Refused(refusal)) => return Err(refused(sysfs, pf.address, 0, refusal)),
        Err(error) => return Err(CountError::Write(error)),
    }
    let now = again(sysfs, pf.address)?;
    if now.vfs.is_empty() {
        return Ok(now);
    }
    Err(CountError::Other {
        pf: pf.address,
        wanted: 0,
        enabled: now.vfs.len(),
        undone: false,
    })
}

/// Whether new VFs are offered to drivers; kernels before 4.13 always do.
///
/// # Errors
/// [`SysfsError`].
pub fn is_probing(sysfs: &Sysfs, pf: PciAddr) -> Result<bool, SysfsError> {
    match sysfs.read(autoprobe(pf)) {
        Ok(text) => Ok(text != "0"),
        Err(error) if error.is_absent() => Ok(true),
        Err(error) => Err(error),
    }
}

fn autoprobe(pf: PciAddr) -> PathBuf {
    folder(pf).join("sriov_drivers_autoprobe")
}

fn again(sysfs: &Sysfs, address: PciAddr) -> Result<Pf, CountError> {
    let now = pf::read(sysfs, address)?;
    now.ok_or(CountError::Gone { pf: address })
}

fn refused(sysfs: &Sysfs, pf: PciAddr, wanted: u16, refusal: SysfsError) -> CountError {
    let why = match refusal.errno {
        // The file itself says EACCES: this is the driver's word (pci_vfs_assigned).
        Errno::EPERM if wanted == 0 => Why::Assigned,
        Errno::EACCES | Errno::EROFS => Why::NotPermitted,
        Errno::EBUSY => Why::Busy,
        Errno::ENOENT if !sysfs.exists(folder(pf).join("sriov_numvfs")) => Why::NotPf,
        Errno::ENOENT => match presence(sysfs, &DeviceId::Pci(pf)) {
            Ok(Presence::Bound(driver)) => Why::Unable(driver),
            _ => Why::NoDriver,
        },
        Errno::ENOMEM => Why::NoRoom,
        Errno::ENOSPC => Why::NoVectors,
        Errno::EIO => Why::BadCapability,
        Errno::EINVAL => Why::BadNumber,
        Errno::ERANGE => Why::TooMany,
        Errno::EOPNOTSUPP => Why::NotSupported,
        _ => Why::Other,
    };
    CountError::Refused {
        pf,
        wanted,
        why,
        refusal,
    }
}

/// Keeps drivers from new VFs until it is dropped.
struct Keeper<'a> {
    sysfs: &'a Sysfs,
    file: PathBuf,
}

impl<'a> Keeper<'a> {
    /// `None` where drivers are kept away already.
    fn begin(sysfs: &'a Sysfs, pf: PciAddr, limit: Duration) -> Result<Option<Self>, CountError> {
        if !is_probing(sysfs, pf)? {
            return Ok(None);
        }
        let file = autoprobe(pf);
        match bounded::write(sysfs, &file, "0", limit) {
            Ok(()) => Ok(Some(Self { sysfs, file })),
            Err(BoundedError::Refused(refusal)) => Err(refused(sysfs, pf, 0, refusal)),
            Err(error) => Err(CountError::Write(error)),
        }
    }

    fn restore(&self) {
        // The file waits for nothing, and took a 0 a moment ago.
        let _ = self.sysfs.write(&self.file, "1");
    }
}

impl Drop for Keeper<'_> {
    fn drop(&mut self) {
        self.restore();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;

    const PF: &str = "sys/bus/pci/devices/0000:01:00.0";
    const LIMIT: Duration = Duration::from_secs(5);

    fn machine(vfs: u16) -> Machine {
        let mut machine = Machine::new()
            .file(&format!("{PF}/sriov_totalvfs"), "7")
            .file(&format!("{PF}/sriov_numvfs"), "0")
            .file(&format!("{PF}/sriov_drivers_autoprobe"), "1");
        for index in 0..vfs {
            machine = machine.link(
                &format!("{PF}/virtfn{index}"),
                &format!("../0000:01:10.{index}"),
            );
        }
        machine
    }

    fn pf(host: &Host) -> Pf {
        let address = "0000:01:00.0".parse().unwrap();
        pf::read(host.sysfs(), address).unwrap().unwrap()
    }

    #[test]
    fn what_is_read_back_counts() {
        let machine = machine(3);
        let host = machine.host();
        let now = create(&host, &pf(&host), 3, Probing::Off, LIMIT).unwrap();
        assert_eq!(now.vfs.len(), 3);
        assert_eq!(machine.read(&format!("{PF}/sriov_numvfs")), "3");
        assert_eq!(machine.read(&format!("{PF}/sriov_drivers_autoprobe")), "1");
        // The file takes the number, and the VFs are others: as when a driver enables fewer. Then
        // they are removed, which here does nothing either.
        let error = create(&host, &pf(&host), 5, Probing::AsSet, LIMIT).unwrap_err();
        match error {
            CountError::Other {
                enabled, undone, ..
            } => assert_eq!((enabled, undone), (3, false)),
            other => panic!("{other}"),
        }
        assert_eq!(machine.read(&format!("{PF}/sriov_numvfs")), "0");
        let error = create(&host, &pf(&host), 8, Probing::AsSet, LIMIT).unwrap_err();
        assert!(matches!(error, CountError::TooMany { total: 7, .. }));
    }

    #[test]
    fn every_errno_has_a_name() {
        let machine = machine(0);
        let host = machine.host();
        let driven = machine.link(&format!("{PF}/driver"), "../../drivers/qedr");
        let sysfs = host.sysfs();
        let why = |errno, wanted| {
            let refusal = SysfsError {
                verb: "write",
                path: "x".into(),
                errno,
            };
            match refused(sysfs, pf(&host).address, wanted, refusal) {
                CountError::Refused { why, .. } => why,
                other => panic!("{other}"),
            }
        };
        for (errno, wanted, expected) in [
            (Errno::EACCES, 3, Why::NotPermitted),
            (Errno::EROFS, 3, Why::NotPermitted),
            (Errno::EPERM, 0, Why::Assigned),
            (Errno::EPERM, 3, Why::Other),
            (Errno::EBUSY, 3, Why::Busy),
            (Errno::ENOENT, 3, Why::Unable("qedr".to_owned())),
            (Errno::ENOMEM, 3, Why::NoRoom),
            (Errno::ENOSPC, 3, Why::NoVectors),
            (Errno::EIO, 3, Why::BadCapability),
            (Errno::EINVAL, 3, Why::BadNumber),
            (Errno::ERANGE, 3, Why::TooMany),
            (Errno::EOPNOTSUPP, 3, Why::NotSupported),
            (Errno::ETIMEDOUT, 3, Why::Other),
        ] {
            assert_eq!(why(errno, wanted), expected, "{errno}");
        }
        std::fs::remove_file(driven.path(&format!("{PF}/driver"))).unwrap();
        assert_eq!(why(Errno::ENOENT, 3), Why::NoDriver);
        std::fs::remove_file(driven.path(&format!("{PF}/sriov_numvfs"))).unwrap();
        assert_eq!(why(Errno::ENOENT, 3), Why::NotPf);
        let error = destroy(&host, &pf(&host), LIMIT).unwrap_err();
        assert!(matches!(
            error,
            CountError::Refused {
                why: Why::NotPf,
                ..
            }
        ));
    }

    #[test]
    fn drivers_that_are_kept_away_stay_so() {
        let machine = machine(2).file(&format!("{PF}/sriov_drivers_autoprobe"), "0");
        let host = machine.host();
        assert!(!is_probing(host.sysfs(), pf(&host).address).unwrap());
        create(&host, &pf(&host), 2, Probing::Off, LIMIT).unwrap();
        assert_eq!(machine.read(&format!("{PF}/sriov_drivers_autoprobe")), "0");
    }
}
