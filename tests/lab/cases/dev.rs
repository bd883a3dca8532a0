//! `dev`: renaming and moving devices, checked through iproute2.

use crate::case::{Case, case};
use crate::handle::Lab;
use crate::soft_roce::SoftRoce;

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("rename_and_back", rename_and_back),
        case("move_to_a_named_namespace_and_back", move_to_named).exclusive(),
        case("move_by_path_and_by_pid", move_by_path_and_by_pid).exclusive(),
        case("move_ethernet", move_to_named).exclusive().ethernet(),
        case("move_where_it_is", move_where_it_is).exclusive(),
        case("move_soft_roce", move_soft_roce)
            .no_adapter()
            .exclusive()
            .only(&["7.3"], "soft-RoCE can be moved since 7.3"),
        case("a_dying_namespace_sends_it_home", dying_namespace).exclusive(),
        case("a_taken_name_comes_home_as_ibdev", comes_home_as_ibdev)
            .exclusive()
            .only(&["7.3"], "names are unique per namespace since 7.3"),
        case("adaptive_moderation", adaptive_moderation),
        case("dry_run", dry_run).exclusive(),
        case("odd_names_are_shown_and_can_be_repaired", odd_names),
        case("sub_devices", sub_devices),
        case("a_driver_without_sub_devices", no_sub_devices)
            .no_adapter()
            .only(&["6.12", "7.3"], "sub-devices came with 6.11"),
        case("tables_on_a_terminal", tables_on_a_terminal),
    ]
}

fn names(lab: &Lab) -> String {
    lab.iproute2_rdma(&["dev"]).ok().stdout
}

fn rename_and_back(lab: &Lab) {
    let dev = lab.vf_rdma(0);
    lab.rdmactl(&["dev", "set", &dev, "name", "roce-a.0"])
        .ok()
        .silent();
    assert!(names(lab).contains(": roce-a.0: "));
    // Set to what it is: done.
    lab.rdmactl(&["dev", "set", "roce-a.0", "name", "roce-a.0"])
        .ok()
        .silent();
    for bad in ["a/b", "a b", "r%d", "", "..", &"x".repeat(64)] {
        lab.rdmactl(&["dev", "set", "roce-a.0", "name", bad])
            .fails(2)
            .stderr_has("RDMA device name");
    }
    lab.rdmactl(&["dev", "set", "roce-a.0", "name", &dev])
        .ok()
        .silent();
}

fn move_to_named(lab: &Lab) {
    let dev = lab.vf_rdma(1);
    let _blue = lab.netns("blue");
    lab.rdmactl(&["dev", "set", &dev, "netns", "blue"])
        .ok()
        .silent();
    assert!(!names(lab).contains(&format!(": {dev}: ")));
    lab.in_netns("blue", &["rdma", "dev"])
        .ok()
        .stdout_has(&format!(": {dev}: "));
    lab.rdmactl(&["--netns", "blue", "dev", "show"])
        .ok()
        .stdout_has(&format!(": {dev}: "));
    lab.rdmactl(&["--netns", "blue", "dev", "set", &dev, "netns", "1"])
        .ok()
        .silent();
    assert!(names(lab).contains(&format!(": {dev}: ")));
}

fn move_by_path_and_by_pid(lab: &Lab) {
    let dev = lab.vf_rdma(0);
    let _blue = lab.netns("blue");
    lab.rdmactl(&["dev", "set", &dev, "netns", "/run/netns/blue"])
        .ok()
        .silent();
    lab.in_netns("blue", &["rdma", "dev"])
        .ok()
        .stdout_has(&format!(": {dev}: "));
    let held = lab.spawn_in_new_netns(&["sleep", "60"]);
    let pid = held.pid().to_string();
    // From one foreign namespace to another, then home by a path from inside.
    lab.rdmactl(&[
        "--netns",
        "/run/netns/blue",
        "dev",
        "set",
        &dev,
        "netns",
        &pid,
    ])
    .ok()
    .silent();
    lab.sh(&format!("nsenter -t {pid} -n rdma dev"))
        .ok()
        .stdout_has(&format!(": {dev}: "));
    lab.rdmactl(&[
        "--netns",
        &pid,
        "dev",
        "set",
        &dev,
        "netns",
        "/proc/1/ns/net",
    ])
    .ok()
    .silent();
    assert!(names(lab).contains(&format!(": {dev}: ")));
    lab.rdmactl(&["dev", "set", &dev, "netns", "/etc/passwd"])
        .fails(1)
        .stderr_has("not a network namespace");
}

