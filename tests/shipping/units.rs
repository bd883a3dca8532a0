//! The units beside those that need what they make: no mistake, no cycle, and nothing after what it must precede.

use std::path::Path;

use crate::root::{BINARY, Said, TREE, run, scratch};

/// Units that start when all is there: a network manager, a container runtime, and what runs behind both.
const NEEDS: [(&str, &str); 3] = [
    (
        "some-network.service",
        "After=network-pre.target\nWants=network-pre.target network.target\nBefore=network.target",
    ),
    ("containerd.service", "After=network.target"),
    ("kubelet.service", "After=containerd.service"),
];

/// Those of the packages.
const UNITS: [&str; 3] = [
    "rdmactl-netns.service",
    "rdmactl-provision.service",
    "rdmactl-cdi.service",
];

/// Has systemd look at them, changed by `edit`, with the others at hand.
fn verified(folder: &Path, edit: impl Fn(&str) -> String) -> Said {
    for (name, head) in NEEDS {
        let text = format!(
            "[Unit]\n{head}\n[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
        );
        std::fs::write(folder.join(name), text).unwrap();
    }
    for name in UNITS {
        let text = std::fs::read_to_string(format!("{TREE}/packaging/systemd/{name}")).unwrap();
        std::fs::write(folder.join(name), edit(&text)).unwrap();
    }
    let folder = folder.display();
    run(&[
        "sh",
        "-c",
        &format!(
            "set -e
             # With debug information it is too large for the memory that this root's changes are in.
             ln -s {BINARY} /usr/sbin/rdmactl
             cp {folder}/*.service /etc/systemd/system/
             cd /etc/systemd/system
             systemctl --quiet enable *.service
             systemd-analyze verify --man=no {} {} multi-user.target",
            UNITS.join(" "),
            NEEDS.map(|(name, _)| name).join(" ")
        ),
    ])
}

#[test]
fn no_mistake_and_no_cycle() {
    let folder = scratch();
    let said = verified(folder.path(), str::to_owned).ok();
    assert!(!said.stderr.contains("rdmactl"), "{said:?}");
    // It would be told.
    let late = verified(folder.path(), |text| {
        text.replace("After=", "After=network.target ")
    });
    assert!(late.stderr.contains("ordering cycle"), "{late:?}");
    let wrong = verified(folder.path(), |text| {
        text.replace("RemainAfterExit", "Remain")
    });
    assert!(wrong.stderr.contains("Unknown key"), "{wrong:?}");
}

/// What stands behind this key in a unit.
fn words(unit: &str, key: &str) -> Vec<String> {
    let text = std::fs::read_to_string(format!("{TREE}/packaging/systemd/{unit}")).unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix(key));
    lines
        .flat_map(str::split_whitespace)
        .map(str::to_owned)
        .collect()
}

/// All units of the tree are looked at, and packed.
#[test]
fn they_are_all_there() {
    let mut names: Vec<String> = std::fs::read_dir(format!("{TREE}/packaging/systemd"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let mut wanted = UNITS;
    wanted.sort_unstable();
    assert_eq!(names, wanted);
}

/// The document is written when there are VFs, and read when containers start.
#[test]
fn devices_are_offered_between_vfs_and_containers() {
    let unit = "rdmactl-cdi.service";
    let provision = "rdmactl-provision.service".to_owned();
    assert!(words(unit, "After=").contains(&provision));
    // What makes other VFs later has the document written anew.
    assert_eq!(words(unit, "PartOf="), [provision]);
    let before = words(unit, "Before=");
    for name in [
        "docker.service",
        "podman-restart.service",
        "kubelet.service",
    ] {
        assert!(before.iter().any(|word| word == name), "{name}");
    }
    for key in ["Requires=", "RequiredBy=", "BindsTo="] {
        assert!(words(unit, key).is_empty(), "{key}");
    }
}

/// What is in front of the unit, and what waits for it.
#[test]
fn between_drivers_and_those_who_need_them() {
    let words = |key: &str| words("rdmactl-provision.service", key);
    let has = |key: &str, names: &[&str]| {
        let words = words(key);
        for name in names {
            assert!(words.iter().any(|word| word == name), "{key}{name}");
        }
    };
    has(
        "After=",
        &[
            "systemd-udevd.service",
            "systemd-modules-load.service",
            "rdmactl-netns.service",
        ],
    );
    has("Wants=", &["network-pre.target"]);
    has(
        "Before=",
        &[
            "network-pre.target",
            "kubelet.service",
            "containerd.service",
            "docker.service",
        ],
    );
    has("Type=", &["oneshot"]);
    has("DefaultDependencies=", &["no"]);
    // Nobody is required, and nobody requires it: a failure holds up nobody.
    for key in ["Requires=", "RequiredBy=", "BindsTo="] {
        assert!(words(key).is_empty(), "{key}");
    }
}
