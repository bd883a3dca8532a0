//! What the `rdma` plugin writes to stderr and to a file, as its configuration says; stdout stays the runtime's.

use std::fs;

use serde_json::{Value, json};

use super::cni_call::*;
use crate::case::{Case, case};
use crate::handle::Lab;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("b23_logs", b23_logs)
            .exclusive()
            .may_change(&["folder /"])
            .only(&["6.12"], "lines are written to files, whatever the kernel"),
    ]
}

const POD: &str = "/run/netns/pod";
const FILE: &str = "/var/log/rdma-cni.log";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Rows R14.
fn b23_logs(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    let _pod = lab.netns("pod");
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let call = |verb: &str, keys: Value| {
        let mut conf = config(&vf);
        conf.as_object_mut()
            .unwrap()
            .extend(keys.as_object().unwrap().clone());
        let env = [
            ("CNI_NETNS", POD),
            ("TRACEPARENT", &parent),
            (
                "CNI_ARGS",
                "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0",
            ),
        ];
        lab.cni("rdma", verb, &env, &conf.to_string())
    };
    // As text, to both; stdout has the result and nothing else.
    let added = call("ADD", json!({"logFile": FILE})).ok();
    assert_eq!(added.json(), config(&vf)["prevResult"]);
    assert_eq!(
        added.stderr,
        format!("rdma: moved {name} ({vf}) to {POD}\n")
    );
    lab.sh(&format!("stat -c '%a %u' {FILE}"))
        .ok()
        .stdout_is("640 0\n");
    let file = || fs::read_to_string(FILE).unwrap();
    let (_, line) = file()
        .split_once(' ')
        .map(|(time, line)| (time.to_owned(), line.to_owned()))
        .unwrap();
    assert_eq!(
        line,
        format!(
            "info rdma verb=ADD network=net container=lab-container ifname=eth0 pod_namespace=shop pod_name=web-0 trace_id={TRACE}: moved {name} ({vf}) to {POD}\n"
        )
    );
    // A failure is told on stdout, and kept here.
    let again = call(
        "ADD",
        json!({"logFile": FILE, "logFormat": "json", "logLevel": "error"}),
    );
    let stderr = again.stderr.clone();
    refused(again, 102, "already has RDMA device");
    let last: Value = serde_json::from_str(file().lines().last().unwrap()).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&stderr).unwrap(), last);
    for (key, value) in [
        ("level", "error"),
        ("plugin", "rdma"),
        ("verb", "ADD"),
        ("container", "lab-container"),
        ("pod_name", "web-0"),
        ("trace_id", TRACE),
    ] {
        assert_eq!(last[key], value, "{key}");
    }
    assert!(last["msg"].as_str().unwrap().starts_with("code 102: "));
    let lines = file().lines().count();
    call("CHECK", json!({"logFile": FILE, "logLevel": "warning"}))
        .ok()
        .silent();
    assert_eq!(file().lines().count(), lines);

    // What cannot be written to is a warning, whatever it is.
    lab.sh("echo keep > /run/victim; ln -s /run/victim /run/link; mkfifo /run/pipe; install -o 65534 /dev/null /run/theirs")
        .ok();
    for path in [
        "/run/link",
        "/run/pipe",
        "/run/theirs",
        "/proc/self/fd/1",
        "/run/none/x",
        "/run/../x",
        "x",
    ] {
        let checked = call("CHECK", json!({"logFile": path})).ok().stdout_is("");
        assert!(
            checked.stderr.starts_with("rdma: warning: no logFile: "),
            "{path}: {}",
            checked.stderr
        );
    }
    call(
        "CHECK",
        json!({"logFile": 5, "logLevel": "loud", "logFormat": "xml"}),
    )
    .ok()
    .stdout_is("")
    .stderr_has("\"loud\" is not a valid logLevel");
    lab.sh("cat /run/victim; wc -c < /run/theirs")
        .ok()
        .stdout_is("keep\n0\n");
    lab.sh(&format!(
        "rm /run/victim /run/link /run/pipe /run/theirs {FILE}"
    ))
    .ok();
    call("DEL", json!({"logLevel": "panic"})).ok().silent();
    at_home(&vf, &name);
}
