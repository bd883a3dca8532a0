//! `SysfsError`: an access to sysfs that failed.

use std::path::PathBuf;

use nix::errno::Errno;

/// A sysfs access that failed, with the file it was about.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} {}: {}", .path.display(), .errno.desc())]
pub struct SysfsError {
    /// What was tried: `read`, `write`, `list`, `follow`.
    pub verb: &'static str,
    /// The file.
    pub path: PathBuf,
    /// Why; EXDEV when a link or `..` leads out of the tree.
    pub errno: Errno,
}

impl SysfsError {
    /// The file, or a folder above it, does not exist.
    pub fn is_absent(&self) -> bool {
        matches!(self.errno, Errno::ENOENT | Errno::ENOTDIR | Errno::ENODEV)
    }
}
