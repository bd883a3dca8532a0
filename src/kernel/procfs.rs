//! `Procfs`: processes as /proc shows them; one that is gone or hidden is left out, never an error.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat, readlinkat};
use nix::sys::stat::Mode;

use super::Host;
use super::file::{self, FileError};
use super::netns::NAME_FOLDERS;
use super::netns::{Netns, NetnsId};

/// Longest text read of one process; cgroup paths are the longest and stay far below.
const MAX_TEXT: u64 = 64 * 1024;

/// The processes below one `/proc`.
#[derive(Debug, Clone)]
pub struct Procfs {
    root: PathBuf,
}

/// Which process sits in which network namespace, and how many would not say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scan {
    /// Process and namespace, by process number.
    pub processes: Vec<(u32, NetnsId)>,
    /// Processes of other users that only root can look at.
    pub hidden: usize,
}

impl Procfs {
    /// The processes of the machine.
    pub fn of(host: &Host) -> Self {
        Self {
            root: host.path("/proc"),
        }
    }

    /// The network namespace of every process: one system call each, and one for the lot.
    ///
    /// # Errors
    /// [`FileError`] when `/proc` cannot be listed.
    pub fn scan(&self) -> Result<Scan, FileError> {
        let fail = |errno: Errno| FileError {
            verb: "list",
            path: self.root.clone(),
            source: errno.into(),
        };
        let folder = open_folder(&self.root).map_err(fail)?;
        let links = folder.try_clone().map_err(|source| FileError {
            verb: "list",
            path: self.root.clone(),
            source,
        })?;
        let mut scan = Scan::default();
        for entry in Dir::from_fd(folder).map_err(fail)?.iter() {
            let entry = entry.map_err(fail)?;
            let Some(pid) = entry.file_name().to_str().ok().and_then(number) else {
                continue;
            };
            match readlinkat(&links, Path::new(&format!("{pid}/ns/net"))) {
                Ok(target) => scan
                    .processes
                    .extend(parse_net(target.as_bytes()).map(|id| (pid, id))),
                Err(Errno::EACCES | Errno::EPERM) => scan.hidden += 1,
                // It ended meanwhile, or is a zombie: neither is in a namespace.
                Err(_) => {}
            }
        }
        scan.processes.sort();
        Ok(scan)
    }

    /// The network namespace of one process; `who` may also be `self` or `thread-self`.
    pub fn netns(&self, who: &str) -> Option<NetnsId> {
        self.link(who, "ns/net").and_then(|text| parse_net(&text))
    }

    /// What a link of one process points to, such as `ns/mnt` or `ns/user`.
    pub fn link(&self, who: &str, name: &str) -> Option<Vec<u8>> {
        let path = self.root.join(who).join(name);
        let target = fs::read_link(path).ok()?;
        Some(target.into_os_string().as_bytes().to_vec())
    }

    /// The command name, at most 15 bytes, with control characters replaced.
    pub fn comm(&self, pid: u32) -> Option<String> {
        let text = self.text(&pid.to_string(), "comm")?;
        Some(printable(text.strip_suffix('\n').unwrap_or(&text)))
    }

    /// The control groups of a process, as the kernel prints them.
    pub fn cgroup(&self, pid: u32) -> Option<String> {
        self.text(&pid.to_string(), "cgroup")
    }

    /// A field of `status`, without the white space around it.
    pub fn status(&self, who: &str, field: &str) -> Option<String> {
        let text = self.text(who, "status")?;
        text.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| *name == field)
            .map(|(_, value)| value.trim().to_owned())
    }

    /// A file of one process, bad UTF-8 replaced.
    pub fn text(&self, who: &str, name: &str) -> Option<String> {
        let bytes = file::read(&self.root.join(who).join(name), MAX_TEXT).ok()??;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The network namespace that an open file is, if it is one.
    fn behind(&self, link: &Path) -> Option<NetnsId> {
        let nsfs = fs::metadata(self.root.join("self/ns/net")).ok()?.dev();
        let is_nsfs = fs::metadata(link).ok()?.dev() == nsfs;
        let netns = is_nsfs.then(|| Netns::open_path(link, ""))?.ok()?;
        Some(netns.id())
    }

    /// The namespaces that a process holds open as files, or that its threads went to, each with
    /// the link that leads there: one system call for every file and thread.
    pub fn held(&self, pid: u32) -> Vec<(PathBuf, NetnsId)> {
        let inside = self.root.join(pid.to_string());
        let entries = |folder: &str| file::list(&inside.join(folder)).unwrap_or_default();
        let files = entries("fd").into_iter().map(|fd| Path::new("fd").join(fd));
        let threads = entries("task")
            .into_iter()
            .map(|thread| Path::new("task").join(thread).join("ns/net"));
        let links = files.chain(threads).filter_map(|link| {
            let place = inside.join(&link);
            let target = fs::read_link(&place).ok()?;
            let id = parse_net(target.as_os_str().as_bytes())
                .or_else(|| mounted_once(&target).then(|| self.behind(&place))?)?;
            Some((Path::new("/proc").join(pid.to_string()).join(link), id))
        });
        links.collect()
    }
}

