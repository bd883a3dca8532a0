//! The packages: built, examined, installed over an older one, removed and purged; and their units.

use crate::root::{BINARY, TREE, run, scratch};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A package in one run of the root, whose changes are gone behind it: what builds it in `$folder`, examines it, installs
/// an older one and then this one, asks which is there, and removes it.
#[track_caller]
fn comes_and_goes(builder: &str, examine: &str, install: [&str; 2], ask: &str, remove: &str) {
    let folder = scratch();
    let script = format!(
        "set -e
         folder={folder}
         # This root keeps neither manual pages nor documentation; a host does.
         rm -f /etc/dpkg/dpkg.cfg.d/*
         strip -o $folder/rdmactl {BINARY}
         export HOME=/ DEBFULLNAME='Ann Admin'
         # Without an address nobody would answer for it.
         ! packaging/deb --binary $folder/rdmactl --output $folder 2>/dev/null
         export DEBEMAIL=rdmactl@packages.debian.org
         for version in 0.0.9 {VERSION}; do
             packaging/{builder} --binary $folder/rdmactl --version $version --output $folder >/dev/null
         done
         {examine}
         find / -xdev -name '*rdma*' -not -path '{TREE}/*' | sort >$folder/before
         wanted=/etc/systemd/system/sysinit.target.wants/rdmactl-netns.service
         # Of an older version, with its unit enabled, and a container whose device is on record.
         {old}
         test ! -e $wanted
         test \"$({ask})\" = 0.0.9
         systemctl enable --quiet rdmactl-netns.service
         mkdir -p /var/lib/cni/rdma
         touch /var/lib/cni/rdma/net-container-eth0
         # What the administrator wrote, and what offers devices by the program's place; another program's stays.
         mkdir -p /etc/rdmactl /etc/systemd/system/rdmactl-provision.service.d /run/cdi
         echo 'version = 1' >/etc/rdmactl/provision.toml
         echo '[Unit]' >/etc/systemd/system/rdmactl-provision.service.d/ours.conf
         echo '{{\"path\":\"/usr/sbin/rdmactl\"}}' >/run/cdi/rdmactl.io-rdma.json
         echo '{{}}' >/run/cdi/other.json
         {new}
         test -e /run/cdi/rdmactl.io-rdma.json
         test -e $wanted
         test \"$({ask})\" = {VERSION}
         test \"$(rdmactl -V)\" = \"rdmactl {VERSION}\"
         man -w rdmactl-dev
         # The units, with the program and the pages that they name in their places.
         systemd-analyze verify /usr/lib/systemd/system/rdmactl-*.service
         for name in rdma rdmactl; do
             bash -c \". /usr/share/bash-completion/completions/$name; complete -p $name\"
             test -e /usr/share/fish/vendor_completions.d/$name.fish
         done
         {remove} 2>$folder/told || {{ cat $folder/told >&2; false; }}
         # It is said that a container has a device; its runtime is offered none any more.
         grep -q 'containers have devices on record' $folder/told
         test \"$(ls /run/cdi)\" = other.json
         grep -q 'version = 1' /etc/rdmactl/provision.toml
         rm -r /etc/rdmactl /etc/systemd/system/rdmactl-provision.service.d
         # No boot looks for a unit that is gone; the record is the container's, who still runs.
         test ! -L $wanted
         rm /var/lib/cni/rdma/net-container-eth0
         rmdir /var/lib/cni/rdma
         find / -xdev -name '*rdma*' -not -path '{TREE}/*' -not -path '/var/cache/*' | sort | diff $folder/before - >&2",
        folder = folder.path().display(),
        old = install[0],
        new = install[1],
    );
    let said = run(&["sh", "-c", &script]);
    assert!(said.ok, "{}\n{}", said.stdout, said.stderr);
    for name in ["rdma", "rdmactl"] {
        let line = format!("complete -F _rdmactl {name}\n");
        assert!(said.stdout.contains(&line), "{said:?}");
    }
    assert!(!said.stdout.contains("\nE: "), "{said:?}");
}

#[test]
fn debian() {
    comes_and_goes(
        "deb",
        &format!("lintian --allow-root --fail-on error $folder/rdmactl_{VERSION}_*.deb"),
        [
            "dpkg -i $folder/rdmactl_0.0.9_*.deb",
            &format!("dpkg -i $folder/rdmactl_{VERSION}_*.deb; dpkg -V rdmactl"),
        ],
        "dpkg-query -W -f '${Version}' rdmactl",
        "{ dpkg -r rdmactl && dpkg -P rdmactl; }",
    );
}

/// The root is Debian's, whose own packages rpm knows nothing of: hence without looking at what is required.
#[test]
fn rpm() {
    comes_and_goes(
        "rpm",
        &format!(
            "rpmlint --config packaging/rpmlint.toml $folder/rdmactl-{VERSION}-*.rpm packaging/rdmactl.spec"
        ),
        [
            "rpm -i --nodeps $folder/rdmactl-0.0.9-*.rpm",
            &format!("rpm -U --nodeps $folder/rdmactl-{VERSION}-*.rpm; rpm -V --nodeps rdmactl"),
        ],
        "rpm -q --qf '%{version}' rdmactl",
        "rpm -e rdmactl",
    );
}

/// The examples are what the tool itself writes, and the modules of an adapter.
#[test]
fn examples_of_modprobe_and_modules_load() {
    let modprobe =
        std::fs::read_to_string(format!("{TREE}/packaging/modprobe.d/rdmactl.conf")).unwrap();
    let lines: Vec<&str> = modprobe
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert_eq!(lines, ["options ib_core netns_mode=0"]);
    let modules =
        std::fs::read_to_string(format!("{TREE}/packaging/modules-load.d/rdmactl.conf")).unwrap();
    for line in modules.lines() {
        let name = line
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        assert!(line.starts_with('#') || name && !line.is_empty(), "{line}");
    }
}
