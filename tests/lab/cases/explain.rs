//! Every error that can be explained is: who or what stands in the way, and what to type next.

use crate::case::{Case, case};
use crate::handle::Lab;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("sets_are_idempotent", sets_are_idempotent).exclusive(),
        case("shared_mode_forbids_a_move", shared_mode_forbids_a_move),
        case("driver_forbids_a_move", driver_forbids_a_move)
            .adapter("mode=ib nomove=1")
            .exclusive(),
        case("soft_roce_forbids_a_move", soft_roce_forbids_a_move)
            .exclusive()
            .only(&["6.1", "6.12"], "from 7.3 on soft-RoCE can be moved"),
        case("a_device_elsewhere_is_found", a_device_elsewhere_is_found).exclusive(),
        case(
            "a_device_nowhere_has_neighbours",
            a_device_nowhere_has_neighbours,
        )
        .exclusive(),
        case("privilege_is_missing", privilege_is_missing).exclusive(),
        case(
            "a_namespace_nowhere_has_neighbours",
            a_namespace_nowhere_has_neighbours,
        )
        .exclusive(),
        case("a_taken_name_says_who_has_it", a_taken_name_says_who_has_it).exclusive(),
        case(
            "a_name_taken_elsewhere_says_where",
            a_name_taken_elsewhere_says_where,
        )
        .exclusive()
        .only(
            &["6.1", "6.12"],
            "from 7.3 on a name is taken in its namespace only",
        ),
        case(
            "a_name_taken_in_the_target_says_where",
            a_name_taken_in_the_target_says_where,
        )
        .exclusive()
        .only(&["7.3"], "before 7.3 a name is taken in every namespace"),
        case("link_add_says_what_is_wrong", link_add_says_what_is_wrong),
        case("hardware_is_not_deleted", hardware_is_not_deleted),
        case("a_dry_run_changes_nothing", a_dry_run_changes_nothing),
    ]
}

pub(super) const EXCLUSIVE: [&str; 4] = ["system", "set", "netns", "exclusive"];
pub(super) const BUSY: &str = "error: Device or resource busy\n";

pub(super) fn mode_is(lab: &Lab, mode: &str) {
    lab.iproute2_rdma(&["system", "show"])
        .ok()
        .stdout_has(&format!("netns {mode}"));
}

/// What `/proc/PID/ns/net` says.
pub(super) fn inode(lab: &Lab, pid: u32) -> String {
    lab.sh(&format!("readlink /proc/{pid}/ns/net"))
        .ok()
        .stdout
        .trim()
        .to_owned()
}

fn sets_are_idempotent(lab: &Lab) {
    let _blue = lab.netns("pod-blue");
    let device = lab.vf_rdma(0);
    lab.rdmactl(&EXCLUSIVE).ok().silent();
    lab.rdmactl(&["dev", "set", &device, "name", &device])
        .ok()
        .silent();
    lab.rdmactl(&["dev", "set", &device, "netns", "/proc/1/ns/net"])
        .ok()
        .silent();
    for _ in 0..2 {
        lab.rdmactl(&["dev", "set", &device, "netns", "pod-blue"])
            .ok()
            .silent();
    }
    lab.in_netns("pod-blue", &["rdma", "dev", "show", &device])
        .ok();
}

fn shared_mode_forbids_a_move(lab: &Lab) {
    let _blue = lab.netns("pod-blue");
    let device = lab.vf_rdma(0);
    lab.rdmactl(&["dev", "set", &device, "netns", "pod-blue"])
        .fails(1)
        .stderr_has("error: Operation not supported\n")
        .stderr_has("the RDMA subsystem is in shared mode")
        .stderr_has("fix: rdmactl system set netns exclusive\n");
}

fn driver_forbids_a_move(lab: &Lab) {
    let _blue = lab.netns("pod-blue");
    let device = lab.vf_rdma(0);
    let driver = lab
        .sh(&format!(
            "basename $(readlink /sys/class/infiniband/{device}/device/driver)"
        ))
        .ok()
        .stdout;
    lab.rdmactl(&["dev", "set", &device, "netns", "pod-blue"])
        .fails(1)
        .stderr_has("error: Operation not supported\n")
        .stderr_has("the mode is exclusive")
        .stderr_has(&format!(
            "its driver {} cannot take a device away from its users",
            driver.trim()
        ));
}

fn soft_roce_forbids_a_move(lab: &Lab) {
    let _blue = lab.netns("pod-blue");
    let _veth = Veth::new(lab);
    lab.rdmactl(&["link", "add", "rxe0", "type", "rxe", "netdev", "veth-a"])
        .ok()
        .silent();
    lab.rdmactl(&["dev", "set", "rxe0", "netns", "pod-blue"])
        .fails(1)
        .stderr_has("error: Operation not supported\n")
        .stderr_has("soft-RoCE cannot before Linux 7.3");
    lab.rdmactl(&["link", "delete", "rxe0"]).ok();
}

