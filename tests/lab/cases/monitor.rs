//! `monitor`: beside iproute2's, and what iproute2's cannot tell.

use serde_json::Value;

use crate::beside::{Beside, Place, Setting};
use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::soft_roce::SoftRoce;

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("announcements_are_iproute2s", announcements)
            .no_adapter()
            .only(&["6.12", "7.3"], "the kernel announces since 6.12"),
        case("an_old_kernel_announces_nothing", old_kernel).only(&["6.1"], "newer ones announce"),
        case("moves_renames_and_states", changes)
            .exclusive()
            .ethernet(),
        case("the_mode_changes", mode),
        case("a_reader_that_leaves_ends_it", reader_leaves),
    ]
}

/// Runs `script` while each of `monitors` listens for `seconds`; what they printed.
fn listen(lab: &Lab, seconds: u32, monitors: &[&str], script: &str) -> Vec<String> {
    let started: String = monitors
        .iter()
        .enumerate()
        .map(|(at, monitor)| format!("timeout {seconds} {monitor} > /tmp/heard{at} & "))
        .collect();
    lab.sh(&format!("{started} sleep 1; {script}; wait")).ok();
    let heard = |at| {
        lab.sh(&format!("cat /tmp/heard{at}; rm /tmp/heard{at}"))
            .ok()
            .stdout
    };
    (0..monitors.len()).map(heard).collect()
}

fn announcements(lab: &Lab) {
    let _interfaces = SoftRoce::pairs(1);
    let ours = format!("{FACES}/rdma");
    let heard = listen(
        lab,
        4,
        &[
            "rdma monitor",
            &format!("{ours} monitor"),
            "rdma -j monitor",
            &format!("{ours} -j mon"),
            &format!("{FACES}/rdmactl -j monitor --kernel"),
        ],
        "rdma link add rxe0 type rxe netdev par0; rdma dev set rxe0 name rxe9; rdma link delete rxe9",
    );
    assert!(
        heard[0].contains("[REGISTER]\tdev ") && heard[0].contains("[UNREGISTER]"),
        "{heard:?}"
    );
    assert_eq!(heard[0], heard[1]);
    assert_eq!(heard[2], heard[3]);
    let settings = [Setting::SoftRoce, Setting::Shared];
    Beside::new(lab, Place::Root, &settings).note(["monitor", "-j monitor"]);
    for line in heard[4].lines() {
        serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
    assert_eq!(heard[4].lines().count(), heard[0].lines().count());
}

fn old_kernel(lab: &Lab) {
    lab.rdma(&["monitor"])
        .fails(1)
        .stderr_has("RDMA monitoring is not supported by the kernel")
        .stderr_has("6.12");
}

fn changes(lab: &Lab) {
    let (dev, netdev) = (lab.vf_rdma(0), lab.vf_netdev(0));
    // As long as the monitor looks into it, it cannot end: that ends first.
    let _blue = lab.netns("blue");
    let mut monitor = lab.start(&format!("{FACES}/rdmactl -j monitor --all-netns"));
    let first = monitor.json();
    assert_eq!(first["event"], "present", "{first}");
    let mut last = String::new();
    let mut heard = |event: &str, key: &str, value: &str| {
        loop {
            let line = monitor.json();
            let time = line["time"].as_str().unwrap_or_else(|| panic!("{line}"));
            assert!(time >= last.as_str(), "{time} before {last}");
            last = time.to_owned();
            if line["event"] == event && line[key] == value {
                return;
            }
        }
    };
    lab.exec(&format!("rdma dev set {dev} netns blue")).ok();
    heard("moved", "netns", "blue");
    let renamed = ["rdma", "dev", "set", &dev, "name", "pod0"];
    lab.in_netns("blue", &renamed).ok();
    heard("renamed", "to", "pod0");
    lab.rdmactl(&["--netns", "blue", "dev", "set", "pod0", "netns", "1"])
        .ok();
    heard("moved", "from", "blue");
    lab.exec(&format!("rdma dev set pod0 name {dev}")).ok();
    heard("renamed", "to", &dev);
    lab.exec(&format!("ip link set {netdev} up")).ok();
    heard("state", "to", "ACTIVE");
    lab.exec(&format!("ip link set {netdev} down")).ok();
    heard("state", "to", "DOWN");
}

fn mode(lab: &Lab) {
    let mut monitor = lab.start(&format!("{FACES}/rdmactl monitor"));
    let first = monitor.line();
    assert!(first.contains(" present "), "{first}");
    for (from, to) in [("shared", "exclusive"), ("exclusive", "shared")] {
        lab.exec(&format!("rdma system set netns {to}")).ok();
        while !monitor
            .line()
            .ends_with(&format!(" netns_mode from {from} to {to}"))
        {}
    }
}

fn reader_leaves(lab: &Lab) {
    let dev = lab.vf_rdma(0);
    let left = format!("timeout 20 {FACES}/rdmactl monitor | head -n 1; echo ${{PIPESTATUS[0]}}");
    // Until it has noticed: what changes before it listens is no news.
    let changes = format!(
        "until [ -e $left ]; do sleep 1; rdma dev set {dev} adaptive-moderation on; rdma dev set {dev} name x0; rdma dev set x0 name {dev}; done"
    );
    let change = format!("left=$(mktemp -u); ({changes}) & {left}; touch $left; wait; rm $left");
    let out = lab.sh(&change).ok().stdout;
    assert!(out.contains(" present ") && out.ends_with("0\n"), "{out}");
    lab.iproute2_rdma(&["dev", "set", &dev, "adaptive-moderation", "off"])
        .ok();
}
