//! Character devices over a move: with another number the file that a container was given is another device's.

use serde_json::{Value, json};

use super::cni_call::{self, at_home, inside, refused, with, without};
use super::ib_sriov::{self, ANEW, POD, as_it_is, is_as_it_was};
use crate::case::{Case, case};
use crate::handle::Lab;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("b13_numbers_that_changed", b13_numbers_that_changed)
            .exclusive()
            .adapter("mode=ib vf_guids=1")
            .may_change(ANEW)
            .limit(120),
    ]
}

/// Without its driver VF 0 gives up its number, which VF 1 takes when it moves.
fn b13_numbers_that_changed(lab: &Lab) {
    let before = [as_it_is(lab, 0), as_it_is(lab, 1)];
    let vfs = [lab.vf(0), lab.vf(1)];
    let name = lab.vf_rdma(1);
    let _pod = lab.netns("pod");
    let rdma = |verb: &str, policy: &str| {
        let conf = with("charDevices", json!(policy), cni_call::config(&vfs[1]));
        cni_call::call(lab, verb, POD, &conf)
    };
    let ib = |verb: &str, policy: Value| {
        let conf = without("runtimeConfig", ib_sriov::config(&vfs[1]));
        ib_sriov::call(lab, verb, POD, &with("charDevices", policy, conf))
    };
    let vf = |verb: &str, index: usize| drop(lab.rdmactl(&["vf", verb, &vfs[index]]).ok());
    let lower = || {
        for verb in ["unbind", "bind"] {
            vf(verb, 0);
            vf(verb, 1);
        }
        vf("unbind", 0);
    };
    let whole = || {
        vf("bind", 0);
        for index in [0, 1] {
            is_as_it_was(lab, index, &before[index as usize]);
        }
    };
    refused(rdma("ADD", "perhaps"), 7, "invalid charDevices value");
    refused(ib("ADD", json!(5)), 7, "charDevices");
    // Where nothing changes, nothing is said.
    let calm = rdma("ADD", "require").ok();
    assert!(!calm.stderr.contains("character"), "{calm}");
    rdma("DEL", "require").ok();

    lower();
    refused(rdma("ADD", "require"), 11, "uverbs2");
    assert_eq!(inside(lab, "pod"), Vec::<String>::new());
    at_home(&vfs[1], &name);
    // Now it has the number that it keeps.
    rdma("ADD", "require").ok();
    rdma("DEL", "require").ok();
    whole();

    lower();
    rdma("ADD", "warn")
        .ok()
        .stderr_has("character devices have other numbers than before")
        .stderr_has(" became uverbs1 (");
    rdma("DEL", "warn").ok();
    whole();

    lower();
    refused(ib("ADD", json!("require")), 11, " became uverbs1 (");
    assert_eq!(inside(lab, "pod"), Vec::<String>::new());
    whole();
    lower();
    ib("ADD", json!("warn"))
        .ok()
        .stderr_has("character devices have other numbers than before");
    ib("DEL", json!("warn")).ok();
    whole();
}
