//! The doctor on real kernels: a host in order, its modules, mode, CNI files and records, its callers.

use serde_json::Value;

use super::cni_call::{call, config};
use super::explain::inode;
use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::output::Output;
use crate::pci;

/// Folders stay; what is in them may not.
const FOLDERS: &[&str] = &["folder /"];

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("a_host_in_order", a_host_in_order).adapter("mode=ib vf_guids=1"),
        case("ib_core_is_missed_and_not_loaded", ib_core).no_adapter(),
        case("what_blocks_the_mode", what_blocks_the_mode).may_change(FOLDERS),
        case("plugins_and_chains", plugins_and_chains),
        case("other_managers", other_managers).no_adapter(),
        case("names_that_last", names_that_last),
        case("lockdown", lockdown).no_adapter(),
        case("devices_that_were_left", devices_that_were_left)
            .exclusive()
            .may_change(FOLDERS),
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

/// The folders of CNI of this guest, put away at the end.
struct Cni<'a>(&'a Lab);

impl Drop for Cni<'_> {
    fn drop(&mut self) {
        self.0.sh("rm -rf /etc/cni /opt/cni; mv /etc/cni.before /etc/cni; mv /opt/cni.before /opt/cni; true");
    }
}

fn plugins_and_chains(lab: &Lab) {
    lab.sh("mv /etc/cni /etc/cni.before; mv /opt/cni /opt/cni.before; mkdir -p /etc/cni/net.d /opt/cni/bin")
        .ok();
    let _cni = Cni(lab);
    let areas = ["plugins", "chains"];
    assert!(doctor(lab, &areas).1.is_empty());
    let list = "/etc/cni/net.d/10-ib.conflist";
    let write = |plugins: &str| {
        let text = format!(r#"{{"cniVersion":"1.0.0","name":"n","plugins":[{plugins}]}}"#);
        lab.sh(&format!("cat > {list} <<'END'\n{text}\nEND")).ok();
    };
    write(r#"{"type":"ib-sriov","link_sate":"auto"},{"type":"rdma"}"#);
    let said = doctor(lab, &areas);
    said.has("chains.unknown-key", "link_state is one that it reads");
    said.mends(
        "chains.shared-mode",
        "rdma",
        "rdmactl system set netns exclusive --persist",
    );
    let own = lab
        .exec(&format!("readlink -f {FACES}/rdmactl"))
        .ok()
        .stdout;
    let own = own.trim();
    let missing = said
        .1
        .iter()
        .filter(|found| found["id"] == "plugins.missing");
    assert_eq!(missing.count(), 2, "{}", said.0);
    // What it says is to be written is in order.
    let content = said.has("chains.order", "rdma plugin 2")["content"].clone();
    let mended = content.as_str().unwrap().replace("link_sate", "link_state");
    lab.sh(&format!("cat > {list} <<'END'\n{mended}END")).ok();
    doctor(lab, &areas)
        .lacks("chains.order")
        .lacks("chains.unknown-key");
    write(r#"{"type":"host-device"},{"type":"rdma"}"#);
    let said = doctor(lab, &areas);
    let command = format!("install -m 755 {own} /opt/cni/bin/rdma");
    said.mends("plugins.missing", list, &command);
    lab.exec("ln -s nothing /opt/cni/bin/rdma").ok();
    doctor(lab, &areas).mends("plugins.dangling", "leads to nothing", &command);
    lab.exec(&format!("ln -sf {FACES}/rdmactl /opt/cni/bin/rdma"))
        .ok();
    lab.sh("echo text > /opt/cni/bin/ib-sriov; echo '{' > /etc/cni/net.d/x.conf")
        .ok();
    let said = doctor(lab, &areas);
    said.lacks("plugins.missing").lacks("plugins.dangling");
    said.has("plugins.not-executable", "nobody may run it");
    said.has("chains.unreadable", "/etc/cni/net.d/x.conf");
    lab.exec("chmod 755 /opt/cni/bin/ib-sriov").ok();
    write(r#"{"type":"ib-sriov","guid":"02:00:00:00:00:00:00:aa","guidPolicy":"make"}"#);
    let said = doctor(lab, &areas);
    said.lacks("plugins.not-executable");
    // The other plugin is this program: a second name for it will do.
    let command = "ln -f /opt/cni/bin/rdma /opt/cni/bin/ib-sriov";
    said.mends("plugins.foreign", "no build of rdmactl", command);
    said.has("chains.unknown-key", "ib-sriov is another program");
    said.has("chains.value", "must be require, keep or generate");
    lab.exec(command).ok();
    doctor(lab, &areas)
        .lacks("plugins.foreign")
        .lacks("chains.unknown-key");
    // And so it runs.
    let version = lab.cni("/opt/cni/bin/ib-sriov", "VERSION", &[], "{}");
    version.ok().stdout_has("supportedVersions");
    let other = "printf 'rdmactl build mark: 0.0.9;' > /opt/cni/bin/new; mv /opt/cni/bin/new /opt/cni/bin/ib-sriov; chmod 755 /opt/cni/bin/ib-sriov";
    lab.sh(other).ok();
    doctor(lab, &areas).mends("plugins.other-build", "rdmactl 0.0.9", command);
    // An installed copy of this program is no other build.
    lab.exec(&format!("install -m 755 {own} /opt/cni/bin/ib-sriov"))
        .ok();
    lab.exec("rm /etc/cni/net.d/x.conf /opt/cni/bin/rdma").ok();
    write(r#"{"type":"ib-sriov","guidPolicy":"keep"}"#);
    assert!(doctor(lab, &areas).1.is_empty());
}

/// Files as each of the others has them.
fn other_managers(lab: &Lab) {
    let area = ["managers"];
    assert!(doctor(lab, &area).1.is_empty());
    let etc = |file: &str| format!("/etc/{file}");
    let files = [
        (
            "NetworkManager/system-connections/ib0.nmconnection",
            "[connection]\nid=fabric\n[sriov]\ntotal-vfs=4\n",
        ),
        (
            "NetworkManager/conf.d/vfs.conf",
            "[device-ib]\nsriov-num-vfs=4\n",
        ),
        (
            "systemd/network/10-ib.link",
            "[Link]\nSR-IOVVirtualFunctions=4\n",
        ),
        (
            "netplan/60-ib.yaml",
            "network:\n  ethernets:\n    ib0:\n      virtual-function-count: 4\n",
        ),
        ("sriov-operator/sriov_config.json", "{}\n"),
    ];
    let folders: Vec<String> = files.iter().map(|(file, _)| etc(file)).collect();
    let present: Vec<bool> = [
        "NetworkManager",
        "systemd/network",
        "netplan",
        "sriov-operator",
    ]
    .iter()
    .map(|name| std::path::Path::new(&etc(name)).exists())
    .collect();
    for (file, text) in files {
        let path = etc(file);
        let folder = path.rsplit_once('/').unwrap().0;
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let said = doctor(lab, &area);
    said.mends(
        "managers.networkmanager",
        "ib0.nmconnection:4: total-vfs=4",
        "nmcli connection modify fabric remove sriov",
    );
    said.mends(
        "managers.networkmanager",
        "vfs.conf:2: sriov-num-vfs=4",
        "sed -i '2d' /etc/NetworkManager/conf.d/vfs.conf",
    );
    said.has(
        "managers.networkd",
        "10-ib.link:2: SR-IOVVirtualFunctions=4",
    );
    said.mends("managers.netplan", "60-ib.yaml:4", "netplan generate");
    said.has("managers.operator", "sriov_config.json");
    // What is said to be done, done; others' files stay as they are.
    lab.exec("sed -i 2d /etc/NetworkManager/conf.d/vfs.conf")
        .ok();
    lab.exec(&format!(
        "rm {} {} {} {}",
        folders[0], folders[2], folders[3], folders[4]
    ))
    .ok();
    assert!(doctor(lab, &area).1.is_empty());
    lab.exec(&format!("rm {}", folders[1])).ok();
    for (name, was_there) in [
        "NetworkManager",
        "systemd/network",
        "netplan",
        "sriov-operator",
    ]
    .iter()
    .zip(present)
    {
        if !was_there {
            lab.exec(&format!("rm -r {}", etc(name))).ok();
        }
    }
}

/// A rule of udev that renames RDMA devices: rdma-core's, hidden, and the one that is advised.
fn names_that_last(lab: &Lab) {
    let area = ["names"];
    let own = [
        pci::rdma(&lab.pf()).unwrap(),
        lab.vf_rdma(0),
        lab.vf_rdma(1),
    ];
    let listed = format!("3 devices, such as {}", own[0]);
    let again = format!(
        "udevadm trigger --action=add /sys/class/infiniband/{}",
        own[0]
    );
    let said = doctor(lab, &area);
    said.is_clean().lacks("names.unstable");
    said.mends(
        "names.kernel",
        "/usr/lib/udev/rules.d/60-rdma-persistent-naming.rules: renames",
        &again,
    );
    let hidden = "/etc/udev/rules.d/60-rdma-persistent-naming.rules";
    lab.sh(&format!(
        "mkdir -p /etc/udev/rules.d; ln -s /dev/null {hidden}"
    ))
    .ok();
    let said = doctor(lab, &area);
    said.is_clean().lacks("names.kernel");
    let found = said.has("names.unstable", &listed);
    assert_eq!(found["file"], hidden);
    std::fs::remove_file(hidden).unwrap();
    std::fs::write(hidden, found["content"].as_str().unwrap()).unwrap();
    let said = doctor(lab, &area);
    said.lacks("names.unstable");
    said.mends("names.kernel", &format!("{hidden}: renames"), &again);
    // With names that no driver gives they have what the rule is for.
    let rename = |from: &str, to: &str| {
        lab.iproute2_rdma(&["dev", "set", from, "name", to]).ok();
    };
    for (name, number) in own.iter().zip(0..) {
        rename(name, &format!("ibp1s{number}"));
    }
    assert!(doctor(lab, &area).1.is_empty());
    // A name that breaks paths, and the one that the kernel gives when the old one is taken.
    rename("ibp1s0", "a b");
    rename("ibp1s1", "ibdev7");
    let said = doctor(lab, &area);
    said.mends("names.unsound", "", "rdmactl dev set 'a b' name NAME");
    said.mends(
        "names.fallback",
        "ibdev7",
        "rdmactl dev set ibdev7 name NAME",
    );
    rename("a b", &own[0]);
    rename("ibdev7", &own[1]);
    rename("ibp1s2", &own[2]);
    std::fs::remove_file(hidden).unwrap();
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

fn devices_that_were_left(lab: &Lab) {
    let (vf, name) = (lab.vf(0), lab.vf_rdma(0));
    let said = doctor(lab, &["netns", "leases"]);
    said.mends(
        "netns.not-persistent",
        "no file sets netns_mode",
        "rdmactl system set netns exclusive --persist",
    );
    assert_eq!(said.1.len(), 1, "{}", said.0);
    let pod = lab.netns("pod");
    // By hand: nobody has it on record, and nobody is there.
    lab.exec(&format!("rdma dev set {name} netns pod")).ok();
    let said = doctor(lab, &["leases", "modules"]);
    said.mends(
        "leases.no-record",
        &vf,
        &format!("rdmactl dev reclaim {name}"),
    );
    said.lacks("modules.no-rdma-device")
        .lacks("modules.rdma-half");
    let back = [
        &format!("{FACES}/rdmactl"),
        "dev",
        "set",
        &name,
        "netns",
        "/proc/1/ns/net",
    ];
    lab.in_netns("pod", &back).ok();
    // By the plugin: it has it on record, for as long as the sandbox lives.
    let conf = config(&vf);
    call(lab, "ADD", "/run/netns/pod", &conf).ok();
    assert!(doctor(lab, &["leases"]).1.is_empty());
    drop(pod);
    let said = doctor(lab, &["leases"]);
    let record = said.has("leases.orphan", "no namespace has this number")["about"].clone();
    let record = record.as_str().unwrap();
    said.mends("leases.orphan", "/run/netns/pod", &format!("rm {record}"));
    lab.sh(&format!("echo '{{' > {record}")).ok();
    doctor(lab, &["leases"]).has("leases.garbage", "2 bytes");
    lab.exec(&format!("rm {record}")).ok();
    assert!(doctor(lab, &["leases"]).1.is_empty());
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
