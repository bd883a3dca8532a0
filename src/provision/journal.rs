//! `Journal`: what a PF had before `apply` changed it, on record before the first change.
//!
//! It lives below `/run`: VFs, and all that they were given, end with the boot. No wish is ever
//! taken from it; without it nothing is lost but the way back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::kernel::state::{Folder, boot_id};
use crate::kernel::{FileError, Host};
use crate::types::{NetnsMode, PciAddr};

const FOLDER: &str = "/run/rdmactl/provision";

/// What one PF had.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Originals {
    /// The boot that it is about.
    boot_id: String,
    /// The apply that wrote it came to its end, and left nothing half done.
    pub ended: bool,
    /// Drivers of its VFs start at once, and their RDMA devices are put in order afterwards.
    #[serde(default)]
    pub is_being_named: bool,
    /// An apply before this one was ended while it did that.
    #[serde(default)]
    pub was_killed: bool,
    /// New VFs were offered to drivers.
    pub probing: bool,
    /// How many VFs there were.
    pub vfs: usize,
    /// Its interface was down, and was switched on.
    #[serde(default)]
    pub brought_up: bool,
    /// What VFs were given, by index and key; only what was changed.
    pub given: BTreeMap<u16, BTreeMap<String, String>>,
    /// The mode of its switch; only if it was changed.
    #[serde(default)]
    pub eswitch: Option<String>,
    /// The interrupt vectors of VFs, by index; only of those that were changed.
    #[serde(default)]
    pub vectors: BTreeMap<u16, u16>,
    /// The drivers of VFs, by index; only of those that were bound or unbound.
    pub drivers: BTreeMap<u16, Option<String>>,
}

impl Originals {
    /// What was there, and nothing changed yet.
    ///
    /// # Errors
    /// [`FileError`] when the boot cannot be told.
    pub fn of(host: &Host, probing: bool, vfs: usize) -> Result<Self, FileError> {
        Ok(Self {
            boot_id: boot_id(host)?.unwrap_or_default(),
            probing,
            vfs,
            ..Self::default()
        })
    }

    /// With what applies before this one found in this boot: the first look counts. What an apply
    /// has only for itself, whether drivers were kept away and devices named, counts until it ends.
    pub fn after(mut self, earlier: Option<Self>) -> Self {
        let Some(earlier) = earlier else {
            return self;
        };
        if !earlier.ended {
            self.is_being_named = earlier.is_being_named;
            self.was_killed = earlier.is_being_named;
            self.probing = earlier.probing;
        }
        self.vfs = earlier.vfs;
        self.brought_up |= earlier.brought_up;
        for (index, given) in earlier.given {
            self.given.entry(index).or_default().extend(given);
        }
        self.eswitch = earlier.eswitch.or(self.eswitch);
        self.vectors.extend(earlier.vectors);
        self.drivers.extend(earlier.drivers);
        self
    }

    /// Puts it on record.
    ///
    /// # Errors
    /// [`FileError`]; nothing must be changed then.
    pub fn write(&self, host: &Host, pf: PciAddr) -> Result<(), FileError> {
        let text = serde_json::to_vec(self).unwrap_or_default();
        Folder::new(host, FOLDER).replace(&name(pf), &text)
    }
}

fn name(pf: PciAddr) -> String {
    format!("{pf}.json")
}

/// What is on record of a PF in this boot. A file that is none is as good as none.
///
/// # Errors
/// [`FileError`].
pub fn read(host: &Host, pf: PciAddr) -> Result<Option<Originals>, FileError> {
    let bytes = Folder::new(host, FOLDER).read(&name(pf))?;
    let found = bytes.and_then(|bytes| serde_json::from_slice::<Originals>(&bytes).ok());
    let boot = boot_id(host)?.unwrap_or_default();
    Ok(found.filter(|found| found.boot_id == boot))
}

/// The PFs that something is on record of in this boot.
///
/// # Errors
/// [`FileError`].
pub fn all(host: &Host) -> Result<Vec<(PciAddr, Originals)>, FileError> {
    let mut all = Vec::new();
    for name in Folder::new(host, FOLDER).names()? {
        let pf = name.strip_suffix(".json").and_then(|pf| pf.parse().ok());
        if let Some(pf) = pf
            && let Some(found) = read(host, pf)?
        {
            all.push((pf, found));
        }
    }
    Ok(all)
}

/// Notes whether the RDMA devices of its VFs are being put in order.
///
/// # Errors
/// [`FileError`].
pub fn set_being_named(host: &Host, pf: PciAddr, to: bool) -> Result<(), FileError> {
    match read(host, pf)? {
        Some(found) if found.is_being_named != to => Originals {
            is_being_named: to,
            ..found
        }
        .write(host, pf),
        _ => Ok(()),
    }
}

