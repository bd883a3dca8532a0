//! The `ib-sriov` plugin when things go wrong: every DEL ends with the VF as it was, and no record.

use std::thread;

use serde_json::{Value, json};

use super::cni_call::{inside, refused, with, without};
use super::ib_sriov::*;
use crate::adapter::until;
use crate::case::{Case, case};
use crate::handle::Lab;
use crate::pci;

/// After VFs were made anew nothing of them is as it was.
const REMADE: &[&str] = &["folder /", "rdma device", "netdev", "vf ", "function"];

pub(crate) fn cases() -> Vec<Case> {
    let exclusive = |name, run| case(name, run).exclusive().may_change(ANEW);
    vec![
        exclusive("s10_ipam_fails", s10_ipam_fails),
        exclusive("s05_a_step_fails", s05_a_step_fails),
        exclusive("s14_namespace_gone", s14_namespace_gone),
        exclusive("s15_s16_no_record_or_garbage", s15_s16_no_record_or_garbage),
        exclusive("s18_i5_renamed_in_the_pod", s18_i5_renamed_in_the_pod)
            .adapter("mode=ib vf_guids=1"),
        exclusive("s19_vfs_destroyed", s19_vfs_destroyed).may_change(REMADE),
        exclusive("s23_folder_not_writable", s23_folder_not_writable),
        exclusive("s24_host_name_taken", s24_host_name_taken).adapter("mode=ib vf_guids=1"),
        exclusive("s21_s28_two_adds", s21_s28_two_adds),
        exclusive("s33_driver_lost", s33_driver_lost),
        exclusive("vf_rebound", vf_rebound),
        exclusive("s34_pf_renamed", s34_pf_renamed),
        exclusive("s35_ipam_cannot_release", s35_ipam_cannot_release),
        exclusive("records_of_go", records_of_go),
        exclusive(
            "late_del_spares_the_next_owner",
            late_del_spares_the_next_owner,
        ),
    ]
}

/// Rows S10b.
fn s10_ipam_fails(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let vf = lab.vf(0);
    let _pod = lab.netns("pod");
    let full = json!({"type": "host-local", "dataDir": "/run/lab/ipam", "subnet": "10.9.0.0/30", "rangeStart": "10.9.0.2", "rangeEnd": "10.9.0.2"});
    let conf = with("ipam", full, config(&vf));
    lab.sh("mkdir -p /run/lab/ipam/ibnet && echo other > /run/lab/ipam/ibnet/10.9.0.2")
        .ok();
    refused(
        call(lab, "ADD", POD, &conf),
        999,
        "failed to set up IPAM plugin type \"host-local\"",
    );
    is_as_it_was(lab, 0, &before);
    call(lab, "DEL", POD, &conf).ok();
    is_as_it_was(lab, 0, &before);
    lab.exec("rm -r /run/lab/ipam").ok();
}

/// A GUID that the PF takes for the node and refuses for the port; a link state; a move; a probe.
/// Rows S33, I1.
fn s05_a_step_fails(lab: &Lab) {
    let before = as_it_is(lab, 1);
    let vf = lab.vf(1);
    let _pod = lab.netns("pod");
    for (fault, value, text) in [
        ("fail_guid_vf", "1,5", "failed to configure VF"),
        ("fail_link_vf", "1,16", "failed to configure VF"),
        ("fail_move", "1,5", "refused to move"),
        ("fail_probe_vf", "1,12,2", ""),
    ] {
        lab.inject(fault, value);
        let output = call(lab, "ADD", POD, &config(&vf)).fails(1);
        lab.inject(fault, "off");
        assert!(output.stdout.contains(text), "{fault}: {output}");
        if before != as_it_is(lab, 1) {
            // A fault that was still there when it was to be undone: DEL sees to it.
            call(lab, "DEL", POD, &config(&vf)).ok();
        }
        is_as_it_was(lab, 1, &before);
        call(lab, "DEL", POD, &config(&vf)).ok();
    }
}

