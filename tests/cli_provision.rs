//! `provision` as a command: its forms, its exit status, and the document from where it may come.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;

use std::fs;
use std::path::Path;

use support::{Ran, Tape, run};

/// A host without PFs, on which nothing may open a socket.
fn call(root: &Path, line: &str, input: &str) -> Ran {
    let argv: Vec<&str> = line.split(' ').collect();
    run(
        Tape::default().host(root),
        &argv,
        &[],
        input.as_bytes(),
        None,
    )
}

#[test]
fn addresses_without_a_host() {
    let root = tempfile::tempdir().unwrap();
    let line = "rdmactl provision addresses --pf-guid b859:9f03:00f9:8f86 --vfs 2";
    let ran = call(root.path(), line, "");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(
        ran.out,
        "vf 0 pf_guid b8:59:9f:03:00:f9:8f:86 node_guid ba:59:9f:00:01:f9:8f:86 port_guid ba:59:9f:00:01:f9:8f:86 \n\
         vf 1 pf_guid b8:59:9f:03:00:f9:8f:86 node_guid ba:59:9f:00:02:f9:8f:86 port_guid ba:59:9f:00:02:f9:8f:86 \n"
    );
    let line = "rdmactl -j provision addresses --pf-mac b8:59:9f:f9:8f:86 --vfs 1";
    let ran = call(root.path(), line, "");
    // Fixed for ever: switches know them.
    assert_eq!(
        ran.out,
        "[{\"vf\":0,\"pf_mac\":\"b8:59:9f:f9:8f:86\",\"mac\":\"8e:32:d9:4c:18:00\"}\n]\n"
    );
    // A PF that is elsewhere, by its document.
    let document =
        "version = 1\n[[pf]]\nmatch = { guid = \"b8:59:9f:03:00:f9:8f:86\" }\nnum_vfs = 1\n";
    let ran = call(
        root.path(),
        "rdmactl -j provision addresses --file -",
        document,
    );
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.out
            .contains("\"port_guid\":\"ba:59:9f:00:01:f9:8f:86\""),
        "{}",
        ran.out
    );
    for words in [
        "--pf-guid 00:00:00:00:00:00:00:00 --vfs 1",
        "--pf-guid b859:9f03:00f9:8f86",
        "--pf-mac b8:59 --vfs 1",
        "--vfs 0",
        "--pf-mac b8:59:9f:f9:8f:86 --vfs 1 --file x",
    ] {
        let ran = call(
            root.path(),
            &format!("rdmactl provision addresses {words}"),
            "",
        );
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{words}");
    }
    let line = "rdmactl provision addresses --pf-mac b8:59:9f:f9:8f:86 --vfs 1025";
    let ran = call(root.path(), line, "");
    assert_eq!(ran.code, 1);
    assert!(
        ran.err
            .starts_with("error: no MAC address can be derived for VF 1024\n"),
        "{}",
        ran.err
    );
}

#[test]
fn documents_and_their_mistakes() {
    let root = tempfile::tempdir().unwrap();
    let ran = call(root.path(), "rdmactl provision plan", "");
    assert_eq!(ran.code, 1);
    assert!(
        ran.err
            .starts_with("error: there is no /etc/rdmactl/provision.toml\n  fix: "),
        "{}",
        ran.err
    );
    let folder = root.path().join("etc/rdmactl");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("provision.toml"), "version = 1\npff = []\n").unwrap();
    let ran = call(root.path(), "rdmactl provision check", "");
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert_eq!(
        ran.err,
        "error: /etc/rdmactl/provision.toml:2:1: there is no key \"pff\" in a document: it has \
         version, host, policy, pf; did you mean \"pf\"?\n"
    );
    let ran = call(root.path(), "rdmactl -j provision check", "");
    assert_eq!((ran.code, ran.err.as_str()), (1, ""));
    assert!(
        ran.out
            .starts_with("[{\"file\":\"/etc/rdmactl/provision.toml\",\"line\":2,\"column\":1,")
    );
    let ran = call(root.path(), "rdmactl prov ch --file -", "version = 1");
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (0, "the document is valid and declares 0 PFs\n")
    );
    let ran = call(
        root.path(),
        "rdmactl provision plan --file -",
        "{\"version\": 1}",
    );
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
    let absent = "version = 1\n[[pf]]\nmatch = { pci = \"01:00.0\" }\n";
    let dry = "rdmactl --dry-run provision apply --file -";
    let (dry, ran) = (
        call(root.path(), dry, absent),
        call(root.path(), "rdmactl provision plan --file -", absent),
    );
    assert_eq!((dry.code, &dry.err), (1, &ran.err));
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(
        ran.err
            .starts_with("error: -:2:1: no PF on this host is the one that is meant\n"),
        "{}",
        ran.err
    );
    let ran = call(
        root.path(),
        "rdmactl --watch 1 provision plan --file -",
        absent,
    );
    assert_eq!(ran.code, 2);
}

