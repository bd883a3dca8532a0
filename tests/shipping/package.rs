//! The Debian package: built, examined, installed, upgraded, removed and purged; and its unit.

use crate::root::{BINARY, run, scratch};

/// Everything in one run of the root, whose changes are gone behind it.
#[test]
fn it_comes_and_goes() {
    let folder = scratch();
    let script = format!(
        "set -e
         # This root keeps neither manual pages nor documentation; a host does.
         rm -f /etc/dpkg/dpkg.cfg.d/*
         strip -o {folder}/rdmactl {BINARY}
         packaging/deb --binary {folder}/rdmactl --output {folder} >/dev/null
         lintian --allow-root --fail-on error {folder}/*.deb
         find / -xdev -name '*rdmactl*' -not -path '{tree}/*' | sort >{folder}/before
         for again in install upgrade; do dpkg -i {folder}/*.deb; done
         test \"$(rdmactl -V)\" = \"rdmactl {version}\"
         man -w rdmactl-dev
         # The unit, with the program and the page that it names in their places.
         systemd-analyze verify /usr/lib/systemd/system/rdmactl-netns.service
         test ! -e /etc/systemd/system/sysinit.target.wants/rdmactl-netns.service
         bash -c '. /usr/share/bash-completion/completions/rdmactl; complete -p rdmactl'
         dpkg -r rdmactl; dpkg -P rdmactl
         find / -xdev -name '*rdmactl*' -not -path '{tree}/*' -not -path '/var/cache/*' | sort | diff {folder}/before - >&2",
        folder = folder.path().display(),
        tree = crate::root::TREE,
        version = env!("CARGO_PKG_VERSION"),
    );
    let said = run(&["sh", "-c", &script]);
    assert!(said.ok, "{}\n{}", said.stdout, said.stderr);
    assert!(
        said.stdout.contains("complete -F _rdmactl rdmactl"),
        "{said:?}"
    );
    assert!(!said.stdout.contains("\nE: "), "{said:?}");
}

/// The examples are what the tool itself writes, and the modules of an adapter.
#[test]
fn examples_of_modprobe_and_modules_load() {
    let tree = crate::root::TREE;
    let modprobe =
        std::fs::read_to_string(format!("{tree}/packaging/modprobe.d/rdmactl.conf")).unwrap();
    let lines: Vec<&str> = modprobe
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert_eq!(lines, ["options ib_core netns_mode=0"]);
    let modules =
        std::fs::read_to_string(format!("{tree}/packaging/modules-load.d/rdmactl.conf")).unwrap();
    for line in modules.lines() {
        let name = line
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        assert!(line.starts_with('#') || name && !line.is_empty(), "{line}");
    }
}
