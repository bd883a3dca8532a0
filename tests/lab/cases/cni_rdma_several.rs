//! A function with several RDMA devices: all of them go, and all of them come home.

use serde_json::{Value, json};

use super::cni_call::*;
use crate::adapter::until;
use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::output::Output;
use crate::pci;

const FOLDERS: &[&str] = &["folder /"];
/// Made anew, a device has a new index; its netdev has a new one after a move.
const ANEW: &[&str] = &["folder /", "rdma device", "netdev", "vf "];

pub(crate) fn cases() -> Vec<Case> {
    let several = |name, run| {
        case(name, run)
            .exclusive()
            .adapter("mode=ib ibdevs=2")
            .may_change(FOLDERS)
    };
    vec![
        several("b08_all_go_and_come_home", b08_all_go_and_come_home),
        several(
            "b08_one_that_fails_takes_all_back",
            b08_one_that_fails_takes_all_back,
        ),
        several("b08_killed_between_them", b08_killed_between_them).limit(180),
        several("b08_vf_rebound", b08_vf_rebound).may_change(ANEW),
    ]
}

const POD: &str = "/run/netns/pod";

/// The devices of a VF at home, by name.
fn at_vf(vf: &str) -> Vec<String> {
    pci::names(pci::device(vf).join("infiniband"))
}

#[track_caller]
fn all_home(vf: &str, names: &[String]) {
    until("all devices of the VF are home", || at_vf(vf) == names)
        .unwrap_or_else(|error| panic!("{error}; it has {:?}", at_vf(vf)));
    assert_eq!(records(), Vec::<String>::new());
}

fn counted(vf: &str) -> Value {
    with("rdmaDeviceName", json!("hca%d"), config(vf))
}

/// Rows R8.
fn b08_all_go_and_come_home(lab: &Lab) {
    let (vf, other) = (lab.vf(0), lab.vf(1));
    let (names, others) = (at_vf(&vf), at_vf(&other));
    assert_eq!((names.len(), others.len()), (2, 2));
    let pod = lab.netns("pod");
    let conf = config(&vf);
    let added = call(lab, "ADD", POD, &conf).ok();
    assert_eq!(added.json(), conf["prevResult"]);
    assert_eq!(inside(lab, "pod"), names);
    assert_eq!((at_vf(&vf).len(), at_vf(&other)), (0, others.clone()));
    let text = std::fs::read(format!("{STATE}/{RECORD}")).unwrap();
    let record: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(record["sandboxRdmaDevName"], json!(names[0]));
    assert_eq!(
        record["rdmaDevices"][1]["sandboxRdmaDevName"],
        json!(names[1])
    );
    call(lab, "CHECK", POD, &conf).ok();
    lab.sh(&format!(
        "nsenter --net={POD} {FACES}/rdmactl dev set {} netns 1",
        names[1]
    ))
    .ok();
    refused(
        call(lab, "CHECK", POD, &conf),
        105,
        &format!("RDMA device {} is not in the container", names[1]),
    );
    // One is home already, one is not: nobody else gets the half of it.
    refused(
        call_for(lab, "c", "ADD", POD, &conf),
        102,
        "no RDMA devices found",
    );
    assert_eq!(records(), [RECORD]);
    call(lab, "DEL", POD, &conf).ok();
    all_home(&vf, &names);

    // By number; GC returns both; one name is not enough.
    let fixed = with("rdmaDeviceName", json!("hca"), config(&vf));
    refused(call(lab, "ADD", POD, &fixed), 7, "cannot all be called hca");
    call(lab, "ADD", POD, &counted(&vf)).ok();
    call_for(lab, "b", "ADD", POD, &counted(&other)).ok();
    assert_eq!(inside(lab, "pod"), ["hca0", "hca1", "hca2", "hca3"]);
    let gc = json!({"cniVersion": "1.1.0", "name": "net", "type": "rdma",
        "cni.dev/valid-attachments": [{"containerID": "b", "ifname": "eth0"}]});
    lab.cni("rdma", "GC", &[], &gc.to_string()).ok();
    assert_eq!((at_vf(&vf), records().len()), (names.clone(), 1));
    call_for(lab, "b", "DEL", POD, &config(&other)).ok();
    all_home(&other, &others);

    // Without a record, with one that is cut off, and from a namespace that is ending.
    call(lab, "ADD", POD, &conf).ok();
    lab.sh(&format!("rm {STATE}/{RECORD}")).ok();
    call(lab, "DEL", POD, &conf).ok();
    all_home(&vf, &names);
    call(lab, "ADD", POD, &conf).ok();
    std::fs::write(format!("{STATE}/{RECORD}"), "{").unwrap();
    call(lab, "DEL", POD, &conf).ok();
    all_home(&vf, &names);
    call(lab, "ADD", POD, &counted(&vf)).ok();
    lab.ip(&["netns", "delete", "pod"]).ok();
    call(lab, "DEL", "", &conf).ok();
    all_home(&vf, &names);
    drop(pod);
    // A DEL that never came is made up for by the next ADD.
    {
        let _pod = lab.netns("pod");
        call_for(lab, "lost", "ADD", POD, &counted(&vf)).ok();
    }
    let _pod = lab.netns("pod");
    call(lab, "ADD", POD, &conf).ok();
    assert_eq!(inside(lab, "pod"), names);
    assert_eq!(records(), [RECORD]);
    call(lab, "DEL", POD, &conf).ok();
    all_home(&vf, &names);
}