#[test]
fn nothing_is_applied_while_another_apply_is_at_work() {
    let root = tempfile::tempdir().unwrap();
    let document =
        "version = 1\n[policy]\nwait = \"1s\"\n[[pf]]\nmatch = { pci = \"0000:3b:00.0\" }\n";
    let lock = root.path().join("run/rdmactl/provision.lock");
    fs::create_dir_all(lock.parent().unwrap()).unwrap();
    let held = fs::File::create(&lock).unwrap();
    held.lock().unwrap();
    let line = "rdmactl provision apply --lock-wait 0 --file -";
    let ran = call(root.path(), line, document);
    assert_eq!((ran.code, ran.out.as_str()), (6, ""));
    assert!(
        ran.err.contains("provision.lock is locked by "),
        "{}",
        ran.err
    );
    drop(held);
    // A PF that does not come is told in the end.
    let ran = call(root.path(), line, document);
    assert_eq!((ran.code, ran.out.as_str()), (7, ""));
    assert!(
        ran.err
            .contains("no PF on this host is the one that is meant"),
        "{}",
        ran.err
    );
    let optional = document.replace("[[pf]]\n", "[[pf]]\noptional = true\n");
    let ran = call(root.path(), line, &optional);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(!lock.exists());
    let ran = call(root.path(), &format!("{line} --disruptive x"), document);
    assert_eq!(ran.code, 2);
    let ran = call(root.path(), "rdmactl --watch 1 provision apply", document);
    assert_eq!(ran.code, 2);
}

/// Two PFs without interfaces: one whose driver makes no VFs, one that a killed apply has left.
fn two_pfs(root: &Path) {
    let file = |path: &str, content: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    for (pf, autoprobe) in [("0000:01:00.0", "1"), ("0000:02:00.0", "0")] {
        let folder = format!("sys/bus/pci/devices/{pf}");
        file(&format!("{folder}/sriov_totalvfs"), "4\n");
        file(&format!("{folder}/sriov_numvfs"), "0");
        file(&format!("{folder}/sriov_drivers_autoprobe"), autoprobe);
        let link = root.join(format!("{folder}/driver"));
        std::os::unix::fs::symlink("../../drivers/mlx5_core", link).unwrap();
    }
    file("proc/sys/kernel/random/boot_id", "one\n");
    file(
        "run/rdmactl/provision/0000:02:00.0.json",
        "{\"boot_id\":\"one\",\"ended\":false,\"probing\":true,\"vfs\":0,\"up\":null,\"given\":{},\"drivers\":{}}",
    );
}

const TWO: &str = "version = 1\n\
     [[pf]]\nmatch = { pci = \"0000:01:00.0\" }\nlink_type = \"ib\"\nnum_vfs = 2\nguid = { mode = \"unmanaged\" }\nup = false\n\
     [[pf]]\nmatch = { pci = \"0000:02:00.0\" }\nlink_type = \"ib\"\nup = false\n";

