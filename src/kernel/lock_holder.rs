//! `Holder`: the process that has a lock, as `/proc/locks` tells.

use std::fmt;
use std::fs::File;
use std::os::unix::fs::MetadataExt;

use super::{Host, file};

/// Who has a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// Its command, at most 15 bytes.
    pub command: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} ({})", self.pid, self.command)
    }
}

/// Its number alone, from a line such as `1: FLOCK  ADVISORY  WRITE 812 00:1a:3456 0 EOF`.
pub fn pid(host: &Host, file: &File) -> Option<u32> {
    let inode = file.metadata().ok()?.ino();
    let locks = file::read(&host.path("/proc/locks"), 4 * 1024 * 1024).ok()??;
    let text = String::from_utf8_lossy(&locks);
    // There may be a thousand lines, and few are of this file.
    let place = format!(":{inode} ");
    let places = text.match_indices(&place).map(|(at, _)| at);
    let lines = places.map(|at| &text[text[..at].rfind('\n').map_or(0, |end| end + 1)..]);
    lines
        .filter_map(|rest| rest.lines().next())
        .find_map(|line| pid_of(line, inode))
}

/// The process that has a lock on this file, when `/proc/locks` tells.
pub fn find(host: &Host, file: &File) -> Option<Holder> {
    let pid = pid(host, file)?;
    let comm = host.path("/proc").join(pid.to_string()).join("comm");
    let command = match file::read(&comm, 64) {
        Ok(Some(bytes)) => super::procfs::printable(String::from_utf8_lossy(&bytes).trim_end()),
        _ => "gone".to_owned(),
    };
    Some(Holder { pid, command })
}

/// Filesystems like overlayfs and btrfs show another device number there than `stat` does, so
/// the inode has to be enough.
fn pid_of(line: &str, inode: u64) -> Option<u32> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [_, "FLOCK", _, _, pid, place, ..] = words.as_slice() else {
        return None;
    };
    let (_, last) = place.rsplit_once(':')?;
    (last.parse() == Ok(inode)).then(|| pid.parse().ok())?
}
