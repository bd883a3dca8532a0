//! A mode that cannot change says what is in the way, and waits for what is on its way out.

use super::explain::{BUSY, EXCLUSIVE, inode, mode_is};
use crate::case::{Case, case};
use crate::handle::Lab;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("busy_names_a_named_namespace", busy_names_a_named_namespace),
        case("busy_names_a_process", busy_names_a_process),
        case(
            "busy_names_unit_container_and_pod",
            busy_names_unit_container_and_pod,
        ),
        case(
            "busy_names_what_holds_a_deleted_namespace",
            busy_names_what_holds_a_deleted_namespace,
        ),
        case("busy_in_other_directions", busy_in_other_directions).exclusive(),
        case(
            "dying_namespaces_are_waited_for",
            dying_namespaces_are_waited_for,
        ),
        case(
            "a_wait_is_for_living_ones_too",
            a_wait_is_for_living_ones_too,
        ),
    ]
}

/// Rows R02b.
fn busy_names_a_named_namespace(lab: &Lab) {
    let _blue = lab.netns("pod-blue");
    lab.rdmactl(&EXCLUSIVE)
        .fails(1)
        .stdout_is("")
        .stderr_has(BUSY)
        .stderr_has("another network namespace exists: pod-blue (/run/netns/pod-blue, no process)")
        .stderr_has("ip netns del pod-blue; rdmactl system set netns exclusive; or");
    mode_is(lab, "shared");
}

fn busy_names_a_process(lab: &Lab) {
    let _blue = lab.netns("pod-blue");
    let held = lab.spawn_in_new_netns(&["sleep", "100"]);
    let (pid, id) = (held.pid(), inode(lab, held.pid()));
    lab.rdmactl(&EXCLUSIVE)
        .fails(1)
        .stderr_has(BUSY)
        .stderr_has("2 other network namespaces exist: pod-blue (")
        .stderr_has(&format!("{id} (pid {pid} sleep"))
        .stderr_has(&format!("kill {pid}"));
}

fn busy_names_unit_container_and_pod(lab: &Lab) {
    let id = "7be92808767a667f35c8505cbf40d14e931ef6db5b0210329cf193b15ba9d605";
    let pod = "kubepods-pod4f5ad9ce_6b63_4d5d_8f0e_5d8a4f5a3b1c.slice";
    let groups = [
        ("system.slice/polkit.service".to_owned(), "polkit.service"),
        (
            format!("system.slice/docker-{id}.scope"),
            "Docker container 7be92808767a",
        ),
        (
            format!("kubepods.slice/{pod}/cri-containerd-{id}.scope"),
            "containerd container 7be92808767a of pod 4f5ad9ce-6b63-4d5d-8f0e-5d8a4f5a3b1c",
        ),
    ];
    let own = lab
        .sh("cut -d: -f3 /proc/self/cgroup | tail -n 1")
        .ok()
        .stdout
        .trim()
        .to_owned();
    let root = "/sys/fs/cgroup";
    let held: Vec<_> = groups
        .iter()
        .map(|(group, _)| {
            let held = lab.spawn_in_new_netns(&["sleep", "100"]);
            let pid = held.pid();
            lab.sh(&format!(
                "mkdir -p {root}/{group} && echo {pid} > {root}/{group}/cgroup.procs"
            ))
            .ok();
            held
        })
        .collect();
    let mut said = lab
        .rdmactl(&EXCLUSIVE)
        .fails(1)
        .stderr_has(BUSY)
        .stderr_has("3 other network namespaces exist");
    for (held, (_, words)) in held.iter().zip(&groups) {
        said = said.stderr_has(&format!(
            "{} (pid {} sleep of {words})",
            inode(lab, held.pid()),
            held.pid()
        ));
    }
    said.stderr_has("systemctl stop polkit.service")
        .stderr_has("docker stop 7be92808767a")
        .stderr_has("crictl stop 7be92808767a");
    for held in &held {
        lab.sh(&format!("echo {} > {root}{own}/cgroup.procs", held.pid()))
            .ok();
    }
    drop(held);
    lab.sh(&format!("cd {root}; rmdir system.slice/polkit.service system.slice/docker-{id}.scope kubepods.slice/{pod}/*/ kubepods.slice/{pod} kubepods.slice")).ok();
}

