//! Kernel, modules, namespace mode, names, privilege, other managers.

use super::bench::Bench;
use super::{Case, case};
use crate::doctor::{Area, Id};

const STATUS: &str = "proc/self/status";
const RELEASE: &str = "proc/sys/kernel/osrelease";
const MODE: &str = "sys/module/ib_core/parameters/netns_mode";
const CONF: &str = "etc/modprobe.d/rdmactl.conf";
const LOCKDOWN: &str = "sys/kernel/security/lockdown";
const RULES: &str = "usr/lib/udev/rules.d/60-rdma.rules";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = kernel();
    cases.extend(modules());
    cases.extend(netns());
    cases.extend(names());
    cases.extend(privilege());
    cases.extend(managers());
    cases
}

fn kernel() -> Vec<Case> {
    vec![
        case(
            Id::KernelTooOld,
            |bench| {
                bench.file(RELEASE, "5.4.0-generic\n");
            },
            |bench| {
                bench.file(RELEASE, "5.6.0\n");
            },
        ),
        case(
            Id::KernelFeatures,
            |bench| {
                bench.file(RELEASE, "6.12.95+deb13-amd64\n");
            },
            |bench| {
                bench.file(RELEASE, "10.0\n");
            },
        ),
        case(
            Id::KernelLockdown,
            |bench| {
                bench.file(LOCKDOWN, "none integrity [confidentiality]\n");
            },
            |bench| {
                bench.remove(LOCKDOWN);
            },
        ),
    ]
}

fn modules() -> Vec<Case> {
    vec![
        // Without it there are no devices either, and nothing may make the kernel load it.
        case(
            Id::ModulesIbCore,
            |bench| {
                bench.remove("sys/module/ib_core");
                bench.file("lib/modules/7.3.1/modules.dep", "kernel/x/ib_core.ko:\n");
            },
            |bench| {
                bench.remove("sys/module/ib_core");
                bench.file("sys/module/ib_core/uevent", "");
            },
        ),
        case(
            Id::ModulesRdmaHalf,
            |bench| {
                bench.function("0000:07:00.0", Some("ice"));
                bench.file("sys/devices/0000:07:00.0/ice.roce.0/uevent", "");
            },
            |bench| {
                bench.function("0000:07:00.0", Some("ice"));
                bench.file("sys/bus/auxiliary/drivers/irdma/bind", "");
                bench.link(
                    "sys/devices/0000:07:00.0/ice.roce.0/driver",
                    "../../../bus/auxiliary/drivers/irdma",
                );
                bench.function("0000:08:00.0", Some("ice"));
            },
        ),
        case(
            Id::ModulesNoRdmaDevice,
            |bench| {
                bench.function("0000:07:00.0", Some("mlx5_core"));
            },
            // It is in another namespace.
            |bench| {
                bench.function("0000:07:00.0", Some("mlx5_core"));
                bench.member("0000:07:00.0", "infiniband_verbs", "uverbs77");
            },
        ),
        case(
            Id::ModulesIpoib,
            |bench| {
                bench
                    .remove("sys/module/ib_ipoib")
                    .remove("sys/devices/0000:01:00.0/net");
            },
            // The vendor's own way.
            |bench| {
                bench
                    .remove("sys/module/ib_ipoib")
                    .remove("sys/devices/0000:01:00.0/net");
                bench.file("sys/devices/0000:01:00.0/sriov/0/node", "");
            },
        ),
        case(
            Id::ModulesUverbs,
            |bench| {
                bench.remove("sys/module/ib_uverbs");
            },
            |bench| {
                bench.remove("sys/module/ib_uverbs");
                bench.devices.clear();
            },
        ),
        case(
            Id::ModulesUmad,
            |bench| {
                bench.remove("sys/module/ib_umad");
            },
            |bench| {
                bench.remove("sys/module/ib_umad");
                bench.devices.retain(|device| device.protocol != "ib");
            },
        ),
    ]
}

fn shared(bench: &mut Bench) {
    bench.mode = 1;
    bench.file(MODE, "Y\n").remove(CONF).remove("etc/cni");
}

fn netns() -> Vec<Case> {
    vec![
        case(Id::NetnsShared, shared, |bench| {
            shared(bench);
            bench.file(CONF, "options ib_core netns_mode=1\n");
        }),
        case(
            Id::NetnsNotPersistent,
            |bench| {
                bench.remove(CONF);
            },
            |bench| {
                bench.remove(CONF);
                bench.file("proc/cmdline", "ib_core.netns_mode=0\n");
            },
        ),
        case(
            Id::NetnsNotRunning,
            |bench| {
                shared(bench);
                bench.file(CONF, "options ib_core netns_mode=0\n");
            },
            |bench| {
                bench.file("etc/modprobe.d/other.conf", "options ib_core other=1\n");
            },
        ),
        case(
            Id::NetnsCommandLine,
            |bench| {
                bench.file("proc/cmdline", "ib_core.netns_mode=0\n");
                bench.file(CONF, "options ib_core netns_mode=1\n");
            },
            |bench| {
                bench.file("proc/cmdline", "ib_core.netns_mode=0\n");
            },
        ),
        case(
            Id::NetnsInitramfs,
            |bench| {
                bench
                    .file("boot/initrd.img-7.3.1", "")
                    .old("boot/initrd.img-7.3.1");
            },
            |bench| {
                bench.file("boot/initrd.img-7.3.1", "").old(CONF);
            },
        ),
        case(
            Id::NetnsInvalid,
            |bench| {
                bench.file(CONF, "options ib_core netns_mode=maybe\n");
            },
            |bench| {
                bench.file(CONF, "options ib_core netns_mode=n\n");
            },
        ),
        case(
            Id::NetnsBlocked,
            |bench| {
                shared(bench);
                bench.process(9, "net:[200]");
            },
            // Nothing wants to change what runs.
            |bench| {
                bench.process(9, "net:[200]");
            },
        )
        .also(&[Id::NetnsShared]),
    ]
}

