//! `dev reclaim`: devices come home from wherever they are, and nobody loses one in use.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::cni_call::*;
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
        exclusive("from_every_kind_of_namespace", from_everywhere),
        exclusive("in_use_is_refused", in_use),
        exclusive("the_recorded_name_comes_back", recorded),
        exclusive("a_namespace_that_ends", dying),
        exclusive("one_fails_the_others_come", one_fails),
        exclusive("only_from_home", only_from_home),
        exclusive("a_name_in_two_namespaces", two_of_a_name).only(
            &["7.3"],
            "before 7.3 an RDMA device's name is taken in every namespace",
        ),
        case("soft_roce_is_left_unless_asked_for", software)
            .no_adapter()
            .exclusive()
            .only(&["7.3"], "soft-RoCE can be moved since 7.3"),
        case("shared_mode", shared),
    ]
}

fn reclaim(lab: &Lab, words: &[&str]) -> Value {
    lab.rdmactl(&[&["-j", "dev", "reclaim"], words].concat())
        .ok()
        .json()
}

/// The row about a device, by the name it had.
fn about<'v>(rows: &'v Value, name: &str) -> &'v Value {
    let mut rows_of = rows.as_array().unwrap().iter();
    rows_of
        .find(|row| row["name_before"] == name)
        .unwrap_or_else(|| panic!("nothing of {name}: {rows}"))
}

fn send(lab: &Lab, dev: &str, netns: &str) {
    // iproute2 before 7.0 takes names only.
    lab.rdmactl(&["dev", "set", dev, "netns", netns]).ok();
}

/// The RDMA devices of the auxiliary devices on a PF.
fn sfs() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for name in pci::names("/sys/bus/auxiliary/devices") {
        let folder = format!("/sys/bus/auxiliary/devices/{name}/infiniband");
        found.extend(
            pci::names(folder)
                .into_iter()
                .map(|dev| (name.clone(), dev)),
        );
    }
    found
}

/// A background process with the file open as descriptor 3.
fn opener(lab: &Lab, path: &str) -> String {
    let script = format!("(exec 3<{path}; exec sleep 50) </dev/null >/dev/null 2>&1 & echo $!");
    let pid = lab.sh(&script).ok().stdout.trim().to_owned();
    until("the file is open", || {
        pci::names(format!("/proc/{pid}/fd")).contains(&"3".to_owned())
    })
    .unwrap();
    pid
}