/// Already there is done; the kernel before 7.3 would take the device from its users to put it where it is.
fn move_where_it_is(lab: &Lab) {
    let dev = lab.vf_rdma(0);
    let _blue = lab.netns("blue");
    lab.rdmactl(&["dev", "set", &dev, "netns", "1"])
        .ok()
        .silent();
    lab.rdmactl(&["dev", "set", &dev, "netns", "blue"])
        .ok()
        .silent();
    lab.rdmactl(&["dev", "set", &dev, "netns", "blue"])
        .ok()
        .silent();
    lab.rdmactl(&["--netns", "blue", "dev", "set", &dev, "netns", "blue"])
        .ok()
        .silent();
    lab.rdmactl(&["--netns", "blue", "dev", "set", &dev, "netns", "1"])
        .ok()
        .silent();
}

fn move_soft_roce(lab: &Lab) {
    let _device = SoftRoce::devices(1);
    let blue = lab.netns("blue");
    lab.rdmactl(&["dev", "set", "rxe0", "netns", "blue"])
        .ok()
        .silent();
    lab.rdmactl(&["--netns", "blue", "dev", "show", "rxe0"])
        .ok()
        .stdout_has("rxe0");
    lab.rdmactl(&["--netns", "blue", "dev", "set", "rxe0", "netns", "1"])
        .ok()
        .silent();
    lab.rdmactl(&["dev", "show", "rxe0"]).ok();
    drop(blue);
    lab.rdmactl(&["link", "delete", "rxe0"]).ok().silent();
}

fn dying_namespace(lab: &Lab) {
    let dev = lab.vf_rdma(1);
    let blue = lab.netns("blue");
    lab.rdmactl(&["dev", "set", &dev, "netns", "blue"]).ok();
    drop(blue);
    assert!(names(lab).contains(&format!(": {dev}: ")));
}

/// A name given in the namespace is taken at home: the kernel picks `ibdevN`, and a rename repairs it.
fn comes_home_as_ibdev(lab: &Lab) {
    let (dev, other) = (lab.vf_rdma(1), lab.vf_rdma(0));
    let blue = lab.netns("blue");
    lab.rdmactl(&["dev", "set", &dev, "netns", "blue"]).ok();
    lab.rdmactl(&["--netns", "blue", "dev", "set", &dev, "name", &other])
        .ok()
        .silent();
    // Moving it home by hand is refused, and says who has the name.
    lab.rdmactl(&["--netns", "blue", "dev", "set", &other, "netns", "1"])
        .fails(1)
        .stderr_has(&other);
    drop(blue);
    let shown = lab.rdmactl(&["-j", "dev", "show"]).ok().json();
    let names: Vec<&str> = shown
        .as_array()
        .unwrap()
        .iter()
        .map(|each| each["ifname"].as_str().unwrap())
        .collect();
    let lost = names
        .iter()
        .find(|name| name.starts_with("ibdev"))
        .unwrap_or_else(|| panic!("{names:?}"));
    lab.rdmactl(&["dev", "set", lost, "name", &dev])
        .ok()
        .silent();
}

fn adaptive_moderation(lab: &Lab) {
    let dev = lab.vf_rdma(0);
    let shown = || lab.iproute2_rdma(&["-d", "dev", "show", &dev]).ok().stdout;
    for (word, text) in [
        ("on", "adaptive-moderation on"),
        ("off", "adaptive-moderation off"),
    ] {
        lab.rdmactl(&["dev", "set", &dev, "adaptive-moderation", word])
            .ok()
            .silent();
        assert!(shown().contains(text), "{}", shown());
    }
    lab.rdmactl(&["dev", "set", &dev, "adaptive-moderation", "maybe"])
        .fails(2)
        .stderr_has("on or off");
}

