//! The two plugins are this program: what puts it in their place, and the keys that it reads.

use super::bench::Bench;
use super::cni::{RDMA, SRIOV, foreign, list, remedies};
use crate::doctor::Id;

#[test]
fn the_remedy_of_a_plugin_is_this_program_under_its_name() {
    let install = |name| format!("install -m 755 ../../usr/sbin/rdmactl /opt/cni/bin/{name}");
    for (path, name, other) in [(RDMA, "rdma", "ib-sriov"), (SRIOV, "ib-sriov", "rdma")] {
        let mut bench = Bench::sound();
        bench.file(path, "\x7fELF...").run_by_all(path);
        let link = format!("ln -f /opt/cni/bin/{other} /opt/cni/bin/{name}");
        assert_eq!(remedies(&bench, Id::PluginsForeign), [(None, vec![link])]);
        // A copy is this program too.
        let twin = format!("opt/cni/bin/{other}");
        bench.file(&twin, "program").run_by_all(&twin);
        assert_eq!(bench.ids(), [Id::PluginsForeign]);
        bench.remove(&twin);
        let found = remedies(&bench, Id::PluginsForeign);
        assert_eq!(found, [(None, vec![install(name)])]);
        bench.link(path, "nothing");
        let away = format!("rm /opt/cni/bin/{name}");
        let found = remedies(&bench, Id::PluginsDangling);
        assert_eq!(found, [(None, vec![away, install(name)])]);
    }
    let mut bench = Bench::sound();
    bench.remove("opt/cni/bin");
    list(&mut bench, r#"{"type":"ib-sriov"}"#);
    assert_eq!(
        remedies(&bench, Id::PluginsMissing),
        [
            (None, vec![install("rdma")]),
            (None, vec![install("ib-sriov")])
        ]
    );
}

#[test]
fn keys_are_judged_by_the_plugin_that_reads_them() {
    let evidence = |bench: &Bench, id| {
        let findings = bench.findings(&[crate::doctor::Area::Chains]);
        let found = findings.into_iter().filter(|finding| finding.id == id);
        let saw = found.flat_map(|finding| finding.evidence);
        saw.map(|each| format!("{:?}\n", each.saw).replace('\\', ""))
            .collect::<String>()
    };
    let mut bench = Bench::sound();
    list(
        &mut bench,
        r#"{"type":"ib-sriov","guid":"02:00:00:00:00:00:00:aa","guidPolicy":"keep"},{"type":"x","rdmaMode":1}"#,
    );
    assert_eq!(evidence(&bench, Id::ChainsUnknownKey), "");
    foreign(&mut bench);
    let told = evidence(&bench, Id::ChainsUnknownKey);
    let why = "\"guid\"; rdmactl reads it, and /opt/cni/bin/ib-sriov is another program";
    assert!(
        told.contains(why) && told.contains("\"guidPolicy\""),
        "{told}"
    );
    // Another build of this program reads them too.
    bench
        .file(SRIOV, "rdmactl build mark: 0.0.9;")
        .run_by_all(SRIOV);
    assert_eq!(evidence(&bench, Id::ChainsUnknownKey), "");
    list(
        &mut bench,
        r#"{"type":"tuning"},{"type":"rdma","rdmaMode":"auto","rdmaDeviceName":"%s","deviceID":7}"#,
    );
    let told = evidence(&bench, Id::ChainsValue);
    for why in [
        "\"deviceID\" must be a string",
        "\"rdmaMode\" must be required or skip",
        "\"rdmaDeviceName\" must be keep, a name",
    ] {
        assert!(told.contains(why), "{told}");
    }
    list(
        &mut bench,
        r#"{"type":"ib-sriov","guid":"0","guidPolicy":"make","deviceID":"eth0","pkey":5,"ipam":{"type":"dhcp"}}"#,
    );
    let told = evidence(&bench, Id::ChainsValue);
    for why in [
        "\"deviceID\" must be the PCI address of a VF",
        "\"guid\" must be 16 hex digits",
        "\"guidPolicy\" must be require, keep or generate",
        "\"pkey\" must be a string",
        "\"ipam.type\" must be host-local, static or whereabouts",
    ] {
        assert!(told.contains(why), "{told}");
    }
}
