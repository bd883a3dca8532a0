//! `--all-netns`: what every namespace has, against the stock tools run inside each.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::adapter::until;
use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::pci;

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("what_each_namespace_has", each)
            .adapter("mode=ib sfs=2")
            .exclusive(),
        case("shared_mode", shared).ethernet(),
        case("shows_only", shows_only),
    ]
}

/// What iproute2 lists in a namespace, which `way` leads into.
fn theirs(lab: &Lab, way: &str, words: &str) -> Vec<Value> {
    let out = lab.exec(&format!("{way} rdma -j {words}")).stdout;
    let listed: Value = serde_json::from_str(&out).unwrap_or(Value::Array(Vec::new()));
    listed.as_array().cloned().unwrap_or_default()
}

/// Our rows by the namespace they say they are of, that word left out.
fn by_namespace(rows: &Value) -> BTreeMap<String, Vec<Value>> {
    let mut found: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for row in rows.as_array().unwrap() {
        let mut row = row.clone();
        let netns = row.as_object_mut().unwrap().remove("netns");
        let netns = netns.unwrap_or_else(|| panic!("{row} has no namespace"));
        found
            .entry(netns.as_str().unwrap().to_owned())
            .or_default()
            .push(row);
    }
    found
}

fn each(lab: &Lab) {
    let (first, second) = (lab.vf_rdma(0), lab.vf_rdma(1));
    let blue = lab.netns("blue");
    let held = lab.spawn_in_new_netns(&["sleep", "60"]);
    let pid = held.pid().to_string();
    lab.iproute2_rdma(&["dev", "set", &first, "netns", "blue"])
        .ok();
    // iproute2 before 7.0 takes names only.
    lab.rdmactl(&["dev", "set", &second, "netns", &pid]).ok();
    let unnamed = pci::target(format!("/proc/{pid}/ns/net")).unwrap();
    let own = pci::target("/proc/self/ns/net").unwrap();
    let places = [
        (own.as_str(), "env".to_owned()),
        ("blue", "nsenter --net=/run/netns/blue".to_owned()),
        (&unnamed, format!("nsenter --net=/proc/{pid}/ns/net")),
    ];
    for words in [
        "dev show",
        "link show",
        "resource show",
        "statistic show",
        "statistic mode supported",
    ] {
        let mut argv = vec!["--all-netns", "-j"];
        argv.extend(words.split(' '));
        let ours = by_namespace(&lab.rdmactl(&argv).ok().json());
        assert!(ours.len() == places.len(), "{words}: {ours:?}");
        for (netns, way) in &places {
            let theirs = theirs(lab, way, words);
            // Older iproute2 has fewer keys, and limits are ours.
            let same = |(ours, theirs): (&Value, &Value)| {
                let mut keys = theirs.as_object().unwrap().iter();
                keys.all(|(key, value)| value.is_object() || ours[key] == *value)
            };
            let ours = &ours[*netns];
            assert!(
                ours.len() == theirs.len()
                    && !theirs.is_empty()
                    && ours.iter().zip(&theirs).all(same),
                "{words} in {netns}: {ours:?}\n{theirs:?}"
            );
        }
    }
    let line = |name: &str| {
        let text = lab.rdma(&["-all-netns", "dev"]).ok().stdout;
        let mut lines = text.lines().map(str::to_owned);
        lines
            .find(|line| line.contains(&format!(": {name}: ")))
            .unwrap()
    };
    assert!(line(&first).ends_with(" netns blue "), "{}", line(&first));
    assert!(line(&second).ends_with(&format!(" netns {unnamed} ")));
    // The first line of a record says it, whatever follows.
    let details = lab
        .rdmactl(&["-d", "--all-netns", "dev", "show", &second])
        .ok();
    let begin = details.stdout.lines().next().unwrap();
    assert!(
        begin.contains(&format!(" netns {unnamed} "))
            && begin.contains(&format!(" netns_pid {pid} netns_comm sleep ")),
        "{details}"
    );
    let table = lab
        .rdmactl(&["--all-netns", "--format", "table", "link"])
        .ok();
    assert!(
        table.stdout.lines().next().unwrap().ends_with("NETNS"),
        "{table}"
    );
    vfs(lab, [(&first, "blue"), (&second, &unnamed)]);
    // By name, wherever it is; of a device that is nowhere, that is said once.
    for name in [&first, &second] {
        let rows = lab
            .rdmactl(&["-j", "--all-netns", "dev", "show", name])
            .ok()
            .json();
        assert_eq!(rows.as_array().unwrap().len(), 1, "{rows}");
        assert_eq!(rows[0]["ifname"], **name);
    }
    let none = lab
        .rdmactl(&["-j", "--all-netns", "dev", "show", "nope"])
        .fails(1);
    assert_eq!(none.stdout, "[]\n", "{none}");
    assert_eq!(
        none.stderr.matches("Wrong device name").count(),
        1,
        "{none}"
    );
    lab.rdmactl(&["--all-netns", "link", "show", &format!("{first}/2")])
        .fails(1)
        .stderr_has("has no port 2");
    let batch = format!(
        "printf 'dev show {first}\\nsystem\\ndev set {first} name x\\n' | {FACES}/rdmactl --all-netns -f -b -"
    );
    lab.sh(&batch)
        .fails(1)
        .stdout_has(" netns blue \nnetns exclusive ")
        .stderr_has("for commands that show")
        .stderr_has("Command failed -:3");
    let watched = format!("{FACES}/rdmactl -j --watch 0.5 --all-netns dev | head -n 1");
    lab.sh(&watched).ok().stdout_has("\"netns\":\"blue\"");
    unprivileged(lab, &own);
    nameless(lab, &first);
    lab.rdmactl(&["--netns", &pid, "dev", "set", &second, "netns", "1"])
        .ok();
    drop(blue);
}

