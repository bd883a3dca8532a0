//! A model of the RDMA core that answers nldev in bytes: devices, namespaces, names, a fake /sys.
#![allow(dead_code, clippy::disallowed_methods, clippy::unwrap_used)]

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use rdmactl::kernel::{Datagrams, Host, Protocol};
use rdmactl::wire::nldev::attr_ids::*;
use rdmactl::wire::nldev::{message_type, op};
use rdmactl::wire::{Attrs, Request};

const EPERM: i32 = 1;
const EEXIST: i32 = 17;
const ENODEV: i32 = 19;
const EINVAL: i32 = 22;
const EOPNOTSUPP: i32 = 95;
const EPROTONOSUPPORT: i32 = 93;

/// One device of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dev {
    pub index: u32,
    pub name: String,
    pub guid: u64,
    pub netns: u64,
    /// Folder below `/sys/bus`, such as `pci/devices/0000:01:10.2`.
    pub folder: String,
}

/// The state of the model and what is to go wrong in it.
#[derive(Default)]
pub struct Core {
    pub devices: Vec<Dev>,
    pub shared: bool,
    pub absent: bool,
    /// Linux 7.3: names are unique per namespace only.
    pub names_per_netns: bool,
    /// Errnos for the next changes; 0 lets one through.
    pub refuse: VecDeque<i32>,
    /// The program dies before it sends its n-th message from now.
    pub die_at: Option<u32>,
    pub home: u64,
    root: PathBuf,
}

/// The model, shared by every socket of a test.
#[derive(Clone)]
pub struct RdmaCore(Arc<Mutex<Core>>);

/// The calling thread's namespace.
pub fn current() -> u64 {
    fs::metadata("/proc/thread-self/ns/net").unwrap().ino()
}

impl RdmaCore {
    /// A machine below `root` with one VF per entry: its folder and its GUID.
    pub fn new(root: &Path, functions: &[(&str, u64)]) -> Self {
        symlink("/proc", root.join("proc")).unwrap();
        fs::create_dir_all(root.join("sys/bus")).unwrap();
        let home = current();
        let devices = functions.iter().enumerate().map(|(n, (folder, guid))| {
            let path = root.join("sys/bus").join(folder);
            fs::create_dir_all(path.join("infiniband")).unwrap();
            // Several devices may sit on one function.
            let _ = symlink("../../../drivers/mlx5_core", path.join("driver"));
            Dev {
                index: n as u32,
                name: format!("mlx5_{n}"),
                guid: *guid,
                netns: home,
                folder: (*folder).to_owned(),
            }
        });
        let core = Self(Arc::new(Mutex::new(Core {
            devices: devices.collect(),
            home,
            root: root.to_owned(),
            ..Core::default()
        })));
        core.state().publish();
        core
    }

    /// The state, also after a test made the program die while it was locked.
    pub fn state(&self) -> MutexGuard<'_, Core> {
        self.0.lock().unwrap_or_else(|poison| poison.into_inner())
    }

    /// The machine as operations see it.
    pub fn host(&self, root: &Path) -> Host {
        let core = self.clone();
        Host::new(
            root,
            Box::new(move |protocol| {
                if protocol == Protocol::Route || core.state().absent {
                    return Err(io::Error::from_raw_os_error(EPROTONOSUPPORT));
                }
                Ok(Box::new(Socket {
                    core: core.clone(),
                    netns: current(),
                    answers: VecDeque::new(),
                }) as Box<dyn Datagrams>)
            }),
        )
    }
}

impl Core {
    /// The device on a function.
    pub fn on(&self, folder: &str) -> Dev {
        let found = self.devices.iter().find(|dev| dev.folder == folder);
        found.unwrap().clone()
    }

    /// Renames a device as somebody else would.
    pub fn rename(&mut self, folder: &str, name: &str) {
        let dev = self.devices.iter_mut().find(|dev| dev.folder == folder);
        dev.unwrap().name = name.to_owned();
        self.publish();
    }

    /// The kernel ends a namespace: its devices go home, under a made-up name if theirs is taken.
    pub fn end_namespace(&mut self, netns: u64) {
        for n in 0..self.devices.len() {
            if self.devices[n].netns != netns {
                continue;
            }
            if self.taken(n, &self.devices[n].name.clone(), self.home) {
                self.devices[n].name = format!("ibdev{n}");
            }
            self.devices[n].netns = self.home;
        }
        self.publish();
    }

    /// The driver is bound anew: another index, at home.
    pub fn rebind(&mut self, folder: &str, index: u32, name: &str) {
        let home = self.home;
        let dev = self.devices.iter_mut().find(|dev| dev.folder == folder);
        let dev = dev.unwrap();
        (dev.index, dev.name, dev.netns) = (index, name.to_owned(), home);
        self.publish();
    }

