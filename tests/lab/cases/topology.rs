//! `topology`: every row against sysfs, `rdma` and `ip`, read in the namespace that it names.

use std::fs;

use serde_json::Value;

use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::pci;

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("who_has_what", who_has_what)
            .adapter("mode=ib sfs=2")
            .exclusive()
            .may_change(&["rdma device", "netdev ib"]),
        case("ethernet_in_shared_mode", ethernet)
            .ethernet()
            .may_change(&["rdma device", "netdev eth", "vf "]),
        case("soft_roce", soft_roce).no_adapter(),
        case("vfs_120", many).pf("nvme").vfs(120).limit(120),
    ]
}

fn rows(lab: &Lab, words: &[&str]) -> Vec<Value> {
    let out = lab.rdmactl(&[&["-j", "topology"], words].concat()).ok();
    out.json().as_array().unwrap().clone()
}

fn find<'r>(rows: &'r [Value], key: &str, value: &str) -> &'r Value {
    let mut of = rows.iter().filter(|row| row[key] == value);
    let row = of
        .next()
        .unwrap_or_else(|| panic!("no {key} {value}: {rows:?}"));
    assert!(of.next().is_none(), "twice {key} {value}: {rows:?}");
    row
}

fn text(path: &str) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

/// What stock tools tell of a device, run by the words of `way` in its namespace.
fn compare(lab: &Lab, row: &Value, way: &str) {
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
fn compare_function(row: &Value) {
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

fn selections(lab: &Lab, all: &[Value], netdev: &str) {
    let pf = lab.pf();
    for word in [&pf, netdev, all[0]["rdma_dev"].as_str().unwrap()] {
        assert_eq!(rows(lab, &[word]), all, "{word}");
    }
    assert_eq!(rows(lab, &[&format!("{netdev}/1")]), all[2..3]);
    for key in ["pci", "rdma_dev"] {
        let word = all[1][key].as_str().unwrap();
        assert_eq!(rows(lab, &[word]), all[1..2], "{key}");
    }
    // Names of interfaces are those of the caller's namespace, if it has them.
    assert_eq!(rows(lab, &[all[4]["netdev"].as_str().unwrap()]), all[4..]);
    assert_eq!(
        rows(lab, &[all[4]["auxiliary"].as_str().unwrap()]),
        all[4..]
    );
    let none = lab.rdmactl(&["-j", "map", "mlx5_77"]).fails(1);
    assert_eq!(none.stdout, "[]\n");
    none.stderr_has("there is no \"mlx5_77\"")
        .stderr_has("near to it: mlx5_");
}

/// Lines, tables and diagrams say the same, and always in the same words.
fn forms(lab: &Lab, name: &str, netdev: &str) {
    let own = lab.rdmactl(&["-o", "topology"]).ok();
    let state = text(&format!("/sys/class/net/{netdev}/operstate")).unwrap();
    let state = if state == "up" { "Up" } else { "Down" };
    let pf = pci::rdma(&lab.pf()).unwrap();
    assert!(
        own.stdout
            .starts_with(&format!("{pf} port 1 ==> {netdev} ({state})\n")),
        "{own}"
    );
    assert!(
        own.stdout.contains(&format!("\n{name} port 1 ==> ")),
        "{own}"
    );
    let firmware = text(&format!("/sys/class/infiniband/{pf}/fw_ver")).unwrap();
    let line = format!(
        "{} {pf} fw {firmware} port 1 (ACTIVE) ==> {netdev} ({state})\n",
        lab.pf()
    );
    lab.rdmactl(&["-o", "-d", "map"]).ok().stdout_has(&line);
    for (form, word) in [("dot", "digraph topology {"), ("mermaid", "flowchart LR")] {
        let draw = || lab.rdmactl(&["--format", form, "topology"]).ok();
        let once = draw();
        assert!(
            once.stdout.starts_with(word) && once.stdout.contains(name),
            "{once}"
        );
        assert!(
            once.stdout.contains("VF 1") && once.stdout.contains("no driver"),
            "{once}"
        );
        assert_eq!(once.stdout, draw().stdout);
        lab.rdmactl(&["--format", form, "dev"])
            .fails(2)
            .stderr_has("for topology");
    }
    let table = |columns: u32, words: &str| {
        let script =
            format!("script -qec 'stty cols {columns}; {FACES}/rdmactl {words}' /dev/null");
        lab.sh(&script).ok().stdout.replace('\r', "")
    };
    let narrow = table(80, "topology");
    let head = narrow.lines().next().unwrap();
    assert!(
        head.starts_with("FUNCTION ") && head.ends_with("HOLDER"),
        "{narrow}"
    );
    for words in ["topology", "-d topology"] {
        let shown = table(80, words);
        assert!(
            shown.lines().all(|line| line.chars().count() <= 80),
            "{shown}"
        );
    }
    let all = table(80, "-d topology");
    assert!(all.contains("NODE GUID") && all.contains("uverbs"), "{all}");
    // As `rdma`, text on a terminal too.
    let script = format!("script -qec '{FACES}/rdma topology' /dev/null");
    lab.sh(&script)
        .ok()
        .stdout_has(&format!("pf pci {} ", lab.pf()));
}

/// That there is more is known, and what is in the way is said.
fn unprivileged(lab: &Lab, name: &str) {
    let nobody =
        format!("setpriv --reuid=65534 --regid=65534 --clear-groups {FACES}/rdmactl -j topology");
    let out = lab
        .exec(&nobody)
        .fails(1)
        .stderr_has("Cannot enter network namespace \"blue\"");
    let json = out.json();
    let row = find(json.as_array().unwrap(), "rdma_dev", name);
    assert_eq!(
        (&row["missing"], &row["netns"]),
        (&true.into(), &Value::Null),
        "{out}"
    );
    assert!(row["uverbs"].is_string(), "{out}");
}

/// The kernel takes nearly any name.
fn hostile(lab: &Lab, name: &str) {
    let odd = "a\"]; b\\";
    let set = |from: &str, to: &str| {
        lab.in_netns("blue", &["rdma", "dev", "set", from, "name", to])
            .ok();
    };
    set(name, odd);
    let all = rows(lab, &[]);
    find(&all, "rdma_dev", odd);
    lab.rdmactl(&["--format", "dot", "topology"])
        .ok()
        .stdout_has("label=\"a\\\"]; b\\\\\\nACTIVE\"");
    lab.rdmactl(&["--format", "mermaid", "topology"])
        .ok()
        .stdout_has("a#34;]#59; b#92;<br>ACTIVE");
    set(odd, name);
}

/// Every namespace has the devices; the interface tells whose a port is.
fn ethernet(lab: &Lab) {
    let (vf, netdev) = (lab.vf(0), lab.vf_netdev(0));
    let pf_netdev = pci::netdev(&lab.pf()).unwrap();
    let _blue = lab.netns("blue");
    lab.ip(&["link", "set", &netdev, "netns", "blue"]).ok();
    lab.ip(&[
        "link",
        "set",
        &pf_netdev,
        "vf",
        "1",
        "mac",
        "02:00:00:00:00:11",
    ])
    .ok();
    let second = lab.vf(1);
    lab.sh(&format!(
        "echo {second} > /sys/bus/pci/drivers/mlx5_core/unbind"
    ))
    .ok();
    let all = rows(lab, &[]);
    all.iter().for_each(compare_function);
    compare(lab, &all[0], "env");
    let row = find(&all, "pci", &vf);
    let inside = lab
        .in_netns("blue", &["ip", "-j", "link", "show", &netdev])
        .ok()
        .json();
    assert_eq!(
        (&row["netdev"], &row["netns"]),
        (&netdev.as_str().into(), &"blue".into())
    );
    assert_eq!(
        (&row["mac"], &row["netdev_index"]),
        (&inside[0]["address"], &inside[0]["ifindex"])
    );
    compare(lab, row, "env");
    let bare = find(&all, "pci", &second);
    assert_eq!(bare["mac"], "02:00:00:00:00:11", "{bare}");
    lab.rdmactl(&["-o", "topology"])
        .ok()
        .stdout_has(&format!(" ==> {netdev} (Down) netns blue\n"));
    // Nothing is hidden from anybody here.
    let nobody =
        format!("setpriv --reuid=65534 --regid=65534 --clear-groups {FACES}/rdmactl -j topology");
    assert_eq!(
        lab.exec(&nobody).ok().json().as_array().unwrap().len(),
        all.len()
    );
    lab.in_netns("blue", &["ip", "link", "set", &netdev, "netns", "1"])
        .ok();
    lab.sh(&format!(
        "echo {second} > /sys/bus/pci/drivers/mlx5_core/bind"
    ))
    .ok();
    lab.ip(&[
        "link",
        "set",
        &pf_netdev,
        "vf",
        "1",
        "mac",
        "00:00:00:00:00:00",
    ])
    .ok();
}

fn soft_roce(lab: &Lab) {
    lab.sh("modprobe -a rdma_rxe ib_umad rdma_ucm && ip link add par0 type veth peer name par1 && ip link set par0 up && ip link set par1 up && rdma link add rxe0 type rxe netdev par0")
        .ok();
    let all = rows(lab, &["rxe0"]);
    let [row] = &all[..] else { panic!("{all:?}") };
    compare(lab, row, "env");
    assert_eq!(
        (&row["role"], &row["driver"], &row["pci"]),
        (&"software".into(), &"rxe".into(), &Value::Null)
    );
    assert_eq!(
        (&row["netdev"], &row["netdev_state"]),
        (&"par0".into(), &"up".into())
    );
    let mac = text("/sys/class/net/par0/address");
    assert_eq!(row["mac"].as_str(), mac.as_deref());
    assert_eq!(row["rdma_cm"], "/dev/infiniband/rdma_cm");
    assert_eq!(
        row["rdma_cm_number"].as_str(),
        text("/sys/class/misc/rdma_cm/dev").as_deref()
    );
    // Linux 6.1 has a node for the subnet manager too, of which its netlink knows nothing.
    let umad = pci::names("/sys/class/infiniband_mad");
    let umad = umad.iter().find(|name| name.starts_with("umad")).unwrap();
    assert_eq!(row["umad"], format!("/dev/infiniband/{umad}"), "{row}");
    let number = text(&format!("/sys/class/infiniband_mad/{umad}/dev"));
    assert_eq!(row["umad_number"].as_str(), number.as_deref());
    lab.rdmactl(&["-o", "map"])
        .ok()
        .stdout_is("rxe0 port 1 ==> par0 (Up)\n");
    lab.sh("rdma link delete rxe0; ip link delete par0; rmmod rdma_rxe rdma_ucm ib_umad")
        .ok();
    // A look loads nothing.
    lab.rdmactl(&["topology"]).ok();
    assert!(!std::path::Path::new("/sys/module/ib_umad").exists());
}

fn many(lab: &Lab) {
    let all = rows(lab, &[]);
    assert_eq!(all.len(), 121);
    let mut addresses = Vec::new();
    for (at, row) in all.iter().enumerate() {
        let pci = row["pci"].as_str().unwrap();
        assert_eq!(row["rdma_dev"].as_str(), pci::rdma(pci).as_deref(), "{row}");
        assert_eq!(row["netdev"].as_str(), pci::netdev(pci).as_deref(), "{row}");
        assert_eq!(
            row["vf"].as_u64(),
            at.checked_sub(1).map(|index| index as u64)
        );
        addresses.push(pci);
        compare_function(row);
    }
    addresses.dedup();
    assert_eq!(addresses.len(), 121);
    // Listings and questions by the dozen: never one round trip a device.
    let trace = format!(
        "strace -f -qq -e trace=sendto -o /run/lab/trace {FACES}/rdmactl -o topology >/dev/null && wc -l </run/lab/trace; rm /run/lab/trace"
    );
    let sends: u32 = lab.sh(&trace).ok().stdout.trim().parse().unwrap();
    assert!((5..60).contains(&sends), "{sends} datagrams");
}
