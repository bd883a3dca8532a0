//! Container runtimes of the distribution call both plugins; what goes wrong between them ends clean.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::runtime_node::{Network, Node, ROOTFS, with_runtimes};
use crate::adapter::{until, within};
use crate::case::Case;
use crate::handle::Lab;
use crate::output::Output;
use crate::pci;
use crate::running::Running;

const LS: &str = "/bin/ls /sys/class/infiniband /sys/class/net";

pub(crate) fn cases() -> Vec<Case> {
    vec![
        with_runtimes("containerd_ctr_rdma", containerd_ctr_rdma).ethernet(),
        with_runtimes("containerd_ctr_ib_sriov", containerd_ctr_ib_sriov)
            .adapter("mode=ib vf_guids=1"),
        with_runtimes("containerd_cri_rdma", containerd_cri_rdma).ethernet(),
        with_runtimes("containerd_cri_ib_sriov", containerd_cri_ib_sriov)
            .adapter("mode=ib vf_guids=1"),
        with_runtimes("podman_rdma", podman_rdma).ethernet(),
        with_runtimes("podman_ib_sriov", podman_ib_sriov).adapter("mode=ib vf_guids=1"),
    ]
}

// ---- containerd ----

struct Containerd(Option<Running>);

impl Containerd {
    fn start(lab: &Lab) -> Self {
        // Its snapshots cannot lie on an overlay.
        lab.sh("modprobe overlay; mkdir -p /var/lib/containerd; mountpoint -q /var/lib/containerd || mount -t tmpfs tmpfs /var/lib/containerd")
            .ok();
        let daemon = Running::new(&["containerd", "-c", "/run/lab/containerd.toml"]);
        let answers = || lab.exec("ctr version").status == 0;
        let deadline = Instant::now() + Duration::from_secs(40);
        while !answers() {
            assert!(Instant::now() < deadline, "containerd does not answer");
            sleep(Duration::from_millis(200));
        }
        Self(Some(daemon))
    }

    /// SIGKILL, and another one on the same state.
    fn replace(&mut self, lab: &Lab) {
        drop(self.0.take());
        *self = Self::start(lab);
    }
}

fn ctr(lab: &Lab, id: &str, command: &str) -> Output {
    lab.exec(&format!("ctr run --rootfs --cni {ROOTFS} {id} {command}"))
}

/// A container that sleeps, and the `ctr` that waits for it.
fn ctr_in_the_background(lab: &Lab, id: &str) -> Running {
    let run = Running::new(&[
        "ctr",
        "run",
        "--rootfs",
        "--cni",
        ROOTFS,
        id,
        "/bin/sleep",
        "1000",
    ]);
    within(40, "the container runs", || pid(lab, id).is_some())
        .unwrap_or_else(|error| panic!("{error}"));
    run
}

fn pid(lab: &Lab, id: &str) -> Option<String> {
    let tasks = lab.exec("ctr task list").stdout;
    let line = tasks.lines().find(|line| line.starts_with(id))?;
    let mut words = line.split_whitespace().skip(1);
    let pid = words.next()?.to_owned();
    (words.next() == Some("RUNNING")).then_some(pid)
}

