//! Weak spots of Go's `rdma` that no other file of cases is about, each by its number in the list of them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::cni_call::*;
use crate::adapter::until;
use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::pci;

pub(crate) fn cases() -> Vec<Case> {
    let exclusive = |name, run| {
        case(name, run)
            .exclusive()
            .may_change(&["folder /", ", index"])
    };
    vec![
        exclusive("r10_long_and_short_addresses", r10_long_and_short_addresses),
        exclusive("r11_every_cause_by_its_name", r11_every_cause_by_its_name),
        exclusive("r16_others_change_meanwhile", r16_others_change_meanwhile),
        exclusive(
            "few_system_calls_and_listings",
            few_system_calls_and_listings,
        )
        .may_change(&["folder /"])
        .only(&["6.12"], "the program asks the same of every kernel"),
    ]
}

const POD: &str = "/run/netns/pod";

fn r10_long_and_short_addresses(lab: &Lab) {
    let _pod = lab.netns("pod");
    let add = |device: &str| call(lab, "ADD", POD, &config(device));
    // A domain of five digits, as behind Intel's VMD, is an address like another.
    refused(
        add("10000:e1:00.0"),
        101,
        "10000:e1:00.0: no RDMA devices found",
    );
    // Without a domain it is in the first one.
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    let short = vf.strip_prefix("0000:").unwrap();
    add(short).ok();
    assert_eq!(inside(lab, "pod"), [name.as_str()]);
    call(lab, "DEL", POD, &config(short)).ok();
    at_home(&vf, &name);
}

fn r11_every_cause_by_its_name(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    let _pods = [lab.netns("pod"), lab.netns("other")];
    let why = |vf: &str| call(lab, "ADD", POD, &config(vf)).fails(1).stdout;
    let mut causes = vec![why("0000:af:00.1")];
    let driver = "/sys/bus/pci/drivers/mlx5_core";
    lab.sh(&format!("echo {vf} > {driver}/unbind")).ok();
    causes.push(why(&vf));
    lab.sh(&format!("echo {vf} > {driver}/bind")).ok();
    until("the VF is back", || pci::rdma(&vf).is_some()).unwrap();
    call_for(lab, "first", "ADD", "/run/netns/other", &config(&vf)).ok();
    causes.push(why(&vf));
    call_for(lab, "first", "DEL", "/run/netns/other", &config(&vf)).ok();
    at_home(&vf, &name);
    for (cause, word) in causes.iter().zip(["there is no device", "driver", "other"]) {
        assert!(cause.contains(word), "R11: {word}: {cause}");
    }
}

/// A listing that the kernel calls inconsistent is begun again.
fn r16_others_change_meanwhile(lab: &Lab) {
    let (vf, name, other) = (lab.vf(0), lab.vf_rdma(0), lab.vf_rdma(1));
    let _pod = lab.netns("pod");
    let enough = AtomicBool::new(false);
    thread::scope(|scope| {
        let restless = scope.spawn(|| {
            let mut times = 0;
            while !enough.load(Ordering::Relaxed) {
                lab.iproute2_rdma(&["dev", "set", &other, "name", "restless"])
                    .ok();
                lab.iproute2_rdma(&["dev", "set", "restless", "name", &other])
                    .ok();
                times += 1;
            }
            times
        });
        let outputs: Vec<_> = (0..8)
            .flat_map(|_| ["ADD", "CHECK", "DEL"])
            .map(|verb| call(lab, verb, POD, &config(&vf)))
            .collect();
        enough.store(true, Ordering::Relaxed);
        assert!(
            restless.join().unwrap() > 3,
            "R16: too little happened meanwhile"
        );
        for output in outputs {
            output.ok();
        }
    });
    at_home(&vf, &name);
}

/// Go's makes 451 and 446 system calls, and lists all devices in both. The kernel finds a device by its number only: the
/// one listing of ADD turns a name into that.
fn few_system_calls_and_listings(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    let _pod = lab.netns("pod");
    let conf = config(&vf);
    let env = format!("CNI_CONTAINERID=lab-container CNI_IFNAME=eth0 CNI_NETNS={POD} CNI_PATH=/x");
    for (verb, most, listings) in [("ADD", 300, 1), ("CHECK", 200, 0), ("DEL", 300, 0)] {
        lab.sh(&format!(
            "CNI_COMMAND={verb} {env} strace -f -o /run/lab/strace {FACES}/rdma <<'END'\n{conf}\nEND"
        ))
        .ok();
        let text = std::fs::read_to_string("/run/lab/strace").unwrap();
        assert!(
            text.contains("nlmsg_flags=NLM_F_REQUEST"),
            "it knows netlink"
        );
        // NLM_F_DUMP, where the type of the message is none that it knows.
        let dumps = text.matches("nlmsg_flags=NLM_F_REQUEST|0x300").count();
        assert_eq!(dumps, listings, "{verb}: {text}");
        // A program with debug assertions asks fcntl whether a file is open each time it closes one.
        let calls = text.lines().filter(|line| !line.contains("fcntl("));
        let count = calls.count();
        assert!(count < most, "{verb} makes {count} system calls");
    }
    at_home(&vf, &name);
    lab.exec("rm /run/lab/strace").ok();
}