/// Forgets a PF.
///
/// # Errors
/// [`FileError`].
pub fn forget(host: &Host, pf: PciAddr) -> Result<(), FileError> {
    Folder::new(host, FOLDER).remove(&name(pf))
}

/// Where what lasts longer than a boot is kept.
const LASTING: &str = "/var/lib/rdmactl";
const HOST: &str = "provision.json";

/// What the configuration of modprobe said of the namespace mode before the first apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct HostOriginals {
    /// It set exclusive mode.
    exclusive: bool,
    /// It said nothing, and the file was made that does.
    #[serde(default)]
    made: bool,
}

/// Keeps the mode that files set before the first change of them, and whether a file is made that
/// was not there; a later change keeps no more.
///
/// # Errors
/// [`FileError`]; nothing must be changed then.
pub fn keep_mode(host: &Host, mode: Option<NetnsMode>, made: bool) -> Result<(), FileError> {
    let exclusive = mode == Some(NetnsMode::Exclusive);
    let text = serde_json::to_vec(&HostOriginals { exclusive, made }).unwrap_or_default();
    Folder::new(host, LASTING).create(HOST, &text).map(|_| ())
}

/// The mode that files set before the first apply.
///
/// # Errors
/// [`FileError`].
pub fn kept_mode(host: &Host) -> Result<Option<NetnsMode>, FileError> {
    let kept = host_originals(host)?;
    Ok(kept.map(|kept| match kept.exclusive {
        true => NetnsMode::Exclusive,
        false => NetnsMode::Shared,
    }))
}

/// Whether the file that sets the mode was made by an apply.
///
/// # Errors
/// [`FileError`].
pub fn made_file(host: &Host) -> Result<bool, FileError> {
    Ok(host_originals(host)?.is_some_and(|kept| kept.made))
}

fn host_originals(host: &Host) -> Result<Option<HostOriginals>, FileError> {
    let bytes = Folder::new(host, LASTING).read(HOST)?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// Forgets that mode.
///
/// # Errors
/// [`FileError`].
pub fn forget_mode(host: &Host) -> Result<(), FileError> {
    Folder::new(host, LASTING).remove(HOST)
}

/// Whether an apply that has not ended found that the PF offers new VFs to drivers. Who may not
/// read the record is told no: only who applies has to know.
pub fn was_probing(host: &Host, pf: PciAddr) -> bool {
    let found = read(host, pf).ok().flatten();
    found.is_some_and(|found| !found.ended && found.probing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;

    fn machine() -> Machine {
        Machine::new().file("proc/sys/kernel/random/boot_id", "one\n")
    }

    fn pf() -> PciAddr {
        "0000:3b:00.0".parse().unwrap()
    }

    #[test]
    fn the_first_look_counts_in_a_boot() {
        let machine = machine();
        let host = machine.host();
        assert_eq!(read(&host, pf()).unwrap(), None);
        let mut first = Originals::of(&host, true, 0).unwrap();
        first.drivers.insert(1, None);
        first.brought_up = true;
        first.write(&host, pf()).unwrap();
        assert!(was_probing(&host, pf()));
        // The next one finds a half-done host.
        let mut second = Originals::of(&host, false, 7).unwrap();
        second.drivers.insert(1, Some("mlx5_core".to_owned()));
        second.drivers.insert(2, None);
        let mut second = second.after(read(&host, pf()).unwrap());
        assert_eq!((second.probing, second.vfs), (true, 0));
        assert!(second.brought_up);
        assert_eq!(second.drivers, [(1, None), (2, None)].into());
        second.ended = true;
        second.write(&host, pf()).unwrap();
        // From here on who keeps drivers away means it, and the way back is still the whole one.
        assert!(!was_probing(&host, pf()));
        let third = Originals::of(&host, false, 7).unwrap();
        let third = third.after(read(&host, pf()).unwrap());
        assert_eq!((third.probing, third.vfs), (false, 0));
        assert_eq!(third.drivers.len(), 2);
        assert_eq!(all(&host).unwrap().len(), 1);
        forget(&host, pf()).unwrap();
        assert!(all(&host).unwrap().is_empty());
    }

    #[test]
    fn another_boot_and_what_is_no_record() {
        let machine = machine();
        let originals = Originals::of(&machine.host(), true, 0).unwrap();
        originals.write(&machine.host(), pf()).unwrap();
        let machine = machine.file("proc/sys/kernel/random/boot_id", "two\n");
        assert!(!was_probing(&machine.host(), pf()));
        for text in ["", "{", "[]", "{\"ended\":7}"] {
            let machine = self::machine().file("run/rdmactl/provision/0000:3b:00.0.json", text);
            assert_eq!(read(&machine.host(), pf()).unwrap(), None, "{text}");
        }
    }
}
