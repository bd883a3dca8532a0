//! `topology`: every row against sysfs, `rdma` and `ip`, read in the namespace that it names.

use std::fs;

use serde_json::Value;

use super::topology_forms::{forms, hostile, selections, unprivileged};
use crate::case::{Case, case};
use crate::handle::Lab;
use crate::pci;

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("who_has_what", who_has_what)
            .adapter("mode=ib sfs=2")
            .exclusive()
            .may_change(&["rdma device", "netdev ib"]),
    ]
}

pub(super) fn rows(lab: &Lab, words: &[&str]) -> Vec<Value> {
    let out = lab.rdmactl(&[&["-j", "topology"], words].concat()).ok();
    out.json().as_array().unwrap().clone()
}

pub(super) fn find<'r>(rows: &'r [Value], key: &str, value: &str) -> &'r Value {
    let mut of = rows.iter().filter(|row| row[key] == value);
    let row = of
        .next()
        .unwrap_or_else(|| panic!("no {key} {value}: {rows:?}"));
    assert!(of.next().is_none(), "twice {key} {value}: {rows:?}");
    row
}

pub(super) fn text(path: &str) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

/// What stock tools tell of a device, run by the words of `way` in its namespace.
pub(super) fn compare(lab: &Lab, row: &Value, way: &str) {
    let name = row["rdma_dev"].as_str().unwrap();
    let devices = lab
        .exec(&format!("{way} rdma -j dev show {name}"))
        .ok()
        .json();
    let ports = lab
        .exec(&format!("{way} rdma -j link show {name}/1"))
        .ok()
        .json();
    for (ours, theirs) in [
        (&row["rdma_index"], &devices[0]["ifindex"]),
        (&row["node_guid"], &devices[0]["node_guid"]),
        (&row["port"], &ports[0]["port"]),
        (&row["state"], &ports[0]["state"]),
        (&row["physical_state"], &ports[0]["physical_state"]),
    ] {
        assert_eq!(ours, theirs, "{row}\n{devices}\n{ports}");
    }
    let port = format!("/sys/class/infiniband/{name}/ports/1");
    let guid = row["port_guid"].as_str();
    let gid = guid.map_or(String::new(), |_| format!("{port}/gids/0"));
    let files = lab.exec(&format!("{way} cat {port}/rate {port}/link_layer {gid}"));
    let files = files.ok().stdout;
    let lines: Vec<&str> = files.lines().collect();
    assert_eq!(row["rate"], lines[0]);
    assert_eq!(lines[1] == "InfiniBand", guid.is_some(), "{row}");
    assert!(guid.is_none_or(|guid| lines[2].ends_with(guid)), "{row}");
    let uverbs = row["uverbs"].as_str().unwrap().rsplit('/').next().unwrap();
    let folder = format!("/sys/class/infiniband_verbs/{uverbs}");
    assert_eq!(text(&format!("{folder}/ibdev")).as_deref(), Some(name));
    assert_eq!(
        row["uverbs_number"].as_str(),
        text(&format!("{folder}/dev")).as_deref()
    );
    let node = lab.exec(&format!(
        "stat -c %Hr:%Lr {}",
        row["uverbs"].as_str().unwrap()
    ));
    assert_eq!(row["uverbs_number"].as_str(), Some(node.ok().stdout.trim()));
}

/// A function's own properties, which no namespace changes.
pub(super) fn compare_function(row: &Value) {
    let pci = row["pci"].as_str().unwrap();
    let numa = text(&format!("{}/numa_node", pci::device(pci).display()));
    let numa: Option<u64> = numa.and_then(|node| node.parse().ok());
    assert_eq!(row["numa_node"].as_u64(), numa, "{row}");
    let folder = match row["auxiliary"].as_str() {
        Some(name) => pci::device(pci).join(name),
        None => pci::device(pci),
    };
    assert_eq!(
        row["driver"].as_str(),
        pci::target(folder.join("driver")).as_deref(),
        "{row}"
    );
    if let Some(index) = row["vf"].as_u64() {
        let pf = row["pf"].as_str().unwrap();
        assert_eq!(pci::vf(pf, index as u32).as_deref(), Some(pci));
    }
}