/// Each VF once, with what it has wherever that is.
fn vfs(lab: &Lab, wanted: [(&str, &str); 2]) {
    let show = ["-j", "--all-netns", "vf", "show"];
    let rows = lab.rdmactl(&show).ok().json();
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 2, "{rows:?}");
    for (row, (name, netns)) in rows.iter().zip(wanted) {
        assert_eq!(
            (&row["rdma"], &row["netns"]),
            (&name.into(), &netns.into()),
            "{row}"
        );
        assert!(
            row["netdev"].is_string() && row["port_state"].is_string(),
            "{row}"
        );
        let one = lab.rdmactl(&[&show[..], &[name]].concat()).ok().json();
        assert_eq!(one, Value::Array(vec![row.clone()]));
    }
    // Without, only what is here.
    let here = lab.rdmactl(&["-j", "vf", "show"]).ok().json();
    assert!(
        here[0]["rdma"].is_null() && here[0]["netns"].is_null(),
        "{here}"
    );
    lab.rdmactl(&["--all-netns", "--format", "table", "vf"])
        .ok()
        .stdout_has("  NETNS\n")
        .stdout_has("  blue\n");
    lab.rdmactl(&["-d", "--all-netns", "vf", "show", wanted[1].0])
        .ok()
        .stdout_has(" netns_comm sleep ");
}

/// The rest is listed, what cannot be entered is named.
fn unprivileged(lab: &Lab, own: &str) {
    let nobody = format!(
        "setpriv --reuid=65534 --regid=65534 --clear-groups {FACES}/rdmactl -j --all-netns dev"
    );
    let out = lab
        .exec(&nobody)
        .fails(1)
        .stderr_has("Cannot enter network namespace \"blue\": Operation not permitted")
        .stderr_has("processes of other users cannot be looked at")
        .stderr_has("as root");
    let rows = out.json();
    let rows = rows.as_array().unwrap();
    assert!(
        !rows.is_empty() && rows.iter().all(|row| row["netns"] == own),
        "{out}"
    );
}

