//! The `ib-sriov` plugin as a runtime calls it: ADD, CHECK and DEL that work.

use serde_json::{Value, json};

use super::cni_call::{inside, with};
use crate::adapter::until;
use crate::case::{Case, case};
use crate::handle::Lab;
use crate::output::Output;
use crate::pci;

/// Folders stay; a VF that was bound anew has a new RDMA index.
pub(super) const ANEW: &[&str] = &["folder /", ", index"];
pub(super) const STATE: &str = "/var/lib/cni/ib-sriov";
pub(super) const POD: &str = "/run/netns/pod";
pub(super) const GUID: &str = "02:00:00:00:00:00:00:aa";

pub(crate) fn cases() -> Vec<Case> {
    let exclusive = |name, run| case(name, run).exclusive().may_change(ANEW);
    vec![
        exclusive("guid_isolation_and_addresses", guid_isolation_and_addresses),
        exclusive("plain_and_in_shared_words", plain).adapter("mode=ib vf_guids=1"),
        exclusive("n02_ipoib_follows_the_device", guid_isolation_and_addresses)
            .adapter("mode=ib ipoib_netns=device"),
    ]
}

/// A network with everything but addresses.
pub(super) fn config(vf: &str) -> Value {
    json!({
        "cniVersion": "1.0.0", "name": "ibnet", "type": "ib-sriov", "deviceID": vf, "pkey": "0x7fff",
        "link_state": "enable", "rdmaIsolation": true, "runtimeConfig": {"infinibandGUID": GUID},
    })
}

pub(super) fn with_ipam(config: Value) -> Value {
    with(
        "ipam",
        json!({
            "type": "host-local", "dataDir": "/run/lab/ipam",
            "ranges": [[{"subnet": "10.9.0.0/24"}], [{"subnet": "fd09::/64"}]],
            "routes": [{"dst": "10.77.0.0/16"}, {"dst": "fd77::/64", "gw": "fd09::1"}],
        }),
        config,
    )
}

pub(super) fn call(lab: &Lab, verb: &str, netns: &str, config: &Value) -> Output {
    lab.cni(
        "ib-sriov",
        verb,
        &[("CNI_NETNS", netns)],
        &config.to_string(),
    )
}

/// What the PF says of a VF, read by `ip`.
pub(super) fn told(lab: &Lab, index: usize) -> Value {
    let pf = pci::netdev(&lab.pf()).expect("the PF has an interface");
    let links = lab.ip(&["-j", "link", "show", "dev", &pf]).ok().json();
    links[0]["vfinfo_list"][index].clone()
}

/// A VF as it was before, to be compared with how it is after.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AsItWas {
    rdma: Option<String>,
    netdev: Option<String>,
    driver: Option<String>,
    told: String,
}

pub(super) fn as_it_is(lab: &Lab, index: u32) -> AsItWas {
    let vf = lab.vf(index);
    AsItWas {
        rdma: pci::rdma(&vf),
        netdev: pci::netdev(&vf),
        driver: pci::target(pci::device(&vf).join("driver")),
        told: told(lab, index as usize).to_string(),
    }
}

impl AsItWas {
    pub(super) fn rdma(&self) -> Option<&str> {
        self.rdma.as_deref()
    }

    pub(super) fn netdev(&self) -> Option<&str> {
        self.netdev.as_deref()
    }
}

/// Waits for the kernel to bring home what it does, and compares.
#[track_caller]
pub(super) fn is_as_it_was(lab: &Lab, index: u32, before: &AsItWas) {
    let same = || as_it_is(lab, index) == *before;
    let _ = until("the VF is as it was", same);
    assert_eq!(as_it_is(lab, index), *before);
    assert_eq!(pci::names(STATE), Vec::<String>::new(), "records are left");
}

fn leases(lab: &Lab) -> String {
    lab.sh("ls /run/lab/ipam/ibnet 2>/dev/null | grep -e '^10' -e '^fd' || true")
        .ok()
        .stdout
}