/// Named, mounted elsewhere, held by an open file: VFs and a scalable function.
fn from_everywhere(lab: &Lab) {
    let (first, second) = (lab.vf_rdma(0), lab.vf_rdma(1));
    let (aux, sf) = sfs().into_iter().next().expect("the PF has an SF");
    let own = pci::target("/proc/self/ns/net").unwrap();
    let _blue = lab.netns("blue");
    send(lab, &first, "blue");
    // An unnamed one that a bind mount keeps.
    lab.sh("touch /run/lab/mounted && unshare --net=/run/lab/mounted true")
        .ok();
    send(lab, &second, "/run/lab/mounted");
    let red = lab.netns("red");
    send(lab, &sf, "red");
    let holder = opener(lab, "/run/netns/red");
    lab.ip(&["netns", "delete", "red"]).ok();
    lab.in_netns("blue", &["rdma", "dev", "set", &first, "name", "inside0"])
        .ok();

    let plan = lab.rdmactl(&["--dry-run", "dev", "reclaim"]).ok();
    assert_eq!(
        plan.stdout.matches("would bring RDMA device").count(),
        3,
        "{plan}"
    );
    lab.in_netns("blue", &["rdma", "dev"])
        .ok()
        .stdout_has("inside0");

    let rows = reclaim(lab, &[]);
    assert_eq!(rows.as_array().unwrap().len(), 3, "{rows}");
    let index = |name: &str| {
        let listed = lab.iproute2_rdma(&["-j", "dev", "show", name]).ok().json();
        listed[0]["ifindex"].clone()
    };
    assert_eq!(
        about(&rows, "inside0"),
        &json!({"rdma_index": index("inside0"), "device": lab.vf(0), "from": "blue", "to": own,
                "name_before": "inside0", "name_after": "inside0", "reclaimed": true})
    );
    assert_eq!(about(&rows, &second)["from"], "/run/lab/mounted");
    let from = about(&rows, &sf)["from"].as_str().unwrap();
    assert!(from.starts_with("net:["), "{rows}");
    assert_eq!(about(&rows, &sf)["device"], *aux);
    for name in ["inside0", &second, &sf] {
        lab.iproute2_rdma(&["dev", "show", name]).ok();
    }
    // Everything is home: done already.
    assert_eq!(reclaim(lab, &[]), json!([]));
    assert_eq!(reclaim(lab, &[&second]), json!([]));
    assert_eq!(reclaim(lab, &[&lab.vf(1)]), json!([]));
    lab.rdmactl(&["dev", "reclaim"]).ok().silent();
    lab.iproute2_rdma(&["dev", "set", "inside0", "name", &first])
        .ok();
    lab.sh(&format!(
        "kill {holder}; umount /run/lab/mounted && rm /run/lab/mounted"
    ))
    .ok();
    drop(red);
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

fn recorded(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    let pod = lab.netns("pod");
    call(lab, "ADD", "/run/netns/pod", &config(&vf)).ok();
    lab.in_netns("pod", &["rdma", "dev", "set", &name, "name", "foo0"])
        .ok();
    // A runtime may be about to start the container: only who asks for it gets it.
    let rows = reclaim(lab, &[]);
    let why = about(&rows, "foo0")["left"].as_str().unwrap();
    assert!(why.contains("lent to container lab-container"), "{rows}");
    // By the name it has at home.
    let rows = reclaim(lab, &[&name]);
    let row = about(&rows, "foo0");
    assert_eq!(
        (&row["name_after"], &row["device"]),
        (&name.as_str().into(), &vf.as_str().into())
    );
    at_home(&vf, &name);
    call(lab, "DEL", "/run/netns/pod", &config(&vf)).ok();

    // A record of Go, which says no more than the device and its name.
    send(lab, &name, "pod");
    lab.in_netns("pod", &["rdma", "dev", "set", &name, "name", "foo0"])
        .ok();
    let record = json!({"version": "1.0", "deviceID": vf, "sandboxRdmaDevName": name, "containerRdmaDevName": name});
    lab.sh(&format!(
        "mkdir -p {STATE} && echo '{record}' > {STATE}/{RECORD}"
    ))
    .ok();
    assert_eq!(about(&reclaim(lab, &["foo0"]), "foo0")["name_after"], *name);
    at_home(&vf, &name);

    // The name is another device's by now: it is said, and the device is home all the same.
    let other = lab.vf_rdma(1);
    call(lab, "ADD", "/run/netns/pod", &config(&vf)).ok();
    lab.in_netns("pod", &["rdma", "dev", "set", &name, "name", "foo0"])
        .ok();
    lab.iproute2_rdma(&["dev", "set", &other, "name", &name])
        .ok();
    lab.rdmactl(&["dev", "reclaim", &vf])
        .ok()
        .stdout_has("name foo0 ")
        .stdout_has(&format!("({name} belongs to another device)"));
    lab.iproute2_rdma(&["dev", "set", &name, "name", &other])
        .ok();
    lab.iproute2_rdma(&["dev", "set", "foo0", "name", &name])
        .ok();
    drop(pod);
}

/// The kernel brings devices home from a namespace that ends; it is waited for, and the name put back.
fn dying(lab: &Lab) {
    let (vf, name, other) = (lab.vf(0), lab.vf_rdma(0), lab.vf_rdma(1));
    let new_kernel = lab.exec("uname -r").ok().stdout.starts_with("7.");
    let pod = lab.netns("pod");
    call(lab, "ADD", "/run/netns/pod", &config(&vf)).ok();
    if new_kernel {
        // Taken at home: the kernel chooses ibdevN.
        lab.in_netns("pod", &["rdma", "dev", "set", &name, "name", &other])
            .ok();
    }
    lab.ip(&["netns", "delete", "pod"]).ok();
    let rows = reclaim(lab, &[]);
    assert_eq!(lab.vf_rdma(0), name);
    // It came before we looked, or while we did.
    for row in rows.as_array().unwrap() {
        assert_eq!(
            (&row["name_after"], &row["device"]),
            (&name.as_str().into(), &vf.as_str().into()),
            "{rows}"
        );
    }
    assert!(!new_kernel || rows.as_array().unwrap().len() == 1, "{rows}");
    call(lab, "DEL", "", &config(&vf)).ok();
    at_home(&vf, &name);
    drop(pod);
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

fn only_from_home(lab: &Lab) {
    let name = lab.vf_rdma(0);
    let _blue = lab.netns("blue");
    let _red = lab.netns("red");
    send(lab, &name, "red");
    lab.rdmactl(&["--netns", "blue", "dev", "reclaim"])
        .fails(1)
        .stderr_has("initial network namespace")
        .stderr_has("nsenter --net=/proc/1/ns/net rdmactl dev reclaim");
    lab.in_netns(
        "blue",
        &[
            "nsenter",
            "--net=/proc/1/ns/net",
            &format!("{FACES}/rdmactl"),
            "dev",
            "reclaim",
        ],
    )
    .ok()
    .stdout_has(&format!("{name}: device {} from red to net:[", lab.vf(0)));
    assert_eq!(lab.vf_rdma(0), name);
}

fn two_of_a_name(lab: &Lab) {
    let (first, second) = (lab.vf_rdma(0), lab.vf_rdma(1));
    let _blue = lab.netns("blue");
    let _red = lab.netns("red");
    send(lab, &first, "blue");
    send(lab, &second, "red");
    lab.in_netns("red", &["rdma", "dev", "set", &second, "name", &first])
        .ok();
    lab.rdmactl(&["dev", "reclaim", &first])
        .fails(1)
        .stderr_has("several RDMA devices")
        .stderr_has("--from NETNS");
    let rows = reclaim(lab, &[&first, "--from", "red"]);
    assert_eq!(rows[0]["device"], *lab.vf(1));
    // At home its name is taken now.
    let rows = reclaim(lab, &[&lab.vf(0)]);
    assert_eq!(
        (&rows[0]["name_before"], &rows[0]["reclaimed"]),
        (&first.as_str().into(), &true.into())
    );
    let spare = rows[0]["name_after"].as_str().unwrap();
    lab.iproute2_rdma(&["dev", "set", &first, "name", &second])
        .ok();
    lab.iproute2_rdma(&["dev", "set", spare, "name", &first])
        .ok();
}

fn shared(lab: &Lab) {
    let _blue = lab.netns("blue");
    lab.rdmactl(&["dev", "reclaim"])
        .ok()
        .stdout_has("nothing to bring home: in shared mode");
    assert_eq!(reclaim(lab, &[]), json!([]));
}

/// It may have been made there: only who names it gets it.
fn software(lab: &Lab) {
    lab.sh("modprobe rdma_rxe && ip link add par0 type veth peer name par1 && rdma link add rxe0 type rxe netdev par0")
        .ok();
    let blue = lab.netns("blue");
    send(lab, "rxe0", "blue");
    let rows = reclaim(lab, &[]);
    assert_eq!(
        about(&rows, "rxe0")["left"],
        "made of software, it may be at home there"
    );
    let rows = reclaim(lab, &["rxe0"]);
    let row = about(&rows, "rxe0");
    assert!(
        row["reclaimed"] == true && row["device"].is_null(),
        "{rows}"
    );
    lab.iproute2_rdma(&["dev", "show", "rxe0"]).ok();
    drop(blue);
    lab.sh("rdma link delete rxe0 && ip link delete par0 && rmmod rdma_rxe")
        .ok();
}
