//! A node with a container runtime: both plugins where it finds them, one network, and what must be whole after.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::ib_sriov::GUID;
use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::output::Output;
use crate::pci;
use crate::snapshot::Snapshot;

/// Folders stay; a VF that was bound anew has a new RDMA index.
pub(super) const EXCEPT: &[&str] = &["folder /", ", index"];
pub(super) const ROOTFS: &str = "/run/lab/rootfs";
const LEASES: &str = "/run/lab/ipam";
const PLUGINS: &str = "/opt/cni/bin";
const NETWORK: &str = "/etc/cni/net.d/10-rnet.conflist";

/// A case that needs the runtimes of the distribution.
pub(super) fn with_runtimes(name: &str, run: fn(&Lab)) -> Case {
    case(name, run)
        .exclusive()
        .with_runtimes()
        .may_change(EXCEPT)
        .limit(280)
}

/// The network that the runtime is given: who has the VF there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Network {
    /// Nothing of ours: an interface alone.
    Plain,
    /// `rdma` behind a plugin that gives an interface of its own or the VF's.
    RdmaBehind(&'static str),
    /// `ib-sriov` with a GUID and a link state of the pod's own.
    IbSriov,
    /// `ib-sriov` with the GUID and the link state that the VF has.
    IbSriovAsItIs,
}

pub(super) struct Node<'a> {
    pub(super) lab: &'a Lab,
    pub(super) vf: String,
    rdma: String,
    before: Snapshot,
}

impl<'a> Node<'a> {
    pub(super) fn new(lab: &'a Lab, network: Network) -> Self {
        furnish();
        let _ = fs::remove_dir_all(LEASES);
        let node = Self {
            lab,
            vf: lab.vf(0),
            rdma: lab.vf_rdma(0),
            before: Snapshot::take(),
        };
        node.offer(network);
        node
    }

    /// Writes the configuration of the one network there is.
    pub(super) fn offer(&self, network: Network) {
        let ipam = json!({"type": "host-local", "subnet": "10.9.0.0/24", "dataDir": LEASES});
        let plugins = match network {
            Network::Plain => json!([{"type": "ptp", "ipam": ipam}]),
            Network::RdmaBehind(first) => json!([
                {"type": first, "pciBusID": self.vf, "ipam": ipam},
                {"type": "rdma", "deviceID": self.vf},
            ]),
            Network::IbSriov => json!([{
                "type": "ib-sriov", "deviceID": self.vf, "rdmaIsolation": true, "link_state": "enable",
                "args": {"cni": {"guid": GUID}}, "ipam": ipam,
            }]),
            Network::IbSriovAsItIs => json!([
                {"type": "ib-sriov", "deviceID": self.vf, "rdmaIsolation": true, "ipam": ipam},
            ]),
        };
        let list = json!({"cniVersion": "1.0.0", "name": "rnet", "plugins": plugins});
        fs::write(NETWORK, list.to_string()).unwrap();
    }

    /// The name of the pod's RDMA device, where it is the only one the namespace shows, both to who lists /sys there
    /// (`listed`) and to iproute2.
    #[track_caller]
    pub(super) fn shows_only_its_device(&self, listed: &Output, netns: &str) -> String {
        let (devices, interfaces) = listed
            .stdout
            .split_once("/sys/class/net:")
            .unwrap_or_else(|| panic!("no listing: {listed}"));
        let devices: Vec<&str> = words(devices);
        assert_eq!(devices.len(), 1, "{listed}");
        assert_eq!(words(interfaces), ["eth0", "lo"], "{listed}");
        let enter = format!("nsenter --net={netns} rdma -j link show");
        let links: Value = self.lab.exec(&enter).ok().json();
        assert_eq!(links.as_array().map(Vec::len), Some(1), "{links}");
        assert_eq!(links[0]["ifname"], devices[0], "{links}");
        assert_eq!(pci::rdma(&self.vf), None, "the host has it no more");
        devices[0].to_owned()
    }

