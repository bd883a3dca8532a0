//! A machine with two VFs and a call of the plugin on it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use nix::sched::{CloneFlags, unshare};
use rdmactl::plugins::{Plugin, Stdio, run};
use serde_json::{Value, json};

use crate::rdma_core::{RdmaCore, current};

pub const VF: &str = "pci/devices/0000:01:10.2";
pub const VF_ID: &str = "0000:01:10.2";
pub const OTHER: &str = "pci/devices/0000:01:10.4";
pub const OTHER_ID: &str = "0000:01:10.4";
pub const SF: &str = "auxiliary/devices/mlx5_core.sf.4";
pub const SF_ID: &str = "mlx5_core.sf.4";

/// What a call ended with.
#[derive(Debug)]
pub struct Ended {
    pub status: u8,
    pub out: String,
    pub err: String,
}

impl Ended {
    /// The one document on stdout.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }

    /// Code and message of a failure.
    pub fn failure(&self) -> (u64, String) {
        assert_eq!(self.status, 1, "{self:?}");
        let value = self.json();
        assert!(value["cniVersion"].is_string());
        (
            value["code"].as_u64().unwrap(),
            value["msg"].as_str().unwrap().to_owned(),
        )
    }

    /// Cause and cure of a failure.
    pub fn details(&self) -> String {
        self.json()["details"].as_str().unwrap().to_owned()
    }

    pub fn fine(&self) {
        assert_eq!(self.status, 0, "{self:?}");
    }
}

/// A namespace that a thread keeps alive.
pub struct Pod {
    pub id: u64,
    task: PathBuf,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Pod {
    /// A process inside.
    pub fn spawn(&self, program: &str) -> Child {
        let task = self.task.join("ns/net");
        let child = Command::new("nsenter")
            .arg(format!("--net={}", task.display()))
            .args([program, "100"])
            .spawn()
            .unwrap();
        let link = format!("/proc/{}/ns/net", child.id());
        while fs::metadata(&link).unwrap().ino() != self.id {
            std::thread::yield_now();
        }
        child
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

pub struct Machine {
    pub core: RdmaCore,
    pub dir: tempfile::TempDir,
}

impl Machine {
    pub fn new() -> Self {
        Self::with(&[(VF, 0x11), (OTHER, 0), (SF, 0x33)])
    }

    /// One device per entry: the folder of its function and its GUID.
    pub fn with(devices: &[(&str, u64)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let core = RdmaCore::new(dir.path(), devices);
        fs::create_dir_all(dir.path().join("run/netns")).unwrap();
        Self { core, dir }
    }

    /// A namespace with a name; `None` without the right to make one: the lab has these cases too.
    pub fn pod(&self, name: &str) -> Option<Pod> {
        let (ready, made) = channel();
        let (stop, stopped) = channel::<()>();
        let thread = std::thread::spawn(move || {
            if unshare(CloneFlags::CLONE_NEWNET).is_ok() {
                let task = fs::read_link("/proc/thread-self").unwrap();
                ready.send((task, current())).unwrap();
                let _ = stopped.recv();
            }
        });
        let Ok((task, id)) = made.recv() else {
            eprintln!("skipped: needs the right to make a network namespace");
            return None;
        };
        let link = self.netns(name);
        let _ = fs::remove_file(&link);
        let task = PathBuf::from("/proc").join(task);
        symlink(task.join("ns/net"), link).unwrap();
        Some(Pod {
            id,
            task,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    fn netns(&self, name: &str) -> PathBuf {
        self.dir.path().join("run/netns").join(name)
    }

    /// The namespace ends, its name goes, the kernel brings its devices home.
    pub fn end(&self, name: &str, pod: Pod) {
        let id = pod.id;
        drop(pod);
        let _ = fs::remove_file(self.netns(name));
        self.core.state().end_namespace(id);
    }

    pub fn call(&self, env: &[(&str, &str)], stdin: &str) -> Ended {
        let env = env
            .iter()
            .map(|(name, value)| (OsString::from(name), OsString::from(value)))
            .collect();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let stdio = Stdio {
            input: &mut stdin.as_bytes(),
            out: &mut out,
            err: &mut err,
        };
        let host = self.core.host(self.dir.path());
        let status = run(Some(Plugin::Rdma), &env, stdio, &host);
        Ended {
            status,
            out: String::from_utf8(out).unwrap(),
            err: String::from_utf8(err).unwrap(),
        }
    }

    /// A call for container `c1`, interface `net1`, in the namespace `name`.
    pub fn verb(&self, verb: &str, name: &str, config: &Value) -> Ended {
        self.verb_for(verb, "c1", name, config)
    }

    pub fn verb_for(&self, verb: &str, container: &str, name: &str, config: &Value) -> Ended {
        let path = format!("/run/netns/{name}");
        let netns = if name.is_empty() { "" } else { &path };
        let env = [
            ("CNI_COMMAND", verb),
            ("CNI_CONTAINERID", container),
            ("CNI_NETNS", netns),
            ("CNI_IFNAME", "net1"),
            ("CNI_PATH", "/opt/cni/bin"),
        ];
        self.call(&env, &config.to_string())
    }

    /// The names of the records.
    pub fn records(&self) -> Vec<String> {
        let folder = self.dir.path().join("var/lib/cni/rdma");
        let Ok(entries) = fs::read_dir(folder) else {
            return Vec::new();
        };
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    pub fn record(&self, name: &str) -> Value {
        let path = self.dir.path().join("var/lib/cni/rdma").join(name);
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }

    pub fn write_record(&self, name: &str, content: &str) {
        let folder = self.dir.path().join("var/lib/cni/rdma");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), content).unwrap();
    }

    /// Everything is as it was before the first ADD.
    pub fn assert_clean(&self) {
        let state = self.core.state();
        for (n, dev) in state.devices.iter().enumerate() {
            assert_eq!(dev.netns, state.home, "{dev:?} is away");
            assert_eq!(dev.name, format!("mlx5_{n}"));
        }
        assert_eq!(self.records(), Vec::<String>::new());
        assert!(
            !self
                .dir
                .path()
                .join("run/rdmactl/device")
                .join(format!("{VF_ID}.lock"))
                .exists()
        );
    }

    pub fn netns_of(&self, folder: &str) -> u64 {
        self.core.state().on(folder).netns
    }
}

/// A configuration for a device, with the result of a plugin before.
pub fn config(device: &str) -> Value {
    json!({
        "name": "net", "type": "rdma", "cniVersion": "1.0.0", "deviceID": device,
        "prevResult": {
            "cniVersion": "1.0.0",
            "interfaces": [{"name": "net1", "mac": "02:00:00:00:00:01", "sandbox": "/run/netns/p"}],
            "ips": [{"interface": 0, "address": "10.1.0.2/24", "gateway": "10.1.0.1"}],
            "extra": {"kept": true},
        },
    })
}
