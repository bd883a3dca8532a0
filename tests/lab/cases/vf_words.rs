//! `vf show` and `vf set` by every word for a VF, and by every number of many.

use super::vf::{GUID, LOCKS, batch, guids, ip_vfs, pf_netdev, set};
use crate::case::{Case, case};
use crate::handle::Lab;
use crate::pci;

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("every_word_for_a_vf", every_word_for_a_vf).may_change(LOCKS),
        case("120_infiniband", many_infiniband)
            .pf("nvme")
            .vfs(120)
            .may_change(LOCKS)
            .limit(120),
    ]
}

fn every_word_for_a_vf(lab: &Lab) {
    let (pf, address) = (pf_netdev(lab), lab.pf());
    let pf_rdma = pci::rdma(&address).expect("the PF has an RDMA device");
    let words = [
        format!("{pf}/1"),
        format!("{pf_rdma}/1"),
        format!("{address}/1"),
        format!("{}/1", address.trim_start_matches("0000:")),
        lab.vf(1),
        lab.vf_netdev(1),
        lab.vf_rdma(1),
    ];
    let spellings = [
        "02:00:00:00:00:00:00:1a",
        "0200:0000:0000:001b",
        "0x020000000000001C",
        "020000000000001d",
    ];
    let lines: Vec<String> = words
        .iter()
        .zip(spellings.iter().cycle())
        .flat_map(|(word, spelling)| {
            [
                format!("vf set {word} guid {spelling}"),
                format!("vf show {word}"),
            ]
        })
        .collect();
    let answers = batch(lab, "-j", &lines).ok().json();
    for (at, word) in words.iter().enumerate() {
        let row = &answers[2 * at + 1][0];
        let spelling = spellings[at % spellings.len()];
        let digits = spelling.trim_start_matches("0x").replace(':', "");
        let shown = row["node_guid"]
            .as_str()
            .unwrap_or_default()
            .replace(':', "");
        assert_eq!(shown, digits.to_lowercase(), "{word}");
        assert_eq!(
            (&row["pci"], &row["index"]),
            (&lab.vf(1).into(), &1.into()),
            "{word}"
        );
    }
    let last = &answers[2 * words.len() - 1][0]["node_guid"];
    assert_eq!(*last, guids(lab, 1).0);
    let pfs = [&pf, &pf_rdma, &address].map(|pf| format!("vf show {pf}"));
    let answers = batch(lab, "-j", &pfs).ok().json();
    for rows in answers.as_array().expect("an array") {
        assert_eq!(rows.as_array().map(Vec::len), Some(2), "{rows}");
    }
    set(lab, &words[0], "guid none").ok();
    for (word, why) in [
        (format!("{pf}/2"), "has no VF 2"),
        (pf.clone(), "is the PF"),
        (
            "ib99".to_owned(),
            "there is no PCI function, network interface or RDMA device \"ib99\"",
        ),
    ] {
        set(lab, &word, &format!("guid {GUID}"))
            .fails(1)
            .stderr_has(why);
    }
}

fn many_infiniband(lab: &Lab) {
    let pf = pf_netdev(lab);
    let told = ip_vfs(lab, &pf);
    let rows = lab.rdmactl(&["-j", "vf"]).ok().json();
    let rows = rows.as_array().expect("an array").clone();
    assert_eq!((rows.len(), told.len()), (120, 120));
    for (row, told) in rows.iter().zip(&told) {
        assert_eq!(
            (&row["index"], &row["node_guid"]),
            (&told["vf"], &told["node guid"])
        );
        assert_eq!(
            row["rdma"],
            lab.vf_rdma(row["index"].as_u64().unwrap_or(999) as u32)
        );
    }
    for index in [0, 63, 119] {
        set(
            lab,
            &format!("{pf}/{index}"),
            &format!("guid 020000000000ff{index:02x}"),
        )
        .ok();
    }
    for index in [0, 63, 119] {
        assert_eq!(
            guids(lab, index).1,
            format!("02:00:00:00:00:00:ff:{index:02x}")
        );
    }
    set(lab, &format!("{pf}/7"), "guid 020000000000ff77")
        .fails(1)
        .stderr_has("VF 119 of");
    for index in [0, 63, 119] {
        set(lab, &format!("{pf}/{index}"), "guid none").ok();
    }
}
