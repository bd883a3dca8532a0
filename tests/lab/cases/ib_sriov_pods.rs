//! Two pods of the `ib-sriov` plugin, ended in any order or by GC, and its STATUS.

use serde_json::{Value, json};

use super::cni_call::{inside, refused, with};
use super::ib_sriov::{ANEW, STATE, as_it_is, config, is_as_it_was, with_ipam};
use crate::case::{Case, case};
use crate::handle::Lab;
use crate::pci;

pub(crate) fn cases() -> Vec<Case> {
    let exclusive = |name, run| case(name, run).exclusive().may_change(ANEW);
    vec![
        exclusive("s36_two_pods_in_any_order", s36_two_pods_in_any_order)
            .adapter("mode=ib vf_guids=1"),
        exclusive("gc_and_status", gc_and_status),
    ]
}

/// Isolation without a GUID, several pods, every order of DEL: the names come back to their VFs.
/// Rows S39b.
fn s36_two_pods_in_any_order(lab: &Lab) {
    let before = [as_it_is(lab, 0), as_it_is(lab, 1)];
    let conf = |index: u32| json!({"cniVersion": "1.0.0", "name": "ibnet", "type": "ib-sriov", "deviceID": lab.vf(index), "rdmaIsolation": true});
    let run = |verb: &str, index: u32| {
        let (pod, id) = (format!("/run/netns/pod{index}"), format!("c{index}"));
        lab.cni(
            "ib-sriov",
            verb,
            &[("CNI_NETNS", &pod), ("CNI_CONTAINERID", &id)],
            &conf(index).to_string(),
        )
        .ok()
    };
    let _pods = [lab.netns("pod0"), lab.netns("pod1")];
    for order in [[0, 1], [1, 0]] {
        for first in [0, 1] {
            run("ADD", first);
            run("ADD", 1 - first);
            for index in order {
                run("DEL", index);
            }
            for index in [0, 1] {
                is_as_it_was(lab, index, &before[index as usize]);
            }
        }
    }
}

fn gc_and_status(lab: &Lab) {
    let before = [as_it_is(lab, 0), as_it_is(lab, 1)];
    let _pods = [lab.netns("pod0"), lab.netns("pod1")];
    let conf = |index: u32| {
        let guid = format!("02:00:00:00:00:00:00:0{index}");
        with(
            "runtimeConfig",
            json!({"infinibandGUID": guid}),
            config(&lab.vf(index)),
        )
    };
    for index in [0, 1] {
        let (pod, id) = (format!("/run/netns/pod{index}"), format!("c{index}"));
        lab.cni(
            "ib-sriov",
            "ADD",
            &[("CNI_NETNS", &pod), ("CNI_CONTAINERID", &id)],
            &conf(index).to_string(),
        )
        .ok();
    }
    let gc = |network: &str, key: &str, list: Value| {
        let conf = json!({"cniVersion": "1.1.0", "name": network, "type": "ib-sriov", key: list});
        lab.cni("ib-sriov", "GC", &[], &conf.to_string())
    };
    // Another network's list says nothing of these.
    gc("other", "cni.dev/valid-attachments", json!([])).ok();
    refused(
        gc("ibnet", "x", json!([])),
        7,
        "no list of valid attachments",
    );
    gc(
        "ibnet",
        "cni.dev/attachments",
        json!([{"containerID": "c1", "ifname": "eth0"}]),
    )
    .ok()
    .stdout_is("");
    assert_eq!(pci::names(STATE), ["c1-eth0"]);
    assert_eq!(inside(lab, "pod1").len(), 1);
    gc("ibnet", "cni.dev/valid-attachments", json!([])).ok();
    for index in [0, 1] {
        is_as_it_was(lab, index, &before[index as usize]);
    }
    let status = |conf: Value| {
        let conf = with("cniVersion", json!("1.1.0"), conf);
        lab.cni("ib-sriov", "STATUS", &[], &conf.to_string())
    };
    status(config(&lab.vf(0))).ok().silent();
    // The distribution's host-local does not speak 1.1.0, and no ADD in it would succeed.
    refused(
        status(with_ipam(config(&lab.vf(0)))),
        50,
        "IPAM plugin \"host-local\" is not ready",
    );
    refused(
        status(with("ipam", json!({"type": "nope"}), config(&lab.vf(0)))),
        50,
        "failed to find plugin",
    );
    lab.exec("rm -rf /run/lab/ipam").ok();
}
