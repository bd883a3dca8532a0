//! Weak spots of Go's `ib-sriov` in what a VF has: its driver, its two GUIDs, its further names.

use super::cni_call::{inside, refused, with, without};
use super::ib_sriov::*;
use crate::case::{Case, case};
use crate::handle::Lab;
use crate::pci;

pub(crate) fn cases() -> Vec<Case> {
    let exclusive = |name, run| case(name, run).exclusive().may_change(ANEW);
    vec![
        exclusive("i13_i17_drivers", i13_i17_drivers),
        exclusive("i16_two_guids", i16_two_guids),
        exclusive(
            "i18_a_child_is_not_the_interface",
            i18_a_child_is_not_the_interface,
        )
        .adapter("mode=ib vf_guids=1 pkey=0x8005"),
        exclusive("i19_further_names", i19_further_names).adapter("mode=ib vf_guids=1"),
    ]
}

/// Without a driver there is nothing to give away, and a slow one is waited for.
fn i13_i17_drivers(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let vf = lab.vf(0);
    let _pod = lab.netns("pod");
    let driver = "/sys/bus/pci/drivers/mlx5_core";
    lab.sh(&format!("echo {vf} > {driver}/unbind")).ok();
    let output = call(lab, "ADD", POD, &config(&vf)).stdout_has(&format!("rdmactl vf bind {vf}"));
    refused(output, 108, "driver");
    call(lab, "DEL", POD, &config(&vf)).ok();
    lab.sh(&format!("echo {vf} > {driver}/bind")).ok();
    is_as_it_was(lab, 0, &before);

    lab.inject("probe_delay_ms", "600");
    call(lab, "ADD", POD, &config(&vf)).ok();
    assert_eq!(inside(lab, "pod").len(), 1, "I17");
    call(lab, "DEL", POD, &config(&vf)).ok();
    lab.inject("probe_delay_ms", "0");
    is_as_it_was(lab, 0, &before);
}

/// Go saves the port's GUID, and gives it to both.
fn i16_two_guids(lab: &Lab) {
    let vf = lab.vf(1);
    let pf = pci::netdev(&lab.pf()).unwrap();
    let _pod = lab.netns("pod");
    let set = |node: &str, port: &str| {
        for (key, guid) in [("node_guid", node), ("port_guid", port)] {
            lab.ip(&["link", "set", &pf, "vf", "1", key, guid]).ok();
        }
    };
    let zero = "00:00:00:00:00:00:00:00";
    set("02:00:00:00:00:00:00:11", "02:00:00:00:00:00:00:22");
    let before = as_it_is(lab, 1);
    call(lab, "ADD", POD, &config(&vf)).ok();
    assert_eq!(told(lab, 1)["port guid"], GUID);
    call(lab, "DEL", POD, &config(&vf)).ok();
    is_as_it_was(lab, 1, &before);
    set(zero, zero);
    lab.rdmactl(&["vf", "rebind", &vf]).ok();
}

/// Go gives away whichever interface the VF's folder has first.
fn i18_a_child_is_not_the_interface(lab: &Lab) {
    let (vf, netdev) = (lab.vf(0), lab.vf_netdev(0));
    let index = |netns: &[&str], name: &str| {
        let words = [netns, &["-j", "link", "show", "dev", name]].concat();
        lab.ip(&words).ok().json()[0]["ifindex"].clone()
    };
    lab.exec(&format!(
        "ip link add link {netdev} name a_child type ipoib pkey 0x8005"
    ))
    .ok();
    let both = ["a_child".to_owned(), netdev.clone()];
    assert_eq!(pci::names(pci::device(&vf).join("net")), both);
    let before = as_it_is(lab, 0);
    let indices = [index(&[], "a_child"), index(&[], &netdev)];
    let _pod = lab.netns("pod");
    // Binding the VF anew, as a GUID or isolation would, ends its interface, and the child with it.
    let conf = without("rdmaIsolation", without("runtimeConfig", config(&vf)));
    for _ in 0..2 {
        let added = call(lab, "ADD", POD, &conf).ok().json();
        assert_eq!(index(&["-n", "pod"], "eth0"), indices[1], "I18");
        assert_eq!(index(&[], "a_child"), indices[0]);
        let check = with("prevResult", added, conf.clone());
        call(lab, "CHECK", POD, &check).ok();
        call(lab, "DEL", POD, &conf).ok();
        is_as_it_was(lab, 0, &before);
        assert_eq!([index(&[], "a_child"), index(&[], &netdev)], indices);
    }
    lab.ip(&["link", "del", "a_child"]).ok();
}

/// None comes home that the interface did not leave with.
fn i19_further_names(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let (vf, netdev) = (lab.vf(0), lab.vf_netdev(0));
    let _pod = lab.netns("pod");
    let conf = without("rdmaIsolation", without("runtimeConfig", config(&vf)));
    for _ in 0..2 {
        call(lab, "ADD", POD, &conf).ok();
        for name in ["ibpod1", netdev.as_str()] {
            let add = [
                "ip", "link", "property", "add", "dev", "eth0", "altname", name,
            ];
            lab.in_netns("pod", &add).ok();
        }
        call(lab, "DEL", POD, &conf).ok();
        is_as_it_was(lab, 0, &before);
        let link = lab.ip(&["-j", "link", "show", "dev", &netdev]).ok().json();
        assert_eq!(link[0].get("altnames"), None, "I19: {link}");
    }
}
