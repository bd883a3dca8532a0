//! Weak spots of Go's `ib-sriov` that no other file of cases is about, each by its number in the list of them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;

use serde_json::{Value, json};

use super::cni_call::{inside, refused, with, without};
use super::ib_sriov::*;
use crate::adapter::until;
use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::output::Output;
use crate::pci;

pub(crate) fn cases() -> Vec<Case> {
    let exclusive = |name, run| case(name, run).exclusive().may_change(ANEW);
    vec![
        exclusive("s20_names_and_protocol", s20_names_and_protocol),
        exclusive("s25_locks_have_a_limit", s25_locks_have_a_limit)
            .only(
                &["6.12"],
                "files are locked alike everywhere, and it waits for long",
            )
            .limit(90),
        exclusive(
            "s44_killed_adds_keep_no_addresses",
            s44_killed_adds_keep_no_addresses,
        )
        .limit(120),
        exclusive("i1_add_again_after_a_kill", i1_add_again_after_a_kill).limit(120),
        exclusive("i11_nobody_waits_for_ipam", i11_nobody_waits_for_ipam)
            .adapter("mode=ib vf_guids=1"),
        exclusive("i12_keys_of_records", i12_keys_of_records),
        exclusive("i13_i17_drivers", i13_i17_drivers),
        exclusive("i16_two_guids", i16_two_guids),
        exclusive("i19_further_names", i19_further_names).adapter("mode=ib vf_guids=1"),
        exclusive("i20_previous_result", i20_previous_result).adapter("mode=ib vf_guids=1"),
        exclusive("i23_garbage_is_told", i23_garbage_is_told),
    ]
}

/// As [`call`], for another container.
fn call_for(lab: &Lab, container: &str, verb: &str, netns: &str, conf: &Value) -> Output {
    let env = [("CNI_NETNS", netns), ("CNI_CONTAINERID", container)];
    lab.cni("ib-sriov", verb, &env, &conf.to_string())
}

/// A call that is killed when it makes a system call for the n-th time.
fn killed_at(lab: &Lab, verb: &str, conf: &Value, syscall: &str, n: u32) -> Output {
    lab.sh(&format!(
        "export CNI_COMMAND={verb} CNI_CONTAINERID=lab-container CNI_IFNAME=eth0 CNI_NETNS={POD} CNI_PATH=/usr/lib/cni
         exec strace -f -o /dev/null -e trace={syscall} -e inject={syscall}:signal=KILL:when={n} {FACES}/ib-sriov <<'END'\n{conf}\nEND"
    ))
}

