//! The `rdma` plugin when namespace, record or kernel fail it: DEL still brings the device home.

use serde_json::json;

use super::cni_call::*;
use crate::adapter::until;
use crate::case::{Case, case};
use crate::handle::Lab;
use crate::pci;

pub(super) const FOLDERS: &[&str] = &["folder /"];

pub(crate) fn cases() -> Vec<Case> {
    let exclusive = |name, run| case(name, run).exclusive().may_change(FOLDERS);
    // Without a record the device is looked for on every kernel, by r14.
    let of_files = |name, run| {
        exclusive(name, run).only(
            &["6.12"],
            "what is in a file, and whether it can be written",
        )
    };
    vec![
        exclusive("r12_namespace_gone", r12_namespace_gone),
        exclusive(
            "r12c_a_process_keeps_the_namespace",
            r12c_a_process_keeps_the_namespace,
        ),
        exclusive(
            "r12c_a_file_keeps_the_namespace",
            r12c_a_file_keeps_the_namespace,
        ),
        exclusive("r14_no_record", r14_no_record),
        exclusive("r15_in_another_namespace", r15_in_another_namespace),
        of_files("r18_broken_records", r18_broken_records),
        of_files("r18_records_of_go", r18_records_of_go),
        of_files("r21_folder_not_writable", r21_folder_not_writable),
        exclusive("refused_move_leaves_nothing", refused_move_leaves_nothing),
    ]
}

pub(super) const POD: &str = "/run/netns/pod";

/// Rows R12b, R1, R2.
fn r12_namespace_gone(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    for netns in [POD, ""] {
        let _pod = lab.netns("pod");
        call(lab, "ADD", POD, &config(&vf)).ok();
        lab.ip(&["netns", "delete", "pod"]).ok();
        // At once: the kernel may still be at it.
        call(lab, "DEL", netns, &config(&vf)).ok();
        at_home(&vf, &name);
    }
}

fn r12c_a_process_keeps_the_namespace(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    for netns in ["/run/netns/gone", ""] {
        let held = lab.spawn_in_new_netns(&["sleep", "100"]);
        call(
            lab,
            "ADD",
            &format!("/proc/{}/ns/net", held.pid()),
            &config(&vf),
        )
        .ok();
        assert_eq!(pci::rdma(&vf), None);
        call(lab, "DEL", netns, &config(&vf)).ok();
        at_home(&vf, &name);
    }
}

fn r12c_a_file_keeps_the_namespace(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    let _pod = lab.netns("pod");
    call(lab, "ADD", POD, &config(&vf)).ok();
    let pid = lab.sh(
        "(exec 3<\"$0\"; exec sleep 50) </dev/null >/dev/null 2>&1 & echo $!"
            .replace("$0", POD)
            .as_str(),
    );
    let pid = pid.ok().stdout.trim().to_owned();
    until("the file is open", || {
        pci::names(format!("/proc/{pid}/fd")).contains(&"3".to_owned())
    })
    .unwrap();
    lab.ip(&["netns", "delete", "pod"]).ok();
    call(lab, "DEL", "", &config(&vf)).ok();
    at_home(&vf, &name);
    lab.sh(&format!("kill {pid}")).ok();
}

fn r14_no_record(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    let _pod = lab.netns("pod");
    call(lab, "ADD", POD, &config(&vf)).ok();
    lab.sh(&format!("rm {STATE}/{RECORD}")).ok();
    call(lab, "DEL", POD, &config(&vf)).ok();
    at_home(&vf, &name);
}

fn r15_in_another_namespace(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    let _pod = lab.netns("pod");
    let other = lab.netns("other");
    lab.iproute2_rdma(&["dev", "set", &name, "netns", "other"])
        .ok();
    let output = call(lab, "ADD", POD, &config(&vf)).stdout_has("network namespace other");
    refused(output, 102, "no RDMA devices found");
    // It was never ours, so DEL leaves it alone.
    call(lab, "DEL", POD, &config(&vf)).ok();
    assert_eq!(inside(lab, "other"), [name.as_str()]);
    drop(other);
    at_home(&vf, &name);
}

/// Rows R17c, R6.
fn r18_broken_records(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    let _pod = lab.netns("pod");
    let file = format!("{STATE}/{RECORD}");
    for content in [
        "",
        "{",
        "garbage",
        "{}",
        "[]",
        r#"{"version":"1.0","deviceID":"#,
    ] {
        call(lab, "ADD", POD, &config(&vf)).ok();
        std::fs::write(&file, content).unwrap();
        call(lab, "DEL", POD, &config(&vf))
            .ok()
            .stderr_has("unreadable");
        at_home(&vf, &name);
    }
}

fn r18_records_of_go(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    let _pod = lab.netns("pod");
    let file = format!("{STATE}/{RECORD}");
    let go = |version: &str, inside: &str| {
        json!({"version": version, "deviceID": vf, "sandboxRdmaDevName": name, "containerRdmaDevName": inside}).to_string()
    };
    for content in [go("1.0", &name), go("7.0", &name), go("1.0", "mlx5_99")] {
        call(lab, "ADD", POD, &config(&vf)).ok();
        std::fs::write(&file, content).unwrap();
        call(lab, "CHECK", POD, &config(&vf)).ok();
        lab.sh(&format!(
            "nsenter --net={POD} rdma dev set {name} name renamed"
        ))
        .ok();
        call(lab, "DEL", POD, &config(&vf)).ok();
        at_home(&vf, &name);
    }
    // The runtime has no path any more: the device is found wherever it is.
    call(lab, "ADD", POD, &config(&vf)).ok();
    std::fs::write(&file, go("1.0", &name)).unwrap();
    call(lab, "DEL", "", &config(&vf)).ok();
    at_home(&vf, &name);
}

fn r21_folder_not_writable(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    let _pod = lab.netns("pod");
    let add = || call(lab, "ADD", POD, &config(&vf));
    lab.sh(&format!(
        "mkdir -p {STATE} && mount -t tmpfs -o ro tmpfs {STATE}"
    ))
    .ok();
    refused(add(), 5, "Read-only file system");
    call(lab, "DEL", POD, &config(&vf)).ok();
    lab.sh(&format!("umount {STATE} && mount -t tmpfs -o size=4k tmpfs {STATE} && head -c 4096 /dev/zero >{STATE}/full")).ok();
    refused(add(), 5, "No space left on device");
    assert_eq!(records(), ["full"], "no empty record");
    lab.sh(&format!("umount {STATE} && rmdir {STATE} && touch {STATE}"))
        .ok();
    refused(add(), 5, "cannot ");
    lab.sh(&format!("rm {STATE}")).ok();
    at_home(&vf, &name);
}

fn refused_move_leaves_nothing(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    let _pod = lab.netns("pod");
    lab.inject("fail_move", "0,5,1");
    let (_, msg) = failure(call(lab, "ADD", POD, &config(&vf)));
    assert!(
        msg.starts_with(&format!("failed to move RDMA device {name} to namespace. ")),
        "{msg}"
    );
    lab.inject("fail_move", "off");
    at_home(&vf, &name);
    call(lab, "ADD", POD, &config(&vf)).ok();
    lab.inject("fail_move", "0,5,1");
    let (_, msg) = failure(call(lab, "DEL", POD, &config(&vf)));
    assert!(
        msg.starts_with(&format!(
            "failed to restore RDMA device {name} to default namespace. "
        )),
        "{msg}"
    );
    lab.inject("fail_move", "off");
    assert_eq!(records(), [RECORD]);
    call(lab, "DEL", POD, &config(&vf)).ok();
    at_home(&vf, &name);
}