/// Rows S04b, N02.
fn guid_isolation_and_addresses(lab: &Lab) {
    let before = as_it_is(lab, 1);
    let vf = lab.vf(1);
    let _pod = lab.netns("pod");
    let conf = with_ipam(config(&vf));
    let conf = with(
        "runtimeConfig",
        json!({"infinibandGUID": GUID, "CNIDeviceInfoFile": "/run/lab/info"}),
        conf,
    );
    for _ in 0..2 {
        let added = call(lab, "ADD", POD, &conf).ok().json();
        let interface = &added["interfaces"][0];
        assert_eq!(interface["name"], "eth0");
        assert_eq!(interface["sandbox"], POD);
        assert_eq!(interface["pciID"], vf);
        assert!(interface["mtu"].as_u64() > Some(0), "{added}");
        assert!(
            interface["mac"]
                .as_str()
                .is_some_and(|mac| mac.len() == 59 && mac.ends_with(GUID)),
            "{added}"
        );
        assert_eq!(added["ips"].as_array().map(Vec::len), Some(2), "{added}");
        assert_eq!(inside(lab, "pod").len(), 1);
        assert_eq!(pci::rdma(&vf), None);
        let now = told(lab, 1);
        assert_eq!(
            (&now["node guid"], &now["port guid"]),
            (&json!(GUID), &json!(GUID)),
            "{now}"
        );
        assert_eq!(now["link_state"], "enable");
        lab.in_netns("pod", &["ip", "address", "show", "eth0"])
            .ok()
            .stdout_has("10.9.0.")
            .stdout_has("fd09::");
        lab.in_netns("pod", &["ip", "route"])
            .ok()
            .stdout_has("10.77.0.0/16 via 10.9.0.1 dev eth0");
        lab.in_netns("pod", &["ip", "-6", "route"])
            .ok()
            .stdout_has("fd77::/64 via fd09::1 dev eth0");
        let info: Value = serde_json::from_str(&lab.exec("cat /run/lab/info").ok().stdout).unwrap();
        assert_eq!(info["pci"]["pci-address"], vf);
        assert_eq!(info["pci"]["rdma-device"], json!(inside(lab, "pod")[0]));
        let record: Value = serde_json::from_str(
            &lab.exec(&format!("cat {STATE}/lab-container-eth0"))
                .ok()
                .stdout,
        )
        .unwrap();
        for (key, value) in [
            ("ContIFNames", json!("eth0")),
            ("deviceID", json!(vf)),
            ("VFID", json!(1)),
            ("pkey", json!("0x7fff")),
            ("link_state", json!("enable")),
            ("rdmaIsolation", json!(true)),
            ("type", json!("ib-sriov")),
        ] {
            assert_eq!(record[key], value, "{key}");
        }
        let conf = with("prevResult", added, conf.clone());
        call(lab, "CHECK", POD, &conf).ok().stdout_is("");
        call(lab, "DEL", POD, &conf).ok().stdout_is("");
        is_as_it_was(lab, 1, &before);
        assert_eq!(leases(lab), "");
        call(lab, "DEL", POD, &conf).ok().stdout_is("");
    }
    lab.exec("rm -r /run/lab/ipam /run/lab/info").ok();
}

/// Without isolation, GUID or addresses only the interface moves; every version has its own form.
/// Rows I21.
fn plain(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let vf = lab.vf(0);
    let netdev = lab.vf_netdev(0);
    let _pod = lab.netns("pod");
    lab.ip(&[
        "link", "property", "add", "dev", &netdev, "altname", "ibslot1",
    ])
    .ok();
    for version in ["0.1.0", "0.2.0", "0.3.1", "0.4.0", "1.0.0"] {
        let conf =
            json!({"cniVersion": version, "name": "ibnet", "type": "ib-sriov", "deviceID": vf});
        let added = call(lab, "ADD", POD, &conf).ok().json();
        assert_eq!(added["cniVersion"], version);
        assert_eq!(
            added["interfaces"][0]["name"].is_string(),
            !version.starts_with("0.1") && !version.starts_with("0.2")
        );
        lab.in_netns("pod", &["ip", "link", "show", "eth0"])
            .ok()
            .stdout_has("UP")
            .stdout_lacks("ibslot1");
        assert_eq!(pci::rdma(&vf), before.rdma, "the RDMA device stays");
        call(lab, "DEL", POD, &conf).ok();
        is_as_it_was(lab, 0, &before);
        lab.ip(&["link", "show", &netdev])
            .ok()
            .stdout_has("altname ibslot1");
    }
    lab.ip(&[
        "link", "property", "del", "dev", &netdev, "altname", "ibslot1",
    ])
    .ok();
}
