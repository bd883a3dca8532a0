//! The GUID that a VF of `ib-sriov` goes by: each policy, with and without one of its own, and no GUID twice.

use std::path::Path;
use std::thread;

use serde_json::{Value, json};

use super::cni_call::{refused, with, without};
use super::ib_sriov::*;
use crate::adapter::until;
use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::output::Output;
use crate::pci;

pub(crate) fn cases() -> Vec<Case> {
    let exclusive = |name, run| case(name, run).exclusive().may_change(ANEW);
    vec![
        exclusive("b20_policies_without_own", b20_policies_without_own).limit(120),
        exclusive("b20_policies_with_own", b20_policies_with_own).adapter("mode=ib vf_guids=1"),
        exclusive("i15_no_guid_twice", i15_no_guid_twice).limit(120),
    ]
}

const NONE: &str = "00:00:00:00:00:00:00:00";

fn policy(lab: &Lab, index: u32, word: &str) -> Value {
    let conf = without("runtimeConfig", config(&lab.vf(index)));
    with("guidPolicy", json!(word), conf)
}

fn asking(lab: &Lab, index: u32, guid: &str) -> Value {
    let asked = json!({"infinibandGUID": guid});
    with("runtimeConfig", asked, config(&lab.vf(index)))
}

fn port_guid(lab: &Lab, index: usize) -> String {
    let told = told(lab, index);
    assert_eq!(told["node guid"], told["port guid"]);
    told["port guid"].as_str().unwrap_or_default().to_owned()
}

/// Gives a VF a GUID behind the plugin's back.
fn give(lab: &Lab, index: u32, guid: &str) {
    let pf = pci::netdev(&lab.pf()).expect("the PF has an interface");
    for key in ["node_guid", "port_guid"] {
        lab.ip(&["link", "set", &pf, "vf", &index.to_string(), key, guid])
            .ok();
    }
}

fn other(lab: &Lab, verb: &str, netns: &str, conf: &Value) -> Output {
    let env = [("CNI_NETNS", netns), ("CNI_CONTAINERID", "other")];
    lab.cni("ib-sriov", verb, &env, &conf.to_string())
}

/// What the PF's own GUID and the index make, by the rule of the documentation.
fn generated(lab: &Lab, index: u8) -> String {
    let folder = pci::device(&lab.pf()).join("infiniband");
    let name = pci::names(&folder).remove(0);
    let gid = std::fs::read_to_string(folder.join(name).join("ports/1/gids/0")).unwrap();
    let digits: String = gid.trim().replace(':', "")[16..].to_owned();
    let mut bytes: Vec<u8> = (0..8)
        .map(|n| u8::from_str_radix(&digits[2 * n..2 * n + 2], 16).unwrap())
        .collect();
    assert_eq!(bytes[3..5], [3, 0], "the PF's GUID has the vendor's filler");
    bytes[0] |= 2;
    bytes[3..5].copy_from_slice(&[0, index + 1]);
    let words: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    words.join(":")
}

fn b20_policies_without_own(lab: &Lab) {
    let before = [as_it_is(lab, 0), as_it_is(lab, 1)];
    let _pods = [lab.netns("pod"), lab.netns("pod2")];
    for word in ["require", ""] {
        refused(
            call(lab, "ADD", POD, &policy(lab, 0, word)),
            109,
            "has no GUID",
        );
    }
    refused(
        call(lab, "ADD", POD, &policy(lab, 0, "pool")),
        7,
        "invalid guidPolicy value: pool",
    );
    refused(
        call(
            lab,
            "ADD",
            POD,
            &with("guidPolicy", json!(1), policy(lab, 0, "")),
        ),
        7,
        "guidPolicy",
    );
    call(lab, "ADD", POD, &policy(lab, 0, "keep")).ok();
    assert_eq!(port_guid(lab, 0), NONE);
    call(lab, "DEL", POD, &policy(lab, 0, "keep")).ok();
    is_as_it_was(lab, 0, &before[0]);
    // Each VF has its own, and what was asked for goes first.
    call(lab, "ADD", POD, &policy(lab, 0, "generate")).ok();
    other(lab, "ADD", "/run/netns/pod2", &policy(lab, 1, "generate")).ok();
    assert_eq!(port_guid(lab, 0), generated(lab, 0));
    assert_eq!(port_guid(lab, 1), generated(lab, 1));
    call(lab, "DEL", POD, &policy(lab, 0, "generate")).ok();
    other(lab, "DEL", "/run/netns/pod2", &policy(lab, 1, "generate")).ok();
    let asked = with("guidPolicy", json!("generate"), asking(lab, 0, GUID));
    call(lab, "ADD", POD, &asked).ok();
    assert_eq!(port_guid(lab, 0), GUID);
    call(lab, "DEL", POD, &asked).ok();
    for index in [0, 1] {
        is_as_it_was(lab, index, &before[index as usize]);
    }
}

