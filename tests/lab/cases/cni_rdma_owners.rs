//! The `rdma` plugin when several calls want one device: one has it, the others are told so.

use std::thread;

use serde_json::json;

use super::cni_call::*;
use super::cni_rdma_recovery::{FOLDERS, POD};
use crate::adapter::until;
use crate::case::{Case, case};
use crate::handle::Lab;

pub(crate) fn cases() -> Vec<Case> {
    let exclusive = |name, run| case(name, run).exclusive().may_change(FOLDERS);
    vec![
        exclusive("r16_parallel_adds", r16_parallel_adds),
        exclusive(
            "late_del_spares_the_next_owner",
            late_del_spares_the_next_owner,
        ),
        exclusive("second_add_is_refused", second_add_is_refused),
        exclusive(
            "locked_device_names_its_holder",
            locked_device_names_its_holder,
        ),
    ]
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
