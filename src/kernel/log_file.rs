//! `LogFile`: a file that lines are added to, at a path that somebody else has written down.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use nix::fcntl::OFlag;
use nix::unistd::Uid;

use super::Host;

/// Why a file is not written to.
#[derive(Debug, thiserror::Error)]
pub enum LogFileError {
    /// The path is none that can be trusted to mean one file.
    #[error("{path:?} is no absolute path without . and ..")]
    Path {
        /// As given.
        path: String,
    },
    /// It cannot be opened. ELOOP: it is a symbolic link.
    #[error("cannot open {}", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is a pipe, a device or a folder.
    #[error("{} is not a regular file", .path.display())]
    NotRegular {
        /// The file.
        path: PathBuf,
    },
    /// Somebody else made it, or it is another file's second name.
    #[error("{} belongs to user {owner} and has {links} names: it may be a trap", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// Its names.
        links: u64,
    },
}

/// A file opened for adding to its end.
#[derive(Debug)]
pub struct LogFile(File);

impl LogFile {
    /// Opens the file at an absolute path of the machine, made with mode 0640 when it is not
    /// there; its folder has to be. The caller is root, the path is from a configuration: it must
    /// be a regular file with one name that root or the caller owns, and no symbolic link.
    ///
    /// # Errors
    /// [`LogFileError`].
    pub fn open(host: &Host, absolute: &str) -> Result<Self, LogFileError> {
        if !is_plain(absolute) {
            return Err(LogFileError::Path {
                path: absolute.to_owned(),
            });
        }
        let path = host.path(absolute);
        let fail = |source| LogFileError::Open {
            path: path.clone(),
            source,
        };
        // A pipe or a terminal must not keep us, nor become ours.
        let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o640)
            .custom_flags(flags.bits())
            .open(&path)
            .map_err(fail)?;
        let metadata = file.metadata().map_err(fail)?;
        if !metadata.is_file() {
            return Err(LogFileError::NotRegular { path });
        }
        let is_ours = [0, Uid::effective().as_raw()].contains(&metadata.uid());
        if !is_ours || metadata.nlink() != 1 {
            return Err(LogFileError::Foreign {
                owner: metadata.uid(),
                links: metadata.nlink(),
                path,
            });
        }
        Ok(Self(file))
    }

    /// Adds a line, which ends with a newline, in one write, so that those of others do not come
    /// between.
    ///
    /// # Errors
    /// What the kernel says; a part of the line may be there then.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        self.0.write_all(text.as_bytes())
    }
}

fn is_plain(path: &str) -> bool {
    let mut parts = Path::new(path).components();
    parts.next() == Some(Component::RootDir)
        && parts.all(|part| matches!(part, Component::Normal(_)))
        && !path.ends_with('/')
        && !path.contains("/./")
        && !path.ends_with("/.")
        && !path.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;

    #[test]
    fn lines_are_added() {
        let machine = Machine::new().file("var/log/old", "one\n");
        let host = machine.host();
        for _ in 0..2 {
            LogFile::open(&host, "/var/log/old")
                .unwrap()
                .line("two\n")
                .unwrap();
            LogFile::open(&host, "/var/log/new")
                .unwrap()
                .line("two\n")
                .unwrap();
        }
        let read = |name| fs::read_to_string(machine.path(name)).unwrap();
        assert_eq!(read("var/log/old"), "one\ntwo\ntwo\n");
        assert_eq!(read("var/log/new"), "two\ntwo\n");
        let mode = fs::metadata(machine.path("var/log/new")).unwrap();
        assert_eq!(mode.permissions().mode() & 0o137, 0);
    }

    #[test]
    fn traps_are_not_stepped_into() {
        let machine = Machine::new().file("etc/passwd", "root\n");
        fs::create_dir_all(machine.path("var/log/folder")).unwrap();
        symlink("../../etc/passwd", machine.path("var/log/link")).unwrap();
        symlink("nowhere", machine.path("var/log/dangling")).unwrap();
        fs::hard_link(machine.path("etc/passwd"), machine.path("var/log/hard")).unwrap();
        let _socket = UnixListener::bind(machine.path("var/log/socket")).unwrap();
        let host = machine.host();
        for path in [
            "/var/log/link",
            "/var/log/dangling",
            "/var/log/hard",
            "/var/log/folder",
            "/var/log/socket",
            "/var/log/none/file",
            "/var/log/../../etc/new",
            "/var/log/./new",
            "/var/log/new/",
            "/var/log/a\nb",
            "/",
            "",
            "var/log/new",
        ] {
            assert!(LogFile::open(&host, path).is_err(), "{path}");
        }
        assert_eq!(
            fs::read_to_string(machine.path("etc/passwd")).unwrap(),
            "root\n"
        );
        assert!(!machine.path("etc/new").exists());
        assert!(!machine.path("var/log/nowhere").exists());
    }
}
