//! The `rdma` plugin after devices were renamed, removed or made anew behind its back.

use super::cni_call::*;
use super::cni_rdma_recovery::{FOLDERS, POD};
use crate::adapter::until;
use crate::case::{Case, case};
use crate::handle::Lab;
use crate::pci;

/// A device that was made anew has a new index.
const ANEW: &[&str] = &["folder /", "rdma device", "netdev", "vf "];

pub(crate) fn cases() -> Vec<Case> {
    let exclusive = |name, run| case(name, run).exclusive().may_change(FOLDERS);
    vec![
        exclusive("r25_renamed_in_the_pod", r25_renamed_in_the_pod),
        exclusive("r27_vfs_destroyed", r27_vfs_destroyed).may_change(ANEW),
        exclusive("r27_vf_rebound", r27_vf_rebound).may_change(ANEW),
        exclusive("r27_vfs_made_anew", r27_vfs_made_anew).may_change(ANEW),
        exclusive("pf_renamed", pf_renamed),
        exclusive("name_taken_at_home", name_taken_at_home).only(
            &["7.3"],
            "before 7.3 an RDMA device's name is taken in every namespace",
        ),
        exclusive(
            "name_taken_at_home_when_the_pod_dies",
            name_taken_at_home_when_the_pod_dies,
        )
        .only(
            &["7.3"],
            "before 7.3 an RDMA device's name is taken in every namespace",
        ),
    ]
}

/// Rows R3, R4.
fn r25_renamed_in_the_pod(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    for dies in [false, true] {
        let _pod = lab.netns("pod");
        call(lab, "ADD", POD, &config(&vf)).ok();
        lab.sh(&format!(
            "nsenter --net={POD} rdma dev set {name} name foo0"
        ))
        .ok();
        call(lab, "CHECK", POD, &config(&vf)).ok();
        if dies {
            end_namespace(lab, "pod", &vf);
            assert_eq!(pci::rdma(&vf).as_deref(), Some("foo0"));
        }
        call(lab, "DEL", POD, &config(&vf)).ok();
        at_home(&vf, &name);
    }
    // A DEL that never came is made up for by the next ADD.
    {
        let _pod = lab.netns("pod");
        call_for(lab, "lost", "ADD", POD, &config(&vf)).ok();
        lab.sh(&format!(
            "nsenter --net={POD} rdma dev set {name} name foo0"
        ))
        .ok();
        end_namespace(lab, "pod", &vf);
    }
    let _next = lab.netns("next");
    call(lab, "ADD", "/run/netns/next", &config(&vf)).ok();
    assert_eq!(inside(lab, "next"), [name.as_str()]);
    assert_eq!(records(), [RECORD]);
    call(lab, "DEL", "/run/netns/next", &config(&vf)).ok();
    at_home(&vf, &name);
}

/// Rows R3.
fn r27_vfs_destroyed(lab: &Lab) {
    let vf = lab.vf(0);
    let _pod = lab.netns("pod");
    call(lab, "ADD", POD, &config(&vf)).ok();
    lab.sh(&format!(
        "echo 0 > /sys/bus/pci/devices/{}/sriov_numvfs",
        lab.pf()
    ))
    .ok();
    call(lab, "DEL", POD, &config(&vf))
        .ok()
        .stderr_has("nowhere to be found");
    assert_eq!(records(), Vec::<String>::new());
    lab.sh(&format!(
        "echo 2 > /sys/bus/pci/devices/{}/sriov_numvfs",
        lab.pf()
    ))
    .ok();
    until("the VFs are back", || {
        (0..2).all(|n| pci::vf(&lab.pf(), n).is_some_and(|vf| pci::rdma(&vf).is_some()))
    })
    .unwrap();
}

fn r27_vf_rebound(lab: &Lab) {
    let vf = lab.vf(0);
    let _pod = lab.netns("pod");
    call(lab, "ADD", POD, &config(&vf)).ok();
    let driver = pci::target(pci::device(&vf).join("driver")).unwrap();
    let driver = format!("/sys/bus/pci/drivers/{driver}");
    lab.sh(&format!("echo {vf} > {driver}/unbind")).ok();
    lab.sh(&format!("echo {vf} > {driver}/bind")).ok();
    until("the VF has a device", || pci::rdma(&vf).is_some()).unwrap();
    let anew = lab.vf_rdma(0);
    refused(
        call(lab, "CHECK", POD, &config(&vf)),
        105,
        "not in the container but on the host",
    );
    call(lab, "DEL", POD, &config(&vf)).ok();
    at_home(&vf, &anew);
}

/// Behind the plugin's back: the new device stays as it is.
fn r27_vfs_made_anew(lab: &Lab) {
    let vf = lab.vf(0);
    let _pod = lab.netns("pod");
    call(lab, "ADD", POD, &config(&vf)).ok();
    let file = format!("/sys/bus/pci/devices/{}/sriov_numvfs", lab.pf());
    lab.sh(&format!("echo 0 > {file}; echo 2 > {file}")).ok();
    until("the VFs are back", || {
        (0..2).all(|n| pci::vf(&lab.pf(), n).is_some_and(|vf| pci::rdma(&vf).is_some()))
    })
    .unwrap();
    let anew = lab.vf_rdma(0);
    call(lab, "DEL", POD, &config(&vf)).ok();
    at_home(&vf, &anew);
}

fn pf_renamed(lab: &Lab) {
    let (vf, name, pf) = (lab.vf(0), lab.vf_rdma(0), pci::netdev(&lab.pf()).unwrap());
    let _pod = lab.netns("pod");
    call(lab, "ADD", POD, &config(&vf)).ok();
    let rename = |from: &str, to: &str| {
        lab.ip(&["link", "set", from, "down"]).ok();
        lab.ip(&["link", "set", from, "name", to]).ok();
    };
    rename(&pf, "uplink0");
    call(lab, "DEL", POD, &config(&vf)).ok();
    rename("uplink0", &pf);
    at_home(&vf, &name);
}

fn name_taken_at_home(lab: &Lab) {
    let (vf, name, other) = (lab.vf(0), lab.vf_rdma(0), lab.vf_rdma(1));
    let _pod = lab.netns("pod");
    call(lab, "ADD", POD, &config(&vf)).ok();
    lab.iproute2_rdma(&["dev", "set", &other, "name", &name])
        .ok();
    call(lab, "DEL", POD, &config(&vf))
        .ok()
        .stderr_has("is now called");
    assert!(pci::rdma(&vf).is_some());
    assert_eq!(records(), Vec::<String>::new());
    lab.iproute2_rdma(&["dev", "set", &name, "name", &other])
        .ok();
    lab.iproute2_rdma(&["dev", "set", &lab.vf_rdma(0), "name", &name])
        .ok();
}

fn name_taken_at_home_when_the_pod_dies(lab: &Lab) {
    let (vf, name, other) = (lab.vf(0), lab.vf_rdma(0), lab.vf_rdma(1));
    let _pod = lab.netns("pod");
    call(lab, "ADD", POD, &config(&vf)).ok();
    lab.iproute2_rdma(&["dev", "set", &other, "name", &name])
        .ok();
    end_namespace(lab, "pod", &vf);
    assert!(lab.vf_rdma(0).starts_with("ibdev"));
    lab.iproute2_rdma(&["dev", "set", &name, "name", &other])
        .ok();
    call(lab, "DEL", "", &config(&vf)).ok();
    at_home(&vf, &name);
}
