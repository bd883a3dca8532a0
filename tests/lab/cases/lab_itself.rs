//! The lab does what the other cases rely on.

use crate::case::{Case, case};
use crate::handle::Lab;
use crate::pci;
use crate::snapshot::Snapshot;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("boots_the_kernel_of_its_root", boots_the_kernel_of_its_root).no_adapter(),
        case("stock_driver_makes_vfs", stock_driver_makes_vfs)
            .no_adapter()
            .may_change(&["function", "netdev", "vf "]),
        case("infiniband_adapter", infiniband_adapter),
        case(
            "snapshot_sees_what_is_left_behind",
            snapshot_sees_what_is_left_behind,
        ),
        case(
            "namespace_is_gone_when_dropped",
            namespace_is_gone_when_dropped,
        )
        .exclusive(),
        case("guid_failure_can_be_injected", guid_failure_can_be_injected),
        case("ethernet_adapter", ethernet_adapter).ethernet(),
        case("device_returns_as_ibdev", device_returns_as_ibdev)
            .exclusive()
            .only(
                &["7.3"],
                "before 7.3 an RDMA device's name is taken in every namespace",
            )
            .may_change(&["rdma device"]),
    ]
}

fn boots_the_kernel_of_its_root(lab: &Lab) {
    let wanted = lab.sh("cat /etc/lab-kernel").ok().stdout;
    lab.sh("uname -r").ok().stdout_is(&wanted);
    lab.iproute2_rdma(&["system", "show"])
        .ok()
        .stdout_has("netns shared");
}

fn stock_driver_makes_vfs(lab: &Lab) {
    lab.sh("modprobe igb").ok();
    lab.sh(&format!(
        "echo 3 > /sys/bus/pci/devices/{}/sriov_numvfs",
        lab.pf()
    ))
    .ok();
    assert!(lab.vf(2).starts_with("0000:"));
    lab.ip(&[
        "link",
        "show",
        &pci::netdev(&lab.pf()).expect("igb has a netdev"),
    ])
    .ok()
    .stdout_has("vf 2");
    lab.sh(&format!(
        "echo 0 > /sys/bus/pci/devices/{}/sriov_numvfs; rmmod igb",
        lab.pf()
    ))
    .ok();
}

fn infiniband_adapter(lab: &Lab) {
    let device = lab.vf_rdma(0);
    lab.iproute2_rdma(&["dev", "show", &device])
        .ok()
        .stdout_has("node_type ca");
    lab.sh(&format!(
        "cat /sys/class/infiniband/{device}/ports/1/link_layer"
    ))
    .ok()
    .stdout_is("InfiniBand\n");
}

fn ethernet_adapter(lab: &Lab) {
    let device = lab.vf_rdma(0);
    lab.sh(&format!(
        "cat /sys/class/infiniband/{device}/ports/1/link_layer"
    ))
    .ok()
    .stdout_is("Ethernet\n");
    lab.iproute2_rdma(&["link", "show", &format!("{device}/1")])
        .ok()
        .stdout_has(&lab.vf_netdev(0));
}

fn snapshot_sees_what_is_left_behind(lab: &Lab) {
    let before = Snapshot::take();
    let blue = lab.netns("blue");
    lab.sh("mkdir -p /var/lib/cni/rdma; echo pod > /var/lib/cni/rdma/state")
        .ok();
    let left = before.diff(&Snapshot::take(), &[]);
    for fact in [
        "+ file /run/netns/blue: \"\"\n",
        "+ file /var/lib/cni/rdma/state: \"pod\\n\"\n",
        "+ namespace blue: exists\n",
        "+ netdev lo in blue: loopback\n",
    ] {
        assert!(left.contains(fact), "{fact} is not in\n{left}");
    }
    // A namespace is no record; once it is gone, what is left are records, which go.
    assert!(Snapshot::take().without_records(&before).is_none());
    drop(blue);
    let (now, renumbered) = Snapshot::take()
        .without_records(&before)
        .expect("only records are left");
    assert_eq!((before.diff(&now, &[]).as_str(), renumbered), ("", false));
    assert_eq!(before.diff(&Snapshot::take(), &[]), "");
}

fn namespace_is_gone_when_dropped(lab: &Lab) {
    let device = lab.vf_rdma(1);
    let blue = lab.netns("blue");
    lab.iproute2_rdma(&["dev", "set", &device, "netns", "blue"])
        .ok();
    lab.in_netns("blue", &["ls", "/sys/class/infiniband"])
        .ok()
        .stdout_is(&format!("{device}\n"));
    drop(blue);
    assert_eq!(lab.vf_rdma(1), device);

    let unnamed = lab.spawn_in_new_netns(&["sleep", "100"]);
    lab.iproute2_rdma(&["system", "set", "netns", "shared"])
        .fails(1);
    drop(unnamed);
    let before = Snapshot::take();
    lab.iproute2_rdma(&["system", "set", "netns", "shared"])
        .ok();
    let left = before.diff(&Snapshot::take(), &[]);
    assert!(
        left.contains("  rdma system, netns: exclusive -> shared\n"),
        "{left}"
    );
    lab.iproute2_rdma(&["system", "set", "netns", "exclusive"])
        .ok();
}

fn guid_failure_can_be_injected(lab: &Lab) {
    let pf = pci::netdev(&lab.pf()).expect("the PF has a netdev");
    let set = [
        "link",
        "set",
        &pf,
        "vf",
        "1",
        "node_guid",
        "00:11:22:33:44:55:66:77",
    ];
    lab.inject("fail_guid_vf", "1,5");
    lab.ip(&set).fails(2).stderr_has("Input/output error");
    lab.inject("fail_guid_vf", "off");
    let before = Snapshot::take();
    lab.ip(&set).ok();
    assert_eq!(
        before.diff(&Snapshot::take(), &[]),
        format!("  vf 1 of {pf}, node guid: 00:00:00:00:00:00:00:00 -> 00:11:22:33:44:55:66:77\n")
    );
    lab.ip(&[
        "link",
        "set",
        &pf,
        "vf",
        "1",
        "node_guid",
        "00:00:00:00:00:00:00:00",
    ])
    .ok();
}

fn device_returns_as_ibdev(lab: &Lab) {
    let (moved, other) = (lab.vf_rdma(0), lab.vf_rdma(1));
    let blue = lab.netns("blue");
    lab.iproute2_rdma(&["dev", "set", &moved, "netns", "blue"])
        .ok();
    lab.iproute2_rdma(&["dev", "set", &other, "name", &moved])
        .ok();
    drop(blue);
    let came_home = lab.vf_rdma(0);
    assert!(came_home.starts_with("ibdev"), "{came_home}");
}
