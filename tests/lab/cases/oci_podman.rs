//! podman without CNI plugins of ours: one isolated RDMA device by CDI or by annotation, and home again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::cni_call::at_home;
use super::runtime_node::{Network, Node, ROOTFS, with_runtimes};
use super::runtimes::podman;
use crate::adapter::until;
use crate::case::Case;
use crate::handle::Lab;
use crate::output::Output;
use crate::pci;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        with_runtimes("podman_cdi", podman_cdi).ethernet(),
        with_runtimes("podman_annotation", podman_annotation).ethernet(),
        with_runtimes("podman_killed", podman_killed).ethernet(),
        Case {
            netns: crate::case::Netns::Shared,
            ..with_runtimes("podman_shared_mode", podman_shared_mode).ethernet()
        },
    ]
}

const FOLDER: &str = "/var/run/cdi";
const HOOKS: &str = "/run/lab/hooks.d";
/// What the runtime calls: the program, unless a case wants it to fail.
const PROGRAM: &str = "/run/lab/oci-program";
const FAILS: &str = "/run/lab/oci-fails";
const LOOK: &str = "/bin/sh -c \"ls /sys/class/infiniband; echo; ls /dev/infiniband\"";

/// A node whose podman is offered the VFs, and what is taken away again at the end.
struct Offered<'a> {
    node: Node<'a>,
    lab: &'a Lab,
    names: [String; 2],
}

impl<'a> Offered<'a> {
    fn new(lab: &'a Lab) -> Self {
        let node = Node::new(lab, Network::Plain);
        let script =
            format!("#!/bin/sh\n[ -e {FAILS} ] && exit 1\nexec /run/lab/faces/rdmactl \"$@\"\n");
        fs::write(PROGRAM, script).unwrap();
        fs::set_permissions(PROGRAM, fs::Permissions::from_mode(0o755)).unwrap();
        lab.rdmactl(&["cdi", "generate", "--program", PROGRAM])
            .ok()
            .stdout_has("devices 2 written");
        let names = [lab.vf_rdma(0), lab.vf_rdma(1)];
        Self { node, lab, names }
    }

    fn run(&self, words: &str, command: &str) -> Output {
        let line =
            format!("run --security-opt seccomp=unconfined {words} --rootfs {ROOTFS} {command}");
        podman(self.lab, &line)
    }

    /// A container that sleeps, and whose process there is.
    fn sleeping(&self, name: &str, words: &str) -> String {
        let words = format!("-d --name {name} {words}");
        self.run(&words, "/bin/sleep 1000").ok();
        let pid = podman(
            self.lab,
            &format!("inspect --format {{{{.State.Pid}}}} {name}"),
        );
        pid.ok().stdout.trim().to_owned()
    }

    fn remove(&self, name: &str) -> Output {
        podman(self.lab, &format!("rm -f -t 0 {name}"))
    }

    fn device(&self) -> String {
        format!("--device rdmactl.io/rdma={}", self.names[0])
    }

    /// Its devices and files, as a program in the container lists them, are those of VF 0 alone.
    #[track_caller]
    fn shows_one_device(&self, listed: &Output) {
        let (devices, files) = listed
            .stdout
            .split_once("\n\n")
            .unwrap_or_else(|| panic!("no listing: {listed}"));
        assert_eq!(devices.trim(), self.names[0], "{listed}");
        let files: Vec<&str> = files.split_whitespace().collect();
        assert_eq!(files, self.nodes(), "{listed}");
    }

    /// The files that the document gives VF 0.
    fn nodes(&self) -> Vec<String> {
        let text = fs::read(format!("{FOLDER}/rdmactl.io-rdma.json")).unwrap();
        let document: Value = serde_json::from_slice(&text).unwrap();
        let device = document["devices"].as_array().unwrap();
        let device = device
            .iter()
            .find(|device| device["name"] == *self.names[0]);
        let nodes = &device.unwrap()["containerEdits"]["deviceNodes"];
        let nodes = nodes.as_array().into_iter().flatten();
        let paths = nodes.filter_map(|node| node["path"].as_str());
        let mut names: Vec<String> = paths.map(|p| p.replace("/dev/infiniband/", "")).collect();
        names.sort();
        assert!(!names.is_empty(), "{document}");
        names
    }

