//! The session of the README's picture, typed again: what is committed is what happens.

use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::namespace::Named;

/// Commands behind `# `, and what each of them answers on a terminal of 100 columns.
const SESSION: &str = include_str!("../../../docs/session.txt");

/// How `topology` draws what the session leaves.
const TOPOLOGY: &str = include_str!("../../../docs/topology.mermaid");

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("the_session_is_what_happens", session)
            // Words of its own, so that the adapter is loaded anew and its devices have their first names.
            .adapter("vf_guids=1 mode=ib")
            .vfs(3)
            .exclusive()
            .only(&["6.12"], "one picture, of one kernel")
            .may_change(&["rdma device", "netdev ib", "folder /run/rdmactl"]),
    ]
}

fn session(lab: &Lab) {
    let shown = lab.rdmactl(&["-j", "vf", "show", "ib0/0"]).ok().json();
    let guid = shown[0]["node_guid"].as_str().expect("a GUID").to_owned();
    let mut happened = String::new();
    for line in SESSION.lines().filter_map(|line| line.strip_prefix("# ")) {
        let typed = format!("stty cols 100; PATH={FACES}:$PATH; {line}");
        let said = lab.sh(&format!("script -qec '{typed}' /dev/null")).stdout;
        happened += &format!("# {line}\n{}", said.replace('\r', ""));
    }
    let drawn = lab.rdmactl(&["topology", "--format", "mermaid"]).stdout;
    lab.rdmactl(&["--netns", "blue", "dev", "set", "mlx5_2", "netns", "1"]);
    // Of the session; gone, and waited for, when this is dropped.
    drop(Named {
        name: "blue".to_owned(),
    });
    lab.exec(&format!(
        "{FACES}/rdmactl vf set ib0/0 guid {guid} --rebind"
    ))
    .ok();
    assert!(
        happened == SESSION && drawn == TOPOLOGY,
        "docs/session.txt is to be:\n{happened}docs/topology.mermaid is to be:\n{drawn}"
    );
}