fn dry_run(lab: &Lab) {
    let dev = lab.vf_rdma(0);
    let _blue = lab.netns("blue");
    let before = names(lab);
    lab.rdmactl(&["--dry-run", "dev", "set", &dev, "netns", "blue"])
        .ok()
        .stdout_has("would move RDMA device");
    lab.rdmactl(&["--dry-run", "dev", "set", &dev, "name", "x0"])
        .ok()
        .stdout_has("would rename RDMA device");
    lab.rdmactl(&["--dry-run", "dev", "set", &dev, "adaptive-moderation", "on"])
        .ok()
        .stdout_has("would switch");
    lab.rdmactl(&["--dry-run", "dev", "delete", &dev])
        .ok()
        .stdout_has("would delete sub-device");
    lab.rdmactl(&[
        "--dry-run",
        "dev",
        "add",
        "smi1",
        "type",
        "SMI",
        "parent",
        &dev,
    ])
    .ok()
    .stdout_has("would add SMI");
    lab.rdmactl(&["--dry-run", "system", "set", "netns", "shared"])
        .ok()
        .stdout_has("would set the netns mode");
    lab.rdmactl(&[
        "--dry-run",
        "link",
        "add",
        "x0",
        "type",
        "rxe",
        "netdev",
        "lo",
    ])
    .ok()
    .stdout_has("would add rxe device");
    let json = lab
        .rdmactl(&["-j", "--dry-run", "dev", "set", &dev, "name", "x0"])
        .ok()
        .json();
    assert!(
        json[0]["would"].as_str().unwrap().starts_with("rename "),
        "{json}"
    );
    assert_eq!(names(lab), before);
    lab.rdmactl(&["system"]).ok().stdout_has("netns exclusive");
}

/// The kernel takes nearly any name; what iproute2 can make must be seen and undone here.
fn odd_names(lab: &Lab) {
    let dev = lab.vf_rdma(0);
    for odd in [
        "a/b",
        "a b",
        "netns",
        "name",
        "-x",
        "é",
        "\"q\"",
        "tab\there",
    ] {
        lab.iproute2_rdma(&["dev", "set", &dev, "name", "--", odd]);
        lab.sh(&format!("rdma dev set {dev} name -- '{odd}'"));
        let shown = lab.rdmactl(&["-j", "dev", "show"]).ok().json();
        let is_there = shown
            .as_array()
            .unwrap()
            .iter()
            .any(|each| each["ifname"] == odd);
        assert!(is_there, "{odd}: {shown}");
        let theirs = lab.iproute2_rdma(&["dev"]).ok().stdout;
        let ours = lab.rdma(&["dev"]).ok().stdout;
        assert!(
            ours.contains(&format!(": {odd}: ")) && theirs.contains(&format!(": {odd}: ")),
            "{ours}{theirs}"
        );
        lab.rdmactl(&["dev", "set", "--", odd, "name", &dev])
            .ok()
            .silent();
    }
}

/// Linux 6.11 brought sub-devices; an older kernel is named as too old, not as wrong.
fn sub_devices(lab: &Lab) {
    let dev = lab.vf_rdma(0);
    let add = || lab.rdmactl(&["dev", "add", "smi1", "type", "SMI", "parent", &dev]);
    if lab.sh("uname -r").ok().stdout.starts_with("6.1.") {
        add()
            .fails(1)
            .stderr_has("Invalid argument")
            .stderr_has("6.11");
        lab.rdmactl(&["dev", "delete", &dev])
            .fails(1)
            .stderr_has("6.11");
        return;
    }
    add().ok().silent();
    let line = format!("type smi parent {dev} ");
    lab.iproute2_rdma(&["dev", "show", "smi1"])
        .ok()
        .stdout_has(&line);
    lab.rdmactl(&["dev", "show", "smi1"]).ok().stdout_has(&line);
    add().fails(1).stderr_has("smi1");
    lab.rdmactl(&["dev", "delete", "smi1"]).ok().silent();
    lab.rdmactl(&["dev", "delete", &dev])
        .fails(1)
        .stderr_has("Operation not supported")
        .stderr_has("sub-device");
}

fn no_sub_devices(lab: &Lab) {
    let _device = SoftRoce::devices(1);
    lab.rdmactl(&["dev", "add", "smi1", "type", "SMI", "parent", "rxe0"])
        .fails(1)
        .stderr_has("Operation not supported")
        .stderr_has("sub-device");
}

fn tables_on_a_terminal(lab: &Lab) {
    let dev = lab.vf_rdma(0);
    let table = lab
        .sh("script -qec 'stty cols 100; /run/lab/faces/rdmactl dev show' /dev/null")
        .ok();
    let first = table
        .stdout
        .lines()
        .next()
        .unwrap_or_default()
        .trim_end()
        .to_owned();
    assert!(
        first.starts_with("INDEX  NAME ") && first.ends_with("SYSTEM IMAGE GUID"),
        "{table}"
    );
    let row = table
        .stdout
        .lines()
        .find(|line| line.contains(&dev))
        .unwrap_or_else(|| panic!("{table}"));
    assert!(!row.contains("node_guid"), "{table}");
    // Under iproute2's name a terminal gets iproute2's text.
    let text = lab
        .sh("script -qec '/run/lab/faces/rdma dev show' /dev/null")
        .ok();
    assert!(text.stdout.contains("node_guid"), "{text}");
}
