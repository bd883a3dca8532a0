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
use super::namespace::{Holder, Namespace, Process, below};
use super::netns::NAME_FOLDERS;
use super::netns::NetnsId;
use super::owner::Owner;
use super::procfs::Procfs;
use super::{Host, mounts};

/// Hosts of containers have thousands of mounts, of up to a page each.
const MAX_MOUNTINFO: u64 = 32 * 1024 * 1024;

/// How many processes of a namespace are looked at more closely.
const MAX_DETAILED: usize = 16;

/// `NET_NS_INIT_INO` (`uapi/linux/nsfs.h`, 6.18); older kernels number from 0xF0000000 up.
const NET_NS_INIT_INO: NetnsId = NetnsId(0xEFFF_FFF9);

/// `PID_NS_INIT_INO`: `PROC_PID_INIT_INO` (`linux/proc_ns.h`) since 3.8.
const INITIAL_PID_NAMESPACE: &[u8] = b"pid:[4026531836]";

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
            ..found.look_closer(&procfs, id)
        })
        .collect();
    namespaces.sort_by(|a, b| a.order().cmp(&b.order()));
    Ok(Survey {
        namespaces,
        hidden: scan.hidden,
    })
}

/// The namespaces other than the initial one; the slow look at every open file is for when the
/// quick one finds none.
///
/// # Errors
/// [`FileError`] when `/proc` cannot be listed.
pub fn others(host: &Host) -> Result<Survey, FileError> {
    let quick = survey(host, Depth::Processes)?.others();
    if quick.namespaces.is_empty() {
        return Ok(survey(host, Depth::Files)?.others());
    }
    Ok(quick)
}

impl Survey {
    /// The namespaces other than the initial one: while one of them exists, the mode is fixed.
    pub fn others(mut self) -> Self {
        self.namespaces.retain(|namespace| !namespace.is_initial);
        self
    }
}

#[derive(Default)]
struct Found {
    paths: Vec<PathBuf>,
    pids: Vec<u32>,
    holders: Vec<(u32, PathBuf)>,
}

impl Found {
    fn look_closer(mut self, procfs: &Procfs, id: NetnsId) -> Namespace {
        self.paths
            .sort_by_key(|path| (!path.starts_with(NAME_FOLDERS[0]), path.clone()));
        self.paths.dedup();
        let pids = self.pids.iter().take(MAX_DETAILED);
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
            is_initial: false,
        }
    }
}

/// A process and its owner; `None` when it is gone.
pub(super) fn process(procfs: &Procfs, pid: u32) -> Option<Process> {
    let comm = procfs.comm(pid)?;
    let owner = procfs.cgroup(pid).and_then(|text| Owner::read(&text));
    Some(Process { pid, comm, owner })
}

