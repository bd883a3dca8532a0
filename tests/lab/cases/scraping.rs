//! What people's scripts cut out of the text, through iproute2's `rdma` and through ours.

use crate::case::{Case, case};
use crate::handle::{FACES, Lab};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("idioms_seen_in_the_wild", idioms)
            .ethernet()
            .limit(120),
    ]
}

fn idioms(lab: &Lab) {
    let (dev, netdev) = (lab.vf_rdma(0), lab.vf_netdev(0));
    lab.sh(&format!("ip link set {netdev} up")).ok();
    let pipes = [
        "rdma dev show | awk -F': ' '{print $2}'".to_owned(),
        "rdma link show | awk '{print $NF}'".to_owned(),
        format!("rdma link show | grep '^link {dev}/'"),
        r"rdma link show | sed -n 's,^link[[:blank:]]*\([^/]*\)/.*,\1,p'".to_owned(),
        "rdma link | awk '{print $2}' | cut -d/ -f1".to_owned(),
        format!("rdma link | grep '{dev}/1 state ACTIVE'"),
        r"rdma system show | sed -n 's/.*netns \([^ ]*\).*/\1/p'".to_owned(),
        format!(
            "rdma link | grep 'netdev {netdev}' | grep 'state ACTIVE' | grep 'physical_state LINK_UP'"
        ),
        format!("rdma -j dev show {dev} | jq -r '.[0].node_guid'"),
        format!("rdma -j link show {dev}/1 | jq -r '.[].netdev'"),
        "rdma dev | wc -l".to_owned(),
    ];
    for pipe in &pipes {
        let theirs = lab.sh(&format!("set -o pipefail; {pipe}")).ok().stdout;
        let ours = lab
            .sh(&format!("set -o pipefail; PATH={FACES}:$PATH; {pipe}"))
            .ok()
            .stdout;
        assert_eq!(theirs, ours, "{pipe}");
        assert!(!ours.trim().is_empty(), "{pipe}");
    }
    lab.sh(&format!("ip link set {netdev} down")).ok();
}
