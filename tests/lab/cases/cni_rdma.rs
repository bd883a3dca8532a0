//! The `rdma` plugin as a runtime calls it: what works, and what is refused before anything is changed.

use serde_json::{Value, json};

use super::cni_call::*;
use crate::case::{Case, case};
use crate::handle::Lab;
use crate::pci;

/// Folders stay; what is in them may not.
const FOLDERS: &[&str] = &["folder /"];

pub(crate) fn cases() -> Vec<Case> {
    let exclusive = |name, run| case(name, run).exclusive().may_change(FOLDERS);
    vec![
        exclusive("add_check_del", add_check_del),
        exclusive("auxiliary_device", auxiliary_device).adapter("mode=ib sfs=1"),
        exclusive("capability_device_id", capability_device_id),
        exclusive("version_and_status", version_and_status),
        exclusive("gc_returns_strays", gc_returns_strays),
        case("r02_shared_mode", r02_shared_mode).may_change(FOLDERS),
        exclusive("r04_devices_that_are_none", r04_devices_that_are_none),
        exclusive("r05_mac_fallback", r05_mac_fallback).ethernet(),
        exclusive("r06_previous_results", r06_previous_results),
        exclusive("r07_r08_r09_protocol", r07_r08_r09_protocol),
        exclusive(
            "r10_r11_namespaces_that_are_none",
            r10_r11_namespaces_that_are_none,
        ),
        exclusive("r19_r20_r22_names", r19_r20_r22_names),
        exclusive("r23_one_go_name_for_two", r23_one_go_name_for_two),
        exclusive("r29_check_looks", r29_check_looks),
        exclusive("r34_cni_args", r34_cni_args),
        exclusive("r40_not_root", r40_not_root),
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

/// Rows R06b, R06c, R08c.
fn r06_previous_results(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    let _pod = lab.netns("pod");
    let add = |conf: &Value| call(lab, "ADD", "/run/netns/pod", conf);
    let alone = "RDMA-CNI is expected to be called as part of a plugin chain";
    refused(add(&without("prevResult", config(&vf))), 7, alone);
    refused(add(&with("prevResult", Value::Null, config(&vf))), 7, alone);
    let old = with("prevResult", json!({"cniVersion": "0.4.0"}), config(&vf));
    refused(
        add(&old),
        7,
        "result type supports [1.0.0 1.1.0] but unmarshalled CNIVersion is \"0.4.0\"",
    );
    assert_eq!(pci::rdma(&vf).as_ref(), Some(&name));
    // Go's plugin fails after the move with the two old versions.
    for version in ["0.1.0", "0.2.0", "0.3.1", "0.4.0", "1.1.0"] {
        let conf = with(
            "cniVersion",
            json!(version),
            with("prevResult", json!({}), config(&vf)),
        );
        assert_eq!(add(&conf).ok().json(), json!({"cniVersion": version}));
        call(lab, "DEL", "/run/netns/pod", &conf).ok();
        at_home(&vf, &name);
    }
}

/// Rows R07b, R09b.
fn r07_r08_r09_protocol(lab: &Lab) {
    let vf = lab.vf(0);
    let env = [("CNI_NETNS", "/run/netns/pod")];
    for text in ["", "{", "[]", "\u{1}", "{} {}"] {
        for verb in ["ADD", "DEL"] {
            refused(
                lab.cni("rdma", verb, &env, text),
                6,
                "error unmarshall network config: ",
            );
        }
    }
    refused(
        call(lab, "ADD", "/x", &with("deviceID", json!(5), config(&vf))),
        7,
        "failed to load netconf: ",
    );
    for version in ["9.9.9", "1.2.0", "1.0"] {
        let conf = with("cniVersion", json!(version), config(&vf));
        refused(
            call(lab, "ADD", "/x", &conf),
            1,
            "incompatible CNI versions",
        );
    }
    let check = with("cniVersion", json!("0.3.1"), config(&vf));
    refused(
        call(lab, "CHECK", "/x", &check),
        1,
        "config version does not allow CHECK",
    );
    refused(
        call(lab, "FOO", "/x", &config(&vf)),
        4,
        "unknown CNI_COMMAND: FOO",
    );
    refused(
        call(lab, "ADD", "", &config(&vf)),
        4,
        "required env variables [CNI_NETNS] missing",
    );
    refused(
        lab.cni("rdma", "ADD", &[("CNI_PATH", "")], ""),
        4,
        "[CNI_NETNS,CNI_PATH] missing",
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

/// Rows R15.
fn r19_r20_r22_names(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    let _pod = lab.netns("pod");
    for id in ["a/b", "../x", "-x", "a b", ".x"] {
        refused(
            call_for(lab, id, "ADD", "/run/netns/pod", &config(&vf)),
            4,
            "invalid characters in containerID",
        );
    }
    for (ifname, text) in [
        ("sixteen-bytes-xx", "interface name is too long"),
        (
            "a/b",
            "interface name contains / or : or whitespace characters",
        ),
        ("..", "interface name is . or .."),
        ("", "required env variables [CNI_IFNAME] missing"),
    ] {
        let env = [("CNI_NETNS", "/run/netns/pod"), ("CNI_IFNAME", ifname)];
        refused(
            lab.cni("rdma", "ADD", &env, &config(&vf).to_string()),
            4,
            text,
        );
    }
    for network in ["a/b", "../../../tmp/x"] {
        let conf = with("name", json!(network), config(&vf));
        refused(
            call(lab, "ADD", "/run/netns/pod", &conf),
            7,
            "invalid characters found in network name",
        );
    }
    let long = "c".repeat(300);
    call_for(lab, &long, "ADD", "/run/netns/pod", &config(&vf)).ok();
    assert_eq!(records().len(), 1);
    call_for(lab, &long, "CHECK", "/run/netns/pod", &config(&vf)).ok();
    call_for(lab, &long, "DEL", "/run/netns/pod", &config(&vf)).ok();
    at_home(&vf, &name);
}

/// Rows R15.
fn r23_one_go_name_for_two(lab: &Lab) {
    let names = [lab.vf_rdma(0), lab.vf_rdma(1)];
    let _pod = lab.netns("pod");
    let pairs = [("a-b", "c", lab.vf(0)), ("a", "b-c", lab.vf(1))];
    let conf = |network: &str, vf: &str| with("name", json!(network), config(vf));
    for (network, container, vf) in &pairs {
        call_for(lab, container, "ADD", "/run/netns/pod", &conf(network, vf)).ok();
    }
    let (first, second) = (&records()[0], &records()[1]);
    assert_eq!(first, "a-b-c-eth0");
    assert!(
        second.starts_with("a-b-c-eth0@") && second.len() == first.len() + 9,
        "{second}"
    );
    for (network, container, vf) in &pairs {
        call_for(lab, container, "DEL", "/run/netns/pod", &conf(network, vf)).ok();
    }
    at_home(&pairs[0].2, &names[0]);
    at_home(&pairs[1].2, &names[1]);
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

/// Rows R14.
fn r34_cni_args(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    let _pod = lab.netns("pod");
    let add = |args: &str| {
        let env = [("CNI_NETNS", "/run/netns/pod"), ("CNI_ARGS", args)];
        lab.cni("rdma", "ADD", &env, &config(&vf).to_string())
    };
    refused(add("foo"), 4, "ARGS: invalid pair \"foo\"");
    refused(add("K=V"), 4, "ARGS: unknown args [\"K=V\"]");
    add("IgnoreUnknown=1;K8S_POD_NAME=p;Debug=1")
        .ok()
        .stderr_has("debug: ");
    call(lab, "DEL", "/run/netns/pod", &config(&vf)).ok();
    at_home(&vf, &name);
}

fn r40_not_root(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    let _pod = lab.netns("pod");
    let output = lab.sh(&format!(
        "export CNI_COMMAND=ADD CNI_CONTAINERID=c CNI_IFNAME=eth0 CNI_NETNS=/run/netns/pod CNI_PATH=/x
         install -m 755 $(readlink -f /run/lab/faces/rdma) /tmp/rdma
         exec setpriv --reuid 65534 --clear-groups /tmp/rdma <<'END'\n{}\nEND",
        config(&vf)
    ));
    failure(output);
    lab.sh("rm /tmp/rdma").ok();
    at_home(&vf, &name);
}
