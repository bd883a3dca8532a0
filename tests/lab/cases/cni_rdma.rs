//! The `rdma` plugin as a runtime calls it: every verb that works.

use serde_json::{Value, json};

use super::cni_call::*;
use crate::case::{Case, case};
use crate::handle::Lab;
use crate::pci;

/// Folders stay; what is in them may not.
pub(super) const FOLDERS: &[&str] = &["folder /"];

pub(crate) fn cases() -> Vec<Case> {
    let exclusive = |name, run| case(name, run).exclusive().may_change(FOLDERS);
    vec![
        exclusive("add_check_del", add_check_del),
        exclusive("auxiliary_device", auxiliary_device).adapter("mode=ib sfs=1"),
        exclusive("capability_device_id", capability_device_id),
        exclusive("version_and_status", version_and_status),
        exclusive("gc_returns_strays", gc_returns_strays),
        exclusive("r29_check_looks", r29_check_looks),
    ]
}

/// Rows R13.
fn add_check_del(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    let pod = lab.netns("pod");
    let inode = lab.sh("stat -c %i /run/netns/pod").ok().stdout;
    let conf = config(&vf);
    let added = call(lab, "ADD", "/run/netns/pod", &conf).ok();
    assert_eq!(added.json(), conf["prevResult"]);
    assert!(added.stdout.contains("1.5"), "numbers keep their spelling");
    assert_eq!(inside(lab, &pod.name), [name.as_str()]);
    assert_eq!(pci::rdma(&vf), None);

    let file = format!("{STATE}/{RECORD}");
    lab.sh(&format!("stat -c %a {file} {STATE}"))
        .ok()
        .stdout_is("600\n700\n");
    let record: Value = serde_json::from_str(&lab.sh(&format!("cat {file}")).ok().stdout).unwrap();
    for (key, value) in [
        ("version", json!("1.0")),
        ("deviceID", json!(vf)),
        ("sandboxRdmaDevName", json!(name)),
        ("containerRdmaDevName", json!(name)),
        ("network", json!("net")),
        ("netnsInode", json!(inode.trim().parse::<u64>().unwrap())),
        ("phase", json!("done")),
    ] {
        assert_eq!(record[key], value, "{key}");
    }

    call(lab, "CHECK", "/run/netns/pod", &conf)
        .ok()
        .stdout_is("");
    call(lab, "DEL", "/run/netns/pod", &conf).ok().stdout_is("");
    at_home(&vf, &name);
    call(lab, "DEL", "/run/netns/pod", &conf).ok().stdout_is("");
    lab.sh("ls -A /run/rdmactl/device").ok().stdout_is("");
}

fn auxiliary_device(lab: &Lab) {
    let sf = lab.sh("ls /sys/bus/auxiliary/devices").ok().stdout;
    let sf = sf
        .lines()
        .find(|name| name.starts_with("mlx5_core.sf."))
        .expect("the adapter has a scalable function");
    let shown = || pci::names(format!("/sys/bus/auxiliary/devices/{sf}/infiniband"));
    let name = shown();
    let _pod = lab.netns("pod");
    call(lab, "ADD", "/run/netns/pod", &config(sf)).ok();
    assert_eq!(inside(lab, "pod"), name);
    assert!(shown().is_empty());
    call(lab, "CHECK", "/run/netns/pod", &config(sf)).ok();
    // Without a record it is found by what it sits on, as the pod's own /sys shows it.
    lab.sh(&format!("rm {STATE}/{RECORD}")).ok();
    call(lab, "DEL", "/run/netns/pod", &config(sf)).ok();
    assert_eq!(shown(), name);
}

fn capability_device_id(lab: &Lab) {
    let (vf, name) = (lab.vf(1), lab.vf_rdma(1));
    let _pod = lab.netns("pod");
    let conf = with("runtimeConfig", json!({"deviceID": vf}), config(&lab.vf(0)));
    let conf = with("pciBusID", json!(lab.vf(0)), conf);
    call(lab, "ADD", "/run/netns/pod", &conf).ok();
    assert_eq!(inside(lab, "pod"), [name.as_str()]);
    call(lab, "DEL", "/run/netns/pod", &conf).ok();
    at_home(&vf, &name);
}

fn version_and_status(lab: &Lab) {
    let version = lab.cni("rdma", "VERSION", &[], "").ok();
    assert_eq!(
        version.json()["supportedVersions"]
            .as_array()
            .unwrap()
            .len(),
        7
    );
    let conf = json!({"cniVersion": "1.1.0", "name": "net", "type": "rdma"});
    lab.cni("rdma", "STATUS", &[], &conf.to_string())
        .ok()
        .silent();
    // Under another name the configuration says which plugin is meant.
    lab.cni("rdmactl", "STATUS", &[], &conf.to_string())
        .ok()
        .silent();
    let other = with("type", json!("bridge"), conf);
    refused(
        lab.cni("rdmactl", "STATUS", &[], &other.to_string()),
        7,
        "no plugin of type",
    );
}

/// Rows R19.
fn gc_returns_strays(lab: &Lab) {
    let names = [lab.vf_rdma(0), lab.vf_rdma(1)];
    let vfs = [lab.vf(0), lab.vf(1)];
    let _pod = lab.netns("pod");
    for (container, vf) in [("a", &vfs[0]), ("b", &vfs[1])] {
        call_for(lab, container, "ADD", "/run/netns/pod", &config(vf)).ok();
    }
    let gc = |list: Value| {
        let conf = json!({"cniVersion": "1.1.0", "name": "net", "type": "rdma", "cni.dev/valid-attachments": list});
        lab.cni("rdma", "GC", &[], &conf.to_string())
    };
    gc(json!([{"containerID": "b", "ifname": "eth0"}]))
        .ok()
        .stdout_is("");
    assert_eq!(inside(lab, "pod"), [names[1].as_str()]);
    gc(json!([])).ok();
    for (vf, name) in vfs.iter().zip(&names) {
        at_home(vf, name);
    }
}

/// Rows R19.
fn r29_check_looks(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    let conf = config(&vf);
    let _pod = lab.netns("pod");
    let _other = lab.netns("other");
    let check = |netns: &str| call(lab, "CHECK", netns, &conf);
    refused(check("/run/netns/pod"), 105, "no record");
    call(lab, "ADD", "/run/netns/pod", &conf).ok();
    check("/run/netns/pod").ok();
    refused(check("/run/netns/other"), 105, "the device was lent to");
    lab.sh(&format!(
        "nsenter --net=/run/netns/pod rdma dev set {name} netns other"
    ))
    .ok();
    refused(check("/run/netns/pod"), 105, "nowhere to be found");
    lab.sh(&format!(
        "nsenter --net=/run/netns/other rdma dev set {name} netns pod"
    ))
    .ok();
    check("/run/netns/pod").ok();
    lab.sh(&format!(
        "nsenter --net=/run/netns/pod rdma dev set {name} name inside"
    ))
    .ok();
    check("/run/netns/pod").ok();
    call(lab, "DEL", "/run/netns/pod", &conf).ok();
    at_home(&vf, &name);
}
