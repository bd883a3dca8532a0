//! Whom `ib-sriov` waits for: holders of its locks for a time, IPAM of others never.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::{fs, thread};

use serde_json::json;

use super::cni_call::{refused, with, without};
use super::ib_sriov::*;
use super::ib_sriov_rows::call_for;
use crate::adapter::until;
use crate::case::{Case, case};
use crate::handle::Lab;

pub(crate) fn cases() -> Vec<Case> {
    let exclusive = |name, run| case(name, run).exclusive().may_change(ANEW);
    vec![
        exclusive("s25_locks_have_a_limit", s25_locks_have_a_limit)
            .only(
                &["6.12"],
                "files are locked alike everywhere, and it waits for long",
            )
            .limit(90),
        exclusive("i11_nobody_waits_for_ipam", i11_nobody_waits_for_ipam)
            .adapter("mode=ib vf_guids=1"),
    ]
}

/// Go waits for ever: for whoever has its file, and there is none for a device.
fn s25_locks_have_a_limit(lab: &Lab) {
    let before = [as_it_is(lab, 0), as_it_is(lab, 1)];
    let vfs = [lab.vf(0), lab.vf(1)];
    let _pod = lab.netns("pod");
    let node = "/var/run/cni/ib-sriov/cni.lock".to_owned();
    let device = format!("/run/rdmactl/device/{}.lock", vfs[1]);
    let held: Vec<_> = [&node, &device]
        .map(|file| {
            let folder = Path::new(file).parent().unwrap().display().to_string();
            let script = format!(
                "mkdir -p {folder}; flock {file} sleep 80 </dev/null >/dev/null 2>&1 & echo $!"
            );
            lab.sh(&script).ok().stdout.trim().to_owned()
        })
        .into();
    let locked = |pid: &String| {
        fs::read_to_string("/proc/locks").is_ok_and(|locks| locks.contains(&format!(" {pid} ")))
    };
    until("the files are locked", || held.iter().all(locked)).unwrap();
    thread::scope(|scope| {
        for (index, vf) in vfs.iter().enumerate() {
            let held = &held[index];
            scope.spawn(move || {
                let conf = without("runtimeConfig", config(vf));
                let conf = with("guidPolicy", json!("keep"), conf);
                refused(
                    call_for(lab, &format!("c{index}"), "ADD", POD, &conf),
                    11,
                    &format!("locked by process {held} (flock)"),
                );
            });
        }
    });
    for pid in &held {
        lab.sh(&format!("pkill -P {pid}")).ok();
    }
    lab.sh(&format!("rm -f {device}")).ok();
    for (index, before) in (0..).zip(&before) {
        // What could not be undone under the other's lock, DEL sees to.
        call_for(
            lab,
            &format!("c{index}"),
            "DEL",
            POD,
            &config(&vfs[index as usize]),
        )
        .ok();
        is_as_it_was(lab, index, before);
    }
}

fn i11_nobody_waits_for_ipam(lab: &Lab) {
    let before = [as_it_is(lab, 0), as_it_is(lab, 1)];
    let vfs = [lab.vf(0), lab.vf(1)];
    let _pods = [lab.netns("pod"), lab.netns("other")];
    fs::create_dir_all("/run/lab/slow").unwrap();
    let plugin = "#!/bin/sh\n: >/run/lab/slow/asked\nwhile ! test -e /run/lab/slow/go; do sleep 0.1; done\necho '{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":\"10.9.0.2/24\"}]}'\n";
    fs::write("/run/lab/slow/slow", plugin).unwrap();
    fs::set_permissions("/run/lab/slow/slow", fs::Permissions::from_mode(0o755)).unwrap();
    let bare = |vf: &str| without("runtimeConfig", config(vf));
    let slow = with("ipam", json!({"type": "slow"}), bare(&vfs[0]));
    let env = [("CNI_NETNS", POD), ("CNI_PATH", "/run/lab/slow")];
    thread::scope(|scope| {
        let waiting = scope.spawn(|| lab.cni("ib-sriov", "ADD", &env, &slow.to_string()));
        let asked = || Path::new("/run/lab/slow/asked").exists();
        let asked = until("the IPAM plugin is asked", asked);
        // I11: the node's lock is free, and another VF comes and goes meanwhile.
        let verbs = ["ADD", "DEL"]
            .map(|verb| call_for(lab, "other", verb, "/run/netns/other", &bare(&vfs[1])));
        // The VF itself is taken.
        let taken = call_for(lab, "other", "ADD", "/run/netns/other", &bare(&vfs[0]));
        fs::write("/run/lab/slow/go", "").unwrap();
        asked.unwrap();
        waiting.join().unwrap().ok().stdout_has("10.9.0.2/24");
        for output in verbs {
            output.ok();
        }
        refused(taken, 102, "");
    });
    lab.cni("ib-sriov", "DEL", &env, &slow.to_string()).ok();
    for (index, before) in (0..).zip(&before) {
        is_as_it_was(lab, index, before);
    }
    lab.exec("rm -r /run/lab/slow").ok();
}
