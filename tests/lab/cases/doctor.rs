//! The doctor on real kernels: a host in order, its modules, mode, kernel and callers.

use serde_json::Value;

use super::explain::inode;
use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::output::Output;

/// Folders stay; what is in them may not.
pub(super) const FOLDERS: &[&str] = &["folder /"];

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("a_host_in_order", a_host_in_order).adapter("mode=ib vf_guids=1"),
        case("ib_core_is_missed_and_not_loaded", ib_core).no_adapter(),
        case("what_blocks_the_mode", what_blocks_the_mode).may_change(FOLDERS),
        case("lockdown", lockdown).no_adapter(),
        case("seen_by_others_than_root", seen_by_others),
    ]
}

/// The findings of these areas.
pub(super) struct Told(pub(super) Output, pub(super) Vec<Value>);

pub(super) fn doctor(lab: &Lab, areas: &[&str]) -> Told {
    let mut args = vec!["-j", "doctor"];
    for area in areas {
        args.extend(["--only", area]);
    }
    told(lab.rdmactl(&args))
}

pub(super) fn told(output: Output) -> Told {
    let findings = output.json().as_array().cloned().expect("an array");
    let grave = findings.iter().any(|found| found["severity"] != "note");
    let output = output.fails(i32::from(grave)).stderr_is("");
    Told(output, findings)
}

impl Told {
    /// The one finding with this id, with `text` in its evidence.
    #[track_caller]
    pub(super) fn has(&self, id: &str, text: &str) -> &Value {
        let mut found = self.1.iter().filter(|found| found["id"] == id);
        let one = found
            .next()
            .unwrap_or_else(|| panic!("no {id}\n{}", self.0));
        assert!(found.next().is_none(), "{id} twice\n{}", self.0);
        let evidence = one["evidence"].to_string();
        assert!(evidence.contains(text), "{id} without {text}\n{}", self.0);
        one
    }

    /// As [`Self::has`], with this command among those that mend it.
    #[track_caller]
    pub(super) fn mends(&self, id: &str, text: &str, command: &str) -> &Self {
        let commands = self.has(id, text)["commands"].as_array().cloned();
        let commands = commands.unwrap_or_default();
        assert!(
            commands.iter().any(|each| each == command),
            "{id} is not mended by {command}\n{}",
            self.0
        );
        self
    }

    #[track_caller]
    pub(super) fn lacks(&self, id: &str) -> &Self {
        let found = self.1.iter().any(|found| found["id"] == id);
        assert!(!found, "{id} is told\n{}", self.0);
        self
    }

    /// Nothing but notes.
    #[track_caller]
    pub(super) fn is_clean(&self) -> &Self {
        assert!(self.0.status == 0, "{}", self.0);
        self
    }
}

fn a_host_in_order(lab: &Lab) {
    let all = doctor(lab, &[]);
    all.is_clean().has("netns.shared", "shared");
    all.has("modules.umad", "InfiniBand");
    lab.rdmactl(&[
        "doctor", "--only", "vfs", "--only", "ports", "--only", "leases",
    ])
    .ok()
    .stdout_is("nothing found\n");
    lab.rdmactl(&["doctor", "--only", "netns"])
        .ok()
        .stdout_has("note netns.shared: the netns mode is shared: ")
        .stdout_has("    fix: rdmactl system set netns exclusive --persist\n1 note\n");
    lab.rdmactl(&["doctor", "--only", "vf"])
        .fails(2)
        .stderr_has("vfs, ports");
}

fn ib_core(lab: &Lab) {
    // All that stands on it goes first.
    lab.sh("for try in 1 2 3 4 5 6; do rmmod ib_core 2> /dev/null && exit; rmmod $(ls /sys/module/*/holders | grep -x -e 'ib_.*' -e 'rdma_.*' -e 'iw_.*' -e siw | sort -u) 2> /dev/null; done; lsmod; exit 1")
        .ok();
    let said = doctor(lab, &[]);
    said.mends(
        "modules.ib-core",
        "the module is installed",
        "modprobe ib_core",
    );
    // To look is not to load.
    assert!(!std::path::Path::new("/sys/module/ib_core").exists());
    lab.exec("modprobe -a ib_core ib_uverbs").ok();
    doctor(lab, &["modules"]).is_clean();
}