/// Rows S14b, S37, I2, I3.
fn s14_namespace_gone(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let vf = lab.vf(0);
    for (netns, isolation) in [(POD, true), ("", true), (POD, false), ("", false)] {
        let conf = with("rdmaIsolation", json!(isolation), with_ipam(config(&vf)));
        let pod = lab.netns("pod");
        call(lab, "ADD", POD, &conf).ok();
        drop(pod);
        call(lab, "DEL", netns, &conf).ok();
        is_as_it_was(lab, 0, &before);
        lab.sh("ls /run/lab/ipam/ibnet").ok().stdout_lacks("10.9.0");
    }
    // A process keeps the namespace, and nobody has its path any more.
    let held = lab.spawn_in_new_netns(&["sleep", "100"]);
    call(
        lab,
        "ADD",
        &format!("/proc/{}/ns/net", held.pid()),
        &config(&vf),
    )
    .ok();
    call(lab, "DEL", "", &config(&vf)).ok();
    is_as_it_was(lab, 0, &before);
    drop(held);
    lab.exec("rm -r /run/lab/ipam").ok();
}

fn s15_s16_no_record_or_garbage(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let vf = lab.vf(0);
    let conf = with(
        "guidPolicy",
        json!("keep"),
        without("runtimeConfig", without("link_state", config(&vf))),
    );
    let _pod = lab.netns("pod");
    let file = format!("{STATE}/lab-container-eth0");
    for damage in [
        format!("rm {file}"),
        format!(": > {file}"),
        format!("echo '{{' > {file}"),
        format!("head -c 20 {file} > {file}.x && mv {file}.x {file}"),
        format!(
            "echo '{{\"cniVersion\":\"0.3.1\",\"ipam\":{{}},\"name\":\"ibnet\",\"type\":\"ib-sriov\"}}' > {file}"
        ),
    ] {
        call(lab, "ADD", POD, &conf).ok();
        lab.sh(&damage).ok();
        call(lab, "DEL", POD, &conf).ok();
        let vf_is_home = || pci::rdma(&vf).is_some() && pci::netdev(&vf).is_some();
        until("the VF is home", vf_is_home).unwrap_or_else(|error| panic!("{damage}: {error}"));
        assert_eq!(pci::names(STATE), Vec::<String>::new(), "{damage}");
        // Nothing was left that tells its name on the host.
        restore_names(lab, &vf, &before);
        is_as_it_was(lab, 0, &before);
    }
}

fn restore_names(lab: &Lab, vf: &str, before: &AsItWas) {
    let now = pci::netdev(vf).unwrap();
    if let Some(name) = before.netdev().filter(|name| *name != now) {
        lab.ip(&["link", "set", &now, "down"]).ok();
        lab.ip(&["link", "set", &now, "name", name]).ok();
    }
}

/// Rows I4.
fn s18_i5_renamed_in_the_pod(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let vf = lab.vf(0);
    let _pod = lab.netns("pod");
    for isolation in [true, false] {
        let conf = with("rdmaIsolation", json!(isolation), config(&vf));
        call(lab, "ADD", POD, &conf).ok();
        lab.sh("ip -n pod link set eth0 down && ip -n pod link set eth0 name other9")
            .ok();
        if isolation {
            let name = inside(lab, "pod").remove(0);
            lab.in_netns("pod", &["rdma", "dev", "set", &name, "name", "inside"])
                .ok();
        }
        call(lab, "DEL", POD, &conf).ok();
        is_as_it_was(lab, 0, &before);
    }
}

fn s19_vfs_destroyed(lab: &Lab) {
    let vf = lab.vf(0);
    let pf = pci::device(&lab.pf())
        .join("sriov_numvfs")
        .display()
        .to_string();
    let _pod = lab.netns("pod");
    call(lab, "ADD", POD, &config(&vf)).ok();
    lab.sh(&format!("echo 0 > {pf}")).ok();
    call(lab, "DEL", POD, &config(&vf)).ok();
    assert_eq!(pci::names(STATE), Vec::<String>::new());
    lab.sh(&format!("echo 2 > {pf}")).ok();
    until("the VF is back", || pci::rdma(&vf).is_some()).unwrap();
    // Made anew behind the plugin's back: what is there now stays as it is.
    call(lab, "ADD", POD, &config(&vf)).ok();
    lab.sh(&format!("echo 0 > {pf}; echo 2 > {pf}")).ok();
    until("the VF is back", || pci::rdma(&vf).is_some()).unwrap();
    call(lab, "DEL", POD, &config(&vf)).ok();
    assert_eq!(pci::names(STATE), Vec::<String>::new());
    assert!(pci::rdma(&vf).is_some() && pci::netdev(&vf).is_some());
}

