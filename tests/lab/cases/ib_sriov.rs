//! The `ib-sriov` plugin as a runtime calls it: what works, and what is refused before anything is changed.

use serde_json::{Value, json};

use super::cni_call::{inside, refused, with, without};
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
        exclusive("s36_two_pods_in_any_order", s36_two_pods_in_any_order)
            .adapter("mode=ib vf_guids=1"),
        exclusive("n02_ipoib_follows_the_device", guid_isolation_and_addresses)
            .adapter("mode=ib ipoib_netns=device"),
        case("s01_shared_mode", s01_shared_mode).may_change(ANEW),
        exclusive(
            "refused_before_anything_changes",
            refused_before_anything_changes,
        ),
        exclusive("i9_ethernet_vf", i9_ethernet_vf).ethernet(),
        exclusive("check_looks_at_everything", check_looks_at_everything),
        exclusive("gc_and_status", gc_and_status),
        exclusive("guid_policies", guid_policies),
        exclusive("r17_rdma_behind_ib_sriov", r17_rdma_behind_ib_sriov)
            .adapter("mode=ib vf_guids=1"),
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

fn check_looks_at_everything(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let vf = lab.vf(0);
    let _pod = lab.netns("pod");
    let conf = with_ipam(config(&vf));
    let prev = call(lab, "ADD", POD, &conf).ok().json();
    let conf = with("prevResult", prev, conf);
    let check = || call(lab, "CHECK", POD, &conf);
    check().ok();
    let pod = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        lab.in_netns("pod", &words).ok()
    };
    pod("ip link set eth0 down");
    refused(check(), 105, "eth0 is switched off");
    pod("ip link set eth0 name eth7");
    refused(check(), 105, "is called eth7 in the container");
    pod("ip link set eth7 name eth0");
    pod("ip link set eth0 up");
    refused(check(), 105, "there is no route to 10.77.0.0/16");
    pod("ip route add 10.77.0.0/16 via 10.9.0.1");
    pod("ip -6 route replace fd77::/64 via fd09::1");
    check().ok();
    pod("ip -4 address flush dev eth0");
    refused(check(), 105, "eth0 has no address 10.9.0.");
    let pf = pci::netdev(&lab.pf()).unwrap();
    let name = inside(lab, "pod").remove(0);
    lab.rdmactl(&["--netns", "pod", "dev", "set", &name, "netns", "1"])
        .ok();
    refused(check(), 105, "no interface of");
    call(lab, "DEL", POD, &conf).ok();
    is_as_it_was(lab, 0, &before);
    let plain = with(
        "guidPolicy",
        json!("keep"),
        without("runtimeConfig", config(&vf)),
    );
    let prev = call(lab, "ADD", POD, &plain).ok().json();
    let plain = with("prevResult", prev, plain);
    lab.ip(&["link", "set", &pf, "vf", "0", "state", "disable"])
        .ok();
    refused(
        call(lab, "CHECK", POD, &plain),
        105,
        "the link state of VF 0",
    );
    call(lab, "DEL", POD, &plain).ok();
    refused(call(lab, "CHECK", POD, &plain), 105, "no record");
    is_as_it_was(lab, 0, &before);
    lab.exec("rm -r /run/lab/ipam").ok();
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

/// Rows I14.
fn guid_policies(lab: &Lab) {
    let before = as_it_is(lab, 1);
    let vf = lab.vf(1);
    let _pod = lab.netns("pod");
    let conf = |policy: &str| {
        with(
            "guidPolicy",
            json!(policy),
            without("runtimeConfig", config(&vf)),
        )
    };
    refused(
        call(lab, "ADD", POD, &conf("perhaps")),
        7,
        "invalid guidPolicy value: perhaps",
    );
    call(lab, "ADD", POD, &conf("keep")).ok();
    assert_eq!(told(lab, 1)["node guid"], "00:00:00:00:00:00:00:00");
    call(lab, "DEL", POD, &conf("keep")).ok();
    is_as_it_was(lab, 1, &before);
    let mut seen = Vec::new();
    for _ in 0..2 {
        call(lab, "ADD", POD, &conf("generate")).ok();
        seen.push(told(lab, 1)["port guid"].clone());
        call(lab, "DEL", POD, &conf("generate")).ok();
        is_as_it_was(lab, 1, &before);
    }
    assert_eq!(seen[0], seen[1], "the same every time");
    assert_ne!(seen[0], "00:00:00:00:00:00:00:00");
    // From CNI_ARGS and from args.cni too, whatever else stands there.
    let args = with(
        "args",
        json!({"cni": {"guid": GUID, "debug": true, "n": 5}}),
        conf("require"),
    );
    call(lab, "ADD", POD, &args).ok();
    assert_eq!(told(lab, 1)["node guid"], GUID);
    call(lab, "DEL", POD, &args).ok();
    let env = [
        ("CNI_NETNS", POD),
        (
            "CNI_ARGS",
            "IgnoreUnknown=1;guid=02:00:00:00:00:00:00:bb;K8S_POD_NAME=p",
        ),
    ];
    lab.cni("ib-sriov", "ADD", &env, &conf("require").to_string())
        .ok();
    assert_eq!(told(lab, 1)["node guid"], "02:00:00:00:00:00:00:bb");
    call(lab, "DEL", POD, &conf("require")).ok();
    is_as_it_was(lab, 1, &before);
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
