//! Plugins, chains, leases.

use super::bench::Bench;
use super::{Case, case};
use crate::doctor::Id;
use crate::doctor::facts::Away;
use crate::kernel::Namespace;
use crate::kernel::namespace::Process;
use crate::kernel::netns::NetnsId;
use crate::wire::nldev::device::Device;

pub(super) const RDMA: &str = "opt/cni/bin/rdma";
pub(super) const SRIOV: &str = "opt/cni/bin/ib-sriov";
const FILE: &str = "20-ib.conflist";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = plugins();
    cases.extend(chains());
    cases.extend(leases());
    cases
}

pub(super) fn foreign(bench: &mut Bench) {
    bench.file(SRIOV, "\x7fELF...").run_by_all(SRIOV);
}

fn plugins() -> Vec<Case> {
    vec![
        case(
            Id::PluginsMissing,
            |bench| {
                bench.remove(RDMA);
            },
            // In a folder that the runtime is told of.
            |bench| {
                bench
                    .remove(RDMA)
                    .link("srv/cni/rdma", "../../usr/sbin/rdmactl");
                bench.file("etc/containerd/config.toml", "bin_dirs = [\"/srv/cni\"]\n");
            },
        ),
        case(
            Id::PluginsDangling,
            |bench| {
                bench.link(RDMA, "nothing");
            },
            |bench| {
                bench
                    .link(RDMA, "rdma2")
                    .link("opt/cni/bin/rdma2", "../../../usr/sbin/rdmactl");
            },
        ),
        case(
            Id::PluginsNotExecutable,
            |bench| {
                bench.file(RDMA, "program");
            },
            |bench| {
                bench.file(RDMA, "program").run_by_all(RDMA);
            },
        ),
        case(Id::PluginsForeign, foreign, |bench| {
            bench.file("opt/cni/bin/bridge", "\x7fELF...");
        }),
        case(
            Id::PluginsOtherBuild,
            |bench| {
                bench
                    .file(RDMA, "rdmactl build mark: 0.0.9;")
                    .run_by_all(RDMA);
            },
            |bench| {
                foreign(bench);
                bench.file(RDMA, "rdmactl build mark: ").run_by_all(RDMA);
            },
        ),
    ]
}

