//! How the cases of the `rdma` plugin call it, and where they look for a device.

use serde_json::{Value, json};

use crate::adapter::until;
use crate::handle::Lab;
use crate::output::Output;
use crate::pci;
use crate::tripwire::{self, Fault, Grain};

pub(crate) const STATE: &str = "/var/lib/cni/rdma";
/// Go's file name for the container and interface that [`Lab::cni`] names.
pub(crate) const RECORD: &str = "net-lab-container-eth0";

/// A network of which this plugin is the second, behind one that made an interface.
pub(crate) fn config(device: &str) -> Value {
    json!({
        "cniVersion": "1.0.0", "name": "net", "type": "rdma", "deviceID": device,
        "prevResult": {
            "cniVersion": "1.0.0",
            "interfaces": [{"name": "eth0", "mac": "02:00:00:00:00:01", "sandbox": "/run/netns/pod", "custom": 1.50}],
            "ips": [{"address": "10.1.0.2/24", "interface": 0}],
            "extra": {"kept": true},
        },
    })
}

pub(crate) fn without(key: &str, mut config: Value) -> Value {
    config.as_object_mut().unwrap().remove(key);
    config
}

pub(crate) fn with(key: &str, value: Value, mut config: Value) -> Value {
    config[key] = value;
    config
}

pub(crate) fn call(lab: &Lab, verb: &str, netns: &str, config: &Value) -> Output {
    lab.cni("rdma", verb, &[("CNI_NETNS", netns)], &config.to_string())
}

pub(crate) fn call_for(
    lab: &Lab,
    container: &str,
    verb: &str,
    netns: &str,
    config: &Value,
) -> Output {
    lab.cni(
        "rdma",
        verb,
        &[("CNI_NETNS", netns), ("CNI_CONTAINERID", container)],
        &config.to_string(),
    )
}

/// Code and message of a failure, which is the one document on stdout.
#[track_caller]
pub(crate) fn failure(output: Output) -> (u64, String) {
    let output = output.fails(1);
    let value = output.json();
    assert!(value["cniVersion"].is_string(), "{output}");
    let msg = value["msg"].as_str().unwrap_or_default().to_owned();
    (value["code"].as_u64().unwrap_or_default(), msg)
}

#[track_caller]
pub(crate) fn refused(output: Output, code: u64, text: &str) {
    let shown = output.to_string();
    let (got, msg) = failure(output);
    assert!(
        got == code && msg.contains(text),
        "expected code {code} and {text}\n{shown}"
    );
}

/// As a runtime's call, with the program killed when it is about to make a system call for the n-th time.
pub(crate) fn killed_at(
    lab: &Lab,
    verb: &str,
    config: &Value,
    syscall: &'static str,
    n: usize,
) -> Output {
    let mut command = lab.cni_command("rdma", verb, &[("CNI_NETNS", "/run/netns/pod")]);
    let input = config.to_string();
    tripwire::disturb(
        &mut command,
        &input,
        Grain::Calls,
        (syscall, n),
        Fault::Kill,
    )
    .output
}

/// The devices in a named namespace.
pub(crate) fn inside(lab: &Lab, name: &str) -> Vec<String> {
    let listed = lab
        .in_netns(name, &["ls", "/sys/class/infiniband"])
        .ok()
        .stdout;
    listed.lines().map(str::to_owned).collect()
}

/// The records, by name; hidden files too.
pub(crate) fn records() -> Vec<String> {
    pci::names(STATE)
}

#[track_caller]
pub(crate) fn at_home(vf: &str, name: &str) {
    let is = || pci::rdma(vf).as_deref() == Some(name);
    until(&format!("{vf} has {name} at home"), is)
        .unwrap_or_else(|error| panic!("{error}; it has {:?}", pci::rdma(vf)));
    assert_eq!(records(), Vec::<String>::new(), "records are left");
}

/// Deletes a namespace as a runtime that lost track does, and waits for the kernel to bring its device home.
pub(crate) fn end_namespace(lab: &Lab, name: &str, vf: &str) {
    lab.ip(&["netns", "delete", name]).ok();
    until("the device is home", || pci::rdma(vf).is_some())
        .unwrap_or_else(|error| panic!("{error}"));
}
