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

    set("00:00:00:00:00:00:00:00", "00:00:00:00:00:00:00:00");
    lab.rdmactl(&["vf", "rebind", &vf, "--driver", "mlx5_core"])
        .ok();
    until("the VF is back", || {
        pci::rdma(&vf).is_some() && pci::netdev(&vf).is_some()
    })
    .unwrap();
    lab.sh("rmmod vfio_pci vfio_iommu_type1; rm -rf /run/lab/ipam")
        .ok();
}
