//! `Namespace`: one network namespace, what it is called, who is in it, and the way in.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Host;
use super::netns::NAME_FOLDERS;
use super::netns::{Netns, NetnsError, NetnsId};
use super::owner::Owner;
use super::procfs::{Procfs, printable};

/// A process, and who answers for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its command, without control characters.
    pub comm: String,
    /// Its unit, container and pod.
    pub owner: Option<Owner>,
}

impl Process {
    /// The process with this number; one that is gone, or cannot be looked at, is "?".
    pub fn look(host: &Host, pid: u32) -> Self {
        let procfs = Procfs::of(host);
        let cgroup = procfs.cgroup(pid);
        Self {
            pid,
            comm: procfs.comm(pid).unwrap_or_else(|| "?".to_owned()),
            owner: cgroup.and_then(|text| Owner::read(&text)),
        }
    }
}

/// A process that holds a namespace without being in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The process.
    pub process: Process,
    /// The open file or the thread, below `/proc`.
    pub link: PathBuf,
}

/// A network namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    /// Its inode.
    pub id: NetnsId,
    /// Its names, `/run/netns` first; those that only process 1 sees begin with `/proc/1/root`.
    pub paths: Vec<PathBuf>,
    /// The first processes in it, by number.
    pub processes: Vec<Process>,
    /// How many processes are in it.
    pub population: usize,
    /// Processes that hold it from outside; empty unless asked for.
    pub holders: Vec<Holder>,
    /// The caller is in it.
    pub is_current: bool,
    /// It is the one that the machine started with.
    pub is_initial: bool,
}

impl Namespace {
    /// What people call it: the name that `ip netns` shows, a path, or the inode.
    pub fn word(&self) -> String {
        let Some(path) = self.paths.first() else {
            return self.id.to_string();
        };
        let name = path
            .strip_prefix(NAME_FOLDERS[0])
            .unwrap_or(path)
            .to_string_lossy();
        printable(&name)
    }

    /// Whether it is the one that was known by this inode and cookie; see [`Netns::is`]. One that
    /// cannot be opened counts as that one.
    pub fn is(&self, host: &Host, id: NetnsId, cookie: Option<u64>) -> bool {
        self.id == id
            && (cookie.is_none() || self.open(host).map_or(true, |netns| netns.is(id, cookie)))
    }

    /// Opens it by the first of its names, processes and holders that still leads to it.
    ///
    /// # Errors
    /// [`NetnsError::Open`], the last one seen, when nothing does.
    pub fn open(&self, host: &Host) -> Result<Netns, NetnsError> {
        let word = self.word();
        let processes = self.processes.iter().map(|process| {
            Path::new("/proc")
                .join(process.pid.to_string())
                .join("ns/net")
        });
        let holders = self.holders.iter().map(|holder| holder.link.clone());
        let mut last = NetnsError::Open {
            word: word.clone(),
            source: nix::errno::Errno::ENOENT.into(),
        };
        for path in self.paths.iter().cloned().chain(processes).chain(holders) {
            let place = below(host, &path);
            // A name or a number may lead to anything else by now, which must not be opened.
            match fs::metadata(&place) {
                Ok(file) if file.ino() == self.id.0 => match Netns::open_path(&place, &word) {
                    Ok(netns) if netns.id() == self.id => return Ok(netns),
                    Ok(_) => {}
                    Err(error) => last = error,
                },
                Ok(_) => {}
                Err(source) => {
                    let word = word.clone();
                    last = NetnsError::Open { word, source };
                }
            }
        }
        Err(last)
    }

    /// The initial one, then named ones by name, then the others by process.
    pub(super) fn order(&self) -> impl Ord + '_ {
        let pid = self.processes.first().map(|process| process.pid);
        (
            !self.is_initial,
            self.paths.is_empty(),
            self.paths.first(),
            pid.is_none(),
            pid,
            self.id,
        )
    }
}

/// Where an absolute path of the machine lies below its root.
pub(super) fn below(host: &Host, path: &Path) -> PathBuf {
    host.path("/").join(path.strip_prefix("/").unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::host;

    #[test]
    fn opened_by_what_still_leads_to_it() {
        let real = host(Path::new("/"));
        let ours = Netns::current(&real).unwrap();
        let own = std::process::id();
        let mut namespace = Namespace {
            id: ours.id(),
            paths: vec!["/run/netns/gone".into(), "/etc/passwd".into()],
            processes: vec![Process {
                pid: own,
                comm: "test".to_owned(),
                owner: None,
            }],
            population: 1,
            holders: Vec::new(),
            is_current: true,
            is_initial: false,
        };
        assert_eq!(namespace.open(&real).unwrap().id(), ours.id());
        namespace.id = NetnsId(1);
        assert!(namespace.open(&real).is_err());
    }
}
