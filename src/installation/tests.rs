//! Installations into folders as they should be, and as they should not.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;
use crate::kernel::fake::Machine;

/// Answers VERSION, and carries the mark of a build.
fn program(version: &str) -> String {
    format!(
        "# rdmactl build mark: {version};\n\
         [ \"$CNI_COMMAND\" = VERSION ] && echo '{{\"cniVersion\":\"1.1.0\",\"supportedVersions\":[\"1.0.0\"]}}'"
    )
}

fn machine() -> Machine {
    let machine = Machine::new().program("usr/bin/rdmactl", &program("9.9.9"));
    let machine = machine.link("proc/self/exe", "../../usr/bin/rdmactl");
    fs::create_dir_all(machine.path("opt/cni/bin")).unwrap();
    machine
}

const BOTH: [Wanted; 2] = [
    Wanted {
        name: "rdma",
        program: None,
    },
    Wanted {
        name: "ib-sriov",
        program: None,
    },
];

fn outcomes(steps: Vec<Step>) -> Vec<Outcome> {
    steps.into_iter().map(|step| step.outcome).collect()
}

fn names(machine: &Machine) -> Vec<String> {
    let names = file::list(&machine.path("opt/cni/bin")).unwrap();
    names
        .into_iter()
        .map(|name| name.into_string().unwrap())
        .collect()
}

#[test]
fn once_again_and_away() {
    let machine = machine();
    let (host, folder) = (machine.host(), machine.path("opt/cni/bin"));
    let wanted = &BOTH;
    let seen = foresee(&host, &folder, wanted).unwrap();
    assert!(names(&machine).is_empty());
    assert_eq!(install(&host, &folder, wanted).unwrap(), seen);
    assert_eq!(names(&machine), ["ib-sriov", "rdma"]);
    let mode = fs::metadata(folder.join("rdma")).unwrap().permissions();
    assert_eq!(mode.mode() & 0o7777, 0o755);
    let again = outcomes(install(&host, &folder, wanted).unwrap());
    assert_eq!(again, [Outcome::Already, Outcome::Already]);

    let machine = machine.program("usr/bin/rdmactl", &program("10.0.0"));
    let newer = outcomes(install(&host, &folder, wanted).unwrap());
    let old = || Outcome::Replaced(Some("9.9.9".to_owned()));
    assert_eq!(newer, [old(), old()]);
    assert_eq!(names(&machine), ["ib-sriov", "rdma"]);

    let machine = machine.file("opt/cni/bin/ib-sriov", "somebody else's");
    let gone = outcomes(remove(&folder, &["rdma", "ib-sriov"]).unwrap());
    assert_eq!(gone, [Outcome::Removed, Outcome::Left]);
    assert_eq!(names(&machine), ["ib-sriov"]);
    let gone = outcomes(remove(&folder, &["rdma"]).unwrap());
    assert_eq!(gone, [Outcome::Absent]);
}

#[test]
fn what_stands_in_the_place() {
    let machine = machine()
        .file("opt/cni/bin/rdma", "\x7fELF go")
        .file("home", "secret");
    let (host, folder) = (machine.host(), machine.path("opt/cni/bin"));
    symlink("../../../home", folder.join("ib-sriov")).unwrap();
    let steps = outcomes(install(&host, &folder, &BOTH).unwrap());
    assert_eq!(steps, [Outcome::Replaced(None), Outcome::Replaced(None)]);
    assert_eq!(machine.read("home"), "secret");
    assert!(
        !fs::symlink_metadata(folder.join("ib-sriov"))
            .unwrap()
            .is_symlink()
    );

    // The same program, which nobody may run.
    fs::set_permissions(folder.join("rdma"), fs::Permissions::from_mode(0o644)).unwrap();
    let steps = outcomes(install(&host, &folder, &BOTH[..1]).unwrap());
    assert_eq!(steps, [Outcome::Replaced(Some("9.9.9".to_owned()))]);

    nix::unistd::mkfifo(&machine.path("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    fs::rename(machine.path("pipe"), folder.join("rdma")).unwrap();
    let steps = outcomes(install(&host, &folder, &BOTH[..1]).unwrap());
    assert_eq!(steps, [Outcome::Replaced(None)]);

    fs::remove_file(folder.join("rdma")).unwrap();
    fs::create_dir(folder.join("rdma")).unwrap();
    let error = install(&host, &folder, &BOTH).unwrap_err();
    assert!(matches!(error, InstallError::Taken(_)), "{error}");
    assert_eq!(names(&machine), ["ib-sriov", "rdma"]);
}

#[test]
fn links_of_ours_go_and_others_stay() {
    let machine = machine();
    let folder = machine.path("opt/cni/bin");
    symlink("../../../usr/bin/rdmactl", folder.join("rdma")).unwrap();
    symlink("/nowhere", folder.join("ib-sriov")).unwrap();
    let gone = outcomes(remove(&folder, &["rdma", "ib-sriov"]).unwrap());
    assert_eq!(gone, [Outcome::Removed, Outcome::Left]);
    assert_eq!(names(&machine), ["ib-sriov"]);
    assert!(machine.path("usr/bin/rdmactl").exists());
}

#[test]
fn a_program_that_does_not_serve_never_gets_a_name() {
    let cases = [
        ("echo '{}'", "supportedVersions"),
        ("echo hello", "no JSON"),
        ("echo broken >&2; exit 3", "broken"),
    ];
    for (script, why) in cases {
        let machine = machine()
            .file("opt/cni/bin/ib-sriov", "old")
            .program("usr/bin/other", script);
        let (host, folder) = (machine.host(), machine.path("opt/cni/bin"));
        let mut wanted = BOTH.clone();
        wanted[1].program = Some(machine.path("usr/bin/other"));
        let error = install(&host, &folder, &wanted).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
        // The other one has not taken its place either, and nothing lies about.
        assert_eq!(names(&machine), ["ib-sriov"]);
        assert_eq!(machine.read("opt/cni/bin/ib-sriov"), "old");
    }
    let machine = machine().file("usr/bin/other", b"\x7fELF\x02\x01\x01");
    let (host, folder) = (machine.host(), machine.path("opt/cni/bin"));
    let wanted = [Wanted {
        name: "rdma",
        program: Some(machine.path("usr/bin/other")),
    }];
    let error = install(&host, &folder, &wanted).unwrap_err();
    assert!(matches!(error, InstallError::NotStarted { .. }), "{error}");
    assert!(names(&machine).is_empty());
}

#[test]
fn places_that_are_none() {
    let machine = machine().file("file", "");
    symlink("/nowhere", machine.path("link")).unwrap();
    let host = machine.host();
    let missing = machine.path("none");
    let error = install(&host, &missing, &BOTH).unwrap_err();
    let text = format!("Location {} does not exist", missing.display());
    assert_eq!(error.to_string(), text);
    let error = install(&host, &machine.path("file"), &BOTH).unwrap_err();
    assert!(matches!(error, InstallError::NotFolder(_)), "{error}");
    let error = remove(&machine.path("link"), &["rdma"]).unwrap_err();
    assert!(matches!(error, InstallError::LeadsNowhere(_)), "{error}");
    let folder = machine.path("opt/cni/bin");
    for (program, is) in [("none", "does not exist"), ("opt", "is not a file")] {
        let wanted = [Wanted {
            name: "rdma",
            program: Some(machine.path(program)),
        }];
        let error = install(&host, &folder, &wanted).unwrap_err();
        assert!(error.to_string().contains(is), "{error}");
    }
}
