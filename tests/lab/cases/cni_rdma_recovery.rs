//! The `rdma` plugin when things go wrong: every DEL ends with the device at home under its name, and no record.

use std::thread;

use serde_json::json;

use super::cni_call::*;
use crate::adapter::until;
use crate::case::{Case, case};
use crate::handle::Lab;
use crate::pci;

const FOLDERS: &[&str] = &["folder /"];
/// A device that was made anew has a new index.
const ANEW: &[&str] = &["folder /", "rdma device", "netdev", "vf "];

pub(crate) fn cases() -> Vec<Case> {
    let exclusive = |name, run| case(name, run).exclusive().may_change(FOLDERS);
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
        exclusive("r16_parallel_adds", r16_parallel_adds),
        exclusive("r18_broken_records", r18_broken_records),
        exclusive("r18_records_of_go", r18_records_of_go),
        exclusive("r21_folder_not_writable", r21_folder_not_writable),
        exclusive("r25_renamed_in_the_pod", r25_renamed_in_the_pod),
        exclusive("r27_vfs_destroyed", r27_vfs_destroyed).may_change(ANEW),
        exclusive("r27_vf_rebound", r27_vf_rebound).may_change(ANEW),
        exclusive("r27_vfs_made_anew", r27_vfs_made_anew).may_change(ANEW),
        exclusive("pf_renamed", pf_renamed),
        exclusive(
            "late_del_spares_the_next_owner",
            late_del_spares_the_next_owner,
        ),
        exclusive("second_add_is_refused", second_add_is_refused),
        exclusive("refused_move_leaves_nothing", refused_move_leaves_nothing),
        exclusive(
            "locked_device_names_its_holder",
            locked_device_names_its_holder,
        ),
        exclusive("name_taken_at_home", name_taken_at_home).only(
            &["7.3"],
            "before 7.3 an RDMA device's name is taken in every namespace",
        ),
        exclusive(
            "name_taken_at_home_when_the_pod_dies",
            name_taken_at_home_when_the_pod_dies,
        )
        .only(
            &["7.3"],
            "before 7.3 an RDMA device's name is taken in every namespace",
        ),
    ]
}

const POD: &str = "/run/netns/pod";

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

