//! The `rdma` plugin as the second of a list, behind `host-device` with `host-local`, in a runtime's order.

use serde_json::{Value, json};

use super::cni_call::*;
use crate::case::{Case, case};
use crate::handle::Lab;
use crate::output::Output;
use crate::pci;

pub(crate) fn cases() -> Vec<Case> {
    let exclusive = |name, run| {
        case(name, run)
            .exclusive()
            .ethernet()
            .may_change(&["folder /"])
    };
    vec![
        exclusive("behind_host_device", behind_host_device),
        exclusive("failing_behind_host_device", failing_behind_host_device),
    ]
}

const POD: &str = "/run/netns/pod";

/// What a runtime writes to the stdin of one plugin of a list.
fn part(lab: &Lab, plugin: &str, prev: Option<&Value>) -> Value {
    let mut conf = match plugin {
        "host-device" => json!({
            "type": "host-device", "device": lab.sh("cat /run/lab/netdev").ok().stdout.trim(),
            "ipam": {"type": "host-local", "subnet": "10.9.0.0/24", "dataDir": "/var/lib/cni/networks"},
        }),
        _ => json!({"type": "rdma"}),
    };
    conf["cniVersion"] = json!("1.0.0");
    conf["name"] = json!("chain");
    // Multus puts both into every plugin of the list.
    conf["deviceID"] = json!(lab.vf(0));
    if plugin == "rdma" {
        conf["pciBusID"] = json!(lab.vf(0));
    } else {
        conf = without("deviceID", conf);
    }
    if let Some(prev) = prev {
        conf["prevResult"] = prev.clone();
    }
    conf
}

fn run(lab: &Lab, plugin: &str, verb: &str, prev: Option<&Value>) -> Output {
    lab.cni(
        plugin,
        verb,
        &[("CNI_NETNS", POD)],
        &part(lab, plugin, prev).to_string(),
    )
}

fn behind_host_device(lab: &Lab) {
    let (vf, name, netdev) = (lab.vf(0), lab.vf_rdma(0), lab.vf_netdev(0));
    lab.sh(&format!("echo {netdev} > /run/lab/netdev")).ok();
    let _pod = lab.netns("pod");
    for _ in 0..2 {
        let first = run(lab, "host-device", "ADD", None).ok().json();
        let second = run(lab, "rdma", "ADD", Some(&first)).ok().json();
        assert_eq!(first, second);
        assert_eq!(inside(lab, "pod"), [name.as_str()]);
        lab.in_netns("pod", &["ip", "address", "show", "eth0"])
            .ok()
            .stdout_has("inet 10.9.0.");

        run(lab, "host-device", "CHECK", Some(&second)).ok();
        run(lab, "rdma", "CHECK", Some(&second)).ok();

        run(lab, "rdma", "DEL", Some(&second)).ok();
        run(lab, "host-device", "DEL", Some(&second)).ok();
        at_home(&vf, &name);
        assert_eq!(pci::netdev(&vf).as_ref(), Some(&netdev));
    }
    lab.sh("rm -r /var/lib/cni/networks /run/lab/netdev").ok();
}

fn failing_behind_host_device(lab: &Lab) {
    let (vf, name, netdev) = (lab.vf(0), lab.vf_rdma(0), lab.vf_netdev(0));
    lab.sh(&format!("echo {netdev} > /run/lab/netdev")).ok();
    let _pod = lab.netns("pod");
    let first = run(lab, "host-device", "ADD", None).ok().json();
    lab.inject("fail_move", "0,5,1");
    failure(run(lab, "rdma", "ADD", Some(&first)));
    lab.inject("fail_move", "off");
    // The runtime undoes the whole list after a failure.
    run(lab, "rdma", "DEL", Some(&first)).ok();
    run(lab, "host-device", "DEL", Some(&first)).ok();
    at_home(&vf, &name);
    assert_eq!(pci::netdev(&vf).as_ref(), Some(&netdev));
    lab.sh("rm -r /var/lib/cni/networks /run/lab/netdev").ok();
}