/// Every path that leads to a namespace: mounts first, then links such as those that people make
/// from `/run/netns/NAME` to `/proc/PID/ns/net`.
fn named(host: &Host, procfs: &Procfs) -> Vec<(PathBuf, NetnsId)> {
    let mut named = mounted(host, "self");
    let ours = procfs.link("self", "ns/mnt");
    if procfs
        .link("1", "ns/mnt")
        .is_some_and(|init| Some(init) != ours)
    {
        let known: Vec<NetnsId> = named.iter().map(|(_, id)| *id).collect();
        let init = mounted(host, "1").into_iter();
        named.extend(
            init.filter(|(_, id)| !known.contains(id))
                .map(|(path, id)| {
                    let inside = path.strip_prefix("/").unwrap_or(&path).to_owned();
                    (Path::new("/proc/1/root").join(inside), id)
                }),
        );
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
    is_outermost(procfs).then(|| procfs.netns("1")).flatten()
}

fn is_outermost(procfs: &Procfs) -> bool {
    procfs.link("self", "ns/pid").as_deref() == Some(INITIAL_PID_NAMESPACE)
}

/// Whether the caller can see every process of the machine, apart from those a survey has as
/// hidden: it is in the first PID namespace.
pub fn sees_all(host: &Host) -> bool {
    is_outermost(&Procfs::of(host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::{Machine, host};

    fn machine() -> Machine {
        Machine::new()
            .link("proc/self/ns/pid", "pid:[4026531836]")
            .link("proc/self/ns/mnt", "mnt:[1]")
            .link("proc/1/ns/mnt", "mnt:[1]")
            .link("proc/thread-self/ns/net", "net:[100]")
            .process(1, "net:[100]", "systemd", "0::/init.scope")
            .process(7, "net:[300]", "polkitd", "0::/system.slice/polkit.service")
            .process(8, "net:[300]", "polkitd", "0::/system.slice/polkit.service")
            .process(9, "net:[200]", "sleep", "0::/")
            .file(
                "proc/self/mountinfo",
                "9 9 0:4 net:[400] /run/netns/zulu rw - nsfs nsfs rw\n\
                 9 9 0:4 net:[400] /run/netns/zulu rw - nsfs nsfs rw\n\
                 9 9 0:4 net:[400] /elsewhere rw - nsfs nsfs rw\n\
                 9 9 0:4 net:[200] /var/lib/x rw - nsfs nsfs rw\n",
            )
    }

    fn words(survey: &Survey) -> Vec<String> {
        survey.namespaces.iter().map(Namespace::word).collect()
    }

    #[test]
    fn grouped_by_inode_in_a_stable_order() {
        let machine = machine();
        let survey = survey(&machine.host(), Depth::Processes).unwrap();
        assert_eq!(
            words(&survey),
            ["net:[100]", "zulu", "/var/lib/x", "net:[300]"]
        );
        let [initial, named, used, unnamed] = &survey.namespaces[..] else {
            panic!("{survey:?}");
        };
        assert!(initial.is_initial && initial.is_current);
        assert_eq!((initial.processes[0].pid, initial.population), (1, 1));
        assert_eq!(
            named.paths,
            [Path::new("/run/netns/zulu"), Path::new("/elsewhere")]
        );
        assert_eq!((named.population, named.is_initial), (0, false));
        assert_eq!(used.processes[0].comm, "sleep");
        assert_eq!(unnamed.population, 2);
        let owner = unnamed.processes[0].owner.clone().unwrap();
        assert_eq!(owner.unit.unwrap().name, "polkit.service");
        assert_eq!(survey.clone().others().namespaces.len(), 3);
    }

    #[test]
    fn process_1_of_a_container_is_not_the_initial_one() {
        let machine = Machine::new()
            .link("proc/self/ns/pid", "pid:[4026532999]")
            .process(1, "net:[100]", "pause", "0::/");
        assert!(!list(&machine.host()).unwrap()[0].is_initial);
        let machine = Machine::new().process(5, "net:[4026531833]", "x", "0::/");
        assert!(list(&machine.host()).unwrap()[0].is_initial);
    }

    #[test]
    fn names_that_only_process_1_sees() {
        let machine = machine().link("proc/1/ns/mnt2", "x").file(
            "proc/1/mountinfo",
            "9 9 0:4 net:[500] /run/netns/far rw - nsfs nsfs rw\n",
        );
        assert_eq!(list(&machine.host()).unwrap().len(), 4);
        let apart = machine.link("proc/self/ns/x", "x");
        fs::remove_file(apart.path("proc/self/ns/mnt")).unwrap();
        let apart = apart.link("proc/self/ns/mnt", "mnt:[2]");
        let survey = survey(&apart.host(), Depth::Processes).unwrap();
        assert!(words(&survey).contains(&"/proc/1/root/run/netns/far".to_owned()));
    }

    #[test]
    fn held_from_outside_only_when_asked() {
        let machine = machine()
            .link("proc/9/fd/3", "net:[600]")
            .link("proc/9/fd/4", "net:[100]")
            .link("proc/9/task/10/ns/net", "net:[700]");
        assert_eq!(list(&machine.host()).unwrap().len(), 4);
        let survey = survey(&machine.host(), Depth::Files).unwrap();
        assert_eq!(words(&survey)[4..], ["net:[600]", "net:[700]"]);
        let holder = &survey.namespaces[5].holders[0];
        assert_eq!(holder.link, Path::new("/proc/9/task/10/ns/net"));
        assert_eq!(
            (holder.process.pid, holder.process.comm.as_str()),
            (9, "sleep")
        );
    }

    #[test]
    fn a_machine_of_thousands_is_cheap() {
        let mut machine = machine();
        for pid in 1000..1200 {
            machine = machine.process(pid, "net:[800]", "worker", "0::/");
        }
        let all = list(&machine.host()).unwrap();
        let busy = all.iter().find(|each| each.id == NetnsId(800)).unwrap();
        assert_eq!((busy.population, busy.processes.len()), (200, MAX_DETAILED));
    }

    #[test]
    fn this_machine_has_ours() {
        let all = list(&host(Path::new("/"))).unwrap();
        assert_eq!(all.iter().filter(|each| each.is_current).count(), 1);
    }
}