fn s23_folder_not_writable(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let vf = lab.vf(0);
    let _pod = lab.netns("pod");
    lab.sh(&format!(
        "mkdir -p {STATE} && mount -t tmpfs -o size=4k,nr_inodes=1 none {STATE}"
    ))
    .ok();
    refused(call(lab, "ADD", POD, &config(&vf)), 5, "cannot");
    lab.exec(&format!("umount {STATE}")).ok();
    is_as_it_was(lab, 0, &before);
}

/// Rows I5.
fn s24_host_name_taken(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let (vf, netdev) = (lab.vf(0), lab.vf_netdev(0));
    let _pod = lab.netns("pod");
    for isolation in [false, true] {
        let conf = with("rdmaIsolation", json!(isolation), config(&vf));
        call(lab, "ADD", POD, &conf).ok();
        lab.exec(&format!("ip link add {netdev} type veth peer name peer0"))
            .ok();
        call(lab, "DEL", POD, &conf)
            .ok()
            .stderr_has("belongs to another interface");
        assert_eq!(pci::names(STATE), Vec::<String>::new());
        assert!(pci::netdev(&vf).is_some());
        lab.ip(&["link", "del", &netdev]).ok();
        restore_names(lab, &vf, &before);
        is_as_it_was(lab, 0, &before);
    }
}

/// Rows S29.
fn s21_s28_two_adds(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let vf = lab.vf(0);
    let _pods = [lab.netns("pod"), lab.netns("pod1")];
    let second = [
        ("CNI_NETNS", "/run/netns/pod1"),
        ("CNI_CONTAINERID", "second"),
    ];
    let conf = config(&vf).to_string();
    let (one, two) = thread::scope(|scope| {
        let one = scope.spawn(|| call(lab, "ADD", POD, &config(&vf)));
        let two = scope.spawn(|| lab.cni("ib-sriov", "ADD", &second, &conf));
        (one.join().unwrap(), two.join().unwrap())
    });
    assert_eq!(one.status + two.status, 1, "{one}\n{two}");
    let loser = if one.status == 0 { two } else { one };
    refused(loser, 102, "");
    call(lab, "DEL", POD, &config(&vf)).ok();
    lab.cni("ib-sriov", "DEL", &second, &conf).ok();
    is_as_it_was(lab, 0, &before);
    call(lab, "ADD", POD, &config(&vf)).ok();
    refused(call(lab, "ADD", POD, &config(&vf)), 102, "already has VF");
    call(lab, "DEL", POD, &config(&vf)).ok();
    is_as_it_was(lab, 0, &before);
}

/// Rows S33b.
fn s33_driver_lost(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let vf = lab.vf(0);
    let _pod = lab.netns("pod");
    call(lab, "ADD", POD, &config(&vf)).ok();
    lab.sh(&format!(
        "echo {vf} > /sys/bus/pci/drivers/mlx5_core/unbind"
    ))
    .ok();
    call(lab, "DEL", POD, &config(&vf)).ok();
    is_as_it_was(lab, 0, &before);
    // Refused in DEL, then freed: DEL converges.
    call(lab, "ADD", POD, &config(&vf)).ok();
    lab.inject("fail_probe_vf", "0,12");
    call(lab, "DEL", POD, &config(&vf)).fails(1);
    lab.inject("fail_probe_vf", "off");
    call(lab, "DEL", POD, &config(&vf)).ok();
    is_as_it_was(lab, 0, &before);
}

/// Its interface and its RDMA device are at home then, and have the container's GUID.
fn vf_rebound(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let vf = lab.vf(0);
    let _pod = lab.netns("pod");
    for isolation in [true, false] {
        let conf = with("rdmaIsolation", json!(isolation), config(&vf));
        call(lab, "ADD", POD, &conf).ok();
        let driver = "/sys/bus/pci/drivers/mlx5_core";
        lab.sh(&format!(
            "echo {vf} > {driver}/unbind; echo {vf} > {driver}/bind"
        ))
        .ok();
        until("the VF is bound", || pci::rdma(&vf).is_some()).unwrap();
        call(lab, "DEL", POD, &conf).ok();
        is_as_it_was(lab, 0, &before);
    }
}

