//! `cni install` and `uninstall`: the plugins in a CNI folder, as an image's entry command puts them there.

use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::output::Output;

const FOLDER: &str = "/tmp/cni-bin";

pub(crate) fn cases() -> Vec<Case> {
    let same = "files and signals alone";
    vec![
        case("as_the_images_of_both_plugins_do", as_the_images_do)
            .no_adapter()
            .only(&["6.12"], same),
        case("folders_that_refuse", folders_that_refuse)
            .no_adapter()
            .only(&["6.12"], same),
    ]
}

/// The program without what only a debugger reads: most of its size, in a guest that is slow.
const SMALL: &str = "/tmp/rdmactl";

fn small(lab: &Lab) {
    lab.exec(&format!("strip -o {SMALL} {FACES}/rdmactl")).ok();
}

fn cni(lab: &Lab, words: &str) -> Output {
    lab.exec(&format!("{SMALL} {words}"))
}

fn names(lab: &Lab) -> String {
    lab.exec(&format!("ls -A {FOLDER}")).ok().stdout
}

/// Row R18: over a plugin that is running, with the options of either image, until SIGTERM.
fn as_the_images_do(lab: &Lab) {
    small(lab);
    lab.exec(&format!("mkdir -p {FOLDER}")).ok();
    let at = format!("--cni-bin-dir={FOLDER}");
    lab.sh(&format!(
        "cp /usr/bin/sleep {FOLDER}/rdma; {FOLDER}/rdma 1000 >/dev/null 2>&1 & echo $! >/tmp/sleeper"
    ))
    .ok();
    cni(lab, &format!("--dry-run cni install {at}"))
        .ok()
        .stdout_has("would install ib-sriov as /tmp/cni-bin/ib-sriov")
        .stdout_has("would replace /tmp/cni-bin/rdma, which is no build of rdmactl");
    cni(lab, &format!("cni install {at} --no-sleep"))
        .ok()
        .stdout_is("rdma: replaced what was no build of rdmactl in /tmp/cni-bin/rdma \nib-sriov: installed in /tmp/cni-bin/ib-sriov \n");
    // What was running goes on with what it was.
    lab.sh("readlink /proc/$(cat /tmp/sleeper)/exe; kill $(cat /tmp/sleeper)")
        .ok()
        .stdout_is("/tmp/cni-bin/rdma (deleted)\n");
    for name in ["rdma", "ib-sriov"] {
        lab.sh(&format!("CNI_COMMAND=VERSION {FOLDER}/{name}"))
            .ok()
            .stdout_has("\"supportedVersions\"");
    }
    // Go's spelling, its defaults for the program, and a value for the switch.
    let listed = cni(
        lab,
        &format!(
            "-j cni install -cni-bin-dir {FOLDER} -ib-sriov-cni-bin-file {SMALL} -no-sleep=true"
        ),
    )
    .ok()
    .json();
    assert_eq!(listed[0]["outcome"], "already", "{listed}");
    assert_eq!(listed[1]["outcome"], "already", "{listed}");
    assert_eq!(names(lab), "ib-sriov\nrdma\n");

    // The process of a DaemonSet: it sleeps, and a signal is all it takes.
    lab.sh(&format!(
        "{SMALL} cni install {at} --only rdma >/tmp/said & pid=$!
         for i in $(seq 100); do grep -q already /tmp/said && break; sleep 0.1; done
         sleep 0.3; cut -d' ' -f3,14,15 /proc/$pid/stat >/tmp/a; sleep 1; cut -d' ' -f3,14,15 /proc/$pid/stat >/tmp/b
         cmp /tmp/a /tmp/b && grep -q '^S' /tmp/b && kill -TERM $pid && wait $pid"
    ))
    .ok()
    .silent();
    // As the first process of a container, which has no default for the signal.
    lab.sh(&format!(
        "unshare --pid --fork --kill-child {SMALL} cni install {at} >/tmp/said & pid=$!
         for i in $(seq 100); do grep -q ib-sriov /tmp/said && break; sleep 0.1; done
         kill -TERM $(cat /proc/$pid/task/$pid/children); wait $pid"
    ))
    .ok();

    lab.sh("mkdir -p /var/lib/cni/rdma && echo '{' >/var/lib/cni/rdma/junk")
        .ok();
    cni(lab, &format!("cni uninstall {at}"))
        .fails(1)
        .stderr_has("error: an attachment is on record")
        .stderr_has("fix: rdmactl cni list");
    lab.exec("rm -r /var/lib/cni/rdma").ok();
    lab.sh(&format!("echo foreign >{FOLDER}/ib-sriov")).ok();
    cni(lab, &format!("cni install {at} --uninstall"))
        .ok()
        .stdout_is("rdma: removed from /tmp/cni-bin/rdma \nib-sriov: left, as it is no build of rdmactl, in /tmp/cni-bin/ib-sriov \n");
    assert_eq!(names(lab), "ib-sriov\n");
    lab.exec("rm -r /tmp/cni-bin /tmp/rdmactl /tmp/said /tmp/a /tmp/b /tmp/sleeper")
        .ok();
}

/// Full, read-only, noexec, taken, a link to nowhere: what served before serves on.
fn folders_that_refuse(lab: &Lab) {
    small(lab);
    lab.exec(&format!("mkdir -p {FOLDER}")).ok();
    let install = || {
        cni(
            lab,
            &format!("cni install --cni-bin-dir {FOLDER} --no-sleep"),
        )
    };
    cni(lab, "cni install --no-sleep")
        .fails(1)
        .stderr_has("error: Location /host/opt/cni/bin does not exist");
    for (options, error, fix) in [
        ("size=64k", "No space left on device", "fix: df"),
        ("ro", "Read-only file system", "doctor --only"),
        (
            "noexec",
            "Permission denied",
            "findmnt --target /tmp/cni-bin",
        ),
    ] {
        lab.exec(&format!("mount -t tmpfs -o {options} lab {FOLDER}"))
            .ok();
        let output = install().fails(1);
        output
            .stderr_has(error)
            .stderr_has("cause: ")
            .stderr_has(fix);
        let left = names(lab);
        lab.exec(&format!("umount {FOLDER}")).ok();
        assert_eq!(left, "", "{options}");
    }
    lab.exec(&format!("mkdir {FOLDER}/ib-sriov")).ok();
    install()
        .fails(1)
        .stderr_has("error: /tmp/cni-bin/ib-sriov is a folder");
    assert_eq!(names(lab), "ib-sriov\n");
    lab.sh(&format!(
        "rmdir {FOLDER}/ib-sriov {FOLDER}; ln -s /nowhere {FOLDER}"
    ))
    .ok();
    install()
        .fails(1)
        .stderr_has("is a link that leads to nothing");
    lab.exec(&format!("rm {FOLDER}")).ok();
    cni(lab, "cni install --only sriov").fails(2);
    cni(lab, "cni install --uninstall --rdma-cni-bin-file /x").fails(2);
    lab.exec(&format!("rm {SMALL}")).ok();
}