    /// iproute2 agrees, and the host has it no more.
    #[track_caller]
    fn has_it(&self, pid: &str) {
        let line = format!("nsenter --net=/proc/{pid}/ns/net rdma -j link show");
        let links: Value = self.lab.exec(&line).ok().json();
        assert_eq!(links.as_array().map(Vec::len), Some(1), "{links}");
        assert_eq!(links[0]["ifname"], self.names[0], "{links}");
        assert_eq!(pci::rdma(&self.node.vf), None);
    }

    fn whole_after(&self, what: &str) {
        self.node.is_whole_after(what);
    }
}

impl Drop for Offered<'_> {
    fn drop(&mut self) {
        podman(self.lab, "rm -f -t 0 --all");
        for folder in [FOLDER, HOOKS] {
            let _ = fs::remove_dir_all(folder);
        }
        let _ = fs::remove_file(FAILS);
    }
}

fn podman_cdi(lab: &Lab) {
    let offered = Offered::new(lab);
    let device = offered.device();
    let listed = offered
        .run(&format!("--rm --network none {device}"), LOOK)
        .ok();
    offered.shows_one_device(&listed);
    offered.whole_after("a container that ended");

    let pid = offered.sleeping("web", &format!("--network rnet {device}"));
    offered.has_it(&pid);
    offered.shows_one_device(&podman(lab, &format!("exec web {LOOK}")).ok());
    lab.rdmactl(&["cni", "list"])
        .ok()
        .stdout_has("oci-hook: ")
        .stdout_has("standing held");
    // Another one does not get it, and the first one keeps it.
    let busy = offered.run(&format!("--rm --network none {device}"), "/bin/ls");
    assert!(busy.status != 0, "{busy}");
    assert!(busy.stderr.contains("has it"), "{busy}");
    offered.has_it(&pid);
    podman(lab, "kill web").ok();
    until("the VF is at home", || {
        pci::rdma(&offered.node.vf).is_some()
    })
    .unwrap_or_else(|error| panic!("{error}"));
    offered.remove("web").ok();
    offered.whole_after("podman kill");

    let host = offered.run(&format!("--rm --network host {device}"), "/bin/ls");
    assert!(host.status != 0, "{host}");
    assert!(
        host.stderr.contains("host's own network namespace"),
        "{host}"
    );
    offered.whole_after("--network host");
    let none = offered.run(
        "--rm --network none --device rdmactl.io/rdma=mlx5_77",
        "/bin/ls",
    );
    assert!(none.status != 0, "{none}");
    offered.whole_after("a device that nobody offers");

    // Both devices, each by its hook.
    let both = format!("{device} --device rdmactl.io/rdma={}", offered.names[1]);
    let listed = offered
        .run(
            &format!("--rm --network none {both}"),
            "/bin/ls /sys/class/infiniband",
        )
        .ok();
    let listed: Vec<&str> = listed.stdout.split_whitespace().collect();
    assert_eq!(listed, offered.names);
    offered.whole_after("a container with both");

    // The hook fails at the end: the container ends all the same, and gc does the rest.
    offered.sleeping("stuck", &format!("--network rnet {device}"));
    fs::write(FAILS, "").unwrap();
    podman(lab, "stop -t 0 stuck");
    offered.remove("stuck");
    fs::remove_file(FAILS).unwrap();
    until("the VF is at home", || {
        pci::rdma(&offered.node.vf).is_some()
    })
    .unwrap_or_else(|error| panic!("{error}"));
    lab.rdmactl(&["cni", "gc"]).ok().stdout_has("oci-hook");
    offered.whole_after("a hook that failed at the end");
    // And at the beginning: no container.
    fs::write(FAILS, "").unwrap();
    let failed = offered.run(&format!("--rm --network none {device}"), "/bin/ls");
    fs::remove_file(FAILS).unwrap();
    assert!(failed.status != 0, "{failed}");
    offered.whole_after("a hook that failed at the beginning");
}