/// `ctr` calls DEL without a namespace, always: `host-device` then leaves the interface under the kernel's name and the
/// address reserved, `ptp` does not.
fn by_ctr(lab: &Lab, network: Network) {
    let node = Node::new(lab, network);
    let _containerd = Containerd::start(lab);
    let listed = ctr(lab, "listing", LS).ok();
    assert!(listed.stdout.contains("eth0"), "{listed}");
    node.is_whole_after("a container that ended");

    let waits = ctr_in_the_background(lab, "sleeping");
    let inside = pid(lab, "sleeping").expect("it runs");
    let listed = lab
        .exec(&format!("ctr task exec --exec-id look sleeping {LS}"))
        .ok();
    node.shows_only_its_device(&listed, &format!("/proc/{inside}/ns/net"));
    lab.exec("ctr task kill -s KILL sleeping").ok();
    wait(waits);
    node.is_whole_after("a container that was killed");
    lab.sh("ctr container rm listing sleeping 2>/dev/null; true")
        .ok();

    // Our plugin is killed when the container has its address: ctr calls DEL, and that releases both.
    let address = node.last_address();
    let (call, n) = Node::ends_of_add(network)[1];
    node.kill_next("ADD", call, n);
    assert!(ctr(lab, "cut", "/bin/ls /").status != 0);
    node.was_killed();
    assert_ne!(node.last_address(), address, "it had an address");
    // It leaves the container itself, which was made but not begun.
    lab.sh("ctr task delete -f cut; ctr container rm cut; true")
        .ok();
    node.is_whole_after("an ADD that was killed");

    // The runtime itself is killed: nobody calls DEL. The next ADD of the VF brings it home first, and so does gc.
    let waits = ctr_in_the_background(lab, "orphan");
    drop(waits);
    lab.exec("ctr task kill -s KILL orphan").ok();
    let gone = || lab.exec("ctr task delete orphan").status == 0;
    until("the task is gone", gone).unwrap_or_else(|error| panic!("{error}"));
    lab.exec("ctr container rm orphan").ok();
    lab.rdmactl(&["cni", "gc"]).ok().stdout_has("orphan");
    node.forget_leases();
    lab.sh("rm -f /var/lib/cni/results/*").ok();
    node.is_whole_after("a runtime that was killed");
}

fn containerd_ctr_rdma(lab: &Lab) {
    by_ctr(lab, Network::RdmaBehind("ptp"));
}

fn containerd_ctr_ib_sriov(lab: &Lab) {
    by_ctr(lab, Network::IbSriov);
}

/// Gives it time to see its container end, and to call DEL.
fn wait(mut ctr: Running) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while ctr.goes_on() {
        assert!(Instant::now() < deadline, "ctr still waits");
        sleep(Duration::from_millis(50));
    }
}

/// Of the one pod there is.
#[track_caller]
fn the_netns() -> String {
    let names = pci::names("/run/netns");
    assert_eq!(names.len(), 1, "{names:?}");
    format!("/run/netns/{}", names[0])
}

fn cri(lab: &Lab, line: &str) -> Output {
    lab.exec(&format!("python3 /run/lab/cri.py {line}"))
}

/// As a kubelet does it, and what may happen to a pod on the way.
fn by_cri(lab: &Lab, network: Network) {
    let node = Node::new(lab, network);
    let mut containerd = Containerd::start(lab);
    cri(lab, "image /run/lab/image.tar").ok();
    lab.exec("ctr -n k8s.io images import --snapshotter overlayfs /run/lab/image.tar")
        .ok();
    let up = |name: &str| {
        cri(lab, &format!("runp {name}"))
            .ok()
            .stdout
            .trim()
            .to_owned()
    };
    let down = |pod: &str| cri(lab, &format!("down {pod}"));

    let pod = up("plain");
    let container = cri(lab, &format!("create {pod} plain")).ok().stdout;
    let listed = cri(lab, &format!("exec {} {LS}", container.trim())).ok();
    let device = node.shows_only_its_device(&listed, &the_netns());
    down(&pod).ok();
    node.is_whole_after("a pod");

    if network != Network::IbSriov {
        node.offer(Network::RdmaBehind("host-device"));
        let pod = up("host-device");
        down(&pod).ok();
        node.is_whole_after("a pod with the VF's interface");
        node.offer(network);
    }

    let pod = up("renamed");
    let into = format!("nsenter --net={}", the_netns());
    lab.exec(&format!("{into} rdma dev set {device} name foo0"))
        .ok();
    down(&pod).ok();
    node.is_whole_after("a pod that renamed its RDMA device");

    if network == Network::IbSriov {
        // An empty record tells no GUID to put back.
        node.offer(Network::IbSriovAsItIs);
    }
    let pod = up("emptied");
    lab.sh("for each in /var/lib/cni/rdma/* /var/lib/cni/ib-sriov/*; do test -f $each && : > $each; done; true")
        .ok();
    down(&pod).ok();
    node.is_whole_after("a pod whose record was emptied");
    node.offer(network);

    let pod = up("paused");
    lab.sh("kill -9 $(ctr -n k8s.io task list | awk 'NR == 2 { print $2 }')")
        .ok();
    down(&pod).ok();
    node.is_whole_after("a pod whose pause process was killed");

    for restart in [false, true] {
        let pod = up("gone");
        lab.exec(&format!("umount {}", the_netns())).ok();
        lab.exec(&format!("rm {}", the_netns())).ok();
        if restart {
            containerd.replace(lab);
        }
        down(&pod).ok();
        node.is_whole_after("a pod whose namespace was removed");
    }

    let mut address = String::new();
    for (call, n) in Node::ends_of_add(network) {
        address = node.last_address();
        node.kill_next("ADD", call, n);
        cri(lab, "runp killed").fails(1);
        node.was_killed();
        node.is_whole_after("an ADD that was killed");
    }
    assert_ne!(node.last_address(), address, "it had an address");

    let pod = up("killed");
    node.kill_next("DEL", "sendto", 3);
    down(&pod).fails(1);
    node.was_killed();
    down(&pod).ok();
    node.is_whole_after("a DEL that was killed");
}