fn b20_policies_with_own(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let own = port_guid(lab, 0);
    assert_ne!(own, NONE);
    let _pod = lab.netns("pod");
    for word in ["require", "keep", "generate"] {
        call(lab, "ADD", POD, &policy(lab, 0, word)).ok();
        assert_eq!(port_guid(lab, 0), own, "{word}");
        call(lab, "DEL", POD, &policy(lab, 0, word)).ok();
        is_as_it_was(lab, 0, &before);
    }
    call(lab, "ADD", POD, &asking(lab, 0, GUID)).ok();
    assert_eq!(port_guid(lab, 0), GUID);
    call(lab, "DEL", POD, &asking(lab, 0, GUID)).ok();
    is_as_it_was(lab, 0, &before);
}

fn i15_no_guid_twice(lab: &Lab) {
    let before = [as_it_is(lab, 0), as_it_is(lab, 1)];
    let _pods = [lab.netns("pod"), lab.netns("pod2")];
    let untouched = |index: u32| is_as_it_was(lab, index, &before[index as usize]);
    // That of another VF, of the PF itself, of a group.
    give(lab, 1, GUID);
    refused(
        call(lab, "ADD", POD, &asking(lab, 0, GUID)),
        102,
        "is taken",
    );
    give(lab, 1, &generated(lab, 0));
    refused(
        call(lab, "ADD", POD, &policy(lab, 0, "generate")),
        102,
        "is taken",
    );
    give(lab, 1, NONE);
    let device = pci::rdma(&lab.pf()).unwrap();
    let shown = lab.rdmactl(&["-j", "dev", "show", &device]).ok().json();
    let node = shown[0]["node_guid"].as_str().unwrap().replace(':', "");
    let octets: Vec<&str> = (0..8).map(|n| &node[2 * n..2 * n + 2]).collect();
    let factory = octets.join(":");
    refused(
        call(lab, "ADD", POD, &asking(lab, 0, &factory)),
        102,
        "is taken",
    );
    refused(
        call(lab, "ADD", POD, &asking(lab, 0, "03:00:00:00:00:00:00:aa")),
        7,
        "the GUID of a group",
    );
    untouched(0);
    untouched(1);
    // One that a container has, and one that a VF gets back when its container ends.
    give(lab, 0, GUID);
    lab.rdmactl(&["vf", "rebind", &lab.vf(0)]).ok();
    let lent = "02:00:00:00:00:00:00:bb";
    call(lab, "ADD", POD, &asking(lab, 0, lent)).ok();
    for guid in [lent, GUID] {
        let answer = other(lab, "ADD", "/run/netns/pod2", &asking(lab, 1, guid));
        let code = answer.stdout.clone();
        refused(answer, 102, guid);
        assert!(code.contains("details"), "{code}");
    }
    // Nor does a person get one of them for another VF.
    let second = lab.vf(1);
    let by_hand = |guid: &str| lab.rdmactl(&["vf", "set", &second, "guid", guid]);
    by_hand(GUID)
        .fails(1)
        .stderr_has("gets it back when its container ends (record lab-container-eth0)")
        .stderr_has("choose another");
    by_hand(lent).fails(1).stderr_has("is taken");
    untouched_but_records(lab, &before[1]);
    call(lab, "DEL", POD, &asking(lab, 0, lent)).ok();
    assert_eq!(port_guid(lab, 0), GUID);
    // One that an ADD is about to give: a person waits, and is refused.
    thread::scope(|scope| {
        let adding = scope.spawn(|| add_slowly(lab, &asking(lab, 0, lent)));
        let file = Path::new("/run/rdmactl/guid/02000000000000bb.lock");
        until("the ADD has the GUID to itself", || file.exists()).unwrap();
        by_hand(lent).fails(1).stderr_has("is taken");
        adding.join().unwrap().ok();
    });
    assert_eq!(as_it_is(lab, 1), before[1]);
    call(lab, "DEL", POD, &asking(lab, 0, lent)).ok();
    // It is free again.
    other(lab, "ADD", "/run/netns/pod2", &asking(lab, 1, lent)).ok();
    other(lab, "DEL", "/run/netns/pod2", &asking(lab, 1, lent)).ok();
    give(lab, 0, NONE);
    lab.rdmactl(&["vf", "rebind", &lab.vf(0)]).ok();
    untouched(0);
    untouched(1);
}

/// An ADD that waits a tenth of a second before each message to the kernel.
fn add_slowly(lab: &Lab, conf: &Value) -> Output {
    lab.sh(&format!(
        "export CNI_COMMAND=ADD CNI_CONTAINERID=lab-container CNI_IFNAME=eth0 CNI_NETNS={POD} CNI_PATH=/x
         strace -f -o /dev/null -e trace=sendto -e inject=sendto:delay_enter=100000 {FACES}/ib-sriov <<'END'\n{conf}\nEND"
    ))
}

#[track_caller]
fn untouched_but_records(lab: &Lab, before: &AsItWas) {
    assert_eq!(as_it_is(lab, 1), *before);
    assert_eq!(pci::names(STATE), ["lab-container-eth0"]);
}