/// No name, no process in it: only an open file keeps it.
fn busy_names_what_holds_a_deleted_namespace(lab: &Lab) {
    let pid = lab
        .sh("ip netns add gone; sleep 100 3< /run/netns/gone > /dev/null 2>&1 & echo -n $!; until [ -e /proc/$!/fd/3 ]; do sleep 0.1; done; ip netns del gone")
        .ok()
        .stdout;
    lab.rdmactl(&[&EXCLUSIVE[..], &["--wait", "0"]].concat())
        .fails(1)
        .stderr_has(BUSY)
        .stderr_has(&format!("held open by pid {pid} sleep"))
        .stderr_has(&format!("as /proc/{pid}/fd/3"))
        .stderr_has(&format!("kill {pid}"));
    lab.sh(&format!("kill {pid}")).ok();
    // The namespace dies now; the mode of the case is restored when it is gone.
    lab.rdmactl(&EXCLUSIVE).ok();
    lab.rdmactl(&["system", "set", "netns", "shared"]).ok();
}

fn busy_in_other_directions(lab: &Lab) {
    let blue = lab.netns("pod-blue");
    let shared = ["system", "set", "netns", "shared"];
    lab.rdmactl(&shared)
        .fails(1)
        .stderr_has(BUSY)
        .stderr_has("pod-blue")
        .stderr_has("rdmactl system set netns shared");
    // From inside, the caller's own namespace is the one in the way.
    let faces = crate::handle::FACES;
    lab.in_netns(
        "pod-blue",
        &[
            &format!("{faces}/rdmactl"),
            "system",
            "set",
            "netns",
            "shared",
        ],
    )
    .fails(1)
    .stderr_has("pod-blue (the caller's, ");
    drop(blue);
}

/// A namespace on its way out, for as long as the kernel likes: here until a socket closes.
fn dying_namespaces_are_waited_for(lab: &Lab) {
    let die = "ip netns add dying; ip -n dying link set lo up
        ip netns exec dying bash -c 'exec 3<> /dev/udp/127.0.0.1/9; exec nsenter --net=/proc/1/ns/net sleep 3' > /dev/null 2>&1 &
        until [ \"$(cat /proc/$!/comm)\" = sleep ]; do sleep 0.1; done
        ip netns del dying";
    lab.sh(die).ok();
    lab.iproute2_rdma(&EXCLUSIVE).fails(1).stderr_is(BUSY);
    lab.rdmactl(&[&EXCLUSIVE[..], &["--wait", "0"]].concat())
        .fails(1)
        .stderr_has(BUSY)
        .stderr_has("nothing visible keeps them")
        .stderr_has("rdmactl system set netns exclusive --wait 30");
    lab.rdmactl(&EXCLUSIVE).ok().silent();
    mode_is(lab, "exclusive");
    lab.rdmactl(&["system", "set", "netns", "shared"])
        .ok()
        .silent();
}

fn a_wait_is_for_living_ones_too(lab: &Lab) {
    let pid = lab
        .sh("unshare --net sleep 4 > /dev/null 2>&1 & echo -n $!; sleep 0.5")
        .ok()
        .stdout;
    lab.rdmactl(&EXCLUSIVE)
        .fails(1)
        .stderr_has(&format!("pid {pid} sleep"));
    lab.rdmactl(&[&EXCLUSIVE[..], &["--wait", "30"]].concat())
        .ok()
        .silent();
    lab.rdmactl(&["system", "set", "netns", "shared"]).ok();
}
