//! Docker by CDI: one isolated RDMA device, home when the container ends, and when everything of Docker is killed.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;

use super::cni_call::at_home;
use crate::adapter::until;
use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::output::Output;
use crate::pci;
use crate::running::Running;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("docker_cdi", docker_cdi)
            .exclusive()
            .ethernet()
            .only(&["6.12"], "the distribution whose Docker knows CDI")
            .limit(280)
            .may_change(&["folder /"]),
    ]
}

/// Where the guest's root has it, and finds it only when it is asked to.
const DOCKER: &str = "/opt/docker/usr";
const FOLDERS: [&str; 3] = ["/run/docker", "/var/lib/docker", "/var/run/cdi"];

/// A daemon that is killed, with all that it started, when this goes.
struct Docker<'a> {
    lab: &'a Lab,
    _daemon: Running,
}

impl<'a> Docker<'a> {
    fn start(lab: &'a Lab) -> Self {
        let config = json!({
            "features": {"cdi": true}, "bridge": "none", "iptables": false, "ip6tables": false,
            "ip-forward": false, "exec-opts": ["native.cgroupdriver=cgroupfs"],
        });
        fs::write("/run/lab/docker.json", config.to_string()).unwrap();
        // Its layers cannot lie on an overlay.
        lab.sh(
            "modprobe overlay && mkdir -p /var/lib/docker && mount -t tmpfs tmpfs /var/lib/docker",
        )
        .ok();
        let path = format!("PATH={DOCKER}/sbin:{DOCKER}/bin:/usr/sbin:/usr/bin");
        let words = [
            "env",
            &path,
            "dockerd",
            "--config-file",
            "/run/lab/docker.json",
        ];
        let docker = Self {
            lab,
            _daemon: Running::new(&words),
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        while docker.run("version").status != 0 {
            assert!(Instant::now() < deadline, "the daemon does not answer");
            sleep(Duration::from_millis(500));
        }
        docker
    }

    fn run(&self, line: &str) -> Output {
        self.lab.exec(&format!("{DOCKER}/bin/docker {line}"))
    }

    /// Of it, of its shims, and of what runs in containers.
    fn kill(&self) {
        self.lab
            .sh("for name in dockerd containerd containerd-shim; do
                     for pid in $(pgrep -x $name); do kill -9 $pid $(pgrep -P $pid); done
                 done 2>/dev/null; true")
            .ok();
    }
}

impl Drop for Docker<'_> {
    fn drop(&mut self) {
        self.kill();
        self.lab.sh(&format!(
            "for n in $(seq 50); do pgrep -x 'dockerd|containerd|containerd-shim' >/dev/null || break; sleep 0.1; done
             grep -o ' /\\(run\\|var/lib\\)/docker[^ ]*' /proc/self/mounts | tac | xargs -r umount
             rm -rf {} /run/docker.sock /run/docker.pid /run/lab/docker.json",
            FOLDERS.join(" ")
        ));
    }
}

fn docker_cdi(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    let nodes = pci::names(format!("/sys/bus/pci/devices/{vf}/infiniband_verbs"));
    lab.rdmactl(&["cdi", "generate", "--program", &format!("{FACES}/rdmactl")])
        .ok()
        .stdout_has("devices 2 written");
    let docker = Docker::start(lab);
    lab.sh(&format!(
        "cd /run/lab && mkdir -p box/bin && cp /bin/busybox box/bin/ && ln -sf busybox box/bin/sh && \
         ln -sf busybox box/bin/ls && ln -sf busybox box/bin/sleep && \
         tar -C box -c . | {DOCKER}/bin/docker import - box && rm -r box"
    ))
    .ok();
    let words = format!("--network none --device rdmactl.io/rdma={name} box");
    docker
        .run(&format!("run -d --name web {words} sleep 1000"))
        .ok();
    let listed = docker
        .run("exec web ls /sys/class/infiniband /dev/infiniband")
        .ok();
    let shown: Vec<&str> = listed.stdout.split_whitespace().collect();
    let mut expected = vec!["/dev/infiniband:"];
    expected.extend(nodes.iter().map(String::as_str));
    expected.extend(["/sys/class/infiniband:", &name]);
    assert_eq!(shown, expected);
    assert_eq!(pci::rdma(&vf), None);
    lab.rdmactl(&["cni", "list"])
        .ok()
        .stdout_has("oci-hook: ")
        .stdout_has("standing held");
    docker.run("kill web").ok();
    comes_home(&vf);
    at_home(&vf, &name);

    // Daemon, shim and container are killed at once: nobody calls the hook, and Docker's name for the namespace stays.
    docker.run("start web").ok();
    assert_eq!(pci::rdma(&vf), None);
    let pid = docker
        .run("inspect --format {{.State.Pid}} web")
        .ok()
        .stdout;
    docker.kill();
    let netns = format!("/proc/{}/ns/net", pid.trim());
    until("the container is gone", || fs::read_link(&netns).is_err())
        .unwrap_or_else(|error| panic!("{error}"));
    lab.rdmactl(&["cni", "gc"]).ok().stdout_has("oci-hook: ");
    at_home(&vf, &name);
}

#[track_caller]
fn comes_home(vf: &str) {
    until("the VF is at home", || pci::rdma(vf).is_some())
        .unwrap_or_else(|error| panic!("{error}"));
}
