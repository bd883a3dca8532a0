//! The files of modprobe, in the order in which they count.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::Host;
use super::file::{self, FileError};

pub mod text;

/// The administrator's folder, the only one that is written to.
pub const OWN_FOLDER: &str = "/etc/modprobe.d";

/// `modprobe.d(5)`: a file hides those of the same name in later folders.
const FOLDERS: [&str; 5] = [
    OWN_FOLDER,
    "/run/modprobe.d",
    "/usr/local/lib/modprobe.d",
    "/usr/lib/modprobe.d",
    "/lib/modprobe.d",
];

/// A file that is larger was not written for modprobe.
const MAX_SIZE: u64 = 1024 * 1024;

const MAX_COMMAND_LINE: u64 = 64 * 1024;

/// A file that modprobe reads.
#[derive(Debug)]
pub struct Conf {
    /// Where it is.
    pub path: PathBuf,
    /// What it says, if it can be read and is no larger than a megabyte.
    pub text: Result<Vec<u8>, FileError>,
    /// It is a link: what it says belongs to somebody else.
    pub is_link: bool,
    /// Its permissions.
    pub mode: u32,
    /// When it was last written.
    pub written: Option<SystemTime>,
}

impl Conf {
    /// It is the administrator's, to be changed.
    pub fn is_own(&self) -> bool {
        self.path.starts_with(OWN_FOLDER)
    }
}

/// The files that count, in the order of their names, whatever folder they are in.
///
/// # Errors
/// [`FileError`] when a folder cannot be listed.
pub fn files(host: &Host) -> Result<Vec<Conf>, FileError> {
    let mut chosen: BTreeMap<OsString, &str> = BTreeMap::new();
    for folder in FOLDERS {
        for name in file::list(&host.path(folder))? {
            let bytes = name.as_bytes();
            if bytes.ends_with(b".conf") && !bytes.starts_with(b".") {
                chosen.entry(name).or_insert(folder);
            }
        }
    }
    let chosen = chosen.into_iter();
    Ok(chosen
        .filter_map(|(name, folder)| conf(host, &Path::new(folder).join(name)))
        .collect())
}

/// `None` for what is no file, such as a link to /dev/null that hides a file.
fn conf(host: &Host, path: &Path) -> Option<Conf> {
    let place = on_disk(host, path);
    let meta = fs::metadata(&place).ok().filter(fs::Metadata::is_file)?;
    Some(Conf {
        path: path.to_owned(),
        text: read(&place),
        is_link: fs::symlink_metadata(&place).is_ok_and(|meta| meta.is_symlink()),
        mode: meta.permissions().mode() & 0o7777,
        written: meta.modified().ok(),
    })
}

fn read(place: &Path) -> Result<Vec<u8>, FileError> {
    let text = file::read(place, MAX_SIZE + 1)?.unwrap_or_default();
    if text.len() as u64 > MAX_SIZE {
        return Err(FileError {
            verb: "read",
            path: place.to_owned(),
            source: io::ErrorKind::FileTooLarge.into(),
        });
    }
    Ok(text)
}

/// Puts a text in the place of a file of the administrator's folder, which is made if need be.
///
/// # Errors
/// [`FileError`]; the file is unchanged then.
pub fn replace(host: &Host, path: &Path, text: &[u8], mode: u32) -> Result<(), FileError> {
    file::make_folder(&host.path(OWN_FOLDER), 0o755)?;
    file::replace(&on_disk(host, path), text, mode)
}

/// Removes a file again.
///
/// # Errors
/// [`FileError`] for everything but absence.
pub fn remove(host: &Host, path: &Path) -> Result<(), FileError> {
    file::remove(&on_disk(host, path))
}

/// What the kernel command line says; it counts more than any file, for modules too.
pub fn command_line(host: &Host, module: &str, parameter: &str) -> Option<bool> {
    let text = file::read(&host.path("/proc/cmdline"), MAX_COMMAND_LINE).ok()??;
    text::on_command_line(&text, module, parameter)
}

fn on_disk(host: &Host, path: &Path) -> PathBuf {
    host.path("/").join(path.strip_prefix("/").unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;

    #[test]
    fn by_name_and_the_earlier_folder_hides() {
        let machine = Machine::new()
            .file("etc/modprobe.d/b.conf", "etc")
            .file("etc/modprobe.d/.hidden.conf", "x")
            .file("etc/modprobe.d/note.txt", "x")
            .file("etc/modprobe.d/sub.conf/x", "x")
            .link("etc/modprobe.d/masked.conf", "/dev/null")
            .link("etc/modprobe.d/c.conf", "../../elsewhere")
            .file("elsewhere", "linked")
            .file("run/modprobe.d/b.conf", "run")
            .file("usr/lib/modprobe.d/masked.conf", "x")
            .file("usr/lib/modprobe.d/a.conf", "usr");
        let files = files(&machine.host()).unwrap();
        let told: Vec<_> = files
            .iter()
            .map(|each| {
                let text = each.text.as_ref().unwrap();
                (
                    each.path.to_str().unwrap(),
                    text.as_slice(),
                    each.is_link,
                    each.is_own(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                (
                    "/usr/lib/modprobe.d/a.conf",
                    b"usr".as_slice(),
                    false,
                    false
                ),
                ("/etc/modprobe.d/b.conf", b"etc", false, true),
                ("/etc/modprobe.d/c.conf", b"linked", true, true),
            ]
        );
    }

    #[test]
    fn what_is_too_large_is_not_read() {
        let machine = Machine::new()
            .file("etc/modprobe.d/huge.conf", vec![b'#'; 1024 * 1024 + 1])
            .file("etc/modprobe.d/large.conf", vec![b'#'; 1024 * 1024]);
        let files = files(&machine.host()).unwrap();
        assert!(files[0].text.is_err() && files[1].text.is_ok());
        assert!(super::files(&Machine::new().host()).unwrap().is_empty());
    }
}
