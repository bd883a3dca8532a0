//! Files that were made to break a reader: nothing panics, nothing waits, nothing is loaded.

use std::io;
use std::time::{Duration, Instant};

use nix::sys::stat::Mode;
use proptest::prelude::*;

use super::bench::Bench;
use crate::doctor::{Id, examine};
use crate::kernel::fake::Machine;
use crate::kernel::{Host, Protocol};

#[test]
fn a_pipe_in_the_place_of_a_file_is_not_waited_for() {
    let mut bench = Bench::sound();
    bench.remove("opt/cni/bin/ib-sriov");
    let machine = bench.machine();
    for path in [
        "etc/cni/net.d/50-x.conflist",
        "opt/cni/bin/ib-sriov",
        "var/lib/cni/rdma/n-c-eth0",
        "var/lib/cni/ib-sriov/c-net1",
        "etc/NetworkManager/system-connections/x",
        "etc/udev/rules.d/60-rdma.rules",
        "etc/containerd/config.toml",
        "etc/netplan/x.yaml",
        "etc/systemd/network/x.link",
    ] {
        let path = machine.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        nix::unistd::mkfifo(&path, Mode::S_IRWXU).unwrap();
    }
    let begun = Instant::now();
    let ids: Vec<Id> = examine(&machine.host(), &[])
        .iter()
        .map(|found| found.id)
        .collect();
    assert!(begun.elapsed() < Duration::from_secs(5));
    for id in [
        Id::ChainsUnreadable,
        Id::PluginsNotExecutable,
        Id::PrivilegeUnseen,
    ] {
        assert!(ids.contains(&id), "{id:?}");
    }
}

/// Opening the socket has the kernel load ib_core; only where it is there already may it be.
#[test]
fn no_module_is_loaded() {
    let machine = Machine::new().file("proc/sys/kernel/osrelease", "6.1.0\n");
    let host = Host::new(
        &machine.path(""),
        Box::new(|protocol| match protocol {
            Protocol::Rdma => panic!("the socket was opened"),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }),
    );
    let ids: Vec<Id> = examine(&host, &[]).iter().map(|found| found.id).collect();
    assert!(ids.contains(&Id::ModulesIbCore));
}

#[test]
fn an_empty_machine_is_examined_too() {
    let findings = examine(&Machine::new().host(), &[]);
    let ids: Vec<Id> = findings.iter().map(|found| found.id).collect();
    assert_eq!(ids, [Id::ModulesIbCore, Id::PrivilegeUnseen]);
}

const PLACES: [&str; 18] = [
    "proc/sys/kernel/osrelease",
    "proc/self/status",
    "proc/cmdline",
    "proc/self/mountinfo",
    "sys/kernel/security/lockdown",
    "sys/module/ib_core/parameters/netns_mode",
    "sys/devices/0000:01:00.0/sriov_totalvfs",
    "sys/devices/0000:01:00.0/net/ib0f0/ifindex",
    "sys/devices/0000:05:00.0/net/roce6f0/flags",
    "etc/modprobe.d/rdmactl.conf",
    "etc/cni/net.d/10-net.conflist",
    "etc/containerd/config.toml",
    "etc/udev/rules.d/x.rules",
    "var/lib/cni/rdma/n-c-eth0",
    "var/lib/cni/ib-sriov/c-net1",
    "etc/NetworkManager/NetworkManager.conf",
    "etc/netplan/x.yaml",
    "opt/cni/bin/ib-sriov",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_content_panics(
        place in 0..PLACES.len(),
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..64),
            "[\\[\\]{}\":,a-z0-9.\\-=\n \u{1b}é]{0,64}".prop_map(String::into_bytes),
        ],
    ) {
        let mut bench = Bench::sound();
        bench.file(PLACES[place], bytes).run_by_all("opt/cni/bin/rdma");
        bench.findings(&[]);
    }
}
