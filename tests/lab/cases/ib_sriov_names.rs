//! What RDMA devices are called in a container of `ib-sriov`, and VFs with several of them: all go, all come home.

use serde_json::{Value, json};

use super::cni_call::{self, inside, refused, with, without};
use super::ib_sriov::*;
use crate::adapter::until;
use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::output::Output;
use crate::pci;

pub(crate) fn cases() -> Vec<Case> {
    let exclusive = |name, run| case(name, run).exclusive().may_change(ANEW);
    vec![
        exclusive("b07_fixed_and_counted", b07_fixed_and_counted).limit(120),
        exclusive(
            "b07_names_of_the_other_plugin",
            b07_names_of_the_other_plugin,
        )
        .adapter("mode=ib vf_guids=1"),
        exclusive("b07_killed_on_the_way", b07_killed_on_the_way).limit(180),
        exclusive("b08_all_go_and_come_home", b08_all_go_and_come_home)
            .adapter("mode=ib ibdevs=2")
            .limit(180),
        exclusive("b08_ipoib_follows", b08_all_go_and_come_home)
            .adapter("mode=ib ibdevs=2 ipoib_netns=device")
            .limit(180),
    ]
}

fn named(lab: &Lab, index: u32, name: &str) -> Value {
    let guid = format!("02:00:00:00:00:00:00:a{index}");
    let conf = with(
        "runtimeConfig",
        json!({"infinibandGUID": guid, "CNIDeviceInfoFile": "/run/lab/info"}),
        config(&lab.vf(index)),
    );
    with("rdmaDeviceName", json!(name), conf)
}

/// For a container whose interface is called like itself: two of them fit into one pod.
fn call_for(lab: &Lab, id: &str, verb: &str, conf: &Value) -> Output {
    let env = [
        ("CNI_NETNS", POD),
        ("CNI_CONTAINERID", id),
        ("CNI_IFNAME", id),
    ];
    lab.cni("ib-sriov", verb, &env, &conf.to_string())
}

fn told_by_file(lab: &Lab) -> Value {
    let text = lab.exec("cat /run/lab/info").ok().stdout;
    let info: Value = serde_json::from_str(&text).unwrap();
    info["pci"]["rdma-device"].clone()
}

fn b07_fixed_and_counted(lab: &Lab) {
    let before = [as_it_is(lab, 0), as_it_is(lab, 1)];
    let pod = lab.netns("pod");
    for bad in [json!("a/b"), json!("a%d%d"), json!(5)] {
        let conf = with("rdmaDeviceName", bad, named(lab, 0, "x"));
        refused(call(lab, "ADD", POD, &conf), 7, "rdmaDeviceName");
    }
    is_as_it_was(lab, 0, &before[0]);

    let fixed = named(lab, 0, "rocep1");
    let added = call(lab, "ADD", POD, &fixed).ok().json();
    assert_eq!(inside(lab, "pod"), ["rocep1"]);
    assert_eq!(told_by_file(lab), "rocep1");
    let text = std::fs::read(format!("{STATE}/lab-container-eth0")).unwrap();
    let record: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(record["RdmaNetState"]["containerRdmaDevName"], "rocep1");
    call(lab, "CHECK", POD, &with("prevResult", added, fixed.clone())).ok();
    // A name that is taken there: nothing is changed.
    refused(
        call_for(lab, "c2", "ADD", &named(lab, 1, "rocep1")),
        102,
        "rocep1",
    );
    assert_eq!(pci::rdma(&lab.vf(1)).as_deref(), before[1].rdma());
    call(lab, "DEL", POD, &fixed).ok();
    is_as_it_was(lab, 0, &before[0]);

    // By number, the pod's wish first, two in one pod; the order of DEL does not matter.
    for order in [[0, 1], [1, 0]] {
        for index in [0, 1] {
            let wish = json!({"cni": {"rdmaDeviceName": "hca%d", "n": 1}});
            let conf = with("args", wish, named(lab, index, "rocep1"));
            call_for(lab, &format!("net{index}"), "ADD", &conf).ok();
        }
        assert_eq!(inside(lab, "pod"), ["hca0", "hca1"]);
        for index in order {
            let conf = named(lab, index, "keep");
            call_for(lab, &format!("net{index}"), "DEL", &conf).ok();
        }
        for index in [0, 1] {
            is_as_it_was(lab, index, &before[index as usize]);
        }
    }

    // The name comes back when the namespace is gone, and while another VF was bound anew.
    call(lab, "ADD", POD, &named(lab, 0, "hca%d")).ok();
    call_for(lab, "c2", "ADD", &named(lab, 1, "keep")).ok();
    let mut names = inside(lab, "pod");
    names.sort();
    assert_eq!(names, ["hca0", before[1].rdma().unwrap()]);
    lab.ip(&["netns", "delete", "pod"]).ok();
    call(lab, "DEL", "", &named(lab, 0, "hca%d")).ok();
    call_for(lab, "c2", "DEL", &named(lab, 1, "keep")).ok();
    for index in [0, 1] {
        is_as_it_was(lab, index, &before[index as usize]);
    }
    drop(pod);
    lab.exec("rm /run/lab/info").ok();
}

