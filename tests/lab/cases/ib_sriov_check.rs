//! CHECK of the `ib-sriov` plugin looks at everything that ADD did.

use serde_json::json;

use super::cni_call::{inside, refused, with, without};
use super::ib_sriov::{ANEW, POD, as_it_is, call, config, is_as_it_was, with_ipam};
use crate::case::{Case, case};
use crate::handle::Lab;
use crate::pci;

pub(crate) fn cases() -> Vec<Case> {
    let exclusive = |name, run| case(name, run).exclusive().may_change(ANEW);
    vec![exclusive(
        "check_looks_at_everything",
        check_looks_at_everything,
    )]
}

fn check_looks_at_everything(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let vf = lab.vf(0);
    let _pod = lab.netns("pod");
    let conf = with_ipam(config(&vf));
    let prev = call(lab, "ADD", POD, &conf).ok().json();
    let conf = with("prevResult", prev, conf);
    let check = || call(lab, "CHECK", POD, &conf);
    check().ok();
    let pod = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        lab.in_netns("pod", &words).ok()
    };
    pod("ip link set eth0 down");
    refused(check(), 105, "eth0 is switched off");
    pod("ip link set eth0 name eth7");
    refused(check(), 105, "is called eth7 in the container");
    pod("ip link set eth7 name eth0");
    pod("ip link set eth0 up");
    refused(check(), 105, "there is no route to 10.77.0.0/16");
    pod("ip route add 10.77.0.0/16 via 10.9.0.1");
    pod("ip -6 route replace fd77::/64 via fd09::1");
    check().ok();
    pod("ip -4 address flush dev eth0");
    refused(check(), 105, "eth0 has no address 10.9.0.");
    let pf = pci::netdev(&lab.pf()).unwrap();
    let name = inside(lab, "pod").remove(0);
    lab.rdmactl(&["--netns", "pod", "dev", "set", &name, "netns", "1"])
        .ok();
    refused(check(), 105, "no interface of");
    call(lab, "DEL", POD, &conf).ok();
    is_as_it_was(lab, 0, &before);
    let plain = with(
        "guidPolicy",
        json!("keep"),
        without("runtimeConfig", config(&vf)),
    );
    let prev = call(lab, "ADD", POD, &plain).ok().json();
    let plain = with("prevResult", prev, plain);
    lab.ip(&["link", "set", &pf, "vf", "0", "state", "disable"])
        .ok();
    refused(
        call(lab, "CHECK", POD, &plain),
        105,
        "the link state of VF 0",
    );
    call(lab, "DEL", POD, &plain).ok();
    refused(call(lab, "CHECK", POD, &plain), 105, "no record");
    is_as_it_was(lab, 0, &before);
    lab.exec("rm -r /run/lab/ipam").ok();
}