/// Rows I6.
fn s34_pf_renamed(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let (vf, pf) = (lab.vf(0), pci::netdev(&lab.pf()).unwrap());
    let _pod = lab.netns("pod");
    call(lab, "ADD", POD, &config(&vf)).ok();
    let rename = |from: &str, to: &str| {
        lab.ip(&["link", "set", from, "down"]).ok();
        lab.ip(&["link", "set", from, "name", to]).ok();
    };
    rename(&pf, "uplink0");
    call(lab, "DEL", POD, &config(&vf)).ok();
    rename("uplink0", &pf);
    is_as_it_was(lab, 0, &before);
}

fn s35_ipam_cannot_release(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let vf = lab.vf(0);
    let conf = with_ipam(config(&vf));
    let _pod = lab.netns("pod");
    call(lab, "ADD", POD, &conf).ok();
    // I7: the configuration has no IPAM any more, or the plugin is gone.
    call(lab, "DEL", POD, &without("ipam", conf.clone())).ok();
    is_as_it_was(lab, 0, &before);
    call(lab, "DEL", POD, &conf).ok();
    call(lab, "ADD", POD, &conf).ok();
    lab.sh("mount -t tmpfs none /run/lab/ipam").ok();
    lab.sh("echo x > /run/lab/ipam/ibnet").ok();
    call(lab, "DEL", POD, &conf).fails(1);
    is_as_it_was(lab, 0, &before);
    lab.exec("umount /run/lab/ipam").ok();
    call(lab, "DEL", POD, &conf).ok();
    lab.sh("ls /run/lab/ipam/ibnet").ok().stdout_lacks("10.9.0");
    lab.exec("rm -r /run/lab/ipam").ok();
}

/// A node was switched over with pods running: the record says less, and is enough.
fn records_of_go(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let vf = lab.vf(0);
    let _pod = lab.netns("pod");
    for isolation in [true, false] {
        let conf = with("rdmaIsolation", json!(isolation), config(&vf));
        call(lab, "ADD", POD, &conf).ok();
        let file = format!("{STATE}/lab-container-eth0");
        let mut record: Value =
            serde_json::from_str(&lab.exec(&format!("cat {file}")).ok().stdout).unwrap();
        record.as_object_mut().unwrap().remove("rdmactl");
        std::fs::write(&file, record.to_string()).unwrap();
        call(lab, "DEL", POD, &conf).ok();
        assert_eq!(pci::names(STATE), Vec::<String>::new());
        // Go does not write down that the interface was switched on, nor the policy.
        is_as_it_was(lab, 0, &before);
    }
}

fn late_del_spares_the_next_owner(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let vf = lab.vf(0);
    let first = lab.netns("pod");
    call(lab, "ADD", POD, &config(&vf)).ok();
    let copy = lab
        .exec(&format!("cat {STATE}/lab-container-eth0"))
        .ok()
        .stdout;
    drop(first);
    until("the VF is home", || pci::rdma(&vf).is_some()).unwrap();
    let _next = lab.netns("next");
    let next = [
        ("CNI_NETNS", "/run/netns/next"),
        ("CNI_CONTAINERID", "next"),
    ];
    let conf = with(
        "runtimeConfig",
        json!({"infinibandGUID": "02:00:00:00:00:00:00:bb"}),
        config(&vf),
    );
    lab.cni("ib-sriov", "ADD", &next, &conf.to_string()).ok();
    // As if nobody had seen to the first one's record.
    std::fs::write(format!("{STATE}/lab-container-eth0"), copy).unwrap();
    call(lab, "DEL", POD, &config(&vf)).ok();
    assert_eq!(inside(lab, "next").len(), 1);
    assert_eq!(told(lab, 0)["node guid"], "02:00:00:00:00:00:00:bb");
    lab.cni("ib-sriov", "DEL", &next, &conf.to_string()).ok();
    is_as_it_was(lab, 0, &before);
}
