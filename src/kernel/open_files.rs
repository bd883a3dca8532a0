//! Who has a device file open: one pass over the open files of every process.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use super::Host;
use super::file::{self, FileError};
use super::namespace::Process;
use super::namespaces::process;
use super::procfs::Procfs;

/// A character device, as sysfs writes it in `dev` files: `MAJOR:MINOR`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CharDevice {
    /// Which driver.
    pub major: u64,
    /// Which of its devices.
    pub minor: u64,
}

impl CharDevice {
    /// Reads the text of a `dev` file.
    pub fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.trim().split_once(':')?;
        Some(Self {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
        })
    }
}

/// The processes that have one of `devices` open, each once a device, and how many processes
/// could not be looked at.
///
/// A device file has its number wherever it lies, but only what its name puts into a device folder
/// is looked at closely: to look at a file of a network file system may wait for its server.
///
/// # Errors
/// [`FileError`] when `/proc` cannot be listed.
pub fn holders(
    host: &Host,
    devices: &BTreeSet<CharDevice>,
) -> Result<(BTreeMap<CharDevice, Vec<Process>>, usize), FileError> {
    let mut found: BTreeMap<CharDevice, Vec<Process>> = BTreeMap::new();
    let mut hidden = 0;
    if devices.is_empty() {
        return Ok((found, hidden));
    }
    let procfs = Procfs::of(host);
    let root = host.path("/proc");
    for name in file::list(&root)? {
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let folder = root.join(&name).join("fd");
        let Ok(files) = fs::read_dir(&folder) else {
            // One that ended meanwhile is not hidden.
            hidden += usize::from(folder.exists());
            continue;
        };
        let open: BTreeSet<CharDevice> = files
            .filter_map(|file| char_device(&file.ok()?.path()))
            .filter(|device| devices.contains(device))
            .collect();
        for device in open {
            let holders = found.entry(device).or_default();
            holders.extend(process(&procfs, pid));
        }
    }
    Ok((found, hidden))
}

fn char_device(link: &Path) -> Option<CharDevice> {
    let target = fs::read_link(link).ok()?;
    let bytes = target.as_os_str().as_bytes();
    let in_dev = bytes.starts_with(b"/dev/")
        || [&b"/vfio/"[..], b"/infiniband/"]
            .iter()
            .any(|folder| bytes.windows(folder.len()).any(|part| part == *folder));
    if !in_dev {
        return None;
    }
    let file = fs::metadata(link).ok()?;
    file.file_type().is_char_device().then(|| CharDevice {
        major: nix::sys::stat::major(file.rdev()),
        minor: nix::sys::stat::minor(file.rdev()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;

    #[test]
    fn holders_are_known_by_number() {
        let null = CharDevice { major: 1, minor: 3 };
        let full = CharDevice { major: 1, minor: 7 };
        let machine = Machine::new()
            .process(812, "net:[1]", "qemu", "0::/machine.slice/x.scope")
            .link("proc/812/fd/0", "/dev/zero")
            .link("proc/812/fd/1", "/dev/null")
            .link("proc/812/fd/2", "/dev/null")
            .link("proc/812/fd/3", "socket:[7]")
            .link("proc/812/fd/4", "/dev/gone")
            .process(813, "net:[1]", "idle", "0::/")
            .link("proc/813/fd/0", "/etc/passwd")
            .file("proc/meminfo", "");
        let wanted = [null, full].into();
        let (found, hidden) = holders(&machine.host(), &wanted).unwrap();
        assert_eq!((found.len(), hidden), (1, 0));
        let [qemu] = &found[&null][..] else {
            panic!("{found:?}")
        };
        assert_eq!((qemu.pid, qemu.comm.as_str()), (812, "qemu"));
        assert!(qemu.owner.is_some());
        let nothing = holders(&machine.host(), &BTreeSet::new()).unwrap();
        assert_eq!(nothing, (BTreeMap::new(), 0));
    }

    #[test]
    fn numbers_as_sysfs_writes_them() {
        let device = |major, minor| Some(CharDevice { major, minor });
        for (text, expected) in [
            ("511:0\n", device(511, 0)),
            ("", None),
            ("5", None),
            ("a:b", None),
            ("1:-2", None),
        ] {
            assert_eq!(CharDevice::parse(text), expected, "{text}");
        }
    }
}