fn containerd_cri_rdma(lab: &Lab) {
    by_cri(lab, Network::RdmaBehind("ptp"));
}

fn containerd_cri_ib_sriov(lab: &Lab) {
    by_cri(lab, Network::IbSriov);
}

// ---- podman, with the CNI backend that its later versions lack ----

pub(super) fn podman(lab: &Lab, line: &str) -> Output {
    lab.sh(&format!(
        "export CONTAINERS_CONF=/run/lab/containers.conf
         exec podman --root /run/lab/podman --runroot /run/lab/podman-run --storage-driver vfs {line}"
    ))
}

fn by_podman(lab: &Lab, network: Network) {
    let node = Node::new(lab, network);
    let run = |name: &str| {
        podman(
            lab,
            &format!(
                "run -d --name {name} --network rnet --security-opt seccomp=unconfined --rootfs {ROOTFS} /bin/sleep 1000"
            ),
        )
    };
    let remove = |name: &str| podman(lab, &format!("rm -f -t 0 {name}"));

    if network != Network::IbSriov {
        node.offer(Network::RdmaBehind("host-device"));
    }
    run("plain").ok();
    let listed = podman(lab, &format!("exec plain {LS}")).ok();
    let device = node.shows_only_its_device(&listed, &the_netns());
    remove("plain").ok();
    node.is_whole_after("a container");
    node.offer(network);

    run("renamed").ok();
    let into = format!("nsenter --net={}", the_netns());
    lab.exec(&format!("{into} rdma dev set {device} name foo0"))
        .ok();
    remove("renamed").ok();
    node.is_whole_after("a container that renamed its RDMA device");

    // podman sees the end through conmon, which calls for the cleanup.
    run("killed").ok();
    lab.sh("kill -9 $(cat /run/lab/podman-run/vfs-containers/*/userdata/pidfile)")
        .ok();
    let released = || pci::rdma(&node.vf).is_some();
    until("the VF is at home", released).unwrap_or_else(|error| panic!("{error}"));
    remove("killed").ok();
    node.is_whole_after("a container that was killed");

    // Where podman does not call DEL, or not again, gc does what is left.
    let collect = || {
        lab.rdmactl(&["cni", "gc"]).ok();
        node.forget_leases();
        lab.sh("rm -f /var/lib/cni/results/*").ok();
    };
    run("gone").ok();
    let netns = the_netns();
    lab.exec(&format!("umount {netns}")).ok();
    lab.exec(&format!("rm {netns}")).ok();
    remove("gone");
    remove("gone");
    collect();
    node.is_whole_after("a container whose namespace was removed");

    let mut address = String::new();
    for (call, n) in Node::ends_of_add(network) {
        address = node.last_address();
        node.kill_next("ADD", call, n);
        assert!(run("cut").status != 0);
        node.was_killed();
        remove("cut").ok();
        node.is_whole_after("an ADD that was killed");
    }
    assert_ne!(node.last_address(), address, "it had an address");

    run("half").ok();
    node.kill_next("DEL", "sendto", 3);
    remove("half");
    node.was_killed();
    remove("half");
    collect();
    node.is_whole_after("a DEL that was killed");
}

fn podman_rdma(lab: &Lab) {
    by_podman(lab, Network::RdmaBehind("ptp"));
}

fn podman_ib_sriov(lab: &Lab) {
    by_podman(lab, Network::IbSriov);
}
