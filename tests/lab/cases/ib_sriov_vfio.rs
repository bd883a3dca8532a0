//! The `ib-sriov` plugin with a VF for a virtual machine: nothing of it can be seen but what the PF tells.

use serde_json::json;

use super::cni_call::{refused, with, without};
use super::ib_sriov::*;
use crate::adapter::until;
use crate::case::{Case, case};
use crate::handle::Lab;
use crate::pci;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case(
            "vfio_i8_i16_i22_isolation_guids_and_owner",
            vfio_i8_i16_i22_isolation_guids_and_owner,
        )
        .pf("igb-iommu")
        .exclusive()
        .may_change(&["folder /", "rdma device", "netdev"]),
    ]
}

fn vfio_i8_i16_i22_isolation_guids_and_owner(lab: &Lab) {
    let (vf, pf) = (lab.vf(1), pci::netdev(&lab.pf()).unwrap());
    let set = |node: &str, port: &str| {
        for (key, guid) in [("node_guid", node), ("port_guid", port)] {
            lab.ip(&["link", "set", &pf, "vf", "1", key, guid]).ok();
        }
    };
    // The emulated IOMMU does not remap interrupts.
    lab.sh("modprobe vfio_iommu_type1 allow_unsafe_interrupts=1 && modprobe vfio-pci")
        .ok();
    lab.rdmactl(&["vf", "rebind", &vf, "--driver", "vfio-pci"])
        .ok();
    set("02:00:00:00:00:00:00:11", "02:00:00:00:00:00:00:22");
    let before = as_it_is(lab, 1);
    let _pods = [lab.netns("pod"), lab.netns("other")];

    // I8: isolation has nothing to move, neither there nor back.
    let conf = config(&vf);
    for netns in [POD, ""] {
        let added = call(lab, "ADD", POD, &conf).ok().json();
        assert_eq!(added["interfaces"][0]["pciID"], vf);
        let now = told(lab, 1);
        assert_eq!(
            (&now["node guid"], &now["port guid"], &now["link_state"]),
            (&json!(GUID), &json!(GUID), &json!("enable")),
            "{now}"
        );
        let conf = with("prevResult", added, conf.clone());
        call(lab, "CHECK", POD, &conf).ok();
        // I22: it has an owner.
        let second = [
            ("CNI_NETNS", "/run/netns/other"),
            ("CNI_CONTAINERID", "second"),
        ];
        refused(
            lab.cni("ib-sriov", "ADD", &second, &conf.to_string()),
            102,
            "belongs to container lab-container",
        );
        lab.cni("ib-sriov", "DEL", &second, &conf.to_string()).ok();
        assert_eq!(
            told(lab, 1)["node guid"],
            GUID,
            "the second one's DEL is not the first's"
        );
        // I16: each GUID as it was, not all ones.
        call(lab, "DEL", netns, &conf).ok();
        is_as_it_was(lab, 1, &before);
    }

    // Addresses are the virtual machine's own affair.
    let conf = with_ipam(without("rdmaIsolation", config(&vf)));
    call(lab, "ADD", POD, &conf)
        .ok()
        .stderr_has("is for a virtual machine: host-local is not asked for addresses");
    call(lab, "DEL", POD, &conf).ok();
    is_as_it_was(lab, 1, &before);

    // Its container died, and another one's namespace has the number: the VF is free.
    let conf = config(&vf);
    let dies = lab.netns("dies");
    let number = dies.inode();
    call(lab, "ADD", "/run/netns/dies", &conf).ok();
    drop(dies);
    let again = lab.netns_numbered("again", number);
    let env = [("CNI_NETNS", POD), ("CNI_CONTAINERID", "second")];
    for verb in ["ADD", "DEL"] {
        lab.cni("ib-sriov", verb, &env, &conf.to_string()).ok();
    }
    is_as_it_was(lab, 1, &before);
    drop(again);

    set("00:00:00:00:00:00:00:00", "00:00:00:00:00:00:00:00");
    lab.rdmactl(&["vf", "rebind", &vf, "--driver", "mlx5_core"])
        .ok();
    until("the VF is back", || {
        pci::rdma(&vf).is_some() && pci::netdev(&vf).is_some()
    })
    .unwrap();
    a_whole_pf(lab);
    lab.sh("rmmod vfio_pci vfio_iommu_type1; rm -rf /run/lab/ipam")
        .ok();
}

/// Nothing of it can be changed; but it has one owner, on record until DEL or GC.
fn a_whole_pf(lab: &Lab) {
    let pf = lab.pf();
    let driver = || pci::target(pci::device(&pf).join("driver"));
    let own = driver().expect("the PF has a driver");
    let bind = |to: &str| {
        lab.sh(&format!(
            "cd /sys/bus/pci; echo {to} > devices/{pf}/driver_override
             echo {pf} > devices/{pf}/driver/unbind && echo {pf} > drivers_probe && echo > devices/{pf}/driver_override"
        ))
        .ok();
    };
    let conf = with("cniVersion", json!("1.1.0"), config(&pf));
    refused(call(lab, "ADD", POD, &conf), 7, "requires vfioPciMode");
    let count = lab
        .exec(&format!("cat /sys/bus/pci/devices/{pf}/sriov_numvfs"))
        .ok();
    lab.sh(&format!("echo 0 > /sys/bus/pci/devices/{pf}/sriov_numvfs"))
        .ok();
    call(lab, "STATUS", "", &conf)
        .fails(1)
        .stdout_has("this node has no VFs");
    bind("vfio-pci");
    call(lab, "STATUS", "", &conf).ok();
    let none = with("cni.dev/valid-attachments", json!([]), conf.clone());
    for (verb, end) in [("DEL", &conf), ("GC", &none)] {
        let added = call(lab, "ADD", POD, &conf).ok().json();
        assert_eq!(added["interfaces"][0]["pciID"], pf);
        let checked = with("prevResult", added, conf.clone());
        call(lab, "CHECK", POD, &checked).ok().stdout_is("");
        let second = [
            ("CNI_NETNS", "/run/netns/other"),
            ("CNI_CONTAINERID", "second"),
        ];
        let answer = lab.cni("ib-sriov", "ADD", &second, &conf.to_string());
        refused(answer, 102, "belongs to container lab-container");
        lab.cni("ib-sriov", "DEL", &second, &conf.to_string()).ok();
        call(lab, verb, POD, end).ok().stdout_is("");
        assert_eq!(pci::names(STATE), Vec::<String>::new(), "after {verb}");
        refused(call(lab, "CHECK", POD, &checked), 105, "no record");
        call(lab, "DEL", POD, &conf).ok();
        assert_eq!(driver().as_deref(), Some("vfio-pci"));
    }
    bind(&own);
    lab.rdmactl(&["vf", "create", &pf, count.stdout.trim()])
        .ok();
}
