//! The simulated adapter does what real ones do, and fails where it is told to.

use std::time::{Duration, Instant};

use crate::case::{Case, case};
use crate::handle::Lab;
use crate::pci;
use crate::soft_roce::SoftRoce;

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("ipoib_in_the_first_namespace", ipoib_in_the_first_namespace)
            .adapter("mode=ib ipoib_netns=init")
            .exclusive(),
        case(
            "ipoib_in_the_namespace_of_the_device",
            ipoib_with_the_device,
        )
        .adapter("mode=ib ipoib_netns=device")
        .exclusive(),
        case("a_probe_can_fail_and_can_take_time", probe).may_change(&["rdma device", "netdev ib"]),
        case("a_move_can_be_refused", move_refused).exclusive(),
        case("a_refused_guid_leaves_the_others_alone", guid_refused),
        case("uverbs_devices_appear", uverbs),
        case("counters", counters),
        case("soft_roce_has_counters", soft_roce_counters).no_adapter(),
        case("firmware_settings", firmware_settings)
            .adapter("mode=ib fw_vfs=4")
            .vfs(0)
            .may_change(&["rdma device", "netdev ib"]),
        case("120_vfs", many_vfs).pf("nvme").vfs(120).limit(120),
    ]
}

fn ipoib_in_the_first_namespace(lab: &Lab) {
    let dev = lab.vf_rdma(0);
    let blue = lab.netns("blue");
    lab.rdmactl(&["dev", "set", &dev, "netns", "blue"]).ok();
    lab.in_netns("blue", &["ip", "-br", "link"])
        .ok()
        .stdout_lacks("ib");
    let again = lab.ip(&["-br", "link"]).ok();
    lab.rdmactl(&["--netns", "blue", "dev", "set", &dev, "netns", "1"])
        .ok();
    again.stdout_has("ib");
    drop(blue);
}

fn ipoib_with_the_device(lab: &Lab) {
    let dev = lab.vf_rdma(0);
    let blue = lab.netns("blue");
    lab.rdmactl(&["dev", "set", &dev, "netns", "blue"]).ok();
    let inside = lab.in_netns("blue", &["ip", "-br", "link"]).ok();
    lab.rdmactl(&["--netns", "blue", "dev", "set", &dev, "netns", "1"])
        .ok();
    inside.stdout_has("ib");
    drop(blue);
    assert!(pci::netdev(&lab.vf(0)).is_some_and(|name| name.starts_with("ib")));
}

fn rebind(lab: &Lab, vf: &str) {
    lab.sh(&format!(
        "cd /sys/bus/pci/drivers/mlx5_core && {{ [ ! -e {vf} ] || echo {vf} > unbind; }} && echo {vf} > bind"
    ));
}

fn probe(lab: &Lab) {
    let vf = lab.vf(1);
    lab.inject("fail_probe_vf", "1,12");
    rebind(lab, &vf);
    assert_eq!(pci::target(pci::device(&vf).join("driver")), None);
    lab.inject("fail_probe_vf", "off");
    lab.inject("probe_delay_ms", "300");
    let begun = Instant::now();
    rebind(lab, &vf);
    assert!(
        begun.elapsed() >= Duration::from_millis(300),
        "{:?}",
        begun.elapsed()
    );
    lab.inject("probe_delay_ms", "0");
    assert!(pci::rdma(&vf).is_some());
}

/// A refusal that no rule of ours expects is passed on as the kernel gave it, and nothing has moved.
fn move_refused(lab: &Lab) {
    let dev = lab.vf_rdma(1);
    let _blue = lab.netns("blue");
    lab.inject("fail_move", "1,5");
    lab.rdmactl(&["dev", "set", &dev, "netns", "blue"])
        .fails(1)
        .stderr_has("error: Input/output error");
    assert_eq!(lab.vf_rdma(1), dev);
    lab.inject("fail_move", "off");
}

fn guid_refused(lab: &Lab) {
    let pf = pci::netdev(&lab.pf()).expect("the PF has a netdev");
    lab.inject("fail_guid_vf", "1,16");
    let set = |vf: &str| {
        lab.ip(&[
            "link",
            "set",
            &pf,
            "vf",
            vf,
            "node_guid",
            "02:00:00:00:00:00:00:01",
        ])
    };
    set("1").fails(2).stderr_has("Device or resource busy");
    lab.inject("fail_guid_vf", "off");
    set("0").ok();
    lab.ip(&["link", "show", &pf])
        .ok()
        .stdout_has("NODE_GUID 02:00:00:00:00:00:00:01");
    lab.ip(&[
        "link",
        "set",
        &pf,
        "vf",
        "0",
        "node_guid",
        "00:00:00:00:00:00:00:00",
    ])
    .ok();
}

fn uverbs(lab: &Lab) {
    for index in 0..2 {
        let verbs = pci::names(pci::device(&lab.vf(index)).join("infiniband_verbs"));
        let [name] = &verbs[..] else {
            panic!("VF {index} has {verbs:?}")
        };
        lab.sh(&format!("test -c /dev/infiniband/{name}")).ok();
    }
}

fn counters(lab: &Lab) {
    let port = format!("{}/1", lab.vf_rdma(0));
    lab.iproute2_rdma(&["statistic", "show", "link", &port])
        .ok()
        .stdout_has("out_of_sequence");
    let supported = lab
        .iproute2_rdma(&["statistic", "mode", "supported", "link", &port])
        .ok()
        .stdout;
    assert!(supported.contains("optional-counters"), "{supported}");
}

fn soft_roce_counters(lab: &Lab) {
    let _device = SoftRoce::devices(1);
    lab.iproute2_rdma(&["statistic", "show", "link", "rxe0/1"])
        .ok()
        .stdout_has("sent_pkts 0");
}

fn many_vfs(lab: &Lab) {
    let shown = lab.rdmactl(&["-j", "dev", "show"]).ok().json();
    assert_eq!(shown.as_array().map(Vec::len), Some(121));
    let ours = lab.rdma(&["link"]).ok().stdout;
    assert_eq!(ours, lab.iproute2_rdma(&["link"]).ok().stdout);
    assert_eq!(ours.lines().count(), 121);
}

/// They are the next boot's: what the card offers changes when its driver is bound anew.
fn firmware_settings(lab: &Lab) {
    let pf = lab.pf();
    let offered = || {
        let path = pci::device(&pf).join("sriov_totalvfs");
        std::fs::read_to_string(path).unwrap().trim().to_owned()
    };
    let set = |name: &str, value: &str| {
        lab.exec(&format!(
            "devlink dev param set pci/{pf} name {name} value {value} cmode permanent"
        ))
    };
    assert_eq!(offered(), "4");
    set("total_vfs", "2").ok();
    set("total_vfs", "300").fails(1);
    assert_eq!(offered(), "4");
    let rebind =
        format!("cd /sys/bus/pci/drivers/mlx5_core && echo {pf} > unbind && echo {pf} > bind");
    lab.sh(&rebind).ok();
    assert_eq!(offered(), "2");
    set("enable_sriov", "false").ok();
    lab.sh(&rebind).ok();
    assert_eq!(offered(), "0");
    set("enable_sriov", "true").ok();
    set("total_vfs", "4").ok();
    lab.sh(&rebind).ok();
    assert_eq!(offered(), "4");
}
