//! What the `rdma` plugin is told: configurations, results, names and arguments, right and wrong.

use serde_json::{Value, json};

use super::cni_call::*;
use super::cni_rdma::FOLDERS;
use crate::case::{Case, case};
use crate::handle::Lab;
use crate::pci;

pub(crate) fn cases() -> Vec<Case> {
    let exclusive = |name, run| case(name, run).exclusive().may_change(FOLDERS);
    let told = |name, run| {
        exclusive(name, run).only(
            &["6.12"],
            "words are read, and refused before a kernel is asked; the moves are those of cni_rdma",
        )
    };
    vec![
        told("r06_previous_results", r06_previous_results),
        told("r07_r08_r09_protocol", r07_r08_r09_protocol),
        told("r19_r20_r22_names", r19_r20_r22_names),
        told("r23_one_go_name_for_two", r23_one_go_name_for_two),
        told("r34_cni_args", r34_cni_args),
        exclusive("r40_not_root", r40_not_root),
    ]
}

/// Rows R06b, R06c, R08c.
fn r06_previous_results(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    let _pod = lab.netns("pod");
    let add = |conf: &Value| call(lab, "ADD", "/run/netns/pod", conf);
    let alone = "RDMA-CNI is expected to be called as part of a plugin chain";
    refused(add(&without("prevResult", config(&vf))), 7, alone);
    refused(add(&with("prevResult", Value::Null, config(&vf))), 7, alone);
    let old = with("prevResult", json!({"cniVersion": "0.4.0"}), config(&vf));
    refused(
        add(&old),
        7,
        "result type supports [1.0.0 1.1.0] but unmarshalled CNIVersion is \"0.4.0\"",
    );
    assert_eq!(pci::rdma(&vf).as_ref(), Some(&name));
    // Go's plugin fails after the move with the two old versions.
    for version in ["0.1.0", "0.2.0", "0.3.1", "0.4.0", "1.1.0"] {
        let conf = with(
            "cniVersion",
            json!(version),
            with("prevResult", json!({}), config(&vf)),
        );
        assert_eq!(add(&conf).ok().json(), json!({"cniVersion": version}));
        call(lab, "DEL", "/run/netns/pod", &conf).ok();
        at_home(&vf, &name);
    }
}

/// Rows R07b, R09b.
fn r07_r08_r09_protocol(lab: &Lab) {
    let vf = lab.vf(0);
    let env = [("CNI_NETNS", "/run/netns/pod")];
    for text in ["", "{", "[]", "\u{1}", "{} {}"] {
        for verb in ["ADD", "DEL"] {
            refused(
                lab.cni("rdma", verb, &env, text),
                6,
                "error unmarshall network config: ",
            );
        }
    }
    refused(
        call(lab, "ADD", "/x", &with("deviceID", json!(5), config(&vf))),
        7,
        "failed to load netconf: ",
    );
    for version in ["9.9.9", "1.2.0", "1.0"] {
        let conf = with("cniVersion", json!(version), config(&vf));
        refused(
            call(lab, "ADD", "/x", &conf),
            1,
            "incompatible CNI versions",
        );
    }
    let check = with("cniVersion", json!("0.3.1"), config(&vf));
    refused(
        call(lab, "CHECK", "/x", &check),
        1,
        "config version does not allow CHECK",
    );
    refused(
        call(lab, "FOO", "/x", &config(&vf)),
        4,
        "unknown CNI_COMMAND: FOO",
    );
    refused(
        call(lab, "ADD", "", &config(&vf)),
        4,
        "required env variables [CNI_NETNS] missing",
    );
    refused(
        lab.cni("rdma", "ADD", &[("CNI_PATH", "")], ""),
        4,
        "[CNI_NETNS,CNI_PATH] missing",
    );
}

/// Rows R15.
fn r19_r20_r22_names(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    let _pod = lab.netns("pod");
    for id in ["a/b", "../x", "-x", "a b", ".x"] {
        refused(
            call_for(lab, id, "ADD", "/run/netns/pod", &config(&vf)),
            4,
            "invalid characters in containerID",
        );
    }
    for (ifname, text) in [
        ("sixteen-bytes-xx", "interface name is too long"),
        (
            "a/b",
            "interface name contains / or : or whitespace characters",
        ),
        ("..", "interface name is . or .."),
        ("", "required env variables [CNI_IFNAME] missing"),
    ] {
        let env = [("CNI_NETNS", "/run/netns/pod"), ("CNI_IFNAME", ifname)];
        refused(
            lab.cni("rdma", "ADD", &env, &config(&vf).to_string()),
            4,
            text,
        );
    }
    for network in ["a/b", "../../../tmp/x"] {
        let conf = with("name", json!(network), config(&vf));
        refused(
            call(lab, "ADD", "/run/netns/pod", &conf),
            7,
            "invalid characters found in network name",
        );
    }
    let long = "c".repeat(300);
    call_for(lab, &long, "ADD", "/run/netns/pod", &config(&vf)).ok();
    assert_eq!(records().len(), 1);
    call_for(lab, &long, "CHECK", "/run/netns/pod", &config(&vf)).ok();
    call_for(lab, &long, "DEL", "/run/netns/pod", &config(&vf)).ok();
    at_home(&vf, &name);
}

/// Rows R15.
fn r23_one_go_name_for_two(lab: &Lab) {
    let names = [lab.vf_rdma(0), lab.vf_rdma(1)];
    let _pod = lab.netns("pod");
    let pairs = [("a-b", "c", lab.vf(0)), ("a", "b-c", lab.vf(1))];
    let conf = |network: &str, vf: &str| with("name", json!(network), config(vf));
    for (network, container, vf) in &pairs {
        call_for(lab, container, "ADD", "/run/netns/pod", &conf(network, vf)).ok();
    }
    let (first, second) = (&records()[0], &records()[1]);
    assert_eq!(first, "a-b-c-eth0");
    assert!(
        second.starts_with("a-b-c-eth0@") && second.len() == first.len() + 9,
        "{second}"
    );
    for (network, container, vf) in &pairs {
        call_for(lab, container, "DEL", "/run/netns/pod", &conf(network, vf)).ok();
    }
    at_home(&pairs[0].2, &names[0]);
    at_home(&pairs[1].2, &names[1]);
}

/// Rows R14.
fn r34_cni_args(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    let _pod = lab.netns("pod");
    let add = |args: &str| {
        let env = [("CNI_NETNS", "/run/netns/pod"), ("CNI_ARGS", args)];
        lab.cni("rdma", "ADD", &env, &config(&vf).to_string())
    };
    refused(add("foo"), 4, "ARGS: invalid pair \"foo\"");
    refused(add("K=V"), 4, "ARGS: unknown args [\"K=V\"]");
    add("IgnoreUnknown=1;K8S_POD_NAME=p;Debug=1")
        .ok()
        .stderr_has("debug: ");
    call(lab, "DEL", "/run/netns/pod", &config(&vf)).ok();
    at_home(&vf, &name);
}

fn r40_not_root(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    let _pod = lab.netns("pod");
    let output = lab.sh(&format!(
        "export CNI_COMMAND=ADD CNI_CONTAINERID=c CNI_IFNAME=eth0 CNI_NETNS=/run/netns/pod CNI_PATH=/x
         install -m 755 $(readlink -f /run/lab/faces/rdma) /tmp/rdma
         exec setpriv --reuid 65534 --clear-groups /tmp/rdma <<'END'\n{}\nEND",
        config(&vf)
    ));
    failure(output);
    lab.sh("rm /tmp/rdma").ok();
    at_home(&vf, &name);
}
