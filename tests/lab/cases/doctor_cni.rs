//! The doctor on CNI: plugins, chains, and devices that were left in sandboxes.

use super::cni_call::{call, config};
use super::doctor::{FOLDERS, doctor};
use crate::case::{Case, case};
use crate::handle::{FACES, Lab};

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("plugins_and_chains", plugins_and_chains)
            .only(&["6.12"], "files and programs are read"),
        case("devices_that_were_left", devices_that_were_left)
            .exclusive()
            .may_change(FOLDERS),
    ]
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
    let record = said.has("leases.orphan", "that namespace is gone")["about"].clone();
    let record = record.as_str().unwrap();
    said.mends("leases.orphan", "/run/netns/pod", &format!("rm {record}"));
    lab.sh(&format!("echo '{{' > {record}")).ok();
    doctor(lab, &["leases"]).has("leases.garbage", "2 bytes");
    lab.exec(&format!("rm {record}")).ok();
    assert!(doctor(lab, &["leases"]).1.is_empty());
}