/// A list of these plugins.
pub(super) fn list(bench: &mut Bench, plugins: &str) {
    let text = format!(r#"{{"cniVersion":"1.0.0","name":"n","plugins":[{plugins}]}}"#);
    bench.chain(FILE, &text);
}

fn chains() -> Vec<Case> {
    vec![
        case(
            Id::ChainsUnreadable,
            |bench| {
                bench.chain("x.conf", "{\"name\":\"n\",");
            },
            |bench| {
                bench.chain("x.conf.bak", "{").chain("README", "{");
            },
        ),
        case(
            Id::ChainsFirst,
            |bench| {
                bench.chain(
                    FILE,
                    r#"{"plugins":[{"type":"rdma"},{"type":"host-device"}]}"#,
                );
                bench.chain("x.conf", r#"{"type":"rdma"}"#);
            },
            |bench| {
                bench.chain("x.conf", r#"{"type":"host-device"}"#);
            },
        ),
        case(
            Id::ChainsOrder,
            |bench| list(bench, r#"{"type":"ib-sriov"},{"type":"rdma"}"#),
            |bench| list(bench, r#"{"type":"sriov"},{"type":"rdma"}"#),
        ),
        case(
            Id::ChainsIsolationTwice,
            |bench| {
                list(
                    bench,
                    r#"{"type":"ib-sriov","RdmaIsolation":true},{"type":"rdma"}"#,
                )
            },
            |bench| list(bench, r#"{"type":"ib-sriov","rdmaIsolation":true}"#),
        ),
        case(
            Id::ChainsSharedMode,
            |bench| {
                bench.mode = 1;
                bench.file("sys/module/ib_core/parameters/netns_mode", "Y\n");
                bench.file(
                    "etc/modprobe.d/rdmactl.conf",
                    "options ib_core netns_mode=1\n",
                );
            },
            |bench| {
                bench.mode = 1;
                bench.file("sys/module/ib_core/parameters/netns_mode", "Y\n");
                bench.remove("etc/cni");
                list(bench, r#"{"type":"ib-sriov","rdmaIsolation":false}"#);
            },
        ),
        case(
            Id::ChainsUnknownKey,
            |bench| list(bench, r#"{"type":"ib-sriov","link_sate":"auto"}"#),
            |bench| {
                list(
                    bench,
                    r#"{"type":"ib-sriov","LINK_STATE":"auto","guid":"02:00:00:00:00:00:00:aa","guidPolicy":"","_why":1,"cni.dev/x":[]},{"type":"tuning","sysctl":{}}"#,
                );
            },
        ),
        case(
            Id::ChainsValue,
            |bench| {
                list(
                    bench,
                    r#"{"type":"ib-sriov","rdmaIsolation":"yes","link_state":"up","ipam":{"type":"dhcp"},"deviceID":7,"guid":"02::"}"#,
                );
            },
            |bench| {
                list(
                    bench,
                    r#"{"type":"ib-sriov","rdmaIsolation":null,"link_state":"enable","ipam":{"type":"host-local"}},{"type":"tuning","link_state":7}"#,
                );
            },
        ),
    ]
}

fn record(boot: &str, inode: u64) -> String {
    format!(
        r#"{{"version":"1.0","deviceID":"0000:01:00.2","sandboxRdmaDevName":"ibp0d1","containerRdmaDevName":"ibp0d1","network":"n","containerID":"c","ifname":"eth0","netns":"/run/netns/c","netnsInode":{inode},"bootID":"{boot}","rdmaIndex":1,"nodeGUID":"0c42:a103:0001:0002","phase":"done"}}"#
    )
}

fn away(population: usize) -> Away {
    let process = Process {
        pid: 9,
        comm: "pause".to_owned(),
        owner: None,
    };
    Away {
        namespace: Namespace {
            id: NetnsId(200),
            paths: vec!["/run/netns/c".into()],
            processes: vec![process; population],
            population,
            holders: Vec::new(),
            is_current: false,
            is_initial: false,
        },
        device: Device {
            index: 44,
            name: "ibp9d9".to_owned(),
            ..Device::default()
        },
        id: "0000:09:00.2".parse().ok(),
    }
}

fn leases() -> Vec<Case> {
    const OF_SRIOV: &str = "var/lib/cni/ib-sriov/c-net1";
    vec![
        case(
            Id::LeasesGarbage,
            |bench| {
                bench.lease("").file(OF_SRIOV, "{\"cut\":");
            },
            // What a writer is about to rename.
            |bench| {
                bench.file("var/lib/cni/rdma/.9.00000000.tmp", "{");
            },
        ),
        case(
            Id::LeasesOrphan,
            |bench| {
                bench.lease(&record("boot-1", 200));
                bench.file("var/lib/cni/rdma/before", record("boot-0", 100));
                // Go's: the device is here.
                bench.file(
                    "var/lib/cni/rdma/go",
                    r#"{"deviceID":"0000:01:00.2","sandboxRdmaDevName":"ibp0d1","containerRdmaDevName":"ibp0d1"}"#,
                );
                bench.file(
                    OF_SRIOV,
                    r#"{"deviceID":"0000:01:00.2","HostIFGUID":"02:00:00:00:00:00:00:11"}"#,
                );
            },
            |bench| {
                bench.lease(&record("boot-1", 200)).process(9, "net:[200]");
                bench.function("0000:09:00.2", Some("mlx5_core"));
                bench.function("0000:09:00.3", Some("vfio-pci"));
                bench.file(
                    "var/lib/cni/rdma/go",
                    r#"{"deviceID":"0000:09:00.2","containerRdmaDevName":"x"}"#,
                );
                bench.file(OF_SRIOV, r#"{"deviceID":"0000:09:00.3"}"#);
            },
        ),
        case(
            Id::LeasesNoRecord,
            |bench| bench.away.push(away(0)),
            |bench| {
                bench.away.push(away(1));
                let mut lent = away(0);
                lent.device.index = 1;
                lent.device.node_guid = "0c42a10300010002".parse().ok();
                bench.away.push(lent);
                bench.lease(&record("boot-1", 200));
            },
        ),
    ]
}

pub(super) fn remedies(bench: &Bench, id: Id) -> Vec<(Option<String>, Vec<String>)> {
    let findings = bench.findings(&[id.area()]);
    let found = findings.into_iter().filter(|finding| finding.id == id);
    found
        .map(|finding| {
            (
                finding.remedy.file.map(|(_, content)| content),
                finding.remedy.commands,
            )
        })
        .collect()
}

#[test]
fn the_remedy_of_a_chain_is_the_whole_file() {
    let mut bench = Bench::sound();
    list(
        &mut bench,
        r#"{"type":"ib-sriov","pkey":"0x5"},{"type":"tuning"},{"type":"rdma"}"#,
    );
    let [(Some(content), commands)] = &remedies(&bench, Id::ChainsOrder)[..] else {
        panic!();
    };
    assert!(commands.is_empty());
    let mut mended = Bench::sound();
    mended.chain(FILE, content);
    assert_eq!(mended.ids(), []);
    for kept in [
        "\"name\": \"n\"",
        "\"pkey\": \"0x5\"",
        "\"tuning\"",
        "\"rdmaIsolation\": true",
    ] {
        assert!(content.contains(kept), "{content}");
    }
    bench.chain(
        FILE,
        r#"{"plugins":[{"type":"rdma"},{"type":"host-device"}]}"#,
    );
    let [(Some(content), _)] = &remedies(&bench, Id::ChainsFirst)[..] else {
        panic!();
    };
    mended.chain(FILE, content);
    assert_eq!(mended.ids(), []);
}

#[test]
fn the_remedy_of_an_orphan_gives_back_what_it_has_changed() {
    let mut bench = Bench::sound();
    bench.lease(&record("boot-0", 100));
    let remove = "rm /var/lib/cni/rdma/n-c-eth0".to_owned();
    assert_eq!(
        remedies(&bench, Id::LeasesOrphan),
        [(None, vec![remove.clone()])]
    );
    bench.rename(1, "ibdev7");
    let rename = "rdmactl dev set ibdev7 name ibp0d1".to_owned();
    assert_eq!(
        remedies(&bench, Id::LeasesOrphan),
        [(None, vec![rename.clone(), remove])]
    );
    assert_eq!(remedies(&bench, Id::NamesFallback), [(None, vec![rename])]);
    let mut bench = Bench::sound();
    bench.file(
        "var/lib/cni/ib-sriov/c-net1",
        r#"{"deviceID":"0000:01:00.2","HostIFGUID":"02:00:00:00:00:00:00:11"}"#,
    );
    let [(None, commands)] = &remedies(&bench, Id::LeasesOrphan)[..] else {
        panic!();
    };
    assert_eq!(
        commands[..],
        [
            "rdmactl vf set 0000:01:00.0/0 guid 02:00:00:00:00:00:00:11 --rebind",
            "rm /var/lib/cni/ib-sriov/c-net1",
        ]
    );
}
