//! The state a case must leave as it found it, read by the stock tools and from /sys, never by the crate under test.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::adapter::NUMBERS;
use crate::output::run;
use crate::pci;

/// Where a case's programs keep records. What is here afterwards says nothing of the system's state, and is gone before
/// the next case.
const RECORDS: [&str; 3] = ["/var/lib/cni", "/run/rdmactl", "/var/lib/rdmactl"];

/// Facts by name, such as `vf 0 of ib0, trust` = `false`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Snapshot(BTreeMap<String, String>);

impl Snapshot {
    pub(crate) fn take() -> Self {
        let mut facts = Self::default();
        let own = inode("/proc/self/ns/net");
        for (inode, (path, label)) in namespaces() {
            let first = Some(inode) == own;
            let label = if first {
                "the first namespace".to_owned()
            } else {
                label
            };
            facts.set(format!("namespace {label}"), "exists");
            facts.rdma(&path, &label, first);
            facts.netdevs(&path, &label);
        }
        facts.functions();
        facts.kernel();
        for dir in RECORDS.iter().chain(&["/run/netns", "/etc/modprobe.d"]) {
            facts.files(Path::new(dir));
        }
        facts
    }

    /// Removes the records that a case was free to leave, and ends with what is true without them, and whether devices
    /// have other numbers. `None` where more than that is not as it was `before`.
    pub(crate) fn without_records(mut self, before: &Self) -> Option<(Self, bool)> {
        let is_record = |name: &str| {
            name.split_once(' ').is_some_and(|(kind, path)| {
                ["file", "folder"].contains(&kind)
                    && RECORDS.iter().any(|dir| Path::new(path).starts_with(dir))
            })
        };
        let is_number = |name: &str| name.starts_with("rdma device ") && name.ends_with(NUMBERS);
        let names: BTreeSet<_> = self.0.keys().chain(before.0.keys()).collect();
        let mut renumbered = false;
        for name in names.into_iter().filter(|name| !is_record(name)) {
            match (before.0.get(name), self.0.get(name)) {
                (old, new) if old == new => {}
                (Some(_), Some(_)) if is_number(name) => renumbered = true,
                _ => return None,
            }
        }
        for dir in RECORDS {
            for name in pci::names(dir) {
                let path = Path::new(dir).join(name);
                let gone = match fs::symlink_metadata(&path) {
                    Ok(found) if found.is_dir() => fs::remove_dir_all(&path),
                    _ => fs::remove_file(&path),
                };
                gone.ok()?;
            }
        }
        self.0.retain(|name, _| !is_record(name));
        Some((self, renumbered))
    }

    /// What containers can take from a host and not bring back, in a fraction of the time that all of it takes. A
    /// device that is in this namespace is in no other; indexes, which a driver bound anew changes, are left out.
    pub(crate) fn of_home(folders: &[&str]) -> Self {
        let mut facts = Self::default();
        let class = Path::new("/sys/class/infiniband");
        for name in pci::names(class) {
            let device = class.join(&name);
            let title = format!("rdma device {name}");
            let function = pci::target(device.join("device"));
            facts.set(format!("{title}, function"), function.unwrap_or_default());
            for (key, file) in [("node_guid", "node_guid"), ("gid", "ports/1/gids/0")] {
                let value = read(device.join(file)).unwrap_or_default();
                facts.set(format!("{title}, {key}"), value);
            }
        }
        for link in inside("/proc/self/ns/net", &["ip", "-j", "link", "show"]) {
            let name = word(&link["ifname"]);
            let title = format!("netdev {name}");
            facts.set(title.clone(), word(&link["link_type"]));
            for key in ["mtu", "altnames"] {
                facts.set(format!("{title}, {key}"), word(&link[key]));
            }
            let up = link["flags"]
                .as_array()
                .into_iter()
                .flatten()
                .any(|flag| flag == "UP");
            facts.set(format!("{title}, up"), up.to_string());
            let function = pci::target(format!("/sys/class/net/{name}/device"));
            facts.set(format!("{title}, function"), function.unwrap_or_default());
            facts.vfs(&name, &link);
        }
        facts.functions();
        for folder in folders {
            facts.files(Path::new(folder));
        }
        facts
    }

    /// One line for each fact that came (+), went (-) or changed, but for those whose name has a word of `except`.
    pub(crate) fn diff(&self, after: &Self, except: &[&str]) -> String {
        let keys: BTreeSet<_> = self.0.keys().chain(after.0.keys()).collect();
        keys.into_iter()
            .filter(|key| !except.iter().any(|word| key.contains(word)))
            .filter_map(|key| match (self.0.get(key), after.0.get(key)) {
                (Some(old), Some(new)) if old != new => Some(format!("  {key}: {old} -> {new}\n")),
                (Some(old), None) => Some(format!("- {key}: {old}\n")),
                (None, Some(new)) => Some(format!("+ {key}: {new}\n")),
                _ => None,
            })
            .collect()
    }

    fn set(&mut self, name: String, value: impl Into<String>) {
        self.0.insert(name, value.into());
    }

