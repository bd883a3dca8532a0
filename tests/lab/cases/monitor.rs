//! `monitor`: beside iproute2's, and what iproute2's cannot tell.

use serde_json::Value;

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

/// The changes as programs read them, in order, those that were there at the beginning left out.
fn told(text: &str) -> Vec<Value> {
    let lines = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")));
    let mut last = String::new();
    let mut changes = Vec::new();
    let mut begun = false;
    for line in lines {
        let line: Value = line;
        let time = line["time"]
            .as_str()
            .unwrap_or_else(|| panic!("{line}"))
            .to_owned();
        assert!(time >= last, "{time} before {last}");
        // What is there at the beginning has one and the same time.
        begun |= !last.is_empty() && time != last;
        last = time;
        if begun {
            changes.push(line);
        }
    }
    changes
}

fn changes(lab: &Lab) {
    let (dev, netdev) = (lab.vf_rdma(0), lab.vf_netdev(0));
    let blue = lab.netns("blue");
    let monitor = format!("{FACES}/rdmactl -j monitor --all-netns");
    let heard = listen(
        lab,
        12,
        &[&monitor],
        &format!(
            "rdma dev set {dev} netns blue; sleep 1.5; ip netns exec blue rdma dev set {dev} name pod0; sleep 1.5; \
             {FACES}/rdmactl --netns blue dev set pod0 netns 1; sleep 1.5; rdma dev set pod0 name {dev}; sleep 1.5; \
             ip link set {netdev} up; sleep 1.5; ip link set {netdev} down"
        ),
    );
    let told = told(&heard[0]);
    let has = |event: &str, key: &str, value: &str| {
        assert!(
            told.iter()
                .any(|line| line["event"] == event && line[key] == value),
            "no {event} {key}={value} in\n{}",
            heard[0]
        );
    };
    has("moved", "netns", "blue");
    has("moved", "from", "blue");
    has("renamed", "to", "pod0");
    has("renamed", "to", &dev);
    has("state", "to", "ACTIVE");
    has("state", "to", "DOWN");
    assert!(
        heard[0]
            .lines()
            .next()
            .is_some_and(|line| line.contains("\"event\":\"present\"")),
        "{}",
        heard[0]
    );
    drop(blue);
}

fn mode(lab: &Lab) {
    let heard = listen(
        lab,
        7,
        &[&format!("{FACES}/rdmactl monitor")],
        "rdma system set netns exclusive; sleep 3; rdma system set netns shared",
    );
    assert!(
        heard[0].contains(" netns_mode from shared to exclusive\n"),
        "{}",
        heard[0]
    );
    assert!(
        heard[0].contains(" netns_mode from exclusive to shared\n"),
        "{}",
        heard[0]
    );
}

fn reader_leaves(lab: &Lab) {
    let dev = lab.vf_rdma(0);
    let left = format!("timeout 20 {FACES}/rdmactl monitor | head -n 1; echo ${{PIPESTATUS[0]}}");
    let change = format!(
        "(sleep 1; rdma dev set {dev} adaptive-moderation on; rdma dev set {dev} name x0; rdma dev set x0 name {dev}) & {left}; wait"
    );
    let out = lab.sh(&change).ok().stdout;
    assert!(out.contains(" present ") && out.ends_with("0\n"), "{out}");
    lab.iproute2_rdma(&["dev", "set", &dev, "adaptive-moderation", "off"])
        .ok();
}