/// A file opened by a name in one of the usual folders is shown by that name, and by `/` when the
/// name is gone: only then is it worth a closer look, which may wait for a server otherwise.
fn mounted_once(target: &Path) -> bool {
    target == Path::new("/") || NAME_FOLDERS.iter().any(|folder| target.starts_with(folder))
}

fn open_folder(path: &Path) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    openat(AT_FDCWD, path, flags, Mode::empty())
}

/// A process number: digits alone, so that `+1` is none.
fn number(name: &str) -> Option<u32> {
    let digits = !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| name.parse().ok()).flatten()
}

/// Reads `net:[4026531840]`, as a link of nsfs or the root of one of its mounts says it.
pub(super) fn parse_net(text: &[u8]) -> Option<NetnsId> {
    let digits = text.strip_prefix(b"net:[")?.strip_suffix(b"]")?;
    let digits = std::str::from_utf8(digits).ok()?;
    let sound = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    sound.then(|| digits.parse().ok()).flatten().map(NetnsId)
}

/// Names chosen by anyone end on an operator's terminal: no control character gets there.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::{Machine, host};
    use proptest::prelude::*;

    #[test]
    fn a_scan_takes_what_is_there() {
        let machine = Machine::new()
            .process(1, "net:[4026531840]", "systemd", "0::/init.scope")
            .process(812, "net:[4026532281]", "sle\x1bep", "0::/")
            .file("proc/900/comm", "zombie\n")
            .file("proc/meminfo", "")
            .file("proc/12x/comm", "");
        let procfs = Procfs::of(&machine.host());
        let scan = procfs.scan().unwrap();
        assert_eq!(
            scan.processes,
            [(1, NetnsId(4026531840)), (812, NetnsId(4026532281))]
        );
        assert_eq!(scan.hidden, 0);
        assert_eq!(procfs.comm(812).unwrap(), "sle?ep");
        assert_eq!(procfs.cgroup(812).unwrap(), "0::/\n");
        assert_eq!(procfs.comm(813), None);
    }

    #[test]
    fn files_and_threads_that_hold_a_namespace() {
        let machine = Machine::new()
            .link("proc/5/fd/3", "net:[7]")
            .link("proc/5/fd/4", "socket:[7]")
            .link("proc/5/fd/5", "net:[7]")
            .link("proc/5/task/5/ns/net", "net:[1]")
            .link("proc/5/task/6/ns/net", "net:[8]");
        let procfs = Procfs::of(&machine.host());
        let held = procfs.held(5);
        assert_eq!(
            held.iter().map(|(_, id)| id.0).collect::<Vec<_>>(),
            [7, 7, 1, 8]
        );
        assert_eq!(held[0].0, Path::new("/proc/5/fd/3"));
        assert_eq!(held[3].0, Path::new("/proc/5/task/6/ns/net"));
        assert!(procfs.held(6).is_empty());
    }

    #[test]
    fn fields_of_status() {
        let machine = Machine::new().file("proc/self/status", "Name:\tx\nCapEff:\t00ff\nCap\n");
        let procfs = Procfs::of(&machine.host());
        assert_eq!(procfs.status("self", "CapEff").unwrap(), "00ff");
        assert_eq!(procfs.status("self", "Cap"), None);
    }

    #[test]
    fn this_machine_has_us_in_it() {
        let procfs = Procfs::of(&host(Path::new("/")));
        let ours = procfs.netns("self").unwrap();
        let scan = procfs.scan().unwrap();
        assert!(scan.processes.contains(&(std::process::id(), ours)));
    }

    proptest! {
        #[test]
        fn no_link_text_panics(text in prop::collection::vec(any::<u8>(), 0..40), n in any::<u64>()) {
            parse_net(&text);
            prop_assert_eq!(parse_net(format!("net:[{n}]").as_bytes()), Some(NetnsId(n)));
            prop_assert!(!printable(&String::from_utf8_lossy(&text)).contains(char::is_control));
        }
    }
}