fn s20_names_and_protocol(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let conf = config(&lab.vf(0));
    let _pod = lab.netns("pod");
    for id in ["a/b", "../x", "-x"] {
        let output = call_for(lab, id, "ADD", POD, &conf);
        refused(output, 4, "invalid characters in containerID");
    }
    let named = |ifname: &str, verb: &str| {
        let env = [("CNI_NETNS", POD), ("CNI_IFNAME", ifname)];
        lab.cni("ib-sriov", verb, &env, &conf.to_string())
    };
    refused(
        named("sixteen-bytes-xx", "ADD"),
        4,
        "interface name is too long",
    );
    refused(named("a/b", "ADD"), 4, "interface name contains / or :");
    named("fifteen-bytes-x", "ADD").ok();
    named("fifteen-bytes-x", "DEL").ok();
    for text in ["", "{"] {
        let output = lab.cni("ib-sriov", "ADD", &[("CNI_NETNS", POD)], text);
        refused(output, 6, "error unmarshall network config: ");
    }
    let version = with("cniVersion", json!("9.9.9"), conf.clone());
    refused(
        call(lab, "ADD", POD, &version),
        1,
        "incompatible CNI versions",
    );
    refused(
        call(lab, "ADD", "", &conf),
        4,
        "required env variables [CNI_NETNS] missing",
    );
    is_as_it_was(lab, 0, &before);
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

/// Five kills use up a /29 with Go's.
fn s44_killed_adds_keep_no_addresses(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let conf = with_ipam(config(&lab.vf(0)));
    let _pod = lab.netns("pod");
    let leases = || {
        let mut names = pci::names("/run/lab/ipam/ibnet");
        names.retain(|name| name.starts_with("10.") || name.starts_with("fd"));
        names
    };
    let mut leased = 0;
    for (syscall, n) in [
        ("wait4", 1),
        ("waitid", 1),
        ("rename", 2),
        ("rename", 3),
        ("sendto", 30),
    ] {
        killed_at(lab, "ADD", &conf, syscall, n);
        leased += usize::from(!leases().is_empty());
        call(lab, "DEL", POD, &conf).ok();
        assert_eq!(
            leases(),
            Vec::<String>::new(),
            "S44: killed at {syscall} {n}"
        );
        is_as_it_was(lab, 0, &before);
    }
    assert!(leased > 0, "it was never killed with an address in hand");
    lab.exec("rm -r /run/lab/ipam").ok();
}

/// The GUID of a killed ADD is not taken for the VF's own by the next one.
fn i1_add_again_after_a_kill(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let told_before = told(lab, 0);
    let conf = config(&lab.vf(0));
    let _pods = [lab.netns("pod"), lab.netns("next")];
    let mut leaked = 0;
    for n in [6, 9, 12, 15, 18] {
        if killed_at(lab, "ADD", &conf, "sendto", n).status == 0 {
            // It sends less than that.
            call(lab, "DEL", POD, &conf).ok();
            continue;
        }
        leaked += usize::from(told(lab, 0)["node guid"] != told_before["node guid"]);
        call_for(lab, "next", "ADD", "/run/netns/next", &conf).ok();
        assert_eq!(told(lab, 0)["node guid"], GUID);
        call_for(lab, "next", "DEL", "/run/netns/next", &conf).ok();
        is_as_it_was(lab, 0, &before);
        call(lab, "DEL", POD, &conf).ok();
        is_as_it_was(lab, 0, &before);
    }
    assert!(leaked > 0, "I1: it was never killed with the GUID set");
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

/// In Go they share a structure with the keys of a configuration, and whoever writes one chooses the GUID.
fn i12_keys_of_records(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let vf = lab.vf(0);
    let _pod = lab.netns("pod");
    let mut conf = config(&vf);
    for (key, value) in [
        ("HostIFGUID", json!("11:22:33:44:55:66:77:88")),
        ("hostifguid", json!("11:22:33:44:55:66:77:88")),
        ("HostIFNames", json!("stolen0")),
        ("ContIFNames", json!("lo")),
        ("Master", json!("lo")),
        ("VFID", json!(1)),
        (
            "RdmaNetState",
            json!({"deviceID": lab.vf(1), "sandboxRdmaDevName": lab.vf_rdma(1), "containerRdmaDevName": "x"}),
        ),
        (
            "rdmactl",
            json!({"phase": "done", "nodeGUID": "11:22:33:44:55:66:77:88"}),
        ),
    ] {
        conf = with(key, value, conf);
    }
    let other = as_it_is(lab, 1);
    call(lab, "ADD", POD, &conf).ok();
    let record = lab.exec(&format!("cat {STATE}/lab-container-eth0")).ok();
    let record = record
        .stdout_lacks("11:22:33")
        .stdout_lacks("stolen0")
        .json();
    assert_eq!(
        (&record["VFID"], &record["ContIFNames"]),
        (&json!(0), &json!("eth0"))
    );
    call(lab, "DEL", POD, &conf).ok();
    is_as_it_was(lab, 0, &before);
    call(lab, "DEL", POD, &conf).ok();
    is_as_it_was(lab, 0, &before);
    is_as_it_was(lab, 1, &other);
}

/// Without a driver there is nothing to give away, and a slow one is waited for.
fn i13_i17_drivers(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let vf = lab.vf(0);
    let _pod = lab.netns("pod");
    let driver = "/sys/bus/pci/drivers/mlx5_core";
    lab.sh(&format!("echo {vf} > {driver}/unbind")).ok();
    let output = call(lab, "ADD", POD, &config(&vf)).stdout_has(&format!("rdmactl vf bind {vf}"));
    refused(output, 108, "driver");
    call(lab, "DEL", POD, &config(&vf)).ok();
    lab.sh(&format!("echo {vf} > {driver}/bind")).ok();
    is_as_it_was(lab, 0, &before);

    lab.inject("probe_delay_ms", "600");
    call(lab, "ADD", POD, &config(&vf)).ok();
    assert_eq!(inside(lab, "pod").len(), 1, "I17");
    call(lab, "DEL", POD, &config(&vf)).ok();
    lab.inject("probe_delay_ms", "0");
    is_as_it_was(lab, 0, &before);
}

/// Go saves the port's GUID, and gives it to both.
fn i16_two_guids(lab: &Lab) {
    let vf = lab.vf(1);
    let pf = pci::netdev(&lab.pf()).unwrap();
    let _pod = lab.netns("pod");
    let set = |node: &str, port: &str| {
        for (key, guid) in [("node_guid", node), ("port_guid", port)] {
            lab.ip(&["link", "set", &pf, "vf", "1", key, guid]).ok();
        }
    };
    let zero = "00:00:00:00:00:00:00:00";
    set("02:00:00:00:00:00:00:11", "02:00:00:00:00:00:00:22");
    let before = as_it_is(lab, 1);
    call(lab, "ADD", POD, &config(&vf)).ok();
    assert_eq!(told(lab, 1)["port guid"], GUID);
    call(lab, "DEL", POD, &config(&vf)).ok();
    is_as_it_was(lab, 1, &before);
    set(zero, zero);
    lab.rdmactl(&["vf", "rebind", &vf]).ok();
}

/// None comes home that the interface did not leave with.
fn i19_further_names(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let (vf, netdev) = (lab.vf(0), lab.vf_netdev(0));
    let _pod = lab.netns("pod");
    let conf = without("rdmaIsolation", without("runtimeConfig", config(&vf)));
    for _ in 0..2 {
        call(lab, "ADD", POD, &conf).ok();
        for name in ["ibpod1", netdev.as_str()] {
            let add = [
                "ip", "link", "property", "add", "dev", "eth0", "altname", name,
            ];
            lab.in_netns("pod", &add).ok();
        }
        call(lab, "DEL", POD, &conf).ok();
        is_as_it_was(lab, 0, &before);
        let link = lab.ip(&["-j", "link", "show", "dev", &netdev]).ok().json();
        assert_eq!(link[0].get("altnames"), None, "I19: {link}");
    }
}

/// What a plugin before this one made is still in the result.
fn i20_previous_result(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let _pod = lab.netns("pod");
    let bare = without(
        "rdmaIsolation",
        without("runtimeConfig", config(&lab.vf(0))),
    );
    let prev = json!({
        "cniVersion": "1.0.0",
        "interfaces": [{"name": "first0", "mac": "02:00:00:00:00:01", "sandbox": POD}],
        "ips": [{"address": "10.1.0.2/24", "interface": 0}],
        "dns": {"nameservers": ["10.1.0.1"]},
    });
    let conf = with_ipam(with("prevResult", prev, bare.clone()));
    let added = call(lab, "ADD", POD, &conf).ok().json();
    let names: Vec<_> = added["interfaces"]
        .as_array()
        .unwrap()
        .iter()
        .map(|each| &each["name"])
        .collect();
    assert_eq!(names, ["first0", "eth0"], "I20: {added}");
    let of: Vec<_> = added["ips"]
        .as_array()
        .unwrap()
        .iter()
        .map(|each| each["interface"].as_u64())
        .collect();
    assert_eq!(of, [Some(0), Some(1), Some(1)], "I20: {added}");
    assert_eq!(added["ips"][0]["address"], "10.1.0.2/24");
    assert_eq!(added["dns"]["nameservers"], json!(["10.1.0.1"]));
    assert!(
        added["interfaces"][1]["mac"].is_string() && added["interfaces"][1]["pciID"].is_string()
    );
    call(
        lab,
        "CHECK",
        POD,
        &with("prevResult", added.clone(), conf.clone()),
    )
    .ok();
    call(lab, "DEL", POD, &with("prevResult", added, conf)).ok();
    is_as_it_was(lab, 0, &before);
    let broken = with("prevResult", json!({"cniVersion": "0.4.0"}), bare);
    refused(
        call(lab, "ADD", POD, &broken),
        7,
        "could not parse prevResult",
    );
    is_as_it_was(lab, 0, &before);
    lab.exec("rm -r /run/lab/ipam").ok();
}

fn i23_garbage_is_told(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let vf = lab.vf(0);
    let _pod = lab.netns("pod");
    let conf = without("link_state", without("runtimeConfig", config(&vf)));
    let conf = with("guidPolicy", json!("keep"), conf);
    call(lab, "ADD", POD, &conf).ok();
    fs::write(format!("{STATE}/lab-container-eth0"), "{").unwrap();
    let ended = call(
        lab,
        "DEL",
        POD,
        &with("logFile", json!("/run/lab/log"), conf),
    )
    .ok();
    assert!(!ended.stderr.is_empty(), "I23: {ended}");
    is_as_it_was(lab, 0, &before);
}