fn r16_parallel_adds(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    let _pods = ["p0", "p1", "p2", "p3"].map(|name| lab.netns(name));
    for _ in 0..5 {
        let conf = config(&vf);
        let outputs: Vec<_> = thread::scope(|scope| {
            let calls: Vec<_> = (0..4)
                .map(|n| {
                    let conf = &conf;
                    scope.spawn(move || {
                        call_for(
                            lab,
                            &format!("c{n}"),
                            "ADD",
                            &format!("/run/netns/p{n}"),
                            conf,
                        )
                    })
                })
                .collect();
            calls.into_iter().map(|call| call.join().unwrap()).collect()
        });
        let won = outputs.iter().filter(|output| output.status == 0).count();
        assert_eq!(
            won,
            1,
            "{}",
            outputs.iter().map(ToString::to_string).collect::<String>()
        );
        for output in outputs.into_iter().filter(|output| output.status != 0) {
            refused(output, 102, "no RDMA devices found");
        }
        for n in 0..4 {
            call_for(
                lab,
                &format!("c{n}"),
                "DEL",
                &format!("/run/netns/p{n}"),
                &conf,
            )
            .ok();
        }
        at_home(&vf, &name);
    }
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

/// Rows R3, R4.
fn r25_renamed_in_the_pod(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    for dies in [false, true] {
        let _pod = lab.netns("pod");
        call(lab, "ADD", POD, &config(&vf)).ok();
        lab.sh(&format!(
            "nsenter --net={POD} rdma dev set {name} name foo0"
        ))
        .ok();
        call(lab, "CHECK", POD, &config(&vf)).ok();
        if dies {
            end_namespace(lab, "pod", &vf);
            assert_eq!(pci::rdma(&vf).as_deref(), Some("foo0"));
        }
        call(lab, "DEL", POD, &config(&vf)).ok();
        at_home(&vf, &name);
    }
    // A DEL that never came is made up for by the next ADD.
    {
        let _pod = lab.netns("pod");
        call_for(lab, "lost", "ADD", POD, &config(&vf)).ok();
        lab.sh(&format!(
            "nsenter --net={POD} rdma dev set {name} name foo0"
        ))
        .ok();
        end_namespace(lab, "pod", &vf);
    }
    let _next = lab.netns("next");
    call(lab, "ADD", "/run/netns/next", &config(&vf)).ok();
    assert_eq!(inside(lab, "next"), [name.as_str()]);
    assert_eq!(records(), [RECORD]);
    call(lab, "DEL", "/run/netns/next", &config(&vf)).ok();
    at_home(&vf, &name);
}

/// Rows R3.
fn r27_vfs_destroyed(lab: &Lab) {
    let vf = lab.vf(0);
    let _pod = lab.netns("pod");
    call(lab, "ADD", POD, &config(&vf)).ok();
    lab.sh(&format!(
        "echo 0 > /sys/bus/pci/devices/{}/sriov_numvfs",
        lab.pf()
    ))
    .ok();
    call(lab, "DEL", POD, &config(&vf))
        .ok()
        .stderr_has("nowhere to be found");
    assert_eq!(records(), Vec::<String>::new());
    lab.sh(&format!(
        "echo 2 > /sys/bus/pci/devices/{}/sriov_numvfs",
        lab.pf()
    ))
    .ok();
    until("the VFs are back", || {
        (0..2).all(|n| pci::vf(&lab.pf(), n).is_some_and(|vf| pci::rdma(&vf).is_some()))
    })
    .unwrap();
}

fn r27_vf_rebound(lab: &Lab) {
    let vf = lab.vf(0);
    let _pod = lab.netns("pod");
    call(lab, "ADD", POD, &config(&vf)).ok();
    let driver = pci::target(pci::device(&vf).join("driver")).unwrap();
    let driver = format!("/sys/bus/pci/drivers/{driver}");
    lab.sh(&format!("echo {vf} > {driver}/unbind")).ok();
    lab.sh(&format!("echo {vf} > {driver}/bind")).ok();
    until("the VF has a device", || pci::rdma(&vf).is_some()).unwrap();
    let anew = lab.vf_rdma(0);
    refused(
        call(lab, "CHECK", POD, &config(&vf)),
        105,
        "not in the container but on the host",
    );
    call(lab, "DEL", POD, &config(&vf)).ok();
    at_home(&vf, &anew);
}

/// Behind the plugin's back: the new device stays as it is.
fn r27_vfs_made_anew(lab: &Lab) {
    let vf = lab.vf(0);
    let _pod = lab.netns("pod");
    call(lab, "ADD", POD, &config(&vf)).ok();
    let file = format!("/sys/bus/pci/devices/{}/sriov_numvfs", lab.pf());
    lab.sh(&format!("echo 0 > {file}; echo 2 > {file}")).ok();
    until("the VFs are back", || {
        (0..2).all(|n| pci::vf(&lab.pf(), n).is_some_and(|vf| pci::rdma(&vf).is_some()))
    })
    .unwrap();
    let anew = lab.vf_rdma(0);
    call(lab, "DEL", POD, &config(&vf)).ok();
    at_home(&vf, &anew);
}

fn pf_renamed(lab: &Lab) {
    let (vf, name, pf) = (lab.vf(0), lab.vf_rdma(0), pci::netdev(&lab.pf()).unwrap());
    let _pod = lab.netns("pod");
    call(lab, "ADD", POD, &config(&vf)).ok();
    let rename = |from: &str, to: &str| {
        lab.ip(&["link", "set", from, "down"]).ok();
        lab.ip(&["link", "set", from, "name", to]).ok();
    };
    rename(&pf, "uplink0");
    call(lab, "DEL", POD, &config(&vf)).ok();
    rename("uplink0", &pf);
    at_home(&vf, &name);
}

fn late_del_spares_the_next_owner(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    let file = format!("{STATE}/net-old-eth0");
    let old = {
        let _pod = lab.netns("pod");
        call_for(lab, "old", "ADD", POD, &config(&vf)).ok();
        let old = std::fs::read(&file).unwrap();
        end_namespace(lab, "pod", &vf);
        old
    };
    let _pod = lab.netns("pod");
    call_for(lab, "new", "ADD", POD, &config(&vf)).ok();
    // The path is the new pod's now, the record of the old one is there or not, and may name the same number.
    let inode = lab.sh("stat -c %i /run/netns/pod").ok().stdout;
    let mut same: serde_json::Value = serde_json::from_slice(&old).unwrap();
    same["netnsInode"] = json!(inode.trim().parse::<u64>().unwrap());
    for content in [None, Some(old), Some(same.to_string().into_bytes())] {
        if let Some(content) = content {
            std::fs::write(&file, content).unwrap();
        }
        call_for(lab, "old", "DEL", "", &config(&vf)).ok();
        assert_eq!(inside(lab, "pod"), [name.as_str()]);
        assert_eq!(records(), ["net-new-eth0"]);
    }
    call_for(lab, "old", "DEL", POD, &config(&vf)).ok();
    assert_eq!(inside(lab, "pod"), [name.as_str()]);
    call_for(lab, "new", "DEL", POD, &config(&vf)).ok();
    at_home(&vf, &name);
}

fn second_add_is_refused(lab: &Lab) {
    let names = [lab.vf_rdma(0), lab.vf_rdma(1)];
    let _pod = lab.netns("pod");
    call(lab, "ADD", POD, &config(&lab.vf(0))).ok();
    for n in [0, 1] {
        refused(
            call(lab, "ADD", POD, &config(&lab.vf(n))),
            102,
            "already has RDMA device",
        );
    }
    assert_eq!(inside(lab, "pod"), [names[0].as_str()]);
    call(lab, "DEL", POD, &config(&lab.vf(0))).ok();
    at_home(&lab.vf(0), &names[0]);
    assert_eq!(lab.vf_rdma(1), names[1]);
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

/// Rows R7.
fn locked_device_names_its_holder(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    let _pod = lab.netns("pod");
    let file = format!("/run/rdmactl/device/{vf}.lock");
    let script = format!(
        "mkdir -p /run/rdmactl/device; flock {file} sleep 50 </dev/null >/dev/null 2>&1 & echo $!"
    );
    let pid = lab.sh(&script).ok().stdout.trim().to_owned();
    let locked = || {
        std::fs::read_to_string("/proc/locks")
            .is_ok_and(|locks| locks.contains(&format!(" {pid} ")))
    };
    until("the file is locked", locked).unwrap();
    refused(
        call(lab, "ADD", POD, &config(&vf)),
        11,
        &format!("locked by process {pid} (flock), waited 10 s"),
    );
    lab.sh(&format!("pkill -P {pid}; rm {file}")).ok();
    at_home(&vf, &name);
}

fn name_taken_at_home(lab: &Lab) {
    let (vf, name, other) = (lab.vf(0), lab.vf_rdma(0), lab.vf_rdma(1));
    let _pod = lab.netns("pod");
    call(lab, "ADD", POD, &config(&vf)).ok();
    lab.iproute2_rdma(&["dev", "set", &other, "name", &name])
        .ok();
    call(lab, "DEL", POD, &config(&vf))
        .ok()
        .stderr_has("is now called");
    assert!(pci::rdma(&vf).is_some());
    assert_eq!(records(), Vec::<String>::new());
    lab.iproute2_rdma(&["dev", "set", &name, "name", &other])
        .ok();
    lab.iproute2_rdma(&["dev", "set", &lab.vf_rdma(0), "name", &name])
        .ok();
}

fn name_taken_at_home_when_the_pod_dies(lab: &Lab) {
    let (vf, name, other) = (lab.vf(0), lab.vf_rdma(0), lab.vf_rdma(1));
    let _pod = lab.netns("pod");
    call(lab, "ADD", POD, &config(&vf)).ok();
    lab.iproute2_rdma(&["dev", "set", &other, "name", &name])
        .ok();
    end_namespace(lab, "pod", &vf);
    assert!(lab.vf_rdma(0).starts_with("ibdev"));
    lab.iproute2_rdma(&["dev", "set", &name, "name", &other])
        .ok();
    call(lab, "DEL", "", &config(&vf)).ok();
    at_home(&vf, &name);
}
