//! `vf show` and `vf set` on Ethernet: every key, on the simulated adapter and on Intel's own driver.

use serde_json::Value;

use super::vf::{LOCKS, REBOUND, all_fail, ip_vf, ip_vfs, pf_netdev, rebind, set, shown};
use crate::case::{Case, case};
use crate::handle::Lab;

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("every_key", every_key)
            .ethernet()
            .vfs(7)
            .may_change(REBOUND),
        case("what_does_not_fit", what_does_not_fit)
            .ethernet()
            .may_change(LOCKS),
        case("igb", igb).no_adapter().may_change(LOCKS),
        case("120_ethernet", many)
            .ethernet()
            .pf("nvme")
            .vfs(120)
            .limit(120),
    ]
}

fn every_key(lab: &Lab) {
    let pf = pf_netdev(lab);
    let vf = format!("{pf}/2");
    let ip = || ip_vf(lab, 2);
    let before = ip();
    let same_as_ip = |row: &Value| {
        let ip = ip();
        assert_eq!(row["mac"], ip["address"]);
        let vlan = &ip["vlan_list"][0];
        let number = |value: &Value| value.as_u64().unwrap_or(0);
        assert_eq!(number(&row["vlan"]), number(&vlan["vlan"]), "{row} {ip}");
        assert_eq!(number(&row["qos"]), number(&vlan["qos"]));
        assert_eq!(
            (&row["min_rate"], &row["max_rate"]),
            (&ip["rate"]["min_tx"], &ip["rate"]["max_tx"])
        );
        for (ours, theirs) in [
            ("spoofchk", "spoofchk"),
            ("trust", "trust"),
            ("query_rss", "query_rss_en"),
            ("state", "link_state"),
        ] {
            assert_eq!(row[ours], ip[theirs], "{ours}");
        }
    };
    same_as_ip(&shown(lab, &vf));
    set(
        lab,
        &vf,
        "mac 02:00:00:00:0a:02 vlan 100 qos 3 spoofchk on trust on min-rate 10 max-rate 200 query-rss on state enable",
    )
    .ok()
    .stderr_has(&format!("note: {} still has address ", lab.vf_netdev(2)));
    let row = shown(lab, &vf);
    same_as_ip(&row);
    assert_eq!(
        (&row["mac"], &row["vlan"], &row["qos"]),
        (&"02:00:00:00:0a:02".into(), &100.into(), &3.into())
    );
    assert_eq!(
        (&row["min_rate"], &row["max_rate"]),
        (&10.into(), &200.into())
    );
    assert_eq!(
        (&row["needs_rebind"], &row["trust"], &row["state"]),
        (&true.into(), &true.into(), &"enable".into())
    );
    rebind(lab, &lab.vf(2));
    let row = shown(lab, &vf);
    assert_eq!(
        (&row["needs_rebind"], &row["active_mac"]),
        (&false.into(), &"02:00:00:00:0a:02".into())
    );
    // What is not named stays as it is.
    set(lab, &vf, "max_tx_rate 300").ok().silent();
    set(lab, &vf, "qos 5").ok().silent();
    let row = shown(lab, &vf);
    same_as_ip(&row);
    assert_eq!(
        (&row["min_rate"], &row["max_rate"]),
        (&10.into(), &300.into())
    );
    assert_eq!((&row["vlan"], &row["qos"]), (&100.into(), &5.into()));
    set(lab, &vf, "max-rate 5")
        .fails(1)
        .stderr_has("error: min-rate 10 is above max-rate 5\n");
    // The step before the one that fails is undone.
    set(lab, &vf, "vlan 7 trust off proto 802.1ad")
        .fails(1)
        .stderr_has("error: Protocol not supported\n")
        .stderr_has("does not tag frames with 7 qos 5 proto 802.1ad");
    lab.inject("fail_link_vf", "2,110");
    set(lab, &vf, "vlan 7 spoofchk off state auto")
        .fails(1)
        .stderr_has("; undone: spoofchk, vlan\n");
    lab.inject("fail_link_vf", "off");
    assert_eq!(shown(lab, &vf)["vlan"], 100);
    same_as_ip(&shown(lab, &vf));
    lab.inject("fail_mac_vf", "2,22");
    set(lab, &vf, "mac 02:00:00:00:0a:03").fails(1).stderr_has(
        "error: Invalid argument\ncause: the driver mlx5_core takes no mac 02:00:00:00:0a:03",
    );
    lab.inject("fail_mac_vf", "off");
    set(
        lab,
        &vf,
        "vlan none spoofchk off trust off min-rate 0 max-rate 0 query_rss off state auto",
    )
    .ok();
    set(lab, &vf, "mac none").ok();
    assert_eq!(ip(), before);
    rebind(lab, &lab.vf(2));
}