#[test]
fn one_pf_fails_and_the_other_goes_on() {
    let root = tempfile::tempdir().unwrap();
    two_pfs(root.path());
    let autoprobe = |pf: &str| {
        let file = format!("sys/bus/pci/devices/{pf}/sriov_drivers_autoprobe");
        fs::read_to_string(root.path().join(file)).unwrap()
    };
    let plan = call(root.path(), "rdmactl provision plan --file -", TWO);
    assert_eq!(plan.code, 2, "{}", plan.err);
    let left = "pf 0000:02:00.0 autoprobe from off to on class safe reason \"an apply that did not end had kept drivers away\"";
    assert!(plan.out.contains(left), "{}", plan.out);
    let ran = call(root.path(), "rdmactl -j provision apply --file -", TWO);
    assert_eq!(ran.code, 5, "{}", ran.err);
    assert!(
        ran.err
            .starts_with("error: 0000:01:00.0: 2 VFs of 0000:01:00.0 were requested, and 0"),
        "{}",
        ran.err
    );
    // Neither keeps drivers away any more, and the record of the other is closed.
    assert_eq!(autoprobe("0000:01:00.0"), "1");
    assert_eq!(autoprobe("0000:02:00.0"), "1");
    let record = |pf: &str| {
        let file = format!("run/rdmactl/provision/{pf}.json");
        fs::read_to_string(root.path().join(file)).unwrap()
    };
    assert!(record("0000:01:00.0").contains("\"ended\":false"));
    assert!(record("0000:02:00.0").contains("\"ended\":true"));
    let only = "rdmactl -j provision apply --only 0000:02:00.0 --file -";
    // Nothing is left of a killed apply but its record: that is closed, and an autoprobe of 0 is a
    // wish from there on.
    let folder = root.path().join("run/rdmactl/provision");
    let open = record("0000:02:00.0").replace("\"ended\":true", "\"ended\":false");
    fs::write(folder.join("0000:02:00.0.json"), open).unwrap();
    let ran = call(root.path(), only, TWO);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(record("0000:02:00.0").contains("\"ended\":true"));
    let file = "sys/bus/pci/devices/0000:02:00.0/sriov_drivers_autoprobe";
    fs::write(root.path().join(file), "0").unwrap();
    let ran = call(root.path(), only, TWO);
    assert_eq!((ran.code, ran.out.as_str()), (0, "[]\n"));
    assert_eq!(autoprobe("0000:02:00.0"), "0");
}

/// Firmware that has SR-IOV switched off leaves a function without the files of it.
#[test]
fn a_pf_whose_firmware_offers_none() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("sys/bus/pci/devices/0000:01:00.0");
    fs::create_dir_all(folder.join("net/eth7")).unwrap();
    std::os::unix::fs::symlink("../../drivers/mlx5_core", folder.join("driver")).unwrap();
    for mark in ["pci = \"0000:01:00.0\"", "netdev = \"eth7\""] {
        let document = format!("version = 1\n[[pf]]\nmatch = {{ {mark} }}\nnum_vfs = 4\n");
        let ran = call(root.path(), "rdmactl provision plan --file -", &document);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""));
        let told = "error: -:2:1: 0000:01:00.0: 4 VFs are declared, and the firmware of the PF, or the BIOS, has SR-IOV switched off\n";
        assert!(ran.err.starts_with(told), "{}", ran.err);
    }
}

#[test]
fn the_way_back_is_on_record() {
    let root = tempfile::tempdir().unwrap();
    two_pfs(root.path());
    let steps = call(root.path(), "rdmactl --dry-run provision rollback", "");
    assert_eq!(
        (steps.code, steps.out.as_str()),
        (
            0,
            "1 pf 0000:02:00.0 autoprobe from off to on class safe reason \"it was so before\" \n"
        ),
        "{}",
        steps.err
    );
    let ran = call(root.path(), "rdmactl -j provision rollback", "");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let file = "sys/bus/pci/devices/0000:02:00.0/sriov_drivers_autoprobe";
    assert_eq!(fs::read_to_string(root.path().join(file)).unwrap(), "1");
    let record = "run/rdmactl/provision/0000:02:00.0.json";
    assert!(!root.path().join(record).exists());
    let ran = call(root.path(), "rdmactl -j provision rollback", "");
    assert_eq!((ran.code, ran.out.as_str()), (0, "[]\n"));
}