fn a_device_elsewhere_is_found(lab: &Lab) {
    let _red = lab.netns("pod-red");
    let blue = lab.netns("pod-blue");
    let device = lab.vf_rdma(0);
    lab.rdmactl(&["dev", "set", &device, "netns", "pod-blue"])
        .ok()
        .silent();
    for words in [
        ["dev", "show", &device].as_slice(),
        &["dev", "set", &device, "netns", "pod-red"],
    ] {
        lab.rdmactl(words)
            .fails(1)
            .stderr_has(&format!("Wrong device name - {device}\n"))
            .stderr_has(&format!("{device} lives in another network namespace: pod-blue (/run/netns/pod-blue, no process)"))
            .stderr_has("ip netns exec pod-blue rdmactl dev show");
    }
    let faces = crate::handle::FACES;
    let other = lab.vf_rdma(1);
    lab.in_netns(
        "pod-blue",
        &[&format!("{faces}/rdmactl"), "dev", "show", &other],
    )
    .fails(1)
    .stderr_has("lives in another network namespace: net:[")
    .stderr_has("(the initial one)")
    .stderr_has(&format!(
        "nsenter --net=/proc/1/ns/net rdmactl dev show {other}"
    ));
    drop(blue);

    let held = lab.spawn_in_new_netns(&["sleep", "100"]);
    let (pid, id) = (held.pid().to_string(), inode(lab, held.pid()));
    lab.rdmactl(&["dev", "set", &device, "netns", &pid])
        .ok()
        .silent();
    lab.rdmactl(&["dev", "show", &device])
        .fails(1)
        .stderr_has(&format!("{id} (pid {pid} sleep"))
        .stderr_has(&format!(
            "nsenter --net=/proc/{pid}/ns/net rdmactl dev show {device}"
        ));
}

fn a_device_nowhere_has_neighbours(lab: &Lab) {
    let device = lab.vf_rdma(0);
    let wrong = device.replace("mlx5", "mxl5");
    lab.rdmactl(&["dev", "show", &wrong])
        .fails(1)
        .stderr_has(&format!("Wrong device name - {wrong}\n"))
        .stderr_has(&format!("near to it: {device}"));
    lab.rdmactl(&["link", "show", &format!("{device}/9")])
        .fails(1)
        .stderr_has("Wrong device name\n")
        .stderr_has("its only port is 1");
}

fn privilege_is_missing(lab: &Lab) {
    // A copy, for users that may not look where the binary lies.
    let ours = "/tmp/explain/rdmactl";
    lab.sh(&format!(
        "install -D {}/rdmactl {ours}; chmod 755 /tmp/explain",
        crate::handle::FACES
    ))
    .ok();
    let rename = format!("{ours} dev set {} name other", lab.vf_rdma(0));
    lab.sh(&format!("setpriv --reuid 1000 --clear-groups {rename}"))
        .fails(1)
        .stderr_has("error: Operation not permitted\n")
        .stderr_has("the caller has no CAP_NET_ADMIN");
    lab.sh(&format!("unshare --user --map-root-user {rename}"))
        .fails(1)
        .stderr_has("error: Operation not permitted\n")
        .stderr_has("only in a user namespace of its own")
        .stderr_has("run the command as root on the host");
    lab.sh(&format!(
        "setpriv --bounding-set -net_admin --inh-caps -net_admin {ours} system set netns shared"
    ))
    .fails(1)
    .stderr_has("the caller has no CAP_NET_ADMIN");
    mode_is(lab, "exclusive");
    lab.sh("rm -r /tmp/explain").ok();
}

fn a_namespace_nowhere_has_neighbours(lab: &Lab) {
    let _blue = lab.netns("pod-blue");
    let _red = lab.netns("pod-red");
    let device = lab.vf_rdma(0);
    lab.rdmactl(&["dev", "set", &device, "netns", "pod-bleu"])
        .fails(1)
        .stderr_has("Cannot open network namespace \"pod-bleu\": No such file or directory\n")
        .stderr_has("names near to it: pod-blue\n")
        .stderr_has("fix: ip netns list\n");
    lab.rdmactl(&["dev", "set", &device, "netns", "quite-different"])
        .fails(1)
        .stderr_has("2 named network namespaces exist");
    lab.rdmactl(&["--netns", "pod-rde", "dev", "show"])
        .fails(1)
        .stderr_has("names near to it: pod-red\n");
}

fn a_taken_name_says_who_has_it(lab: &Lab) {
    let (one, other) = (lab.vf_rdma(0), lab.vf_rdma(1));
    lab.rdmactl(&["dev", "set", &one, "name", &other])
        .fails(1)
        .stderr_has("error: File exists\n")
        .stderr_has(&format!("in this network namespace has the name {other}"))
        .stderr_has(&format!("rdmactl dev set {other} name OTHER"));
    let _veth = Veth::new(lab);
    lab.rdmactl(&["link", "add", &one, "type", "rxe", "netdev", "veth-a"])
        .fails(1)
        .stderr_has("error: Too many open files in system\n")
        .stderr_has(&format!("in this network namespace has the name {one}"));
}

