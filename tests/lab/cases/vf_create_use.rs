//! `vf create` and `vf destroy` take away no VF that somebody uses, and name every user.

use std::fs;
use std::process::{Child, Command, Stdio};

use super::vf_create::{FOLDERS, numvfs};
use crate::adapter::until;
use crate::case::{Case, case};
use crate::handle::Lab;
use crate::pci;

pub(super) fn cases() -> Vec<Case> {
    let bare = |name, run| case(name, run).vfs(0).exclusive().may_change(FOLDERS);
    vec![
        bare("what_is_in_use_stays", what_is_in_use_stays),
        bare(
            "what_is_in_use_stays_ethernet",
            what_is_in_use_stays_ethernet,
        )
        .ethernet(),
    ]
}

/// A process that is ended when it goes out of scope.
pub(super) struct Running(Child);

impl Running {
    pub(super) fn new(words: &[&str]) -> Self {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).stdin(Stdio::piped());
        let child = command.stdout(Stdio::null()).spawn();
        Self(child.unwrap_or_else(|error| panic!("{words:?}: {error}")))
    }

    pub(super) fn pid(&self) -> u32 {
        self.0.id()
    }

    fn has_objects(&self, lab: &Lab, device: &str) {
        let pid = self.pid().to_string();
        until("the client has its objects", || {
            let shown = lab.iproute2_rdma(&["res", "show", "qp", "link", &format!("{device}/1")]);
            shown.stdout.contains(&format!("pid {pid} "))
        })
        .unwrap_or_else(|error| panic!("{error}"));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Every command that would take the VFs away is refused with the same lines.
#[track_caller]
fn refused(lab: &Lab, pf: &str, headline: &str, lines: &[String]) {
    let count = numvfs(pf);
    for words in [
        &["vf", "destroy", pf][..],
        &["vf", "create", pf, "1"],
        &["vf", "create", pf, "7", "--dry-run"],
    ] {
        let mut said = lab
            .rdmactl(words)
            .fails(1)
            .stdout_is("")
            .stderr_has(headline);
        for line in lines {
            said = said.stderr_has(line);
        }
        said.stderr_has("  fix: end these uses, then run the command again; with --force");
        assert_eq!(numvfs(pf), count);
    }
}

fn what_is_in_use_stays(lab: &Lab) {
    let pf = lab.pf();
    lab.rdmactl(&["vf", "create", &pf, "6"]).ok();
    let at = |index: u32| format!("VF {index} ({}): ", lab.vf(index));
    let blue = lab.netns("blue");
    let away = lab.vf_rdma(0);
    lab.rdmactl(&["dev", "set", &away, "netns", "blue"]).ok();
    let client = {
        let verbs = pci::names(pci::device(&lab.vf(1)).join("infiniband_verbs"));
        let file = format!("/dev/infiniband/{}", verbs[0]);
        let client = Running::new(&["/lab/adapter/uverbs-client", &file, "3"]);
        client.has_objects(lab, &lab.vf_rdma(1));
        client
    };
    let netdev = lab.vf_netdev(2);
    lab.sh(&format!(
        "ip link set {netdev} up; ip addr add 192.0.2.1/24 dev {netdev}"
    ))
    .ok();
    let record = "/var/lib/cni/rdma/net-c1-eth0";
    let content = serde_json::json!({
        "version": "1.0", "deviceID": lab.vf(3), "containerID": "c1",
        "sandboxRdmaDevName": "x", "containerRdmaDevName": "x",
    });
    lab.sh(&format!(
        "mkdir -p /var/lib/cni/rdma && echo '{content}' > {record}"
    ))
    .ok();
    // No name leads there, and no process is in it: only an open file of one.
    let held = Running::new(&[
        "bash",
        "-c",
        "ip netns add gone; exec 3< /run/netns/gone; ip netns del gone; exec sleep 100",
    ]);
    let file = format!("/proc/{}/fd/3", held.pid());
    // Only then has it done all that comes before: descriptor 3 is somebody's before that too.
    until("the namespace has lost its name", || {
        fs::read_to_string(format!("/proc/{}/comm", held.pid())).is_ok_and(|comm| comm == "sleep\n")
    })
    .unwrap_or_else(|error| panic!("{error}"));
    assert!(fs::metadata("/run/netns/gone").is_err());
    let hidden = lab.vf_rdma(4);
    lab.rdmactl(&["dev", "set", &hidden, "netns", &file]).ok();
    let lines = [
        format!("{}RDMA device {away} is in network namespace blue (", at(0)),
        format!(
            "{}pid {} uverbs-client has 1 context and 3 queue pairs on RDMA device {}",
            at(1),
            client.pid(),
            lab.vf_rdma(1)
        ),
        format!("{}interface {netdev} is up and has 192.0.2.1/24", at(2)),
        format!(
            "{}it is lent, says the CNI record of container c1 {record}",
            at(3)
        ),
        format!(
            "{}RDMA device {hidden} is in network namespace net:[",
            at(4)
        ),
        format!("held open by pid {} sleep as {file}", held.pid()),
    ];
    let headline = format!("5 of the 6 VFs of {pf} are in use, nothing was changed\ncause: VF 0 (");
    refused(lab, &pf, &headline, &lines);
    // Wherever the command is run.
    let mut inside = lab
        .rdmactl(&["--netns", "blue", "vf", "destroy", &pf])
        .fails(1);
    for line in &lines[..4] {
        inside = inside.stderr_has(line);
    }
    let mut planned = lab
        .rdmactl(&["vf", "destroy", &pf, "--dry-run", "--force"])
        .ok()
        .stdout_has(&format!("would remove all 6 VFs of PF {pf}\n"));
    for line in &lines {
        planned = planned.stdout_has(line);
    }
    assert_eq!(numvfs(&pf), "6");
    lab.rdmactl(&["vf", "destroy", &pf, "--force"])
        .ok()
        .silent();
    assert_eq!(numvfs(&pf), "0");
    lab.in_netns("blue", &["ls", "/sys/class/infiniband"])
        .stdout_lacks("mlx5");
    lab.sh(&format!("rm {record}; rmdir /var/lib/cni/rdma"))
        .ok();
    drop((client, held, blue));
}

/// An interface in a container while RDMA stays shared, a bridge, a VLAN; and a namespace that
/// nothing but a socket holds, which nobody can find.
fn what_is_in_use_stays_ethernet(lab: &Lab) {
    let pf = lab.pf();
    lab.rdmactl(&["vf", "create", &pf, "4"]).ok();
    let at = |index: u32| format!("VF {index} ({}): ", lab.vf(index));
    let held = lab.spawn_in_new_netns(&["sleep", "100"]);
    let names: Vec<String> = (0..4).map(|index| lab.vf_netdev(index)).collect();
    lab.sh(&format!(
        "set -e; ip link set {} netns {}; ip link add br0 type bridge; ip link set {} master br0
         ip link add link {} name vlan7 type vlan id 7
         ip netns add lost; ip -n lost link set lo up; ip link set {} netns lost
         ip netns exec lost bash -c 'exec 3<> /dev/udp/127.0.0.1/9; exec nsenter --net=/proc/1/ns/net sleep 100' > /dev/null 2>&1 &
         until [ \"$(cat /proc/$!/comm)\" = sleep ]; do sleep 0.1; done
         ip netns del lost; echo $! > /run/lost",
        names[0], held.pid(), names[1], names[2], names[3]
    ))
    .ok();
    let lines = [
        format!(
            "{}interface {} is in network namespace net:[",
            at(0),
            names[0]
        ),
        format!("(pid {} sleep", held.pid()),
        format!("{}interface {} belongs to br0", at(1), names[1]),
        format!(
            "{}interface vlan7 sits on its interface {}",
            at(2),
            names[2]
        ),
        format!(
            "{}mlx5_core has it, and its interface is in no network namespace that can be found",
            at(3)
        ),
    ];
    let headline = format!("4 VFs of {pf} are in use, nothing was changed");
    refused(lab, &pf, &headline, &lines);
    lab.sh("ip link del vlan7; ip link del br0; kill $(cat /run/lost); rm /run/lost")
        .ok();
    drop(held);
    until("the interfaces are home", || {
        (0..4).all(|vf| pci::netdev(&lab.vf(vf)).is_some())
    })
    .unwrap_or_else(|error| panic!("{error}"));
    // Free, each can be bound anew, and is of use again.
    let word = lab.vf(1);
    lab.rdmactl(&["vf", "rebind", &word])
        .ok()
        .stdout_has(&format!(
            "driver mlx5_core rdma {} netdev eth",
            lab.vf_rdma(1)
        ));
    lab.rdmactl(&["vf", "destroy", &pf]).ok().silent();
}
