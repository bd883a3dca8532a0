//! `cni list`, `gc` and `conf`: what the plugins left behind, seen and put right by one command.

use serde_json::{Value, json};

use super::cni_call;
use super::ib_sriov::*;
use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::pci;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("a_node_made_whole", a_node_made_whole)
            .exclusive()
            .may_change(ANEW)
            .vfs(4)
            .limit(120),
    ]
}

fn standings(lab: &Lab) -> Vec<String> {
    let listed = lab.rdmactl(&["-j", "cni", "list"]).ok().json();
    let listed = listed.as_array().cloned().unwrap_or_default();
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    listed
        .iter()
        .map(|entry| {
            format!(
                "{} {} {}",
                word(&entry["plugin"]),
                word(&entry["container"]),
                word(&entry["standing"])
            )
        })
        .collect()
}

/// A pod that lives, one that died, an ADD that was killed, a record that is garbage.
fn a_node_made_whole(lab: &Lab) {
    let before: Vec<_> = (0..4).map(|index| as_it_is(lab, index)).collect();
    lab.rdmactl(&["cni"]).ok().stdout_is("");
    let ib = |verb: &str, id: &str, netns: &str, index: u32| {
        let guid = format!("02:00:00:00:00:00:00:0{index}");
        let conf = cni_call::with(
            "runtimeConfig",
            json!({"infinibandGUID": guid}),
            config(&lab.vf(index)),
        );
        lab.cni(
            "ib-sriov",
            verb,
            &[("CNI_NETNS", netns), ("CNI_CONTAINERID", id)],
            &conf.to_string(),
        )
    };
    let _lives = lab.netns("lives");
    let _cut = lab.netns("cut");
    let dies = lab.netns("dies");
    ib("ADD", "alive", "/run/netns/lives", 0).ok();
    ib("ADD", "dead", "/run/netns/dies", 1).ok();
    cni_call::call_for(
        lab,
        "dead",
        "ADD",
        "/run/netns/dies",
        &cni_call::config(&lab.vf(2)),
    )
    .ok();
    let number = dies.inode();
    drop(dies);
    let conf = config(&lab.vf(3));
    lab.sh(&format!(
        "export CNI_COMMAND=ADD CNI_CONTAINERID=killed CNI_IFNAME=eth0 CNI_NETNS=/run/netns/cut CNI_PATH=/x
         strace -f -o /dev/null -e trace=rename -e inject=rename:signal=KILL:when=1 {FACES}/ib-sriov <<'END'\n{conf}\nEND"
    ))
    .fails(137);
    lab.sh(&format!("echo '{{' > {}/junk", cni_call::STATE))
        .ok();
    // What a writer left that was killed, and that of one who lives.
    lab.sh("for each in rdma ib-sriov; do touch /var/lib/cni/$each/.99999999.0.tmp /var/lib/cni/$each/.1.0.tmp; done")
        .ok();
    // A new container has the number of the dead one's namespace: that makes nobody live again.
    let again = lab.netns_numbered("again", number);

    let mut seen = standings(lab);
    seen.sort();
    assert_eq!(
        seen,
        [
            "ib-sriov alive held",
            "ib-sriov dead orphan",
            "ib-sriov killed half-done",
            "rdma - unreadable",
            "rdma dead orphan",
        ]
    );
    lab.rdmactl(&["cni", "list"])
        .ok()
        .stdout_has("container alive ifname eth0 device")
        .stdout_has("netns lives");
    lab.rdmactl(&["doctor"])
        .stdout_has("that namespace is gone");
    let files = lab.sh("ls -A /var/lib/cni/*").ok().stdout;
    lab.rdmactl(&["--dry-run", "cni", "gc"])
        .ok()
        .stdout_has("would bring")
        .stdout_has(
            "of container killed home and remove /var/lib/cni/ib-sriov/killed-eth0 (half-done)",
        )
        .stdout_lacks("alive");
    lab.sh("ls -A /var/lib/cni/*").ok().stdout_is(&files);

    lab.rdmactl(&["cni", "gc"]).ok().stdout_has("ended");
    drop(again);
    assert_eq!(standings(lab), ["ib-sriov alive held"]);
    lab.sh("cd /var/lib/cni; ls -A rdma ib-sriov; rm */.1.0.tmp")
        .ok()
        .stdout_is("ib-sriov:\n.1.0.tmp\nalive-eth0\n\nrdma:\n.1.0.tmp\n");
    assert_eq!(cni_call::inside(lab, "lives").len(), 1);
    ib("DEL", "alive", "/run/netns/lives", 0).ok();
    for (index, before) in (0..).zip(&before) {
        is_as_it_was(lab, index, before);
    }
    assert_eq!(pci::names(cni_call::STATE), Vec::<String>::new());
    lab.rdmactl(&["cni", "gc"]).ok().stdout_is("");

    // What conf prints, the plugin takes.
    let list = lab
        .rdmactl(&["cni", "conf", "ib-sriov", "--name", "fabric"])
        .ok()
        .json();
    assert_eq!(list["plugins"][0]["type"], "ib-sriov");
    let mut conf = list["plugins"][0].clone();
    conf["name"] = list["name"].clone();
    conf["cniVersion"] = list["cniVersion"].clone();
    conf["deviceID"] = json!(lab.vf(1));
    conf["runtimeConfig"] = json!({"infinibandGUID": GUID});
    let pod = "/run/netns/lives";
    call(lab, "ADD", pod, &conf).ok();
    call(lab, "DEL", pod, &conf).ok();
    is_as_it_was(lab, 1, &before[1]);
    lab.rdmactl(&["cni", "conf", "rdma"])
        .ok()
        .stdout_has("\"rdma\"");
    lab.rdmactl(&["cni", "conf", "rdma", "--name", "../x"])
        .fails(2);
    lab.exec("rm -rf /var/lib/cni/networks").ok();
}
