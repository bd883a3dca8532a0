//! `Survey`: every network namespace that can be found, what it is called and who is in it.
//!
//! The kernel before 6.19 keeps no list of them. Found are those with a process, with a name below
//! `/run/netns` or `/run/docker/netns`, and those mounted anywhere in the mount namespaces of the
//! caller and of process 1. A namespace that only a thread or an open file holds is found when
//! asked for: that costs a system call for every thread and file on the machine. One that only a
//! socket holds, or that is being torn down, cannot be found at all.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::file::{self, FileError};
use super::netns::{Netns, NetnsError, NetnsId};
use super::owner::Owner;
use super::procfs::{Procfs, printable};
use super::{Host, mounts};

/// Hosts of containers have thousands of mounts, of up to a page each.
const MAX_MOUNTINFO: u64 = 32 * 1024 * 1024;

/// How many processes of a namespace are looked at more closely.
const MAX_DETAILED: usize = 16;

/// Where namespaces get names: iproute2 and the container runtimes, and Docker.
const NAME_FOLDERS: [&str; 2] = ["/run/netns", "/run/docker/netns"];

/// `NET_NS_INIT_INO` (`uapi/linux/nsfs.h`, 6.18); older kernels number from 0xF0000000 up.
const NET_NS_INIT_INO: NetnsId = NetnsId(0xEFFF_FFF9);

/// `PID_NS_INIT_INO`: `PROC_PID_INIT_INO` (`linux/proc_ns.h`) since 3.8.
const INITIAL_PID_NAMESPACE: &[u8] = b"pid:[4026531836]";

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
    /// The first processes in it, by number; none are looked at in the initial one.
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

/// Where to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Names, mounts and processes.
    Processes,
    /// Also the open files and the threads of every process.
    Files,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Survey {
    /// The namespaces: the initial one, then named ones by name, then the others by process.
    pub namespaces: Vec<Namespace>,
    /// Processes that the caller may not look at; their namespaces may be missing.
    pub hidden: usize,
}

/// Every namespace that has a name or a process.
///
/// # Errors
/// [`FileError`] when `/proc` cannot be listed.
pub fn list(host: &Host) -> Result<Vec<Namespace>, FileError> {
    Ok(survey(host, Depth::Processes)?.namespaces)
}

/// Every namespace that can be found at `depth`.
///
/// # Errors
/// [`FileError`] when `/proc` cannot be listed.
pub fn survey(host: &Host, depth: Depth) -> Result<Survey, FileError> {
    let procfs = Procfs::of(host);
    let scan = procfs.scan()?;
    let mut found: BTreeMap<NetnsId, Found> = BTreeMap::new();
    for (path, id) in named(host, &procfs) {
        found.entry(id).or_default().paths.push(path);
    }
    for (pid, id) in &scan.processes {
        found.entry(*id).or_default().pids.push(*pid);
    }
    let initial = initial(&procfs, &found);
    if depth == Depth::Files {
        let own = std::process::id();
        for (pid, home) in scan.processes.iter().filter(|(pid, _)| *pid != own) {
            let away = procfs.held(*pid).into_iter();
            for (link, id) in away.filter(|(_, id)| id != home && Some(*id) != initial) {
                found.entry(id).or_default().holders.push((*pid, link));
            }
        }
    }
    let current = procfs.netns("thread-self");
    let mut namespaces: Vec<Namespace> = found
        .into_iter()
        .map(|(id, found)| Namespace {
            is_current: Some(id) == current,
            is_initial: Some(id) == initial,
            ..found.look_closer(&procfs, id, Some(id) == initial)
        })
        .collect();
    namespaces.sort_by(|a, b| a.order().cmp(&b.order()));
    Ok(Survey {
        namespaces,
        hidden: scan.hidden,
    })
}

impl Survey {
    /// The namespaces other than the initial one: while one of them exists, the mode is fixed.
    pub fn others(self) -> Vec<Namespace> {
        let others = self.namespaces.into_iter();
        others.filter(|namespace| !namespace.is_initial).collect()
    }
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

