//! `vf` over tapes and a made-up /sys: what it asks the kernel, what it prints, how it ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use rdmactl::types::{Guid, LinkPolicy};
use rdmactl::wire::Request;
use rdmactl::wire::link::message::{get, set_vf};
use rdmactl::wire::link::vf::VfSetting;
use support::{Answer, Ran, Tape, ack, data, play};

const NEWLINK: u16 = 16;
const EBUSY: i32 = 16;
const GUID: &str = "02:00:00:00:00:00:00:0a";

fn guid(value: u64) -> Guid {
    Guid::new(0x0200_0000_0000_0000 + value)
}

/// An InfiniBand PF with its interface `ib0`, and one VF that a driver has.
fn machine(root: &Path) {
    let functions = root.join("sys/bus/pci/devices");
    let (pf, vf) = (
        functions.join("0000:01:00.0"),
        functions.join("0000:01:10.0"),
    );
    let file = |path: &Path, text: &str| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    file(&pf.join("sriov_totalvfs"), "7\n");
    file(&pf.join("net/ib0/ifindex"), "3\n");
    file(&pf.join("net/ib0/type"), "32\n");
    symlink("../../drivers/mlx5_core", pf.join("driver")).unwrap();
    symlink("../0000:01:10.0", pf.join("virtfn0")).unwrap();
    file(
        &vf.join("infiniband/mlx5_1/node_guid"),
        "0200:0000:0000:0001\n",
    );
    file(
        &vf.join("infiniband/mlx5_1/ports/1/gids/0"),
        "fe80:0000:0000:0000:0200:0000:0000:0001\n",
    );
    symlink("../0000:01:00.0", vf.join("physfn")).unwrap();
    symlink("../../drivers/mlx5_core", vf.join("driver")).unwrap();
}

/// `ib0`; with its VF, if it has these GUIDs and this state.
fn link(vf: Option<(u64, u64, LinkPolicy)>) -> Vec<Answer> {
    let mut fixed = [0; 16];
    (fixed[2], fixed[4]) = (32, 3);
    let link = Request::new(0)
        .fixed(&fixed)
        .text(3, "ib0")
        .text(56, "0000:01:00.0");
    let link = match vf {
        None => link,
        Some((node, port, state)) => {
            let bytes = |value: u64| [[0; 8], guid(value).value().to_ne_bytes()].concat();
            link.u32(21, 1).nest(22, |list| {
                list.nest(1, |vf| {
                    vf.bytes(5, &[[0; 4], state.number().to_ne_bytes()].concat())
                        .bytes(10, &bytes(node))
                        .bytes(11, &bytes(port))
                })
            })
        }
    };
    vec![data(NEWLINK, &link), ack(0)]
}

/// The interface is looked at, then asked for its VFs.
fn asked(vf: (u64, u64, LinkPolicy)) -> Tape {
    Tape::default()
        .then(get(3, false), link(None))
        .then(get(3, true), link(Some(vf)))
}

fn call(tape: &Tape, line: &str, terminal: Option<u16>) -> Ran {
    let root = tempfile::tempdir().unwrap();
    machine(root.path());
    play(tape, root.path(), line, "", terminal)
}

#[test]
fn show() {
    let tape = || asked((1, 1, LinkPolicy::Auto));
    let line = "vf ib0/0 pci 0000:01:10.0 driver mlx5_core rdma mlx5_1 node_guid 02:00:00:00:00:00:00:01 \
                port_guid 02:00:00:00:00:00:00:01 state auto \n";
    for words in ["vf", "vf show ib0/0", "v s 01:00.0", "vf list 0000:01:10.0"] {
        // Only an address needs no class, which this /sys does not have.
        let words = words.replace("ib0", "0000:01:00.0");
        let ran = call(&tape(), &format!("rdmactl {words}"), None);
        assert_eq!(
            (ran.code, ran.out.as_str(), ran.err.as_str()),
            (0, line, ""),
            "{words}"
        );
    }
    let ran = call(&tape(), "rdmactl vf", Some(100));
    assert_eq!(
        ran.out,
        "VF     PCI           DRIVER     RDMA    GUID                     STATE\n\
         ib0/0  0000:01:10.0  mlx5_core  mlx5_1  02:00:00:00:00:00:00:01  auto\n"
    );
    let json = call(&tape(), "rdmactl -j vf", None).out;
    let rows: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(rows[0]["active_port_guid"], "02:00:00:00:00:00:00:01");
    assert_eq!(
        (&rows[0]["index"], &rows[0]["needs_rebind"]),
        (&0.into(), &false.into())
    );
}

#[test]
fn set_both_guids_each_in_a_message_of_its_own_and_read_back_together() {
    let set = |setting| set_vf(3, 0, setting);
    let tape = asked((1, 1, LinkPolicy::Auto))
        .then(set(VfSetting::NodeGuid(guid(0xa))), vec![ack(0)])
        .then(set(VfSetting::PortGuid(guid(0xa))), vec![ack(0)])
        .then(get(3, true), link(Some((0xa, 0xa, LinkPolicy::Auto))));
    let ran = call(
        &tape,
        &format!("rdmactl vf set 01:00.0/0 guid {GUID}"),
        None,
    );
    assert_eq!((ran.code, ran.out.as_str()), (0, ""));
    assert_eq!(
        ran.err,
        "note: mlx5_1 still has node GUID 02:00:00:00:00:00:00:01 and port GUID 02:00:00:00:00:00:00:01: \
         a change takes effect when its driver is bound again: rdmactl vf rebind 01:00.0/0\n"
    );
}

#[test]
fn what_is_so_already_is_done() {
    let guid = "02:00:00:00:00:00:00:01";
    let line = format!("rdmactl -j vf set 01:00.0/0 guid {guid} state auto");
    let ran = call(&asked((1, 1, LinkPolicy::Auto)), &line, None);
    assert_eq!(
        (ran.code, ran.out.as_str(), ran.err.as_str()),
        (0, "[]\n", "")
    );
}

#[test]
fn a_dry_run_asks_and_changes_nothing() {
    let line = format!("rdmactl --dry-run vf set 01:00.0/0 port-guid {GUID} state disable");
    let ran = call(&asked((1, 1, LinkPolicy::Auto)), &line, None);
    assert_eq!(
        (ran.code, ran.out.as_str(), ran.err.as_str()),
        (
            0,
            "would set port-guid of VF 01:00.0/0 to 02:00:00:00:00:00:00:0a (it is 02:00:00:00:00:00:00:01)\n\
             would set state of VF 01:00.0/0 to disable (it is auto)\n",
            ""
        )
    );
}

#[test]
fn what_was_done_before_a_refusal_is_undone() {
    let node = |value| set_vf(3, 0, VfSetting::NodeGuid(guid(value)));
    let port = set_vf(3, 0, VfSetting::PortGuid(guid(0xa)));
    let tape = asked((1, 1, LinkPolicy::Auto))
        .then(node(0xa), vec![ack(0)])
        .then(port, vec![ack(EBUSY)])
        .then(node(1), vec![ack(0)])
        .then(get(3, true), link(Some((1, 1, LinkPolicy::Auto))));
    let ran = call(
        &tape,
        &format!("rdmactl vf set 01:00.0/0 guid {GUID}"),
        None,
    );
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert_eq!(
        ran.err,
        "error: Device or resource busy\n\
         cause: the driver mlx5_core, or the firmware below it, is at something else; undone: node-guid\n  \
         fix: run the command again in a moment\n"
    );
}