    /// Writes the folders `infiniband` as the home namespace sees them.
    fn publish(&self) {
        for dev in &self.devices {
            let folder = self
                .root
                .join("sys/bus")
                .join(&dev.folder)
                .join("infiniband");
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir_all(&folder).unwrap();
        }
        for dev in self.devices.iter().filter(|dev| dev.netns == self.home) {
            let folder = self.root.join("sys/bus").join(&dev.folder);
            fs::create_dir_all(folder.join("infiniband").join(&dev.name)).unwrap();
        }
    }

    fn taken(&self, by: usize, name: &str, netns: u64) -> bool {
        self.devices.iter().enumerate().any(|(n, dev)| {
            n != by && dev.name == name && (!self.names_per_netns || dev.netns == netns)
        })
    }

    fn set(&mut self, netns: u64, attrs: Attrs<'_>) -> i32 {
        if let Some(errno) = self.refuse.pop_front().filter(|errno| *errno != 0) {
            return errno;
        }
        let index = attrs.find(RDMA_NLDEV_ATTR_DEV_INDEX).unwrap().u32();
        let shared = self.shared;
        let found = self
            .devices
            .iter()
            .position(|dev| Some(dev.index) == index && (shared || dev.netns == netns));
        let Some(n) = found else { return EINVAL };
        if let Some(name) = attrs.find(RDMA_NLDEV_ATTR_DEV_NAME) {
            if self.taken(n, &name.text(), netns) {
                return EEXIST;
            }
            self.devices[n].name = name.text();
        } else if let Some(fd) = attrs.find(RDMA_NLDEV_NET_NS_FD) {
            if shared {
                return EOPNOTSUPP;
            }
            if current() != netns {
                return ENODEV;
            }
            let link = format!("/proc/self/fd/{}", fd.u32().unwrap());
            let target = fs::metadata(link).unwrap().ino();
            if self.taken(n, &self.devices[n].name.clone(), target) {
                return EEXIST;
            }
            self.devices[n].netns = target;
        } else {
            return EPERM;
        }
        self.publish();
        0
    }
}

struct Socket {
    core: RdmaCore,
    netns: u64,
    answers: VecDeque<Vec<u8>>,
}

impl Datagrams for Socket {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        let core = self.core.clone();
        let mut core = core.state();
        match &mut core.die_at {
            Some(0) => panic!("killed here"),
            Some(left) => *left -= 1,
            None => {}
        }
        let kind = u16::from_ne_bytes([datagram[4], datagram[5]]);
        let dump = u16::from_ne_bytes([datagram[6], datagram[7]]) & 0x300 == 0x300;
        let sequence = u32::from_ne_bytes(datagram[8..12].try_into().unwrap());
        let attrs = Attrs::new(&datagram[16..]);
        let mut answer = |kind: u16, flags: u16, body: &[u8]| {
            let mut bytes = Vec::new();
            bytes.extend_from_slice(&(16 + body.len() as u32).to_ne_bytes());
            bytes.extend_from_slice(&kind.to_ne_bytes());
            bytes.extend_from_slice(&flags.to_ne_bytes());
            bytes.extend_from_slice(&sequence.to_ne_bytes());
            bytes.extend_from_slice(&[0; 4]);
            bytes.extend_from_slice(body);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            self.answers.push_back(bytes);
        };
        let visible = |dev: &&Dev| core.shared || dev.netns == self.netns;
        let mut errno = 0;
        if kind == message_type(op::SYS_GET) {
            let body = Request::new(0).u8(RDMA_NLDEV_SYS_ATTR_NETNS_MODE, core.shared.into());
            answer(kind, 0, body.body());
        } else if kind == message_type(op::GET) && dump {
            for dev in core.devices.iter().filter(visible) {
                answer(kind, 2, describe(dev).body());
            }
            answer(3, 2, &[0; 4]);
            return Ok(());
        } else if kind == message_type(op::GET) {
            let index = attrs.find(RDMA_NLDEV_ATTR_DEV_INDEX).unwrap().u32();
            let mut devices = core.devices.iter().filter(visible);
            match devices.find(|dev| Some(dev.index) == index) {
                Some(dev) => answer(kind, 0, describe(dev).body()),
                None => errno = EINVAL,
            }
        } else if kind == message_type(op::SET) {
            errno = core.set(self.netns, attrs);
        } else {
            errno = EINVAL;
        }
        let mut body = (-errno).to_ne_bytes().to_vec();
        body.extend_from_slice(&datagram[..16]);
        answer(2, 0x100, &body);
        Ok(())
    }

    fn receive(&mut self, into: &mut Vec<u8>) -> io::Result<()> {
        *into = self
            .answers
            .pop_front()
            .expect("the program waits for ever");
        Ok(())
    }
}

fn describe(dev: &Dev) -> Request {
    Request::new(0)
        .u32(RDMA_NLDEV_ATTR_DEV_INDEX, dev.index)
        .text(RDMA_NLDEV_ATTR_DEV_NAME, &dev.name)
        .u32(RDMA_NLDEV_ATTR_PORT_INDEX, 1)
        .u64(RDMA_NLDEV_ATTR_NODE_GUID, dev.guid)
}
