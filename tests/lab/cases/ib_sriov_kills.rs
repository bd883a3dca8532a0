//! What ADDs of `ib-sriov` leave when they are killed: no address, and no GUID.

use serde_json::Value;

use super::ib_sriov::*;
use super::ib_sriov_rows::call_for;
use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::output::Output;
use crate::pci;

pub(crate) fn cases() -> Vec<Case> {
    let exclusive = |name, run| case(name, run).exclusive().may_change(ANEW);
    vec![
        exclusive(
            "s44_killed_adds_keep_no_addresses",
            s44_killed_adds_keep_no_addresses,
        )
        .limit(120),
        exclusive("i1_add_again_after_a_kill", i1_add_again_after_a_kill).limit(120),
        exclusive(
            "killed_early_and_the_pod_dies",
            killed_early_and_the_pod_dies,
        )
        .limit(120),
    ]
}

/// A call that is killed when it makes a system call for the n-th time.
fn killed_at(lab: &Lab, verb: &str, conf: &Value, syscall: &str, n: u32) -> Output {
    lab.sh(&format!(
        "export CNI_COMMAND={verb} CNI_CONTAINERID=lab-container CNI_IFNAME=eth0 CNI_NETNS={POD} CNI_PATH=/usr/lib/cni
         exec strace -f -o /dev/null -e trace={syscall} -e inject={syscall}:signal=KILL:when={n} {FACES}/ib-sriov <<'END'\n{conf}\nEND"
    ))
}

/// Five kills use up a /29 with Go's.
fn s44_killed_adds_keep_no_addresses(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let conf = with_ipam(config(&lab.vf(0)));
    let _pod = lab.netns("pod");
    let leases = || {
        let mut names = pci::names("/run/lab/ipam/ibnet");
        names.retain(|name| name.starts_with("10.") || name.starts_with("fd"));
        names
    };
    let mut leased = 0;
    for (syscall, n) in [
        ("wait4", 1),
        ("waitid", 1),
        ("rename", 2),
        ("rename", 3),
        ("sendto", 30),
    ] {
        killed_at(lab, "ADD", &conf, syscall, n);
        leased += usize::from(!leases().is_empty());
        call(lab, "DEL", POD, &conf).ok();
        assert_eq!(
            leases(),
            Vec::<String>::new(),
            "S44: killed at {syscall} {n}"
        );
        is_as_it_was(lab, 0, &before);
    }
    assert!(leased > 0, "it was never killed with an address in hand");
    lab.exec("rm -r /run/lab/ipam").ok();
}

/// The GUID of a killed ADD is not taken for the VF's own by the next one.
fn i1_add_again_after_a_kill(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let told_before = told(lab, 0);
    let conf = config(&lab.vf(0));
    let _pods = [lab.netns("pod"), lab.netns("next")];
    let mut leaked = 0;
    for n in [6, 9, 12, 15, 18] {
        if killed_at(lab, "ADD", &conf, "sendto", n).status == 0 {
            // It sends less than that.
            call(lab, "DEL", POD, &conf).ok();
            continue;
        }
        leaked += usize::from(told(lab, 0)["node guid"] != told_before["node guid"]);
        call_for(lab, "next", "ADD", "/run/netns/next", &conf).ok();
        assert_eq!(told(lab, 0)["node guid"], GUID);
        call_for(lab, "next", "DEL", "/run/netns/next", &conf).ok();
        is_as_it_was(lab, 0, &before);
        call(lab, "DEL", POD, &conf).ok();
        is_as_it_was(lab, 0, &before);
    }
    assert!(leaked > 0, "I1: it was never killed with the GUID set");
}

/// Nothing is on record yet, and nowhere is left to look: the files of locks go all the same.
fn killed_early_and_the_pod_dies(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let conf = config(&lab.vf(0));
    let is_locked = || !pci::names("/run/rdmactl/device").is_empty();
    let mut left = 0;
    for n in 1..6 {
        let _pod = lab.netns("pod");
        assert_ne!(killed_at(lab, "ADD", &conf, "sendto", n).status, 0);
        left += usize::from(is_locked());
        lab.ip(&["netns", "delete", "pod"]).ok();
        call(lab, "DEL", "", &conf).ok();
        assert!(!is_locked(), "killed at sendto {n}");
        is_as_it_was(lab, 0, &before);
    }
    assert!(left > 0, "it was never killed with the VF locked");
}