    fn rdma(&mut self, namespace: &str, label: &str, first: bool) {
        let devices = if first {
            self.asked_at_once()
        } else {
            inside(namespace, &["rdma", "-j", "dev", "show"])
        };
        for device in devices {
            let name = word(&device["ifname"]);
            let title = format!("rdma device {name} in {label}");
            self.set(format!("{title}, index"), word(&device["ifindex"]));
            self.set(format!("{title}, node_guid"), word(&device["node_guid"]));
            if first {
                let function = pci::target(format!("/sys/class/infiniband/{name}/device"));
                self.set(format!("{title}, function"), function.unwrap_or_default());
            }
        }
    }

    /// The devices of the first namespace, and the subsystem's own settings with them: in the emulated guest a process
    /// costs milliseconds. The settings come as words, which `rdma` prints whether JSON is wanted or not.
    fn asked_at_once(&mut self) -> Vec<Value> {
        let asked = run(
            Command::new("rdma").args(["-j", "-b", "-"]),
            "system show\ndev show\n",
        );
        let (settings, devices) = asked.stdout.split_once('\n').unwrap_or_default();
        let mut words = settings.split_whitespace();
        while let (Some(key), Some(value)) = (words.next(), words.next()) {
            self.set(format!("rdma system, {key}"), value);
        }
        // For an empty list iproute2 may print nothing at all.
        serde_json::from_str(devices).unwrap_or_default()
    }

    fn netdevs(&mut self, namespace: &str, label: &str) {
        for link in inside(namespace, &["ip", "-j", "link", "show"]) {
            let name = word(&link["ifname"]);
            self.set(
                format!("netdev {name} in {label}"),
                word(&link["link_type"]),
            );
            self.vfs(&name, &link);
        }
    }

    /// What a PF says of its VFs.
    fn vfs(&mut self, name: &str, link: &Value) {
        for vf in link["vfinfo_list"].as_array().into_iter().flatten() {
            for (key, value) in vf.as_object().into_iter().flatten() {
                self.set(format!("vf {} of {name}, {key}", vf["vf"]), word(value));
            }
        }
    }

    fn functions(&mut self) {
        for address in pci::all() {
            let driver = pci::target(pci::device(&address).join("driver"));
            self.set(
                format!("function {address}, driver"),
                driver.unwrap_or_else(|| "none".to_owned()),
            );
            if let Some(count) = read(pci::device(&address).join("sriov_numvfs")) {
                self.set(format!("function {address}, sriov_numvfs"), count);
            }
        }
    }

    fn kernel(&mut self) {
        for module in ["rdmalab", "ib_core"] {
            let dir = format!("/sys/module/{module}/parameters");
            for name in pci::names(&dir) {
                self.set(
                    format!("module {module}, {name}"),
                    read(format!("{dir}/{name}")).unwrap_or_default(),
                );
            }
        }
        // Oops (7), warning (9), soft lockup (14): the kernel's own verdict.
        let taint: u32 = read("/proc/sys/kernel/tainted")
            .and_then(|text| text.parse().ok())
            .unwrap_or(0);
        self.set(
            "kernel, complaints (see dmesg)".to_owned(),
            (taint & (1 << 7 | 1 << 9 | 1 << 14)).to_string(),
        );
    }

    fn files(&mut self, path: &Path) {
        for name in pci::names(path) {
            let path = path.join(name);
            if path.is_dir() {
                self.set(format!("folder {}", path.display()), "exists");
                self.files(&path);
            } else {
                let text =
                    fs::read(&path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
                self.set(
                    format!("file {}", path.display()),
                    format!("{:?}", text.unwrap_or_default()),
                );
            }
        }
    }
}

/// Every network namespace that has a name or a process: inode, a way in, a label.
fn namespaces() -> BTreeMap<u64, (String, String)> {
    let mut found = BTreeMap::new();
    for pid in pci::names("/proc")
        .into_iter()
        .filter(|name| name.bytes().all(|b| b.is_ascii_digit()))
    {
        let path = format!("/proc/{pid}/ns/net");
        if let Some(inode) = inode(&path) {
            let who = read(format!("/proc/{pid}/comm")).unwrap_or_default();
            found
                .entry(inode)
                .or_insert((path, format!("net:[{inode}] of {who} ({pid})")));
        }
    }
    for name in pci::names("/run/netns") {
        let path = format!("/run/netns/{name}");
        if let Some(inode) = inode(&path) {
            found.insert(inode, (path, name));
        }
    }
    found
}

fn inode(path: &str) -> Option<u64> {
    fs::metadata(path).ok().map(|metadata| metadata.ino())
}

/// The objects that a tool prints, run in a namespace.
fn inside(namespace: &str, argv: &[&str]) -> Vec<Value> {
    // In the emulated guest a process costs milliseconds: none for a namespace this one is in.
    let output = if inode(namespace) == inode("/proc/self/ns/net") {
        run(Command::new(argv[0]).args(&argv[1..]), "")
    } else {
        run(
            Command::new("nsenter")
                .arg(format!("--net={namespace}"))
                .args(argv),
            "",
        )
    };
    match serde_json::from_str(&output.stdout) {
        Ok(Value::Array(objects)) => objects,
        Ok(object) => vec![object],
        // iproute2 prints nothing at all for an empty list.
        Err(_) => Vec::new(),
    }
}

fn word(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn read(path: impl AsRef<Path>) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}