    /// Opens it by the first of its names, processes and holders that still leads to it.
    ///
    /// # Errors
    /// [`NetnsError::Open`], the last one seen, when nothing does.
    pub fn open(&self, host: &Host) -> Result<Netns, NetnsError> {
        let word = self.word();
        let processes = self
            .processes
            .iter()
            .map(|process| Path::new("/proc").join(process.pid.to_string()).join("ns/net"));
        let holders = self.holders.iter().map(|holder| holder.link.clone());
        let mut last = NetnsError::Open {
            word: word.clone(),
            source: nix::errno::Errno::ENOENT.into(),
        };
        for path in self.paths.iter().cloned().chain(processes).chain(holders) {
            match Netns::open_path(&below(host, &path), &word) {
                // A name or a number may have been given to another namespace meanwhile.
                Ok(netns) if netns.id() == self.id => return Ok(netns),
                Ok(_) => {}
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn order(&self) -> impl Ord + '_ {
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

#[derive(Default)]
struct Found {
    paths: Vec<PathBuf>,
    pids: Vec<u32>,
    holders: Vec<(u32, PathBuf)>,
}

impl Found {
    fn look_closer(mut self, procfs: &Procfs, id: NetnsId, is_initial: bool) -> Namespace {
        self.paths
            .sort_by_key(|path| (!path.starts_with(NAME_FOLDERS[0]), path.clone()));
        self.paths.dedup();
        let closer = if is_initial { 0 } else { MAX_DETAILED };
        let pids = self.pids.iter().take(closer);
        let holders = self.holders.into_iter().take(MAX_DETAILED);
        Namespace {
            id,
            paths: self.paths,
            processes: pids.filter_map(|pid| process(procfs, *pid)).collect(),
            population: self.pids.len(),
            holders: holders
                .filter_map(|(pid, link)| {
                    let process = process(procfs, pid)?;
                    Some(Holder { process, link })
                })
                .collect(),
            is_current: false,
            is_initial,
        }
    }
}

fn process(procfs: &Procfs, pid: u32) -> Option<Process> {
    let comm = procfs.comm(pid)?;
    let owner = procfs.cgroup(pid).and_then(|text| Owner::read(&text));
    Some(Process { pid, comm, owner })
}

/// Every path that leads to a namespace: mounts first, then links such as those that people make
/// from `/run/netns/NAME` to `/proc/PID/ns/net`.
fn named(host: &Host, procfs: &Procfs) -> Vec<(PathBuf, NetnsId)> {
    let mut named = mounted(host, "self");
    let ours = procfs.link("self", "ns/mnt");
    if procfs.link("1", "ns/mnt").is_some_and(|init| Some(init) != ours) {
        let known: Vec<NetnsId> = named.iter().map(|(_, id)| *id).collect();
        let init = mounted(host, "1").into_iter();
        named.extend(init.filter(|(_, id)| !known.contains(id)).map(|(path, id)| {
            let inside = path.strip_prefix("/").unwrap_or(&path).to_owned();
            (Path::new("/proc/1/root").join(inside), id)
        }));
    }
    let nsfs = fs::metadata(host.path("/proc/self/ns/net")).map(|file| file.dev());
    for folder in NAME_FOLDERS {
        for name in file::list(&host.path(folder)).unwrap_or_default() {
            let path = Path::new(folder).join(name);
            if named.iter().any(|(known, _)| *known == path) {
                continue;
            }
            match (fs::metadata(below(host, &path)), &nsfs) {
                (Ok(file), Ok(nsfs)) if file.dev() == *nsfs => {
                    named.push((path, NetnsId(file.ino())))
                }
                // A name left behind by a namespace that is gone.
                _ => {}
            }
        }
    }
    named
}

fn mounted(host: &Host, who: &str) -> Vec<(PathBuf, NetnsId)> {
    let path = host.path("/proc").join(who).join("mountinfo");
    let text = file::read(&path, MAX_MOUNTINFO).ok().flatten();
    mounts::namespaces(&text.unwrap_or_default())
}

/// The one of process 1, if that is the machine's and not a container's; nobody else can leave
/// the kernel without telling.
fn initial(procfs: &Procfs, found: &BTreeMap<NetnsId, Found>) -> Option<NetnsId> {
    if found.contains_key(&NET_NS_INIT_INO) {
        return Some(NET_NS_INIT_INO);
    }
    let outermost = procfs.link("self", "ns/pid").as_deref() == Some(INITIAL_PID_NAMESPACE);
    outermost.then(|| procfs.netns("1")).flatten()
}

fn below(host: &Host, path: &Path) -> PathBuf {
    host.path("/").join(path.strip_prefix("/").unwrap_or(path))
}
