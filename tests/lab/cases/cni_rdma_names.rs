//! The name of a device in the container: kept, fixed or counted; at home it has its own again, however it comes back.

use serde_json::{Value, json};

use super::cni_call::*;
use crate::case::{Case, case};
use crate::handle::Lab;
use crate::output::Output;
use crate::pci;

const FOLDERS: &[&str] = &["folder /"];

pub(crate) fn cases() -> Vec<Case> {
    let exclusive = |name, run| case(name, run).exclusive().may_change(FOLDERS);
    vec![
        exclusive("b07_fixed_name", b07_fixed_name),
        exclusive("b07_counted_name", b07_counted_name),
        exclusive("b07_taken_names", b07_taken_names).only(
            &["6.1", "6.12"],
            "from 7.3 on an RDMA device's name is taken in one namespace only",
        ),
        exclusive(
            "b07_names_are_unique_per_namespace",
            b07_names_are_unique_per_namespace,
        )
        .only(
            &["7.3"],
            "before 7.3 an RDMA device's name is taken in every namespace",
        ),
        exclusive("b07_killed_while_it_is_named", b07_killed_while_it_is_named).limit(180),
    ]
}

const POD: &str = "/run/netns/pod";

fn named(name: &str, vf: &str) -> Value {
    with("rdmaDeviceName", json!(name), config(vf))
}

fn wanted_by_pod(name: Value, conf: Value) -> Value {
    with(
        "args",
        json!({"cni": {"rdmaDeviceName": name, "debug": true}}),
        conf,
    )
}

