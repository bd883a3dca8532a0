//! The number of a namespace that is gone, for the next one: the kernel gives the lowest free number.
//!
//! Numbers of all kinds of namespaces and of /proc's files are of one pool (`proc_alloc_inum` in fs/proc/generic.c),
//! and a network namespace has dozens of files. So that none of them gets the number, lower ones are held by UTS
//! namespaces, which take nothing else and are gone as soon as nobody has them open.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns, unshare};

use crate::namespace::Named;

/// The number, held by the last of these; the others hold lower ones.
pub(crate) struct Number {
    inode: u64,
    held: Vec<File>,
}

impl Number {
    /// Waits until the kernel has cleared away what had the number.
    pub(crate) fn wait(inode: u64) -> Result<Self, String> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(held) = up_to(inode).map_err(|error| error.to_string())? {
                return Ok(Self { inode, held });
            }
            if Instant::now() > deadline {
                return Err(format!("after 30 s something still has the number {inode}"));
            }
            sleep(Duration::from_millis(10));
        }
    }

    /// A namespace with the number.
    pub(crate) fn give_to(mut self, name: &str) -> Named {
        drop(self.held.pop());
        let named = Named::new(name);
        assert_eq!(named.inode(), self.inode, "somebody else took the number");
        named
    }
}

/// UTS namespaces with each free number up to this one; none if it is not free.
fn up_to(inode: u64) -> io::Result<Option<Vec<File>>> {
    let mut held = Vec::new();
    loop {
        let (number, file) = uts_namespace()?;
        if number > inode {
            return Ok(None);
        }
        held.push(file);
        if number == inode {
            return Ok(Some(held));
        }
    }
}

/// A new UTS namespace, which nobody is in.
fn uts_namespace() -> io::Result<(u64, File)> {
    let own = File::open("/proc/thread-self/ns/uts")?;
    unshare(CloneFlags::CLONE_NEWUTS)?;
    let new = File::open("/proc/thread-self/ns/uts");
    setns(own, CloneFlags::CLONE_NEWUTS)?;
    let new = new?;
    Ok((new.metadata()?.ino(), new))
}