/// Before 7.3 a name is taken everywhere: what one plugin lent under another name is not given away
/// by the other.
fn b07_names_of_the_other_plugin(lab: &Lab) {
    let before = [as_it_is(lab, 0), as_it_is(lab, 1)];
    let per_namespace = lab.exec("uname -r").stdout.starts_with("7.");
    let homes = [lab.vf_rdma(0), lab.vf_rdma(1)];
    let pod = lab.netns("pod");
    let other = lab.netns("other");
    let ib = |verb: &str, name: &str| {
        let conf = without("runtimeConfig", named(lab, 0, name));
        call(lab, verb, POD, &conf)
    };
    let rdma = |verb: &str, name: &str| {
        let conf = with("rdmaDeviceName", json!(name), cni_call::config(&lab.vf(1)));
        cni_call::call_for(lab, "c2", verb, "/run/netns/other", &conf)
    };
    ib("ADD", "hca%d").ok();
    if per_namespace {
        rdma("ADD", &homes[0]).ok();
        assert_eq!(inside(lab, "other"), [homes[0].as_str()]);
        rdma("DEL", "keep").ok();
    } else {
        refused(
            rdma("ADD", &homes[0]),
            102,
            "is lent to container lab-container and called so at home",
        );
    }
    ib("DEL", "hca%d").ok();
    is_as_it_was(lab, 0, &before[0]);
    rdma("ADD", "hca%d").ok();
    if per_namespace {
        ib("ADD", &homes[1]).ok();
        assert_eq!(inside(lab, "pod"), [homes[1].as_str()]);
    } else {
        refused(
            ib("ADD", &homes[1]),
            102,
            "is lent to container c2 and called so at home",
        );
    }
    ib("DEL", "keep").ok();
    rdma("DEL", "keep").ok();
    for index in [0, 1] {
        is_as_it_was(lab, index, &before[index as usize]);
    }

    // `dev reclaim` leaves what is on record of ib-sriov, and gives it its name when it is told.
    ib("ADD", "hca0").ok();
    lab.rdmactl(&["dev", "reclaim"])
        .ok()
        .stdout_has("left: lent to container lab-container");
    assert_eq!(inside(lab, "pod"), ["hca0"]);
    lab.rdmactl(&["dev", "reclaim", "hca0"])
        .ok()
        .stdout_has(&format!("name {}", homes[0]));
    ib("DEL", "keep").ok();
    is_as_it_was(lab, 0, &before[0]);
    drop((pod, other));
}

fn killed(lab: &Lab, verb: &str, conf: &Value, step: &str, n: u32) -> i32 {
    lab.sh(&format!(
        "export CNI_COMMAND={verb} CNI_CONTAINERID=lab-container CNI_IFNAME=eth0 CNI_NETNS={POD} CNI_PATH=/x
         exec strace -f -o /dev/null -e trace={step} -e inject={step}:signal=KILL:when={n} {FACES}/ib-sriov <<'END'\n{conf}\nEND"
    ))
    .status
}

/// Killed at each lock, which lie on both sides of every move and rename, and at some messages.
fn b07_killed_on_the_way(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let conf = without("link_state", named(lab, 0, "hca%d"));
    let mut ends = 0;
    for verb in ["ADD", "DEL"] {
        for (step, stride) in [("flock", 1), ("sendto", 7)] {
            for n in (1..).step_by(stride) {
                let _pod = lab.netns("pod");
                if verb == "DEL" {
                    call(lab, "ADD", POD, &conf).ok();
                }
                let status = killed(lab, verb, &conf, step, n);
                call(lab, "DEL", POD, &conf).ok();
                is_as_it_was(lab, 0, &before);
                if status == 0 {
                    break;
                }
                ends += 1;
            }
        }
    }
    assert!(ends > 12, "killed {ends} times only");
    lab.exec("rm -f /run/lab/info").ok();
}

