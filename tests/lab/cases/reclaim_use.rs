//! `dev reclaim` takes no device from a user, and one that fails keeps no other away.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use super::reclaim::{about, reclaim, send};
use crate::adapter::until;
use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::pci;

pub(super) fn cases() -> Vec<Case> {
    let exclusive = |name, run| {
        let case = case(name, run).adapter("mode=ib sfs=2").exclusive();
        case.may_change(&["folder /"])
    };
    vec![
        exclusive("in_use_is_refused", in_use),
        exclusive("one_fails_the_others_come", one_fails),
    ]
}

/// A process in the namespace, or one elsewhere that has the device open.
fn in_use(lab: &Lab) {
    let (first, second) = (lab.vf_rdma(0), lab.vf_rdma(1));
    // `ip netns delete` with a live process: the device is in a namespace that only /proc leads to.
    let red = lab.netns("red");
    send(lab, &first, "red");
    let pid = lab.sh("ip netns exec red sleep 60 </dev/null >/dev/null 2>&1 & echo $!");
    let pid = pid.ok().stdout.trim().to_owned();
    until("it is in there", || {
        pci::target(format!("/proc/{pid}/ns/net")) != pci::target("/proc/self/ns/net")
    })
    .unwrap();
    lab.ip(&["netns", "delete", "red"]).ok();
    let _blue = lab.netns("blue");
    send(lab, &second, "blue");
    let mut process = open_by_another(lab, &second);
    let client = process.id().to_string();

    // Asked for nobody's, they are told of and left.
    let rows = reclaim(lab, &[]);
    for (name, user) in [(&first, &pid), (&second, &client)] {
        let row = about(&rows, name);
        let why = row["left"].as_str().unwrap();
        assert!(
            row["reclaimed"] == false && why.contains(&format!("pid {user} ")),
            "{rows}"
        );
    }
    lab.rdmactl(&["dev", "reclaim"])
        .ok()
        .stdout_has(&format!("{first}: device {} from net:[", lab.vf(0)))
        .stdout_has("left: in use");
    // Asked for, they are refused.
    let refused = |words: &[&str], user: &str| {
        lab.rdmactl(&[&["dev", "reclaim"], words].concat())
            .fails(1)
            .stderr_has("is in use")
            .stderr_has(&format!("pid {user} "))
            .stderr_has("--force")
            .stdout_is("");
    };
    refused(&[&first], &pid);
    refused(&["--from", &pid], &pid);
    refused(&["--dry-run", &first], &pid);
    // A plan says what would be left, too.
    lab.rdmactl(&["--dry-run", "dev", "reclaim"])
        .ok()
        .stdout_lacks(&first)
        .stderr_has(&format!("note: RDMA device {first} stays: in use in "));
    refused(&[&second], &client);
    lab.rdmactl(&["dev", "reclaim", "--force"])
        .fails(2)
        .stderr_has("--from NETNS");
    lab.rdmactl(&["dev", "reclaim", "nope"])
        .fails(1)
        .stderr_has("Wrong device name - nope");
    lab.rdmactl(&["dev", "reclaim", "--from", "nope"])
        .fails(1)
        .stderr_has("Cannot open network namespace \"nope\"");
    lab.rdmactl(&["dev", "reclaim", &first, "--from", "blue"])
        .fails(1)
        .stderr_has("Wrong device name");

    let rows = reclaim(lab, &["--from", &pid, "--force"]);
    assert_eq!(about(&rows, &first)["reclaimed"], true);
    assert_eq!(
        about(&reclaim(lab, &[&second, "--force"]), &second)["from"],
        "blue"
    );
    assert_eq!((lab.vf_rdma(0), lab.vf_rdma(1)), (first, second));
    process.kill().unwrap();
    process.wait().unwrap();
    lab.sh(&format!("kill {pid}")).ok();
    drop(red);
}

/// A process in the first namespace that has the device in `blue` open; it ends with its input.
fn open_by_another(lab: &Lab, dev: &str) -> Child {
    let folder = format!("/sys/class/infiniband/{dev}/device/infiniband_verbs");
    let uverbs = lab.in_netns("blue", &["ls", &folder]).ok().stdout;
    let node = format!("/dev/infiniband/{}", uverbs.trim());
    let mut client = Command::new("ip")
        .args(["netns", "exec", "blue", "/lab/adapter/uverbs-client", &node])
        .args(["1", "/proc/1/ns/net"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let out = client.stdout.take().unwrap();
    BufReader::new(out).read_line(&mut line).unwrap();
    assert!(line.contains(" qpn "), "{line}");
    client
}

fn one_fails(lab: &Lab) {
    let (first, second) = (lab.vf_rdma(0), lab.vf_rdma(1));
    let _blue = lab.netns("blue");
    for name in [&first, &second] {
        send(lab, name, "blue");
    }
    lab.inject("fail_move", "0,5");
    let out = lab
        .rdmactl(&["-j", "dev", "reclaim"])
        .fails(1)
        .stderr_has("error: Input/output error")
        .stderr_has(&first);
    lab.inject("fail_move", "off");
    let rows = out.json();
    assert_eq!(rows.as_array().unwrap().len(), 1, "{rows}");
    assert_eq!(about(&rows, &second)["reclaimed"], true);
    let nobody =
        format!("setpriv --reuid=65534 --regid=65534 --clear-groups {FACES}/rdmactl dev reclaim");
    lab.exec(&nobody)
        .fails(1)
        .stderr_has("error: Operation not permitted")
        .stderr_has("as root");
    // A CNI plugin at work on the device is waited for: they take the same lock.
    let lock = format!("/run/rdmactl/device/{}.lock", lab.vf(0));
    let script = format!(
        "mkdir -p /run/rdmactl/device; flock {lock} sleep 1 </dev/null >/dev/null 2>&1 & echo $!"
    );
    let pid = lab.sh(&script).ok().stdout.trim().to_owned();
    let locked = || {
        std::fs::read_to_string("/proc/locks")
            .is_ok_and(|locks| locks.contains(&format!(" {pid} ")))
    };
    until("the file is locked", locked).unwrap();
    let rows = reclaim(lab, &["--from", "blue"]);
    assert_eq!(about(&rows, &first)["reclaimed"], true);
    assert!(!locked(), "it came while somebody else worked on it");
}
