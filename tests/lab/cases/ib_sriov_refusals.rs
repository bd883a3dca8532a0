//! What the `ib-sriov` plugin refuses before anything is changed.

use serde_json::{Value, json};

use super::cni_call::{refused, with, without};
use super::ib_sriov::{ANEW, GUID, POD, as_it_is, call, config, is_as_it_was, told};
use crate::case::{Case, case};
use crate::handle::Lab;
use crate::pci;

pub(crate) fn cases() -> Vec<Case> {
    let exclusive = |name, run| case(name, run).exclusive().may_change(ANEW);
    vec![
        case("s01_shared_mode", s01_shared_mode).may_change(ANEW),
        exclusive(
            "refused_before_anything_changes",
            refused_before_anything_changes,
        ),
        exclusive("i9_ethernet_vf", i9_ethernet_vf).ethernet(),
        exclusive("r17_rdma_behind_ib_sriov", r17_rdma_behind_ib_sriov)
            .adapter("mode=ib vf_guids=1"),
    ]
}

fn s01_shared_mode(lab: &Lab) {
    let _pod = lab.netns("pod");
    let text = "RDMA subsystem namespace awareness mode is set to shared, expecting it to be set to exclusive";
    refused(call(lab, "ADD", POD, &config(&lab.vf(0))), 50, text);
    let status = with("cniVersion", json!("1.1.0"), config(&lab.vf(0)));
    refused(
        lab.cni("ib-sriov", "STATUS", &[], &status.to_string()),
        50,
        text,
    );
    // Without isolation shared mode is fine.
    let before = as_it_is(lab, 0);
    let conf = without("rdmaIsolation", config(&lab.vf(0)));
    call(lab, "ADD", POD, &conf).ok();
    assert_eq!(told(lab, 0)["node guid"], GUID);
    call(lab, "DEL", POD, &conf).ok();
    is_as_it_was(lab, 0, &before);
}

/// Rows S04, S05, S06, S07, S08, S09, S10, S10c, S13, S22, S30, S32, S42, I10, I13.
fn refused_before_anything_changes(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let vf = lab.vf(0);
    let _pod = lab.netns("pod");
    let add = |conf: &Value| call(lab, "ADD", POD, conf);
    let guid = |guid: &str| {
        with(
            "runtimeConfig",
            json!({"infinibandGUID": guid}),
            config(&vf),
        )
    };
    for bad in [
        "zz",
        "02:00:00:00:00:00:aa",
        "00:00:00:00:00:00:00:00",
        "ff:ff:ff:ff:ff:ff:ff:ff",
    ] {
        refused(add(&guid(bad)), 7, &format!("invalid guid {bad}"));
    }
    refused(
        add(&with("link_state", json!("up"), config(&vf))),
        7,
        "invalid link_state value: up",
    );
    refused(
        add(&with("vfioPciMode", json!(true), config(&vf))),
        7,
        "vfioPciMode is enabled but device",
    );
    refused(
        add(&config(&lab.pf())),
        7,
        "requires vfioPciMode to be enabled",
    );
    refused(
        add(&config("0000:af:00.1")),
        101,
        "there is no PCI function 0000:af:00.1",
    );
    refused(add(&config("../../etc")), 7, "PCI address");
    refused(
        add(&without("deviceID", config(&vf))),
        7,
        "deviceID is required",
    );
    refused(
        add(&without("runtimeConfig", config(&vf))),
        109,
        "has no GUID",
    );
    let ipam = |ipam: &str| with("ipam", json!({"type": ipam}), config(&vf));
    refused(
        add(&ipam("nope")),
        7,
        "failed to find plugin \"nope\" in path",
    );
    refused(add(&ipam("a/b")), 7, "invalid plugin name: a/b");
    refused(add(&ipam("dhcp")), 7, "ipam type dhcp is not supported");
    refused(
        add(&with("ibKubernetesEnabled", json!(true), config(&vf))),
        7,
        "\"mellanox.infiniband.app\" is not \"configured\"",
    );
    let ready = with(
        "args",
        json!({"cni": {"mellanox.infiniband.app": "configured"}}),
        without("runtimeConfig", config(&vf)),
    );
    let ready = with(
        "guidPolicy",
        json!("keep"),
        with("ibKubernetesEnabled", json!(true), ready),
    );
    refused(add(&ready), 7, "GUID must be provided by ib-kubernetes");
    // S11: the name is taken in the pod.
    lab.exec("ip -n pod link add eth0 type veth peer name peer0")
        .ok();
    refused(add(&config(&vf)), 102, "already has an interface eth0");
    lab.in_netns("pod", &["ip", "link", "del", "eth0"]).ok();
    refused(
        call(lab, "ADD", "/proc/1/ns/net", &config(&vf)),
        8,
        "should not be the same",
    );
    refused(
        call(lab, "ADD", "/run/netns/nope", &config(&vf)),
        4,
        "CNI_NETNS",
    );
    // I15: a GUID that another VF has.
    let pf = pci::netdev(&lab.pf()).unwrap();
    let other = |guid: &str| {
        for key in ["node_guid", "port_guid"] {
            lab.ip(&["link", "set", &pf, "vf", "1", key, guid]).ok();
        }
    };
    other(GUID);
    refused(add(&config(&vf)), 102, "is taken");
    other("00:00:00:00:00:00:00:00");
    is_as_it_was(lab, 0, &before);
}

fn i9_ethernet_vf(lab: &Lab) {
    let _pod = lab.netns("pod");
    let conf = without("rdmaIsolation", config(&lab.vf(0)));
    refused(call(lab, "ADD", POD, &conf), 7, "is an Ethernet VF");
    call(lab, "DEL", POD, &conf).ok();
}

/// Go's plugins do it, and the container loses its interface.
fn r17_rdma_behind_ib_sriov(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let vf = lab.vf(0);
    let _pod = lab.netns("pod");
    let conf = json!({"cniVersion": "1.0.0", "name": "ibnet", "type": "ib-sriov", "deviceID": vf});
    let prev = call(lab, "ADD", POD, &conf).ok().json();
    let second = json!({"cniVersion": "1.0.0", "name": "ibnet", "type": "rdma", "deviceID": vf, "prevResult": prev});
    let added = lab.cni("rdma", "ADD", &[("CNI_NETNS", POD)], &second.to_string());
    assert!(added.stdout.contains("rdmaIsolation"), "{added}");
    refused(added, 7, "would take it away");
    lab.in_netns("pod", &["ip", "link", "show", "eth0"]).ok();
    lab.cni("rdma", "DEL", &[("CNI_NETNS", POD)], &second.to_string())
        .ok();
    lab.in_netns("pod", &["ip", "link", "show", "eth0"]).ok();
    call(lab, "DEL", POD, &conf).ok();
    is_as_it_was(lab, 0, &before);
}