fn b08_one_that_fails_takes_all_back(lab: &Lab) {
    let vf = lab.vf(0);
    let names = at_vf(&vf);
    let _pod = lab.netns("pod");
    // A message that does not go out, each time a later one: the last are those of the second device.
    // Without some ADD does as well, such as those about character devices.
    let all = messages(lab, &config(&vf));
    let mut count = 0;
    for n in 4..=all {
        match injected(lab, &config(&vf), n).status {
            0 => drop(call(lab, "DEL", POD, &config(&vf)).ok()),
            _ => count += 1,
        }
        all_home(&vf, &names);
    }
    assert!(
        count > 3,
        "ADD failed {count} times only, of {all} messages"
    );
}

/// How many messages an undisturbed ADD sends.
fn messages(lab: &Lab, config: &Value) -> u32 {
    let traced = lab.sh(&format!(
        "export CNI_COMMAND=ADD CNI_CONTAINERID=lab-container CNI_IFNAME=eth0 CNI_NETNS={POD} CNI_PATH=/x
         strace -f -o '|grep -c sendto >&2' -e trace=sendto {FACES}/rdma <<'END'\n{config}\nEND\nsleep 1"
    ));
    call(lab, "DEL", POD, config).ok();
    let last = traced.stderr.lines().last().unwrap_or_default();
    last.trim().parse().expect("strace counts")
}

fn injected(lab: &Lab, config: &Value, n: u32) -> Output {
    lab.sh(&format!(
        "export CNI_COMMAND=ADD CNI_CONTAINERID=lab-container CNI_IFNAME=eth0 CNI_NETNS={POD} CNI_PATH=/x
         exec strace -f -o /dev/null -e trace=sendto -e inject=sendto:error=ENOBUFS:when={n} {FACES}/rdma <<'END'\n{config}\nEND"
    ))
}

fn b08_killed_between_them(lab: &Lab) {
    let vf = lab.vf(0);
    let names = at_vf(&vf);
    let conf = counted(&vf);
    let mut ends = 0;
    for step in ["flock", "rename"] {
        for n in 1.. {
            let pod = lab.netns("pod");
            if killed_at(lab, "ADD", &conf, step, n).status == 0 {
                call(lab, "DEL", POD, &conf).ok();
                break;
            }
            ends += 1;
            match n % 3 {
                0 => call(lab, "DEL", POD, &conf).ok(),
                1 => {
                    let again = call(lab, "ADD", POD, &conf);
                    if again.status != 0 {
                        refused(again, 102, "already has RDMA device");
                    }
                    assert_eq!(inside(lab, "pod"), ["hca0", "hca1"], "{step} {n}");
                    call(lab, "DEL", POD, &conf).ok()
                }
                _ => {
                    drop(pod);
                    call(lab, "DEL", "", &conf).ok()
                }
            };
            all_home(&vf, &names);
        }
    }
    assert!(ends > 8, "ADD was killed {ends} times only");
    // DEL too.
    for n in 1.. {
        let _pod = lab.netns("pod");
        call(lab, "ADD", POD, &conf).ok();
        let ended = killed_at(lab, "DEL", &conf, "sendto", n).status == 0;
        call(lab, "DEL", POD, &conf).ok();
        all_home(&vf, &names);
        if ended {
            break;
        }
    }
}

fn b08_vf_rebound(lab: &Lab) {
    let vf = lab.vf(0);
    let _pod = lab.netns("pod");
    call(lab, "ADD", POD, &counted(&vf)).ok();
    let driver = pci::target(pci::device(&vf).join("driver")).unwrap();
    let driver = format!("/sys/bus/pci/drivers/{driver}");
    lab.sh(&format!("echo {vf} > {driver}/unbind")).ok();
    lab.sh(&format!("echo {vf} > {driver}/bind")).ok();
    until("the VF has its devices", || at_vf(&vf).len() == 2).unwrap();
    let names = at_vf(&vf);
    refused(
        call(lab, "CHECK", POD, &config(&vf)),
        105,
        "not in the container but on the host",
    );
    // The other record is void, and goes with the next ADD.
    call_for(lab, "next", "ADD", POD, &config(&vf)).ok();
    assert_eq!(inside(lab, "pod"), names);
    assert_eq!(records(), ["net-next-eth0"]);
    call_for(lab, "next", "DEL", POD, &config(&vf)).ok();
    all_home(&vf, &names);
}