fn a_name_taken_elsewhere_says_where(lab: &Lab) {
    let (one, other) = (lab.vf_rdma(0), lab.vf_rdma(1));
    let _blue = lab.netns("pod-blue");
    let _veth = Veth::new(lab);
    lab.rdmactl(&["dev", "set", &other, "netns", "pod-blue"])
        .ok()
        .silent();
    for words in [
        ["dev", "set", &one, "name", &other].as_slice(),
        &["link", "add", &other, "type", "rxe", "netdev", "veth-a"],
    ] {
        lab.rdmactl(words)
            .fails(1)
            .stderr_has(&format!("a device in another network namespace has the name {other}: pod-blue (/run/netns/pod-blue, no process)"))
            .stderr_has(&format!("ip netns exec pod-blue rdmactl dev set {other} name OTHER"));
    }
}

fn a_name_taken_in_the_target_says_where(lab: &Lab) {
    let (one, other) = (lab.vf_rdma(0), lab.vf_rdma(1));
    let _blue = lab.netns("pod-blue");
    lab.rdmactl(&["dev", "set", &other, "netns", "pod-blue"])
        .ok()
        .silent();
    lab.in_netns("pod-blue", &["rdma", "dev", "set", &other, "name", &one])
        .ok();
    lab.rdmactl(&["dev", "set", &one, "netns", "pod-blue"])
        .fails(1)
        .stderr_has("error: File exists\n")
        .stderr_has(&format!(
            "a device in another network namespace has the name {one}: pod-blue ("
        ));
    lab.in_netns("pod-blue", &["rdma", "dev", "set", &one, "name", &other])
        .ok();
}

fn link_add_says_what_is_wrong(lab: &Lab) {
    let _veth = Veth::new(lab);
    let add = |name: &str, kind: &str, netdev: &str| {
        lab.rdmactl(&["link", "add", name, "type", kind, "netdev", netdev])
    };
    add("rxe0", "rxe", "veth-a").ok().silent();
    add("rxe1", "rxe", "veth-a")
        .fails(1)
        .stderr_has("error: File exists\n")
        .stderr_has("veth-a has the software device rxe0 already")
        .stderr_has("rdmactl link delete rxe0");
    add("rxe1", "rex", "veth-b")
        .fails(1)
        .stderr_has("error: Invalid argument\n")
        .stderr_has("the running kernel knows no link type rex; its modules offer rxe");
    add("rxe1", "rxe", "veth-x")
        .fails(1)
        .stderr_has("error: No such device\n")
        .stderr_has("no interface veth-x in this network namespace; near to it: veth-a, veth-b");
    lab.rdmactl(&["link", "delete", "rxe0"]).ok().silent();

    let _blue = lab.netns("pod-blue");
    lab.ip(&[
        "-n", "pod-blue", "link", "add", "far0", "type", "veth", "peer", "name", "far1",
    ])
    .ok();
    add("rxe1", "rxe", "far0")
        .fails(1)
        .stderr_has("the interface far0 lives in another network namespace: pod-blue (");
}

fn hardware_is_not_deleted(lab: &Lab) {
    let device = lab.vf_rdma(0);
    lab.rdmactl(&["link", "delete", &device])
        .fails(1)
        .stderr_has("error: Invalid argument\n")
        .stderr_has(
            "only software devices (rxe, siw) can be deleted; this one belongs to the driver ",
        );
}

/// The snapshot of the case proves the rest.
fn a_dry_run_changes_nothing(lab: &Lab) {
    let _blue = lab.netns("pod-blue");
    let device = lab.vf_rdma(0);
    for (words, would) in [
        (
            ["dev", "set", &device, "name", "other"].as_slice(),
            "rename",
        ),
        (&["dev", "set", &device, "netns", "pod-blue"], "move"),
        (&EXCLUSIVE, "exclusive"),
        (
            &["system", "set", "netns", "exclusive", "--persist"],
            "/etc/modprobe.d/rdmactl.conf",
        ),
        (
            &["link", "add", "rxe0", "type", "rxe", "netdev", "lo"],
            "rxe0",
        ),
    ] {
        let words: Vec<&str> = words.iter().chain(&["--dry-run"]).copied().collect();
        lab.rdmactl(&words)
            .ok()
            .stdout_has("would ")
            .stdout_has(would)
            .stderr_is("");
    }
    mode_is(lab, "shared");
    lab.vf_rdma(0);
    lab.sh("ls /etc/modprobe.d/rdmactl.conf").fails(2);
}

/// A pair of interfaces to put soft-RoCE on.
struct Veth<'a>(&'a Lab);

impl<'a> Veth<'a> {
    fn new(lab: &'a Lab) -> Self {
        lab.ip(&[
            "link", "add", "veth-a", "type", "veth", "peer", "name", "veth-b",
        ])
        .ok();
        lab.ip(&["link", "set", "veth-a", "up"]).ok();
        Self(lab)
    }
}

impl Drop for Veth<'_> {
    fn drop(&mut self) {
        self.0.ip(&["link", "delete", "veth-a"]);
    }
}