fn what_blocks_the_mode(lab: &Lab) {
    doctor(lab, &["netns"]).is_clean().lacks("netns.blocked");
    let _blue = lab.netns("pod-blue");
    let held = lab.spawn_in_new_netns(&["sleep", "100"]);
    let said = doctor(lab, &["netns"]);
    said.is_clean();
    said.mends("netns.blocked", "pod-blue", "ip netns del pod-blue");
    said.mends(
        "netns.blocked",
        &inode(lab, held.pid()),
        &format!("kill {}", held.pid()),
    );
    // A file that asks for the other mode makes the difference a warning.
    let conf = "/etc/modprobe.d/x.conf";
    lab.sh(&format!(
        "mkdir -p /etc/modprobe.d; echo options ib_core netns_mode=0 > {conf}"
    ))
    .ok();
    let said = doctor(lab, &["netns"]);
    said.mends(
        "netns.not-running",
        conf,
        "rdmactl system set netns exclusive",
    );
    said.has("netns.blocked", "pod-blue");
    said.lacks("netns.shared");
    lab.sh(&format!("echo options ib_core netns_mode=2 > {conf}"))
        .ok();
    doctor(lab, &["netns"]).has("netns.invalid", "neither 0 nor 1");
    lab.exec(&format!("rm {conf}")).ok();
    // From inside a namespace only what it shows can be told.
    let inside = [
        &format!("{FACES}/rdmactl"),
        "-j",
        "doctor",
        "--only",
        "privilege",
    ];
    told(lab.in_netns("pod-blue", &inside)).has("privilege.other-netns", "pod-blue");
}

/// The level cannot be lowered again before a boot: a file in the place of the kernel's stands for it.
fn lockdown(lab: &Lab) {
    let file = "/sys/kernel/security/lockdown";
    let ours = format!("{FACES}/rdmactl -j doctor --only kernel");
    let script = |level: &str| {
        format!(
            "set -e; test -e {file} || mount -t securityfs none /sys/kernel/security
             test -e {file}; echo '{level}' > /run/level; mount --bind /run/level {file}; {ours}"
        )
    };
    let read = |level: &str| {
        std::fs::write("/run/script", script(level)).unwrap();
        let output = lab.exec("unshare --mount bash /run/script");
        lab.exec("rm /run/script /run/level").ok();
        told(output)
    };
    read("none [integrity] confidentiality").has("kernel.lockdown", "[integrity]");
    read("[none] integrity confidentiality").lacks("kernel.lockdown");
    // As this kernel is.
    doctor(lab, &["kernel"]).is_clean().lacks("kernel.lockdown");
}

fn seen_by_others(lab: &Lab) {
    // A folder that only root may read, as NetworkManager's are.
    let folder = "/etc/NetworkManager/system-connections";
    lab.sh(&format!("mkdir -p {folder}; chmod 700 {folder}"))
        .ok();
    let ours = format!("{FACES}/rdmactl -j doctor");
    let user = told(lab.sh(&format!("setpriv --reuid 1000 --clear-groups {ours}")));
    user.mends("privilege.missing", "neither", "sudo rdmactl doctor");
    user.has("privilege.unseen", folder);
    user.has("privilege.unseen", "processes that cannot be looked at");
    // What can be seen is told.
    user.has("vfs.guid-zero", "VFs 0-1");
    let root = told(lab.sh(&format!(
        "unshare --user --map-root-user {ours} --only privilege"
    )));
    root.has("privilege.user-namespace", "/proc/self/ns/user");
    assert!(doctor(lab, &["privilege"]).1.is_empty());
    lab.sh(&format!("rmdir -p {folder} 2> /dev/null; true"))
        .ok();
}
