//! Network namespaces a case holds, which are really gone when the guard is dropped.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::panicking;

use crate::adapter::{shell, until};
use crate::pci;

/// A named namespace: `ip netns add` now, `ip netns delete` at the end.
pub(crate) struct Named {
    pub(crate) name: String,
}

impl Named {
    pub(crate) fn new(name: &str) -> Self {
        shell(&format!("ip netns add {name}")).unwrap_or_else(|error| panic!("{error}"));
        Self {
            name: name.to_owned(),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        Path::new("/run/netns").join(&self.name)
    }

    pub(crate) fn inode(&self) -> u64 {
        std::fs::metadata(self.path()).unwrap().ino()
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        if self.path().exists() {
            let tomb = Tomb::lay(&self.name);
            report(shell(&format!("ip netns delete {}", self.name)).and_then(|()| tomb?.wait()));
        }
    }
}

/// An unnamed namespace, kept by a process.
pub(crate) struct Held {
    child: Child,
}

impl Held {
    pub(crate) fn new(argv: &[&str]) -> Self {
        let child = Command::new("unshare")
            .arg("--net")
            .args(argv)
            .stdin(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run unshare: {error}"));
        let held = Self { child };
        let own = pci::target("/proc/self/ns/net");
        let entered = || pci::target(format!("/proc/{}/ns/net", held.pid())) != own;
        until("the process has a namespace of its own", entered)
            .unwrap_or_else(|error| panic!("{error}"));
        held
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let tomb = Tomb::lay(&self.pid().to_string());
        let _ = self.child.kill();
        let _ = self.child.wait();
        report(tomb.and_then(|tomb| tomb.wait()));
    }
}

/// One end of a veth pair whose other end lies in the namespace. The kernel takes netdevs down after it has sent
/// RDMA devices home, so when this end is gone, so is all that mattered of the namespace.
struct Tomb(String);

impl Tomb {
    fn lay(namespace: &str) -> Result<Self, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("tomb{}", COUNT.fetch_add(1, Ordering::Relaxed));
        shell(&format!(
            "ip link add {name} type veth peer name {name} netns {namespace}"
        ))?;
        Ok(Self(name))
    }

    fn wait(&self) -> Result<(), String> {
        let file = Path::new("/sys/class/net").join(&self.0);
        let gone = until("the namespace is gone: something else holds it", || {
            !file.exists()
        });
        if gone.is_err() {
            shell(&format!("ip link delete {}", self.0))?;
        }
        gone
    }
}

/// A second panic would hide the first.
fn report(result: Result<(), String>) {
    match result {
        Err(error) if panicking() => eprintln!("{error}"),
        Err(error) => panic!("{error}"),
        Ok(()) => {}
    }
}
