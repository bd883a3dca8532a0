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
    let ran = call(root.path(), "rdmactl provision plan --file -", absent);
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
