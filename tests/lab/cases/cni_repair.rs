//! `cni repair`: several ways of crash on one adapter, and one command that makes the node whole.

use serde_json::{Value, json};

use super::cni_call::{self, inside, with, without};
use super::ib_sriov::*;
use crate::adapter::until;
use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::pci;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("several_crashes_and_one_command", several_crashes)
            .exclusive()
            .may_change(ANEW)
            .vfs(7)
            .limit(180),
        case("nothing_to_repair", nothing_to_repair).may_change(&["folder /"]),
    ]
}

fn ib(lab: &Lab, verb: &str, id: &str, netns: &str, conf: &Value) {
    let netns = format!("/run/netns/{netns}");
    let env = [("CNI_NETNS", netns.as_str()), ("CNI_CONTAINERID", id)];
    lab.cni("ib-sriov", verb, &env, &conf.to_string()).ok();
}

/// An ADD that is killed at the n-th of a system call.
fn killed(lab: &Lab, plugin: &str, id: &str, netns: &str, conf: &Value, at: (&str, u32)) {
    let (call, n) = at;
    lab.sh(&format!(
        "export CNI_COMMAND=ADD CNI_CONTAINERID={id} CNI_IFNAME=eth0 CNI_NETNS=/run/netns/{netns} CNI_PATH=/x
         strace -f -o /dev/null -e trace={call} -e inject={call}:signal=KILL:when={n} {FACES}/{plugin} <<'END'\n{conf}\nEND"
    ))
    .fails(137);
}

fn by(id: &Value, rows: &Value) -> Value {
    let rows = rows.as_array().cloned().unwrap_or_default();
    let found = rows.into_iter().find(|row| row["device"] == *id);
    found.unwrap_or_default()
}

fn several_crashes(lab: &Lab) {
    let before: Vec<_> = (0..7).map(|index| as_it_is(lab, index)).collect();
    let guid = |index: u32| {
        let guid = json!({"infinibandGUID": format!("02:00:00:00:00:00:00:0{index}")});
        with("runtimeConfig", guid, config(&lab.vf(index)))
    };
    let named = |index: u32| with("rdmaDeviceName", json!("hca%d"), guid(index));
    let pods = ["lives", "dead", "cut", "empty", "busy", "bare"].map(|name| lab.netns(name));
    let [_lives, dead, cut, _empty, _busy, _bare] = pods;

    // 5: lives. 2: its namespace died. 3: killed before its driver was bound anew, which it
    // has lost since, and its namespace died.
    ib(lab, "ADD", "lives", "lives", &named(5));
    ib(lab, "ADD", "dead", "dead", &named(2));
    killed(lab, "ib-sriov", "cut", "cut", &named(3), ("flock", 4));
    lab.rdmactl(&["--force", "vf", "unbind", &lab.vf(3)]).ok();
    drop((dead, cut));
    // 4: rdma killed after the move, its namespace is there without processes.
    let rdma = cni_call::config(&lab.vf(4));
    killed(lab, "rdma", "moved", "empty", &rdma, ("rename", 1));
    assert_eq!(inside(lab, "empty").len(), 1);
    // 0: its record was cut short. 1: it has none at all. Nothing tells the names of their
    // interfaces, which IPoIB makes anew: these are the lowest that are free.
    let keep = |index: u32| {
        let conf = without(
            "link_state",
            without("runtimeConfig", config(&lab.vf(index))),
        );
        with("guidPolicy", json!("keep"), conf)
    };
    let bare = cni_call::config(&lab.vf(1));
    cni_call::call_for(lab, "bare", "ADD", "/run/netns/bare", &bare).ok();
    lab.sh(&format!("rm {}/net-bare-eth0", cni_call::STATE))
        .ok();
    ib(lab, "ADD", "short", "bare", &keep(0));
    lab.sh(&format!("echo -n '{{' > {STATE}/short-eth0")).ok();
    // 6: killed after everything but the end, and a process lives there.
    let sleeper = lab.start("ip netns exec busy sleep 1000");
    until("a process is in the namespace", || {
        !lab.exec("ip netns pids busy").stdout.is_empty()
    })
    .unwrap();
    killed(lab, "ib-sriov", "busy", "busy", &named(6), ("rename", 2));
    let held = inside(lab, "busy");
    assert_eq!(held.len(), 1);
    let files = lab.sh("ls -A /var/lib/cni/*").ok().stdout;
    let plan = lab.rdmactl(&["--dry-run", "cni", "repair"]).ok();
    plan.stdout_has("would bring")
        .stdout_has("of container cut home and remove")
        .stdout_has("home from network namespace bare")
        .stdout_lacks("lives")
        .stdout_lacks("busy");
    lab.sh("ls -A /var/lib/cni/*").ok().stdout_is(&files);

    let rows = lab.rdmactl(&["-j", "cni", "repair"]).ok().json();
    for index in [0, 1, 2, 3, 4] {
        let row = by(&json!(lab.vf(index)), &rows);
        assert_eq!(row["repaired"], true, "VF {index}: {rows}");
        is_back(lab, index, &before[index as usize]);
    }
    let left = by(&json!(lab.vf(6)), &rows);
    assert_eq!(left["repaired"], false, "{rows}");
    assert!(
        left["left"]
            .as_str()
            .is_some_and(|why| why.contains("sleep")),
        "{left}"
    );
    assert_eq!(inside(lab, "busy"), held);
    assert_eq!(inside(lab, "lives"), ["hca0"]);
    assert_eq!(pci::names(STATE), ["busy-eth0", "lives-eth0"]);
    assert_eq!(pci::names(cni_call::STATE), Vec::<String>::new());

    drop(sleeper);
    until("the process is gone", || {
        lab.exec("ip netns pids busy").stdout.is_empty()
    })
    .unwrap();
    lab.rdmactl(&["cni", "repair"])
        .ok()
        .stdout_has("container busy standing half-done")
        .stdout_has("repaired");
    lab.rdmactl(&["cni", "repair"]).ok().stdout_is("");
    ib(lab, "DEL", "lives", "lives", &named(5));
    for (index, before) in (0..).zip(&before) {
        is_back(lab, index, before);
    }
    assert_eq!(pci::names(STATE), Vec::<String>::new());
}

#[track_caller]
fn is_back(lab: &Lab, index: u32, before: &AsItWas) {
    let same = || as_it_is(lab, index) == *before;
    let _ = until("the VF is as it was", same);
    assert_eq!(as_it_is(lab, index), *before, "VF {index}");
}

/// In shared mode no device can be away; records are seen to all the same.
fn nothing_to_repair(lab: &Lab) {
    lab.rdmactl(&["cni", "repair"]).ok().stdout_is("");
    lab.rdmactl(&["-j", "cni", "repair"]).ok().stdout_is("[]\n");
    lab.sh(&format!("mkdir -p {STATE}; echo '{{' > {STATE}/junk"))
        .ok();
    lab.rdmactl(&["cni", "repair"])
        .ok()
        .stdout_is("standing unreadable record /var/lib/cni/ib-sriov/junk repaired \n");
    // Another namespace is nobody's home.
    let _pod = lab.netns("pod");
    lab.rdmactl(&["--netns", "pod", "cni", "repair"]).ok();
}
