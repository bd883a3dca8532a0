//! A call that is about to be made: what it would change, and the answer it gets instead.

use std::fs;

use nix::errno::Errno;
use nix::libc::{self, c_long};
use nix::sys::ptrace;
use nix::unistd::Pid;

/// Which calls are steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grain {
    /// Those after which something is another way.
    Changes,
    /// Questions to the kernel, answers to changes, and the opening of files in /sys to be written as well.
    Calls,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Its name, and what it is about.
    pub(crate) what: String,
    /// Made by a child of the program, not by one of its threads.
    pub(crate) by_child: bool,
}

/// Number and arguments of a call.
pub(super) struct Call {
    number: c_long,
    args: [u64; 6],
    /// Type and flags of a netlink message.
    message: Option<(u16, u16)>,
    /// A file is opened to be read, which the filter cannot see.
    reads: bool,
}

const NLM_F_DUMP: u16 = 0x300;

impl Call {
    /// That of a stopped thread; `None` when it has been killed.
    pub(super) fn of(pid: Pid) -> Option<Self> {
        let (number, args) = registers(pid)?;
        let message = (number == libc::SYS_sendto)
            .then(|| ptrace::read(pid, args[1] as ptrace::AddressType).ok())
            .flatten()
            .map(|word| ((word >> 32) as u16, (word >> 48) as u16));
        // `struct open_how` begins with the flags.
        let reads = number == libc::SYS_openat2
            && ptrace::read(pid, args[2] as ptrace::AddressType)
                .is_ok_and(|flags| flags & c_long::from(libc::O_ACCMODE | libc::O_CREAT) == 0);
        Some(Self {
            number,
            args,
            message,
            reads,
        })
    }

    /// What the step is, if it is one; `awaits`: the thread has sent a change.
    pub(super) fn change(&self, pid: Pid, grain: Grain, awaits: bool) -> Option<String> {
        let coarse = grain == Grain::Changes;
        match self.number {
            libc::SYS_sendto if coarse && !self.asks_for_change() => None,
            libc::SYS_recvfrom if coarse || !awaits => None,
            libc::SYS_openat2 if coarse || self.reads => None,
            _ => Some(self.name(pid)),
        }
    }

    /// The kernel answers, and the answer can be lost.
    pub(super) fn is_answered(&self) -> bool {
        self.message.is_some() && self.asks_for_change()
    }

    /// Of NETLINK_ROUTE every fourth type is a question (`uapi/linux/rtnetlink.h`); of NETLINK_RDMA these are none
    /// (`enum rdma_nldev_command`): SET, NEWLINK, DELLINK, SYS_SET, STAT_SET, STAT_DEL, NEWDEV, DELDEV, FRMR_POOLS_SET.
    fn asks_for_change(&self) -> bool {
        const RDMA_CHANGES: [u16; 9] = [2, 3, 4, 7, 16, 18, 26, 27, 30];
        match self.message {
            Some((kind, _)) if kind >> 10 != 0 => RDMA_CHANGES.contains(&(kind & 0xff)),
            Some((kind, flags)) => kind & 3 != 2 && flags & NLM_F_DUMP != NLM_F_DUMP,
            None => true,
        }
    }

    fn name(&self, pid: Pid) -> String {
        let path = |n: usize| text(pid, self.args[n]);
        if let Some((_, name)) = PLAIN.iter().find(|(number, _)| *number == self.number) {
            return match self.message {
                Some((kind, _)) => format!("{name} of message {kind:#x}"),
                None if self.number == libc::SYS_write => format!("{name} to {}", self.args[0]),
                None => (*name).to_owned(),
            };
        }
        if let Some((_, name)) = AT.iter().find(|(number, _)| *number == self.number) {
            return format!("{name} {}", path(1));
        }
        #[cfg(target_arch = "x86_64")]
        if let Some((_, name)) = OLD.iter().find(|(number, _)| *number == self.number) {
            return format!("{name} {}", path(0));
        }
        format!("call {}", self.number)
    }

    /// Has the call fail without being made. The kernel skips number -1, and leaves the answer alone.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn answer(&self, pid: Pid, errno: Errno) {
        let done = ptrace::getregs(pid).and_then(|mut registers| {
            registers.orig_rax = u64::MAX;
            registers.rax = i64::from(-(errno as i32)).cast_unsigned();
            ptrace::setregs(pid, registers)
        });
        done.expect("it is stopped");
    }

    #[cfg(not(target_arch = "x86_64"))]
    pub(super) fn answer(&self, _pid: Pid, _errno: Errno) {
        panic!("the guests of the lab are x86-64");
    }
}

#[cfg(target_arch = "x86_64")]
fn registers(pid: Pid) -> Option<(c_long, [u64; 6])> {
    let all = ptrace::getregs(pid).ok()?;
    let args = [all.rdi, all.rsi, all.rdx, all.r10, all.r8, all.r9];
    Some((all.orig_rax.cast_signed(), args))
}

#[cfg(not(target_arch = "x86_64"))]
fn registers(_pid: Pid) -> Option<(c_long, [u64; 6])> {
    panic!("the guests of the lab are x86-64");
}

/// The process of a thread.
pub(super) fn process(pid: Pid) -> Option<Pid> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?;
    line.trim().parse().ok().map(Pid::from_raw)
}

/// A path in the memory of a stopped thread; what cannot be read of it is left out.
fn text(pid: Pid, address: u64) -> String {
    let mut bytes = Vec::new();
    for at in (address..).step_by(8).take(16) {
        let Ok(word) = ptrace::read(pid, at as ptrace::AddressType) else {
            break;
        };
        let word = word.to_ne_bytes();
        let end = word.iter().position(|byte| *byte == 0);
        bytes.extend(&word[..end.unwrap_or(word.len())]);
        if end.is_some() {
            break;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Calls that name no file.
const PLAIN: [(c_long, &str); 14] = [
    (libc::SYS_sendto, "sendto"),
    (libc::SYS_sendmsg, "sendmsg"),
    (libc::SYS_recvfrom, "recvfrom"),
    (libc::SYS_write, "write"),
    (libc::SYS_fsync, "fsync"),
    (libc::SYS_flock, "flock"),
    (libc::SYS_fsopen, "fsopen"),
    (libc::SYS_fsconfig, "fsconfig"),
    (libc::SYS_fsmount, "fsmount"),
    (libc::SYS_setns, "setns"),
    (libc::SYS_unshare, "unshare"),
    (libc::SYS_clone, "clone"),
    (libc::SYS_clone3, "clone3"),
    (libc::SYS_ftruncate, "ftruncate"),
];

/// Calls that name a file, below a folder that they name too.
const AT: [(c_long, &str); 7] = [
    (libc::SYS_openat, "openat"),
    (libc::SYS_openat2, "openat2"),
    (libc::SYS_linkat, "linkat"),
    (libc::SYS_unlinkat, "unlinkat"),
    (libc::SYS_mkdirat, "mkdirat"),
    (libc::SYS_renameat2, "renameat2"),
    (libc::SYS_renameat, "renameat"),
];

#[cfg(target_arch = "x86_64")]
const OLD: [(c_long, &str); 4] = [
    (libc::SYS_rename, "rename"),
    (libc::SYS_unlink, "unlink"),
    (libc::SYS_mkdir, "mkdir"),
    (libc::SYS_rmdir, "rmdir"),
];