/// Nothing but an open file keeps the namespace.
fn nameless(lab: &Lab, dev: &str) {
    let pid =
        lab.sh("(exec 3</run/netns/blue; exec sleep 50) </dev/null >/dev/null 2>&1 & echo $!");
    let pid = pid.ok().stdout.trim().to_owned();
    until("the file is open", || {
        pci::names(format!("/proc/{pid}/fd")).contains(&"3".to_owned())
    })
    .unwrap();
    lab.ip(&["netns", "delete", "blue"]).ok();
    let rows = lab
        .rdmactl(&["-j", "--all-netns", "dev", "show", dev])
        .ok()
        .json();
    assert!(
        rows[0]["netns"].as_str().unwrap().starts_with("net:["),
        "{rows}"
    );
    lab.sh(&format!("kill {pid}")).ok();
    until("the device is home", || {
        pci::names("/sys/class/infiniband").contains(&dev.to_owned())
    })
    .unwrap();
}

/// Every namespace has every device, once; a port whose interface is elsewhere says where.
fn shared(lab: &Lab) {
    let (dev, netdev) = (lab.vf_rdma(1), lab.vf_netdev(1));
    let _blue = lab.netns("blue");
    lab.ip(&["link", "set", &netdev, "netns", "blue"]).ok();
    for words in ["dev", "resource", "system", "-d -j dev", "statistic"] {
        let words: Vec<&str> = words.split(' ').collect();
        let one = lab.rdmactl(&words).ok().stdout;
        let all = lab
            .rdmactl(&[&["--all-netns"], &words[..]].concat())
            .ok()
            .stdout;
        assert_eq!(one, all);
    }
    let here = lab.rdmactl(&["-j", "link"]).ok().json();
    let all = lab.rdmactl(&["-j", "--all-netns", "link"]).ok().json();
    let (here, all) = (here.as_array().unwrap(), all.as_array().unwrap());
    assert_eq!(here.len(), all.len());
    let moved = all.iter().find(|row| row["ifname"] == *dev).unwrap();
    assert_eq!(
        (&moved["netdev"], &moved["netns"]),
        (&netdev.as_str().into(), &"blue".into())
    );
    assert!(here.iter().all(|row| row["netdev"] != *netdev));
    // So with VFs: the interface tells whose it is.
    let vfs = lab.rdmactl(&["-j", "--all-netns", "vf"]).ok().json();
    let own = pci::target("/proc/self/ns/net").unwrap();
    assert_eq!(
        (&vfs[1]["rdma"], &vfs[1]["netdev"], &vfs[1]["netns"]),
        (
            &dev.as_str().into(),
            &netdev.as_str().into(),
            &"blue".into()
        ),
        "{vfs}"
    );
    assert_eq!(
        (&vfs[0]["netns"], vfs.as_array().map(Vec::len)),
        (&own.as_str().into(), Some(2)),
        "{vfs}"
    );
    lab.in_netns("blue", &["ip", "link", "set", &netdev, "netns", "1"])
        .ok();
}

fn shows_only(lab: &Lab) {
    let dev = lab.vf_rdma(0);
    for words in [
        format!("dev set {dev} name x"),
        "system set netns exclusive".to_owned(),
        format!("link delete {dev}"),
        format!("statistic qp bind link {dev} lqpn 1"),
        "dev reclaim".to_owned(),
        format!("vf unbind {dev}"),
        format!("vf set {dev} guid none"),
        "cni gc".to_owned(),
        "monitor --kernel".to_owned(),
        "--netns 1 dev show".to_owned(),
    ] {
        let words: Vec<&str> = words.split(' ').collect();
        lab.rdmactl(&[&["--all-netns"], &words[..]].concat())
            .fails(2)
            .stderr_has("--all-netns");
    }
    assert_eq!(lab.vf_rdma(0), dev);
    // What records say is of no namespace.
    lab.rdmactl(&["--all-netns", "-j", "cni", "list"])
        .ok()
        .stdout_is("[]\n");
}