/// The RDMA devices and the interfaces of a VF at home.
fn both(vf: &str) -> [Vec<String>; 2] {
    ["infiniband", "net"].map(|class| pci::names(pci::device(vf).join(class)))
}

#[track_caller]
fn are_home(lab: &Lab, before: &[[Vec<String>; 2]; 2]) {
    for index in [0, 1] {
        let (vf, before) = (lab.vf(index), &before[index as usize]);
        until("all devices of the VF are home", || both(&vf) == *before)
            .unwrap_or_else(|error| panic!("{error}: {before:?}, now {:?}", both(&vf)));
        assert_eq!(
            told(lab, index as usize)["node guid"],
            "00:00:00:00:00:00:00:00"
        );
    }
    assert_eq!(pci::names(STATE), Vec::<String>::new(), "records are left");
}

fn b08_all_go_and_come_home(lab: &Lab) {
    let before = [both(&lab.vf(0)), both(&lab.vf(1))];
    assert_eq!((before[0][0].len(), before[1][1].len()), (2, 2));
    let pod = lab.netns("pod");
    refused(
        call(lab, "ADD", POD, &named(lab, 0, "hca")),
        7,
        "cannot all be called hca",
    );
    are_home(lab, &before);
    let keep = named(lab, 0, "keep");
    let prev = call(lab, "ADD", POD, &keep).ok().json();
    assert_eq!(inside(lab, "pod"), before[0][0]);
    assert_eq!(told_by_file(lab), before[0][0].join(","));
    let text = std::fs::read(format!("{STATE}/lab-container-eth0")).unwrap();
    let record: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(
        record["rdmactl"]["rdmaDevices"][0]["sandboxRdmaDevName"],
        json!(before[0][0][1])
    );
    let listed = lab.rdmactl(&["-j", "cni", "list"]).ok().json();
    assert_eq!(listed[0]["rdma_devices"], json!(before[0][0]));
    let keep = with("prevResult", prev, keep);
    call(lab, "CHECK", POD, &keep).ok();
    lab.rdmactl(&[
        "--netns",
        "pod",
        "dev",
        "set",
        &before[0][0][1],
        "netns",
        "1",
    ])
    .ok();
    refused(
        call(lab, "CHECK", POD, &keep),
        105,
        &format!("RDMA device {} is not in the container", before[0][0][1]),
    );
    call(lab, "DEL", POD, &keep).ok();
    are_home(lab, &before);

    // Two VFs, by number; every order of ADD and DEL, the last one by GC.
    for (first, last) in [(0, 1), (1, 0)] {
        for index in [first, 1 - first] {
            let conf = named(lab, index, "hca%d");
            call_for(lab, &format!("c{index}"), "ADD", &conf).ok();
        }
        assert_eq!(inside(lab, "pod"), ["hca0", "hca1", "hca2", "hca3"]);
        let stays = json!([{"containerID": format!("c{last}"), "ifname": format!("c{last}")}]);
        for valid in [stays, json!([])] {
            let gc = json!({"cniVersion": "1.1.0", "name": "ibnet", "type": "ib-sriov", "cni.dev/valid-attachments": valid});
            lab.cni("ib-sriov", "GC", &[], &gc.to_string()).ok();
        }
        are_home(lab, &before);
    }

    // Its record lost, its namespace gone, its call killed between the two.
    call(lab, "ADD", POD, &without("link_state", keep.clone())).ok();
    lab.exec(&format!("rm {STATE}/lab-container-eth0")).ok();
    call(lab, "DEL", POD, &keep).ok();
    let pf = pci::netdev(&lab.pf()).unwrap();
    for key in ["node_guid", "port_guid"] {
        lab.ip(&[
            "link",
            "set",
            &pf,
            "vf",
            "0",
            key,
            "00:00:00:00:00:00:00:00",
        ])
        .ok();
    }
    lab.rdmactl(&["vf", "rebind", &lab.vf(0)]).ok();
    are_home(lab, &before);
    for n in [3, 4, 5, 6] {
        killed(lab, "ADD", &named(lab, 0, "hca%d"), "flock", n);
        call(lab, "DEL", POD, &keep).ok();
        are_home(lab, &before);
    }
    call(lab, "ADD", POD, &named(lab, 0, "hca%d")).ok();
    drop(pod);
    call(lab, "DEL", "", &keep).ok();
    are_home(lab, &before);
    lab.exec("rm /run/lab/info").ok();
}
