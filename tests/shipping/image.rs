//! The node image, built without a network and run by runc as a node's runtime runs it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::root::{BINARY, run, scratch};

const SCRIPT: &str = "tests/shipping/image.sh";

fn answers(folder: &Path, name: &str) -> bool {
    let output = Command::new(folder.join(name))
        .env("CNI_COMMAND", "VERSION")
        .output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("supportedVersions"))
}

/// It has no shell and nothing but the program; it needs no capability, and ends when it is told.
#[test]
fn it_installs_and_stays_until_it_is_stopped() {
    let folder = scratch();
    fs::write(folder.path().join("rdma"), "old").unwrap();
    let said = run(&[SCRIPT, BINARY, folder.path().to_str().unwrap()]).ok();
    let files =
        "./usr/bin/ib-sriov\n./usr/bin/rdma\n./usr/bin/rdmactl\n./usr/share/doc/rdmactl/LICENSE\n";
    assert_eq!(
        said.stdout,
        format!(
            "{files}rdma: replaced what was no build of rdmactl in /host/opt/cni/bin/rdma \n\
             ib-sriov: installed in /host/opt/cni/bin/ib-sriov \n"
        )
    );
    for name in ["rdma", "ib-sriov"] {
        let meta = fs::metadata(folder.path().join(name)).unwrap();
        assert_eq!(meta.permissions().mode() & 0o7777, 0o755);
        assert!(answers(folder.path(), name), "{name}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

/// As initContainers of an operator that knows the images of rdma-cni and ib-sriov-cni.
#[test]
fn it_takes_the_place_of_both_images() {
    let folder = scratch();
    let said = run(&[
        SCRIPT,
        BINARY,
        folder.path().to_str().unwrap(),
        "--no-sleep",
        "+",
        "--cni-bin-dir=/host/opt/cni/bin",
        "--rdma-cni-bin-file=/usr/bin/rdma",
        "--no-sleep",
        "+",
        "-cni-bin-dir",
        "/host/opt/cni/bin",
        "-ib-sriov-cni-bin-file",
        "/usr/bin/ib-sriov",
        "-no-sleep",
    ])
    .ok();
    for name in ["rdma", "ib-sriov"] {
        let line = format!("{name}: installed in /host/opt/cni/bin/{name} \n");
        assert_eq!(said.stdout.matches(&line).count(), 3, "{said:?}");
        assert!(answers(folder.path(), name), "{name}");
    }
    let said = run(&[SCRIPT, BINARY, "", "--no-sleep"]);
    assert!(!said.ok, "{said:?}");
    let lacking = "error: Location /host/opt/cni/bin does not exist";
    assert!(said.stderr.contains(lacking), "{said:?}");
}
