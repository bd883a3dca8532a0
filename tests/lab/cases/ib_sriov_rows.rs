//! Weak spots of Go's `ib-sriov` in names, keys, results and records, each by its number.

use std::fs;

use serde_json::{Value, json};

use super::cni_call::{refused, with, without};
use super::ib_sriov::*;
use crate::case::{Case, case};
use crate::handle::Lab;
use crate::output::Output;

pub(crate) fn cases() -> Vec<Case> {
    let exclusive = |name, run| case(name, run).exclusive().may_change(ANEW);
    let told = |name, run| {
        exclusive(name, run).only(
            &["6.12"],
            "names, results and records are read; what is done to the VF is that of ib_sriov",
        )
    };
    vec![
        told("s20_names_and_protocol", s20_names_and_protocol),
        told("i12_keys_of_records", i12_keys_of_records),
        told("i20_previous_result", i20_previous_result).adapter("mode=ib vf_guids=1"),
        told("i23_garbage_is_told", i23_garbage_is_told),
    ]
}

/// As [`call`], for another container.
pub(super) fn call_for(
    lab: &Lab,
    container: &str,
    verb: &str,
    netns: &str,
    conf: &Value,
) -> Output {
    let env = [("CNI_NETNS", netns), ("CNI_CONTAINERID", container)];
    lab.cni("ib-sriov", verb, &env, &conf.to_string())
}

fn s20_names_and_protocol(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let conf = config(&lab.vf(0));
    let _pod = lab.netns("pod");
    for id in ["a/b", "../x", "-x"] {
        let output = call_for(lab, id, "ADD", POD, &conf);
        refused(output, 4, "invalid characters in containerID");
    }
    let named = |ifname: &str, verb: &str| {
        let env = [("CNI_NETNS", POD), ("CNI_IFNAME", ifname)];
        lab.cni("ib-sriov", verb, &env, &conf.to_string())
    };
    refused(
        named("sixteen-bytes-xx", "ADD"),
        4,
        "interface name is too long",
    );
    refused(named("a/b", "ADD"), 4, "interface name contains / or :");
    named("fifteen-bytes-x", "ADD").ok();
    named("fifteen-bytes-x", "DEL").ok();
    for text in ["", "{"] {
        let output = lab.cni("ib-sriov", "ADD", &[("CNI_NETNS", POD)], text);
        refused(output, 6, "error unmarshall network config: ");
    }
    let version = with("cniVersion", json!("9.9.9"), conf.clone());
    refused(
        call(lab, "ADD", POD, &version),
        1,
        "incompatible CNI versions",
    );
    refused(
        call(lab, "ADD", "", &conf),
        4,
        "required env variables [CNI_NETNS] missing",
    );
    is_as_it_was(lab, 0, &before);
}

/// In Go they share a structure with the keys of a configuration, and whoever writes one chooses the GUID.
fn i12_keys_of_records(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let vf = lab.vf(0);
    let _pod = lab.netns("pod");
    let mut conf = config(&vf);
    for (key, value) in [
        ("HostIFGUID", json!("11:22:33:44:55:66:77:88")),
        ("hostifguid", json!("11:22:33:44:55:66:77:88")),
        ("HostIFNames", json!("stolen0")),
        ("ContIFNames", json!("lo")),
        ("Master", json!("lo")),
        ("VFID", json!(1)),
        (
            "RdmaNetState",
            json!({"deviceID": lab.vf(1), "sandboxRdmaDevName": lab.vf_rdma(1), "containerRdmaDevName": "x"}),
        ),
        (
            "rdmactl",
            json!({"phase": "done", "nodeGUID": "11:22:33:44:55:66:77:88"}),
        ),
    ] {
        conf = with(key, value, conf);
    }
    let other = as_it_is(lab, 1);
    call(lab, "ADD", POD, &conf).ok();
    let record = lab.exec(&format!("cat {STATE}/lab-container-eth0")).ok();
    let record = record
        .stdout_lacks("11:22:33")
        .stdout_lacks("stolen0")
        .json();
    assert_eq!(
        (&record["VFID"], &record["ContIFNames"]),
        (&json!(0), &json!("eth0"))
    );
    call(lab, "DEL", POD, &conf).ok();
    is_as_it_was(lab, 0, &before);
    call(lab, "DEL", POD, &conf).ok();
    is_as_it_was(lab, 0, &before);
    is_as_it_was(lab, 1, &other);
}

/// What a plugin before this one made is still in the result.
fn i20_previous_result(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let _pod = lab.netns("pod");
    let bare = without(
        "rdmaIsolation",
        without("runtimeConfig", config(&lab.vf(0))),
    );
    let prev = json!({
        "cniVersion": "1.0.0",
        "interfaces": [{"name": "first0", "mac": "02:00:00:00:00:01", "sandbox": POD}],
        "ips": [{"address": "10.1.0.2/24", "interface": 0}],
        "dns": {"nameservers": ["10.1.0.1"]},
    });
    let conf = with_ipam(with("prevResult", prev, bare.clone()));
    let added = call(lab, "ADD", POD, &conf).ok().json();
    let names: Vec<_> = added["interfaces"]
        .as_array()
        .unwrap()
        .iter()
        .map(|each| &each["name"])
        .collect();
    assert_eq!(names, ["first0", "eth0"], "I20: {added}");
    let of: Vec<_> = added["ips"]
        .as_array()
        .unwrap()
        .iter()
        .map(|each| each["interface"].as_u64())
        .collect();
    assert_eq!(of, [Some(0), Some(1), Some(1)], "I20: {added}");
    assert_eq!(added["ips"][0]["address"], "10.1.0.2/24");
    assert_eq!(added["dns"]["nameservers"], json!(["10.1.0.1"]));
    assert!(
        added["interfaces"][1]["mac"].is_string() && added["interfaces"][1]["pciID"].is_string()
    );
    call(
        lab,
        "CHECK",
        POD,
        &with("prevResult", added.clone(), conf.clone()),
    )
    .ok();
    call(lab, "DEL", POD, &with("prevResult", added, conf)).ok();
    is_as_it_was(lab, 0, &before);
    let broken = with("prevResult", json!({"cniVersion": "0.4.0"}), bare);
    refused(
        call(lab, "ADD", POD, &broken),
        7,
        "could not parse prevResult",
    );
    is_as_it_was(lab, 0, &before);
    lab.exec("rm -r /run/lab/ipam").ok();
}

fn i23_garbage_is_told(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let vf = lab.vf(0);
    let _pod = lab.netns("pod");
    let conf = without("link_state", without("runtimeConfig", config(&vf)));
    let conf = with("guidPolicy", json!("keep"), conf);
    call(lab, "ADD", POD, &conf).ok();
    fs::write(format!("{STATE}/lab-container-eth0"), "{").unwrap();
    let ended = call(
        lab,
        "DEL",
        POD,
        &with("logFile", json!("/run/lab/log"), conf),
    )
    .ok();
    assert!(!ended.stderr.is_empty(), "I23: {ended}");
    is_as_it_was(lab, 0, &before);
}