fn names() -> Vec<Case> {
    vec![
        case(
            Id::NamesUnstable,
            |bench| {
                bench.rename(0, "mlx5_0").rename(1, "mlx5_1").remove(RULES);
            },
            // The only one is always the first.
            |bench| {
                bench.rename(0, "mlx5_0").remove(RULES);
            },
        ),
        case(
            Id::NamesKernel,
            |bench| {
                bench.rename(1, "mlx5_1");
            },
            // Soft-RoCE sits on nothing.
            |bench| {
                bench.device(1).name = "mlx5_1".to_owned();
            },
        ),
        case(
            Id::NamesFallback,
            |bench| {
                bench.rename(1, "ibdev4");
            },
            |bench| {
                bench.rename(1, "ibdevice").rename(2, "ibdev");
            },
        ),
        case(
            Id::NamesUnsound,
            |bench| {
                bench.rename(1, "a!b");
                bench.device(1).name = "a/b".to_owned();
            },
            |bench| {
                bench.rename(1, "a-b.c");
            },
        ),
    ]
}

fn privilege() -> Vec<Case> {
    vec![
        case(
            Id::PrivilegeMissing,
            |bench| {
                bench.file(STATUS, "CapEff:\t0000000000001000\n");
            },
            |bench| {
                bench.file(STATUS, "CapEff:\t0000000000201000\n");
            },
        ),
        case(
            Id::PrivilegeUserNamespace,
            |bench| {
                bench.link("proc/self/ns/user", "user:[4026532456]");
            },
            |bench| {
                bench.link("proc/self/ns/user", "user:[4026532456]");
                bench.file(STATUS, "CapEff:\t0\n");
            },
        ),
        case(
            Id::PrivilegeOtherNetns,
            |bench| {
                bench.process(9, "net:[200]");
                bench.link("proc/thread-self/ns/net", "net:[200]");
            },
            // In a container the first one cannot be told from others.
            |bench| {
                bench.process(9, "net:[200]");
                bench.link("proc/thread-self/ns/net", "net:[200]");
                bench.link("proc/self/ns/pid", "pid:[4026532999]");
            },
        ),
        case(
            Id::PrivilegeUnseen,
            |bench| {
                bench.file("sys/devices/0000:01:00.0/sriov_totalvfs", "seven");
            },
            |bench| {
                bench.remove("etc").remove("opt").remove("usr/lib");
            },
        ),
    ]
}

fn managers() -> Vec<Case> {
    const CONNECTION: &str = "etc/NetworkManager/system-connections/a b.nmconnection";
    vec![
        case(
            Id::ManagersNetworkManager,
            |bench| {
                bench.file(CONNECTION, "[connection]\nid=a b\n[sriov]\ntotal-vfs=4\n");
                bench.file(
                    "etc/NetworkManager/conf.d/x.conf",
                    "[device-ib]\nsriov-num-vfs=4\n",
                );
            },
            |bench| {
                bench.file(
                    CONNECTION,
                    "[connection]\nid=sriov\n#[sriov]\n#total-vfs=4\n",
                );
                bench.file(
                    "etc/NetworkManager/conf.d/x.conf",
                    "[device-ib]\n;sriov-num-vfs=4\n",
                );
            },
        ),
        case(
            Id::ManagersNetworkd,
            |bench| {
                bench.file(
                    "etc/systemd/network/10.link.d/x.conf",
                    "[Link]\nSR-IOVVirtualFunctions=4\n",
                );
            },
            |bench| {
                bench.file(
                    "etc/systemd/network/10.link",
                    "[Link]\n# SR-IOVVirtualFunctions=4\nMTUBytes=9000\n",
                );
            },
        ),
        case(
            Id::ManagersNetplan,
            |bench| {
                bench.file(
                    "etc/netplan/50.yaml",
                    "network:\n  ethernets:\n    e0:\n      virtual-function-count: 4\n",
                );
            },
            |bench| {
                bench.file(
                    "etc/netplan/50.yaml",
                    "network:\n  # virtual-function-count: 4\n  version: 2\n",
                );
            },
        ),
        case(
            Id::ManagersOperator,
            |bench| {
                bench.file("etc/sriov-operator/sriov-interface-config.yaml", "");
            },
            |bench| {
                bench.file("etc/sriov-operator-backup", "");
            },
        ),
    ]
}

#[test]
fn a_host_full_of_containers_is_not_emptied() {
    let mut bench = Bench::sound();
    shared(&mut bench);
    for pid in 2..12 {
        bench.process(pid, &format!("net:[{}]", 200 + pid));
    }
    let blocked = |bench: &Bench| {
        let findings = bench.findings(&[Area::Netns]).into_iter();
        let mut found = findings.filter(|finding| finding.id == Id::NetnsBlocked);
        found.next().unwrap()
    };
    assert_eq!(blocked(&bench).remedy.end.len(), 10);
    bench.process(12, "net:[212]");
    let finding = blocked(&bench);
    assert!(finding.remedy.end.is_empty() && finding.evidence.len() == 11);
    assert_eq!(
        finding.remedy.commands,
        ["rdmactl system set netns exclusive --persist"]
    );
}
