//! Which device the `rdma` plugin moves, and from where to where it moves none.

use serde_json::json;

use super::cni_call::*;
use super::cni_rdma::FOLDERS;
use crate::case::{Case, case};
use crate::handle::Lab;
use crate::pci;

pub(crate) fn cases() -> Vec<Case> {
    let exclusive = |name, run| case(name, run).exclusive().may_change(FOLDERS);
    vec![
        case("r02_shared_mode", r02_shared_mode).may_change(FOLDERS),
        exclusive("r04_devices_that_are_none", r04_devices_that_are_none),
        exclusive("r05_mac_fallback", r05_mac_fallback).ethernet(),
        exclusive(
            "r10_r11_namespaces_that_are_none",
            r10_r11_namespaces_that_are_none,
        ),
    ]
}

/// Rows R19.
fn r02_shared_mode(lab: &Lab) {
    let _pod = lab.netns("pod");
    let text = "RDMA subsystem namespace awareness mode is set to shared, expecting it to be set to exclusive";
    refused(
        call(lab, "ADD", "/run/netns/pod", &config(&lab.vf(0))),
        50,
        text,
    );
    let conf = json!({"cniVersion": "1.1.0", "name": "net", "type": "rdma"});
    refused(lab.cni("rdma", "STATUS", &[], &conf.to_string()), 50, text);
    call(lab, "DEL", "/run/netns/pod", &config(&lab.vf(0))).ok();

    // Where nodes differ one configuration has to fit them all: nothing is moved, nothing fails.
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    let skip = with("rdmaMode", json!("skip"), config(&vf));
    let call_all = |verb: &str| call(lab, verb, "/run/netns/pod", &skip);
    let added = call_all("ADD")
        .ok()
        .stderr_has("shared mode: nothing is moved");
    assert_eq!(added.json(), skip["prevResult"]);
    call_all("CHECK").ok().stdout_is("");
    let status = with("rdmaMode", json!("skip"), conf);
    lab.cni("rdma", "STATUS", &[], &status.to_string())
        .ok()
        .silent();
    let gc = with("cni.dev/valid-attachments", json!([]), status);
    lab.cni("rdma", "GC", &[], &gc.to_string()).ok().silent();
    call_all("DEL").ok();
    at_home(&vf, &name);
    refused(
        call(
            lab,
            "ADD",
            "/run/netns/pod",
            &with("rdmaMode", json!("auto"), skip),
        ),
        7,
        "rdmaMode",
    );
}

/// Rows R9.
fn r04_devices_that_are_none(lab: &Lab) {
    let _pod = lab.netns("pod");
    let add = |device: &str| call(lab, "ADD", "/run/netns/pod", &config(device));
    for device in [
        "0000:1:10.2",
        "../../etc",
        "../../pci/devices/0000:01:10.0",
        "mlx5_0",
    ] {
        refused(
            add(device),
            7,
            &format!("failed to get RDMA device for device ID {device}: "),
        );
    }
    for device in ["0000:af:00.1", "mlx5_core.sf.77"] {
        refused(
            add(device),
            101,
            &format!("device ID {device}: no RDMA devices found"),
        );
    }
    // Upper case and a PF, which Go's plugin moves as well.
    let (pf, name) = (lab.pf(), pci::rdma(&lab.pf()).unwrap());
    add(&pf.to_uppercase()).ok();
    assert_eq!(inside(lab, "pod"), [name.as_str()]);
    call(lab, "DEL", "/run/netns/pod", &config(&pf)).ok();
    at_home(&pf, &name);
}

/// Rows R05b, R05c.
fn r05_mac_fallback(lab: &Lab) {
    let (vf, name) = (lab.vf(1), lab.vf_rdma(1));
    let pf = pci::netdev(&lab.pf()).unwrap();
    let set = |vf: &str, mac: &str| lab.ip(&["link", "set", &pf, "vf", vf, "mac", mac]).ok();
    let _pod = lab.netns("pod");
    let of_mac = |mac: &str| {
        let prev =
            json!({"interfaces": [{"name": "eth0", "mac": mac, "sandbox": "/run/netns/pod"}]});
        without("deviceID", with("prevResult", prev, config("")))
    };
    let before = lab.sh(&format!("ip -j link show {pf}")).ok().json();
    set("1", "02:00:00:00:aa:01");
    let conf = of_mac("02:00:00:00:AA:01");
    call(lab, "ADD", "/run/netns/pod", &conf)
        .ok()
        .stderr_has(&vf);
    assert_eq!(inside(lab, "pod"), [name.as_str()]);
    call(lab, "DEL", "/run/netns/pod", &conf).ok();
    at_home(&vf, &name);
    refused(
        call(lab, "ADD", "/run/netns/pod", &of_mac("02:00:00:00:aa:77")),
        101,
        "could not find VF PCI device",
    );
    set("0", "02:00:00:00:aa:01");
    refused(
        call(lab, "ADD", "/run/netns/pod", &conf),
        101,
        "found more than one VF PCI device",
    );
    for vf in ["0", "1"] {
        let entry = &before[0]["vfinfo_list"][vf.parse::<usize>().unwrap()];
        set(
            vf,
            entry["address"].as_str().or(entry["mac"].as_str()).unwrap(),
        );
    }
    let two = with("prevResult", json!({"interfaces": [{}, {}]}), conf);
    refused(
        call(lab, "ADD", "/run/netns/pod", &two),
        7,
        "\"DeviceID\" network configuration attribute is required",
    );
}

/// Rows R11b, R12.
fn r10_r11_namespaces_that_are_none(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    let add = |netns: &str| call(lab, "ADD", netns, &config(&vf));
    refused(add("/run/netns/none"), 4, "No such file or directory");
    refused(add("/etc/hostname"), 4, "is not a network namespace");
    refused(add("/proc/self/ns/mnt"), 4, "is not a network namespace");
    let same = add("/proc/1/ns/net");
    refused(
        same,
        8,
        "plugin's netns and netns from CNI_NETNS should not be the same",
    );
    call(lab, "DEL", "/proc/1/ns/net", &config(&vf)).ok();
    at_home(&vf, &name);
}
