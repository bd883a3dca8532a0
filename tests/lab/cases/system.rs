//! `system`: the namespace mode and the other settings, on every kernel.

use crate::case::{Case, case};
use crate::handle::Lab;

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("exclusive_and_back", exclusive_and_back),
        case("json", json),
        case("privileged_qkey", privileged_qkey),
        case("loads_ib_core_by_itself", loads_ib_core_by_itself).no_adapter(),
    ]
}

fn exclusive_and_back(lab: &Lab) {
    lab.rdmactl(&["system", "set", "netns", "exclusive"])
        .ok()
        .silent();
    lab.iproute2_rdma(&["system"])
        .ok()
        .stdout_has("netns exclusive ");
    lab.rdmactl(&["system", "show"])
        .ok()
        .stdout_has("netns exclusive ");
    // Already so: done, and nothing is asked of the kernel that could fail.
    lab.rdmactl(&["system", "set", "netns", "exclusive"])
        .ok()
        .silent();
    lab.rdmactl(&["sys", "se", "n", "shared"]).ok().silent();
    lab.iproute2_rdma(&["system"])
        .ok()
        .stdout_has("netns shared ");
}

fn json(lab: &Lab) {
    let shown = lab.rdmactl(&["-j", "system", "show"]).ok().json();
    assert_eq!(shown[0]["netns"], "shared");
    assert!(
        shown[0]["copy-on-fork"].is_boolean() && shown[0]["monitor"].is_boolean(),
        "{shown}"
    );
    let text = lab.iproute2_rdma(&["system"]).ok().stdout;
    // An iproute2 that knows the setting says the same of it.
    if text.contains("privileged-qkey") {
        let on = shown[0]["privileged-qkey"].as_bool().unwrap();
        assert!(
            text.contains(if on {
                "privileged-qkey on"
            } else {
                "privileged-qkey off"
            }),
            "{text}"
        );
    }
}

/// Linux 6.7 brought the setting, and the 6.1 of Debian has it too.
fn privileged_qkey(lab: &Lab) {
    for on in [true, false] {
        let word = if on { "on" } else { "off" };
        lab.rdmactl(&["system", "set", "privileged-qkey", word])
            .ok()
            .silent();
        assert_eq!(
            lab.rdmactl(&["-j", "system"]).ok().json()[0]["privileged-qkey"],
            on
        );
        let text = lab.iproute2_rdma(&["system"]).ok().stdout;
        assert!(
            !text.contains("privileged-qkey") || text.contains(&format!("privileged-qkey {word}")),
            "{text}"
        );
    }
    lab.rdmactl(&["system", "set", "privileged-qkey", "maybe"])
        .fails(2)
        .stderr_has("{ on | off }");
}

/// Opening the socket has the kernel load ib_core, so a machine without devices shows an empty list.
fn loads_ib_core_by_itself(lab: &Lab) {
    lab.rdmactl(&["dev", "show"]).ok().silent();
    lab.rdmactl(&["-j", "dev", "show"]).ok().stdout_is("[]\n");
    lab.rdmactl(&["system"]).ok().stdout_has("netns shared");
}
