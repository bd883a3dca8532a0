//! `dev reclaim` puts names back: recorded ones, those the kernel changed, and one that two have.

use serde_json::json;

use super::cni_call::*;
use super::reclaim::{about, reclaim, send};
use crate::case::{Case, case};
use crate::handle::Lab;

pub(super) fn cases() -> Vec<Case> {
    let exclusive = |name, run| {
        let case = case(name, run).adapter("mode=ib sfs=2").exclusive();
        case.may_change(&["folder /"])
    };
    vec![
        exclusive("the_recorded_name_comes_back", recorded),
        exclusive("a_namespace_that_ends", dying),
        exclusive("a_name_in_two_namespaces", two_of_a_name).only(
            &["7.3"],
            "before 7.3 an RDMA device's name is taken in every namespace",
        ),
    ]
}

fn recorded(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    let pod = lab.netns("pod");
    call(lab, "ADD", "/run/netns/pod", &config(&vf)).ok();
    lab.in_netns("pod", &["rdma", "dev", "set", &name, "name", "foo0"])
        .ok();
    // A runtime may be about to start the container: only who asks for it gets it.
    let rows = reclaim(lab, &[]);
    let why = about(&rows, "foo0")["left"].as_str().unwrap();
    assert!(why.contains("lent to container lab-container"), "{rows}");
    // By the name it has at home.
    let rows = reclaim(lab, &[&name]);
    let row = about(&rows, "foo0");
    assert_eq!(
        (&row["name_after"], &row["device"]),
        (&name.as_str().into(), &vf.as_str().into())
    );
    at_home(&vf, &name);
    call(lab, "DEL", "/run/netns/pod", &config(&vf)).ok();

    // A record of Go, which says no more than the device and its name.
    send(lab, &name, "pod");
    lab.in_netns("pod", &["rdma", "dev", "set", &name, "name", "foo0"])
        .ok();
    let record = json!({"version": "1.0", "deviceID": vf, "sandboxRdmaDevName": name, "containerRdmaDevName": name});
    lab.sh(&format!(
        "mkdir -p {STATE} && echo '{record}' > {STATE}/{RECORD}"
    ))
    .ok();
    assert_eq!(about(&reclaim(lab, &["foo0"]), "foo0")["name_after"], *name);
    at_home(&vf, &name);

    // The name is another device's by now: it is said, and the device is home all the same.
    let other = lab.vf_rdma(1);
    call(lab, "ADD", "/run/netns/pod", &config(&vf)).ok();
    lab.in_netns("pod", &["rdma", "dev", "set", &name, "name", "foo0"])
        .ok();
    lab.iproute2_rdma(&["dev", "set", &other, "name", &name])
        .ok();
    lab.rdmactl(&["dev", "reclaim", &vf])
        .ok()
        .stdout_has("name foo0 ")
        .stdout_has(&format!("({name} belongs to another device)"));
    lab.iproute2_rdma(&["dev", "set", &name, "name", &other])
        .ok();
    lab.iproute2_rdma(&["dev", "set", "foo0", "name", &name])
        .ok();
    drop(pod);
}

/// The kernel brings devices home from a namespace that ends; it is waited for, and the name put back.
fn dying(lab: &Lab) {
    let (vf, name, other) = (lab.vf(0), lab.vf_rdma(0), lab.vf_rdma(1));
    let new_kernel = lab.exec("uname -r").ok().stdout.starts_with("7.");
    let pod = lab.netns("pod");
    call(lab, "ADD", "/run/netns/pod", &config(&vf)).ok();
    if new_kernel {
        // Taken at home: the kernel chooses ibdevN.
        lab.in_netns("pod", &["rdma", "dev", "set", &name, "name", &other])
            .ok();
    }
    lab.ip(&["netns", "delete", "pod"]).ok();
    let rows = reclaim(lab, &[]);
    assert_eq!(lab.vf_rdma(0), name);
    // It came before we looked, or while we did.
    for row in rows.as_array().unwrap() {
        assert_eq!(
            (&row["name_after"], &row["device"]),
            (&name.as_str().into(), &vf.as_str().into()),
            "{rows}"
        );
    }
    assert!(!new_kernel || rows.as_array().unwrap().len() == 1, "{rows}");
    call(lab, "DEL", "", &config(&vf)).ok();
    at_home(&vf, &name);
    drop(pod);
}

fn two_of_a_name(lab: &Lab) {
    let (first, second) = (lab.vf_rdma(0), lab.vf_rdma(1));
    let _blue = lab.netns("blue");
    let _red = lab.netns("red");
    send(lab, &first, "blue");
    send(lab, &second, "red");
    lab.in_netns("red", &["rdma", "dev", "set", &second, "name", &first])
        .ok();
    lab.rdmactl(&["dev", "reclaim", &first])
        .fails(1)
        .stderr_has("several RDMA devices")
        .stderr_has("--from NETNS");
    let rows = reclaim(lab, &[&first, "--from", "red"]);
    assert_eq!(rows[0]["device"], *lab.vf(1));
    // At home its name is taken now.
    let rows = reclaim(lab, &[&lab.vf(0)]);
    assert_eq!(
        (&rows[0]["name_before"], &rows[0]["reclaimed"]),
        (&first.as_str().into(), &true.into())
    );
    let spare = rows[0]["name_after"].as_str().unwrap();
    lab.iproute2_rdma(&["dev", "set", &first, "name", &second])
        .ok();
    lab.iproute2_rdma(&["dev", "set", spare, "name", &first])
        .ok();
}