/// As podman is told of hooks without CDI; it gives no files of /dev.
fn podman_annotation(lab: &Lab) {
    let offered = Offered::new(lab);
    fs::create_dir_all(HOOKS).unwrap();
    for phase in ["createRuntime", "poststop"] {
        let hook = json!({
            "version": "1.0.0",
            "hook": {"path": PROGRAM, "args": ["rdmactl", "oci-hook", phase]},
            "when": {"annotations": {"^rdmactl\\.io/": "."}},
            "stages": [phase],
        });
        fs::write(format!("{HOOKS}/rdmactl-{phase}.json"), hook.to_string()).unwrap();
    }
    let run = |annotation: &str| {
        let line = format!(
            "--hooks-dir {HOOKS} run --rm --network none --security-opt seccomp=unconfined --annotation {annotation} --rootfs {ROOTFS} /bin/ls /sys/class/infiniband"
        );
        podman(lab, &line)
    };
    let listed = run(&format!("rdmactl.io/devices={}", offered.node.vf)).ok();
    assert_eq!(listed.stdout.trim(), offered.names[0], "{listed}");
    offered.whole_after("a container with an annotation");
    for (annotation, says) in [
        (
            "rdmactl.io/devices=mlx5_77",
            "there is no RDMA device mlx5_77",
        ),
        ("rdmactl.io/devices=../x", "not a valid device"),
        ("rdmactl.io/device=mlx5_1", "there is no annotation"),
    ] {
        let refused = run(annotation);
        assert!(refused.status != 0, "{refused}");
        assert!(refused.stderr.contains(says), "{refused}");
        offered.whole_after(annotation);
    }
}

/// podman's monitor is killed, and nobody calls poststop.
fn podman_killed(lab: &Lab) {
    let offered = Offered::new(lab);
    let device = offered.device();
    let kill = |name: &str, pid: &str| {
        let conmon = podman(
            lab,
            &format!("inspect --format {{{{.State.ConmonPid}}}} {name}"),
        );
        lab.exec(&format!("kill -9 {}", conmon.ok().stdout.trim()))
            .ok();
        assert!(Path::new(&format!("/proc/{pid}")).exists());
    };
    let gone = |pid: &str| {
        let deadline = Instant::now() + Duration::from_secs(10);
        let there = || fs::read_link(format!("/proc/{pid}/ns/net")).is_ok();
        while there() {
            assert!(Instant::now() < deadline, "process {pid} is still there");
            sleep(Duration::from_millis(20));
        }
    };
    // podman finds out when it is asked to remove it.
    let pid = offered.sleeping("asked", &format!("--network rnet {device}"));
    kill("asked", &pid);
    offered.has_it(&pid);
    offered.remove("asked");
    gone(&pid);
    lab.rdmactl(&["cni", "gc"]).ok();
    at_home(&offered.node.vf, &offered.names[0]);
    forget(&offered);
    offered.whole_after("a monitor that was killed");

    // The container dies too, its namespace stays with podman, and gc brings the device home.
    let pid = offered.sleeping("gc", &format!("--network rnet {device}"));
    kill("gc", &pid);
    lab.exec(&format!("kill -9 {pid}")).ok();
    gone(&pid);
    lab.rdmactl(&["cni", "list"])
        .ok()
        .stdout_has("standing orphan");
    lab.rdmactl(&["cni", "gc"]).ok().stdout_has("oci-hook");
    at_home(&offered.node.vf, &offered.names[0]);
    offered.remove("gc");
    forget(&offered);
    offered.whole_after("a container that was killed with its monitor");

    // Or the next container of the device does.
    let pid = offered.sleeping("first", &format!("--network rnet {device}"));
    kill("first", &pid);
    lab.exec(&format!("kill -9 {pid}")).ok();
    gone(&pid);
    let listed = offered
        .run(&format!("--rm --network none {device}"), LOOK)
        .ok();
    offered.shows_one_device(&listed);
    at_home(&offered.node.vf, &offered.names[0]);
    offered.remove("first");
    forget(&offered);
    offered.whole_after("the next container");
}

/// What podman does not clean up without its monitor: namespaces, interfaces and addresses.
fn forget(offered: &Offered<'_>) {
    offered.node.forget_leases();
    offered
        .lab
        .sh("rm -f /var/lib/cni/results/*; for each in /run/netns/*; do test -e $each || continue; umount $each; rm $each; done")
        .ok();
}

fn podman_shared_mode(lab: &Lab) {
    let offered = Offered::new(lab);
    let device = offered.device();
    let refused = offered.run(&format!("--rm --network none {device}"), "/bin/ls");
    assert!(refused.status != 0, "{refused}");
    assert!(refused.stderr.contains("is in shared mode"), "{refused}");
    assert!(refused.stderr.contains("set netns exclusive"), "{refused}");
    offered.whole_after("shared mode");
}