fn record(container: &str) -> Value {
    let text = std::fs::read(format!("{STATE}/net-{container}-eth0")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

fn b07_fixed_name(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    let add = |conf: &Value| call(lab, "ADD", POD, conf);
    let pod = lab.netns("pod");
    for bad in [
        json!("a/b"),
        json!("%s"),
        json!("a%d%d"),
        json!("-x"),
        json!(5),
    ] {
        refused(
            add(&with("rdmaDeviceName", bad.clone(), config(&vf))),
            7,
            "rdmaDeviceName",
        );
        refused(add(&wanted_by_pod(bad, config(&vf))), 7, "rdmaDeviceName");
    }
    at_home(&vf, &name);

    let conf = named("rocep1", &vf);
    let added = add(&conf).ok().stderr_has(", where it is called rocep1");
    assert_eq!(added.json(), conf["prevResult"]);
    assert_eq!(inside(lab, "pod"), ["rocep1"]);
    let written = record("lab-container");
    assert_eq!(written["sandboxRdmaDevName"], json!(name));
    assert_eq!(written["containerRdmaDevName"], "rocep1");
    call(lab, "CHECK", POD, &conf).ok();
    call(lab, "DEL", POD, &conf).ok();
    at_home(&vf, &name);

    // The pod's wish goes first, and its namespace ends before DEL.
    let conf = wanted_by_pod(json!("mine"), conf);
    add(&conf).ok();
    assert_eq!(inside(lab, "pod"), ["mine"]);
    drop(pod);
    assert_eq!(pci::rdma(&vf).as_deref(), Some("mine"));
    call(lab, "DEL", "", &conf).ok();
    at_home(&vf, &name);

    // No DEL at all: the next ADD of the device gives it back first.
    {
        let _pod = lab.netns("pod");
        call_for(lab, "lost", "ADD", POD, &conf).ok();
    }
    let _pod = lab.netns("pod");
    add(&named("keep", &vf)).ok();
    assert_eq!(inside(lab, "pod"), [name.as_str()]);
    call(lab, "DEL", POD, &config(&vf)).ok();
    at_home(&vf, &name);
}

fn b07_counted_name(lab: &Lab) {
    let names = [lab.vf_rdma(0), lab.vf_rdma(1)];
    let vfs = [lab.vf(0), lab.vf(1)];
    let _pod = lab.netns("pod");
    for (container, vf) in ["a", "b"].iter().zip(&vfs) {
        call_for(lab, container, "ADD", POD, &named("hca%d", vf)).ok();
    }
    assert_eq!(inside(lab, "pod"), ["hca0", "hca1"]);
    call_for(lab, "a", "DEL", POD, &named("hca%d", &vfs[0])).ok();
    assert_eq!(pci::rdma(&vfs[0]).as_ref(), Some(&names[0]));
    // The number is free again, and nobody else's changes.
    call_for(lab, "a", "ADD", POD, &named("hca%d", &vfs[0])).ok();
    assert_eq!(inside(lab, "pod"), ["hca0", "hca1"]);
    for (container, vf) in ["a", "b"].iter().zip(&vfs) {
        call_for(lab, container, "CHECK", POD, &named("hca%d", vf)).ok();
        call_for(lab, container, "DEL", POD, &named("hca%d", vf)).ok();
    }
    for (vf, name) in vfs.iter().zip(&names) {
        at_home(vf, name);
    }
}

fn b07_taken_names(lab: &Lab) {
    let names = [lab.vf_rdma(0), lab.vf_rdma(1)];
    let vfs = [lab.vf(0), lab.vf(1)];
    let (_pod, _other) = (lab.netns("pod"), lab.netns("other"));
    let add = |container: &str, netns: &str, conf: &Value| {
        call_for(lab, container, "ADD", &format!("/run/netns/{netns}"), conf)
    };
    let taken = |output: Output, holder: &str| {
        refused(output, 102, holder);
        assert_eq!(pci::rdma(&vfs[1]).as_ref(), Some(&names[1]));
        assert_eq!(
            records(),
            ["net-a-eth0"],
            "its record is gone, the other's is not"
        );
    };
    add("a", "pod", &named("hca", &vfs[0])).ok();
    taken(
        add("b", "pod", &named("hca", &vfs[1])),
        "a device in network namespace /run/netns/pod has that name",
    );
    taken(
        add("b", "other", &named("hca", &vfs[1])),
        "a device in network namespace pod has that name",
    );
    let pf = pci::rdma(&lab.pf()).unwrap();
    taken(
        add("b", "other", &named(&pf, &vfs[1])),
        "a device on the host has that name",
    );
    // The other device wants its name back one day.
    taken(
        add("b", "other", &named(&names[0], &vfs[1])),
        "a device that is lent to container a and called so at home has that name",
    );
    let pattern = format!(
        "{}%d",
        names[0].trim_end_matches(|c: char| c.is_ascii_digit())
    );
    add("b", "other", &named(&pattern, &vfs[1])).ok();
    assert_eq!(
        inside(lab, "other"),
        [names[1].as_str()],
        "the lowest of the free ones is its own"
    );
    call_for(lab, "b", "DEL", "/run/netns/other", &config(&vfs[1])).ok();
    call_for(lab, "a", "DEL", POD, &config(&vfs[0])).ok();
    for (vf, name) in vfs.iter().zip(&names) {
        at_home(vf, name);
    }
}

/// Every pod's first device is `mlx5_0`, whatever the host and the other pods have.
fn b07_names_are_unique_per_namespace(lab: &Lab) {
    let names = [lab.vf_rdma(0), lab.vf_rdma(1)];
    let vfs = [lab.vf(0), lab.vf(1)];
    let pf = pci::rdma(&lab.pf()).unwrap();
    let stem = pf.trim_end_matches(|c: char| c.is_ascii_digit());
    let pattern = format!("{stem}%d");
    let first = format!("{stem}0");
    let pods = ["p0", "p1"].map(|name| lab.netns(name));
    for ((pod, vf), container) in pods.iter().zip(&vfs).zip(["a", "b"]) {
        let path = format!("/run/netns/{}", pod.name);
        call_for(lab, container, "ADD", &path, &named(&pattern, vf)).ok();
        assert_eq!(inside(lab, &pod.name), [first.as_str()]);
    }
    // The name of the one is the host's PF's; it comes home both ways.
    let [one, two] = pods;
    call_for(lab, "a", "DEL", "/run/netns/p0", &config(&vfs[0])).ok();
    drop(two);
    call_for(lab, "b", "DEL", "", &config(&vfs[1])).ok();
    for (vf, name) in vfs.iter().zip(&names) {
        at_home(vf, name);
    }
    call_for(lab, "a", "ADD", "/run/netns/p0", &named("hca", &vfs[0])).ok();
    refused(
        call_for(lab, "b", "ADD", "/run/netns/p0", &named("hca", &vfs[1])),
        102,
        "a device in network namespace /run/netns/p0 has that name",
    );
    assert_eq!(records(), ["net-a-eth0"]);
    call_for(lab, "a", "DEL", "/run/netns/p0", &config(&vfs[0])).ok();
    // In the pod the name that the second has at home is taken: it goes there another way.
    call_for(lab, "a", "ADD", "/run/netns/p0", &named(&names[1], &vfs[0])).ok();
    refused(
        call_for(lab, "b", "ADD", "/run/netns/p0", &config(&vfs[1])),
        102,
        "is already taken",
    );
    call_for(lab, "b", "ADD", "/run/netns/p0", &named(&pattern, &vfs[1])).ok();
    let mut both = [first.clone(), names[1].clone()];
    both.sort();
    assert_eq!(inside(lab, "p0"), both);
    // Their names at home are each other's in the pod, and the kernel moves neither onto a taken one.
    for (container, vf) in [("b", &vfs[1]), ("a", &vfs[0])] {
        call_for(lab, container, "DEL", "/run/netns/p0", &config(vf)).ok();
    }
    drop(one);
    for (vf, name) in vfs.iter().zip(&names) {
        at_home(vf, name);
    }
}

fn b07_killed_while_it_is_named(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    let conf = named("hca%d", &vf);
    let mut ends = 0;
    for step in ["flock", "sendto"] {
        // Each time one later, until the call ends by itself.
        for n in 1.. {
            let pod = lab.netns("pod");
            if killed_at(lab, "ADD", &conf, step, n).status == 0 {
                call(lab, "DEL", POD, &conf).ok();
                break;
            }
            ends += 1;
            match n % 3 {
                // DEL, a second ADD, and the end of the namespace: each puts it right.
                0 => call(lab, "DEL", POD, &conf).ok(),
                1 => {
                    let again = call(lab, "ADD", POD, &conf);
                    // Only the last steps come after the record says that it is done.
                    if again.status != 0 {
                        refused(again, 102, "already has RDMA device");
                    }
                    assert_eq!(inside(lab, "pod"), ["hca0"], "{step} {n}");
                    call(lab, "DEL", POD, &conf).ok()
                }
                _ => {
                    drop(pod);
                    call(lab, "DEL", "", &conf).ok()
                }
            };
            at_home(&vf, &name);
        }
    }
    at_home(&vf, &name);
    assert!(ends > 8, "ADD was killed {ends} times only");
}