fn what_does_not_fit(lab: &Lab) {
    let vf = format!("{}/0", pf_netdev(lab));
    let before = ip_vf(lab, 0);
    all_fail(
        lab,
        &vf,
        &[
            (
                "guid 0200000000000001",
                "error: Ethernet VFs have no node-guid\n",
            ),
            (
                "port-guid 0200000000000001",
                "follow from its MAC address\n  fix: rdmactl vf set",
            ),
            ("mac 01:00:5e:00:00:01", "the address of a group"),
            ("mac 00:00:00:00:00:00", "write none"),
            ("mac 02:00:00:00:00", "is not a valid MAC address"),
            ("vlan 4095", "write 1 to 4094, or none"),
            ("qos 8", "write 0 to 7"),
            ("proto qinq", "write 802.1Q or 802.1ad"),
            ("trust maybe", "write on or off"),
            ("max-rate 10G", "whole number of Mbit/s"),
            (
                "min-rate 20 max-rate 10",
                "error: min-rate 20 is above max-rate 10\n",
            ),
            ("min-rate 2147483648", "is not a valid rate"),
            ("spoofcheck on", "'--spoofchk'"),
        ],
    );
    assert_eq!(ip_vf(lab, 0), before);
}

/// Drivers that know nothing of the lab: Intel's, on the card that QEMU emulates.
fn igb(lab: &Lab) {
    lab.sh("modprobe -a igb igbvf && echo 2 > /sys/bus/pci/drivers/igb/0*/sriov_numvfs")
        .ok();
    let pf = pf_netdev(lab);
    let vf = format!("{pf}/1");
    let rows = lab.rdmactl(&["-j", "vf", "show", &pf]).ok().json();
    let told = ip_vfs(lab, &pf);
    for (index, told) in told.iter().enumerate() {
        let row = &rows[index];
        assert_eq!(
            (&row["mac"], &row["spoofchk"]),
            (&told["address"], &told["spoofchk"])
        );
        assert_eq!(
            (&row["state"], &row["trust"]),
            (&told["link_state"], &told["trust"])
        );
        assert_eq!(
            (&row["driver"], &row["pci"]),
            (&"igbvf".into(), &lab.vf(index as u32).into())
        );
        assert_eq!(
            (&row["rdma"], &row["query_rss"]),
            (&Value::Null, &Value::Null)
        );
    }
    let done = set(
        lab,
        &vf,
        "mac 02:00:00:00:00:11 vlan 100 qos 3 spoofchk off trust on",
    );
    let after = ip_vf(lab, 1);
    let refused: Vec<_> = [
        "state enable",
        "query-rss on",
        "max-rate 10",
        "vlan 100 proto 802.1ad",
        "guid 0200000000000001",
        "trust off state enable",
    ]
    .iter()
    .map(|words| set(lab, &vf, words))
    .collect();
    let last = ip_vf(lab, 1);
    let listed = lab.rdmactl(&["vf"]);
    lab.sh("echo 0 > /sys/bus/pci/drivers/igb/0*/sriov_numvfs && rmmod igbvf igb")
        .ok();
    done.ok().stderr_has(" still has address ");
    assert_eq!(after["address"], "02:00:00:00:00:11");
    assert_eq!(
        (
            &after["vlan_list"][0]["vlan"],
            &after["vlan_list"][0]["qos"]
        ),
        (&100.into(), &3.into())
    );
    assert_eq!(
        (&after["spoofchk"], &after["trust"]),
        (&false.into(), &true.into())
    );
    assert_eq!(after, last, "what was refused has changed something");
    for (output, why) in refused.into_iter().zip([
        "error: Operation not supported\ncause: the driver igb cannot set state of a VF\n",
        "error: Operation not supported\ncause: the driver igb cannot set query-rss of a VF\n",
        "error: Invalid argument\ncause: the driver igb holds rates against the speed of the PF's link, and it has none\n",
        "error: Protocol not supported\n",
        "error: Ethernet VFs have no node-guid\n",
        "cannot set state of a VF; undone: trust\n",
    ]) {
        output.fails(1).stderr_has(why);
    }
    listed
        .ok()
        .stdout_has(&format!("vf {vf} pci "))
        .stdout_has(" vlan 100 qos 3 state auto ");
}

fn many(lab: &Lab) {
    let pf = pf_netdev(lab);
    let same = || {
        let rows = lab.rdmactl(&["-j", "vf"]).ok().json();
        let rows = rows.as_array().expect("an array").clone();
        let told = ip_vfs(lab, &pf);
        assert_eq!((rows.len(), told.len()), (120, 120));
        for (row, told) in rows.iter().zip(&told) {
            for (ours, theirs) in [("index", "vf"), ("mac", "address"), ("trust", "trust")] {
                assert_eq!(row[ours], told[theirs], "{row}");
            }
        }
        rows
    };
    same();
    for (word, trusted) in [("on", true), ("off", false)] {
        for index in [0, 63, 119] {
            set(lab, &format!("{pf}/{index}"), &format!("trust {word}")).ok();
        }
        let rows = same();
        for (index, row) in rows.iter().enumerate() {
            let expected = trusted && [0, 63, 119].contains(&index);
            assert_eq!(row["trust"], expected, "{row}");
        }
    }
}