fn who_has_what(lab: &Lab) {
    let (pf, first, second) = (lab.pf(), lab.vf(0), lab.vf(1));
    let (name, mover) = (lab.vf_rdma(0), pci::names("/sys/bus/auxiliary/devices"));
    let (moved, stays) = (&mover[0], &mover[1]);
    let sf = pci::names(format!("/sys/bus/auxiliary/devices/{moved}/infiniband")).remove(0);
    let blue = lab.netns("blue");
    lab.rdmactl(&["dev", "set", &name, "netns", "blue"]).ok();
    let held = lab.spawn_in_new_netns(&["sleep", "60"]);
    let pid = held.pid().to_string();
    lab.rdmactl(&["dev", "set", &sf, "netns", &pid]).ok();
    // As a pod of containerd has it.
    let id = "7be92808767a667f35c8505cbf40d14e931ef6db5b0210329cf193b15ba9d605";
    let pod = "kubepods.slice/kubepods-pod4f5ad9ce_6b63_4d5d_8f0e_5d8a4f5a3b1c.slice";
    let group = format!("{pod}/cri-containerd-{id}.scope");
    lab.sh(&format!(
        "cd /sys/fs/cgroup; mkdir -p {group} && echo {pid} > {group}/cgroup.procs"
    ))
    .ok();
    let netdev = pci::netdev(&pf).unwrap();
    let guid = |index: &str, guid: &str| {
        lab.ip(&["link", "set", &netdev, "vf", index, "node_guid", guid])
            .ok();
    };
    guid("1", "02:00:00:00:00:00:00:01");
    lab.sh(&format!(
        "echo {second} > /sys/bus/pci/drivers/mlx5_core/unbind"
    ))
    .ok();

    let all = rows(lab, &[]);
    let roles: Vec<&str> = all
        .iter()
        .map(|row| row["role"].as_str().unwrap())
        .collect();
    assert_eq!(roles, ["pf", "vf", "vf", "sf", "sf"]);
    all.iter().for_each(compare_function);
    assert_eq!((&all[1]["vf"], &all[2]["vf"]), (&0.into(), &1.into()));
    compare(lab, &all[0], "env");
    compare(lab, &all[1], "ip netns exec blue");
    compare(lab, find(&all, "auxiliary", stays), "env");
    let row = find(&all, "auxiliary", moved);
    assert_eq!(
        (&row["rdma_dev"], &row["netns_comm"]),
        (&sf.as_str().into(), &"sleep".into())
    );
    assert_eq!(row["netns_pid"].to_string(), pid);
    assert_eq!(
        (&row["netns_container"], &row["netns_pod"]),
        (&id.into(), &"4f5ad9ce-6b63-4d5d-8f0e-5d8a4f5a3b1c".into()),
        "{row}"
    );
    lab.rdmactl(&["--format", "table", "topology"])
        .ok()
        .stdout_has("4f5ad9ce");
    assert_eq!(
        row["netns"].as_str(),
        pci::target(format!("/proc/{pid}/ns/net")).as_deref()
    );
    assert_eq!(
        (&all[1]["netns"], &all[1]["netns_pid"]),
        (&"blue".into(), &Value::Null)
    );
    assert_eq!(
        all[0]["netns"].as_str(),
        pci::target("/proc/self/ns/net").as_deref()
    );
    // Where the interface of a moved device is, depends on the kernel.
    let here = pci::netdev(&first);
    let there = lab.in_netns(
        "blue",
        &["ls", &format!("/sys/bus/pci/devices/{first}/net")],
    );
    let there = there.stdout.trim().to_owned();
    assert_eq!(
        all[1]["netdev"].as_str(),
        here.as_deref().or(Some(&there)),
        "{}",
        all[1]
    );
    assert_eq!(
        all[1]["netdev_netns"].is_string(),
        here.is_some(),
        "{}",
        all[1]
    );
    // A VF without driver: what the PF will give it.
    let told = lab.ip(&["-j", "link", "show", &netdev]).ok().json();
    let told = told[0]["vfinfo_list"][1]["node guid"]
        .as_str()
        .unwrap()
        .to_owned();
    let digits = |text: &str| text.replace(':', "");
    assert_eq!(digits(all[2]["node_guid"].as_str().unwrap()), digits(&told));
    assert!(
        all[2]["rdma_dev"].is_null() && all[2]["netns"].is_null(),
        "{}",
        all[2]
    );

    selections(lab, &all, &netdev);
    forms(lab, &name, &netdev);
    unprivileged(lab, &name);
    hostile(lab, &name);

    // First of all: a VF that is bound takes the first name that is free here.
    for (dev, netns) in [(&name, "blue"), (&sf, &pid)] {
        lab.rdmactl(&["--netns", netns, "dev", "set", dev, "netns", "1"])
            .ok();
    }
    lab.sh(&format!(
        "echo {second} > /sys/bus/pci/drivers/mlx5_core/bind"
    ))
    .ok();
    guid("1", "00:00:00:00:00:00:00:00");
    drop((blue, held));
    lab.sh(&format!(
        "cd /sys/fs/cgroup; for try in 1 2 3 4 5; do rmdir {group} && break; sleep 0.2; done; rmdir {pod} kubepods.slice"
    ))
    .ok();
}