    /// Has the next `verb` of our plugin killed when it makes a system call for the n-th time.
    pub(super) fn kill_next(&self, verb: &str, syscall: &str, n: u32) {
        fs::write("/run/lab/kill", format!("{verb} {syscall} {n}\n")).unwrap();
    }

    #[track_caller]
    pub(super) fn was_killed(&self) {
        let file = Path::new("/run/lab/kill");
        assert!(!file.exists(), "no plugin was killed");
    }

    /// Every device, name, GUID, link state, driver, address and file is as it was before the first container.
    #[track_caller]
    pub(super) fn is_whole_after(&self, what: &str) {
        let deadline = Instant::now() + Duration::from_secs(8);
        loop {
            let diff = self.before.diff(&Snapshot::take(), EXCEPT);
            let leases = self.leases();
            if diff.is_empty() && leases.is_empty() {
                break;
            }
            assert!(
                Instant::now() < deadline,
                "{what} left behind:\n{diff}{leases:?}"
            );
            sleep(Duration::from_millis(100));
        }
        assert_eq!(pci::rdma(&self.vf).as_ref(), Some(&self.rdma), "{what}");
    }

    /// Addresses that are given out.
    pub(super) fn leases(&self) -> Vec<String> {
        let mut names = pci::names(format!("{LEASES}/rnet"));
        names.retain(|name| name.starts_with("10."));
        names
    }

    /// The address that was given out last, whether it is still or not.
    pub(super) fn last_address(&self) -> String {
        fs::read_to_string(format!("{LEASES}/rnet/last_reserved_ip.0")).unwrap_or_default()
    }

    /// The calls of our plugin before which a killed ADD is of interest: the container has something, and it has all but
    /// the last word of it, an address too.
    pub(super) fn ends_of_add(network: Network) -> [(&'static str, u32); 2] {
        match network {
            // The record is written anew when the driver was bound, and at the end.
            Network::IbSriov => [("sendto", 4), ("rename", 2)],
            _ => [("sendto", 4), ("rename", 1)],
        }
    }

    /// Of plugins that nobody calls any more.
    pub(super) fn forget_leases(&self) {
        for lease in self.leases() {
            fs::remove_file(format!("{LEASES}/rnet/{lease}")).unwrap();
        }
    }
}

impl Drop for Node<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_file(NETWORK);
    }
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace()
        .filter(|word| !word.starts_with("/sys/"))
        .collect()
}

/// What stays from case to case: programs, a container's files, the scripts.
fn furnish() {
    for folder in [PLUGINS, "/etc/cni/net.d", &format!("{ROOTFS}/bin")] {
        fs::create_dir_all(folder).unwrap();
    }
    for folder in ["proc", "sys", "dev", "etc", "tmp"] {
        fs::create_dir_all(format!("{ROOTFS}/{folder}")).unwrap();
    }
    fs::copy("/bin/busybox", format!("{ROOTFS}/bin/busybox")).unwrap();
    for name in ["sh", "ls", "sleep"] {
        link("busybox", &format!("{ROOTFS}/bin/{name}"));
    }
    for plugin in pci::names("/usr/lib/cni") {
        link(
            &format!("/usr/lib/cni/{plugin}"),
            &format!("{PLUGINS}/{plugin}"),
        );
    }
    let face = include_str!("../runtimes/cni-plugin");
    for plugin in ["rdma", "ib-sriov"] {
        assert!(Path::new(FACES).join(plugin).exists());
        let at = format!("{PLUGINS}/{plugin}");
        fs::write(&at, face).unwrap();
        fs::set_permissions(&at, fs::Permissions::from_mode(0o755)).unwrap();
    }
    for (name, text) in [
        ("cri.py", include_str!("../runtimes/cri.py")),
        (
            "containerd.toml",
            include_str!("../runtimes/containerd.toml"),
        ),
        (
            "containers.conf",
            include_str!("../runtimes/containers.conf"),
        ),
    ] {
        fs::write(format!("/run/lab/{name}"), text).unwrap();
    }
}

fn link(to: &str, at: &str) {
    if !Path::new(at).exists() {
        symlink(to, at).unwrap();
    }
}
