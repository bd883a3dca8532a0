//! Where the `ib-sriov` plugin takes a GUID from, by `guidPolicy`.

use serde_json::json;

use super::cni_call::{refused, with, without};
use super::ib_sriov::{ANEW, GUID, POD, as_it_is, call, config, is_as_it_was, told};
use crate::case::{Case, case};
use crate::handle::Lab;

pub(crate) fn cases() -> Vec<Case> {
    let exclusive = |name, run| case(name, run).exclusive().may_change(ANEW);
    vec![exclusive("guid_policies", guid_policies).only(
        &["6.12"],
        "where a GUID is taken from is read; how it is set is that of ib_sriov_guids",
    )]
}

/// Rows I14.
fn guid_policies(lab: &Lab) {
    let before = as_it_is(lab, 1);
    let vf = lab.vf(1);
    let _pod = lab.netns("pod");
    let conf = |policy: &str| {
        with(
            "guidPolicy",
            json!(policy),
            without("runtimeConfig", config(&vf)),
        )
    };
    refused(
        call(lab, "ADD", POD, &conf("perhaps")),
        7,
        "invalid guidPolicy value: perhaps",
    );
    call(lab, "ADD", POD, &conf("keep")).ok();
    assert_eq!(told(lab, 1)["node guid"], "00:00:00:00:00:00:00:00");
    call(lab, "DEL", POD, &conf("keep")).ok();
    is_as_it_was(lab, 1, &before);
    let mut seen = Vec::new();
    for _ in 0..2 {
        call(lab, "ADD", POD, &conf("generate")).ok();
        seen.push(told(lab, 1)["port guid"].clone());
        call(lab, "DEL", POD, &conf("generate")).ok();
        is_as_it_was(lab, 1, &before);
    }
    assert_eq!(seen[0], seen[1], "the same every time");
    assert_ne!(seen[0], "00:00:00:00:00:00:00:00");
    // From CNI_ARGS and from args.cni too, whatever else stands there.
    let args = with(
        "args",
        json!({"cni": {"guid": GUID, "debug": true, "n": 5}}),
        conf("require"),
    );
    call(lab, "ADD", POD, &args).ok();
    assert_eq!(told(lab, 1)["node guid"], GUID);
    call(lab, "DEL", POD, &args).ok();
    let env = [
        ("CNI_NETNS", POD),
        (
            "CNI_ARGS",
            "IgnoreUnknown=1;guid=02:00:00:00:00:00:00:bb;K8S_POD_NAME=p",
        ),
    ];
    lab.cni("ib-sriov", "ADD", &env, &conf("require").to_string())
        .ok();
    assert_eq!(told(lab, 1)["node guid"], "02:00:00:00:00:00:00:bb");
    call(lab, "DEL", POD, &conf("require")).ok();
    is_as_it_was(lab, 1, &before);
}
