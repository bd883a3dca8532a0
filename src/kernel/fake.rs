//! A machine made of files in a temporary folder, for the tests of the floors above.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::Host;

/// A host below `root` that has no netlink.
pub fn host(root: &Path) -> Host {
    Host::new(root, Box::new(|_| Err(io::ErrorKind::Unsupported.into())))
}

/// A machine that lives as long as the value.
pub struct Machine(tempfile::TempDir);

impl Machine {
    /// An empty machine with a `/proc`.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("proc")).unwrap();
        Self(dir)
    }

    /// The machine as operations see it.
    pub fn host(&self) -> Host {
        host(self.0.path())
    }

    /// Where a relative path of the machine lies.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.0.path().join(relative)
    }

    /// What a file holds.
    pub fn read(&self, relative: &str) -> String {
        fs::read_to_string(self.path(relative)).unwrap()
    }

    /// Adds a file.
    pub fn file(self, relative: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.above(relative);
        fs::write(path, content).unwrap();
        self
    }

    /// Adds a symbolic link.
    pub fn link(self, relative: &str, target: &str) -> Self {
        symlink(target, self.above(relative)).unwrap();
        self
    }

    /// Adds a process with its network namespace, command and control group.
    pub fn process(self, pid: u32, net: &str, comm: &str, cgroup: &str) -> Self {
        self.link(&format!("proc/{pid}/ns/net"), net)
            .file(&format!("proc/{pid}/comm"), format!("{comm}\n"))
            .file(&format!("proc/{pid}/cgroup"), format!("{cgroup}\n"))
    }

    fn above(&self, relative: &str) -> PathBuf {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }
}
