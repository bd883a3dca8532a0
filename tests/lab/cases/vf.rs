//! `vf show` and `vf set` on InfiniBand, read by `ip -j link show` and from /sys, which know nothing of us.

use serde_json::Value;

use super::doctor::doctor;
use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::output::Output;
use crate::pci;

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("infiniband", infiniband).vfs(7).may_change(REBOUND),
        case("rebind_at_once", rebind_at_once).may_change(REBOUND),
        case("every_word_for_a_vf", every_word_for_a_vf),
        case("a_guid_is_somebodys", a_guid_is_somebodys),
        case("a_guid_of_another_adapter", a_guid_of_another_adapter)
            .pf("two-igb")
            .only(
                &["6.12"],
                "the kernel knows nothing of it: only we ask both",
            ),
        case("a_failure_half_way_is_undone", a_failure_half_way_is_undone)
            .adapter("mode=ib vendor_sysfs=1"),
        case("what_does_not_fit", what_does_not_fit),
        case("refusals_are_explained", refusals_are_explained),
        case("120_infiniband", many_infiniband)
            .pf("nvme")
            .vfs(120)
            .limit(120),
    ]
}

/// A VF that was bound again has another RDMA index, and may have another netdev; the folders of
/// locks stay.
pub(super) const REBOUND: &[&str] = &[
    "rdma device",
    "netdev ib",
    "netdev eth",
    "folder /run/rdmactl",
];

pub(super) const GUID: &str = "02:00:00:00:00:00:00:0a";
pub(super) const OTHER: &str = "02:00:00:00:00:00:00:0b";

pub(super) const NONE: &str = "00:00:00:00:00:00:00:00";

pub(super) const NOBODY: &str = "setpriv --reuid=65534 --regid=65534 --clear-groups";

/// The interface of the PF.
pub(super) fn pf_netdev(lab: &Lab) -> String {
    pci::netdev(&lab.pf()).expect("the PF has a netdev here")
}

/// What `ip` says of the VFs of an interface, by index.
pub(super) fn ip_vfs(lab: &Lab, netdev: &str) -> Vec<Value> {
    let links = lab.ip(&["-j", "link", "show", netdev]).ok().json();
    links[0]["vfinfo_list"]
        .as_array()
        .cloned()
        .unwrap_or_default()
}

/// What `ip` says of one.
pub(super) fn ip_vf(lab: &Lab, index: usize) -> Value {
    ip_vfs(lab, &pf_netdev(lab))[index].clone()
}

/// What we say of one.
pub(super) fn shown(lab: &Lab, vf: &str) -> Value {
    let rows = lab.rdmactl(&["-j", "vf", "show", vf]).ok().json();
    assert_eq!(rows.as_array().map(Vec::len), Some(1), "{rows}");
    rows[0].clone()
}

pub(super) fn set(lab: &Lab, vf: &str, words: &str) -> Output {
    let mut argv = vec!["vf", "set", vf];
    argv.extend(words.split(' '));
    lab.rdmactl(&argv)
}

/// Runs commands in one process, which in the emulated guest is much quicker than one each.
fn batch(lab: &Lab, options: &str, lines: &[String]) -> Output {
    let lines = lines.join("\n");
    lab.sh(&format!(
        "{FACES}/rdmactl {options} -batch - <<'END'\n{lines}\nEND"
    ))
}

/// Sets a VF in ways that all fail, each with its own words.
pub(super) fn all_fail(lab: &Lab, vf: &str, tries: &[(&str, &str)]) {
    let lines: Vec<String> = tries
        .iter()
        .map(|(words, _)| format!("vf set {vf} {words}"))
        .collect();
    let output = batch(lab, "-force", &lines).fails(1).stdout_is("");
    let said: Vec<&str> = output.stderr.split("Command failed -:").collect();
    assert_eq!(said.len(), tries.len() + 1, "{output}");
    for ((words, why), said) in tries.iter().zip(said) {
        assert!(said.contains(why), "{words}: expected {why}\n{said}");
    }
}

/// Node and port GUID as `ip` reads them back.
pub(super) fn guids(lab: &Lab, index: usize) -> (String, String) {
    let vf = ip_vf(lab, index);
    let text = |key: &str| vf[key].as_str().unwrap_or_default().to_owned();
    (text("node guid"), text("port guid"))
}

pub(super) fn rebind(lab: &Lab, vf: &str) {
    lab.sh(&format!(
        "cd /sys/bus/pci/drivers/mlx5_core && echo {vf} > unbind && echo {vf} > bind"
    ))
    .ok();
}

fn infiniband(lab: &Lab) {
    let pf = pf_netdev(lab);
    // Every row against ip and sysfs.
    let rows = lab.rdmactl(&["-j", "vf"]).ok().json();
    let rows = rows.as_array().expect("an array");
    let told = ip_vfs(lab, &pf);
    assert_eq!((rows.len(), told.len()), (7, 7));
    for (index, (row, told)) in rows.iter().zip(&told).enumerate() {
        let address = lab.vf(index as u32);
        assert_eq!(row["vf"], format!("{pf}/{index}"));
        assert_eq!(
            (&row["index"], &row["pci"]),
            (&told["vf"], &address.clone().into())
        );
        assert_eq!(row["driver"], "mlx5_core");
        assert_eq!(row["rdma"], lab.vf_rdma(index as u32));
        assert_eq!(row["netdev"], lab.vf_netdev(index as u32));
        assert_eq!(row["node_guid"], told["node guid"]);
        assert_eq!(row["port_guid"], told["port guid"]);
        assert_eq!(row["state"], told["link_state"]);
        assert_eq!(row["link_layer"], "InfiniBand");
        assert!(row["mac"].is_null() && row["trust"].is_null(), "{row}");
    }
    // A GUID for both, while the driver has the old one.
    let vf = format!("{pf}/3");
    let rdma = lab.vf_rdma(3);
    set(lab, &vf, &format!("guid {GUID}"))
        .ok()
        .stderr_has(&format!(
            "note: {rdma} still has node GUID {NONE} and port GUID {NONE}"
        ))
        .stderr_has(&format!("rdmactl vf rebind {vf}\n"))
        .stdout_is("");
    assert_eq!(guids(lab, 3), (GUID.to_owned(), GUID.to_owned()));
    let row = shown(lab, &vf);
    assert_eq!(
        (&row["needs_rebind"], &row["active_node_guid"]),
        (&true.into(), &NONE.into())
    );
    lab.rdmactl(&["vf", "show", &vf])
        .ok()
        .stdout_has(" needs_rebind ");
    // Done already: nothing is sent, for it would fail, and the VF is looked at all the same.
    lab.inject("fail_guid_vf", "3,5");
    set(lab, &vf, &format!("guid {GUID}"))
        .ok()
        .stderr_has("still has node GUID");
    lab.inject("fail_guid_vf", "off");
    rebind(lab, &lab.vf(3));
    let node = lab.exec(&format!(
        "cat /sys/class/infiniband/{}/node_guid",
        lab.vf_rdma(3)
    ));
    node.ok().stdout_is("0200:0000:0000:000a\n");
    set(lab, &vf, &format!("guid {GUID}")).ok().silent();
    let row = shown(lab, &vf);
    assert_eq!(
        (&row["needs_rebind"], &row["active_port_guid"]),
        (&false.into(), &GUID.into())
    );
    assert_eq!(row["port_state"], "ACTIVE");
    // Each alone, and the link.
    set(lab, &vf, &format!("port-guid {OTHER} state disable")).ok();
    assert_eq!(guids(lab, 3), (GUID.to_owned(), OTHER.to_owned()));
    assert_eq!(ip_vf(lab, 3)["link_state"], "disable");
    assert_eq!(shown(lab, &vf)["port_state"], "DOWN");
    set(lab, &vf, "state enable").ok();
    assert_eq!(ip_vf(lab, 3)["link_state"], "enable");
    set(lab, &vf, &format!("node_guid {OTHER} port_guid {GUID}")).ok();
    assert_eq!(guids(lab, 3), (OTHER.to_owned(), GUID.to_owned()));
    // A dry run says all of it and does none.
    lab.rdmactl(&["--dry-run", "vf", "set", &vf, "guid", GUID, "state", "auto"])
        .ok()
        .stdout_is(&format!(
            "would set node-guid of VF {vf} to {GUID} (it is {OTHER})\n\
             would set state of VF {vf} to auto (it is enable)\n"
        ));
    assert_eq!(guids(lab, 3), (OTHER.to_owned(), GUID.to_owned()));
    set(lab, &vf, "guid none state auto").ok();
    assert_eq!(guids(lab, 3), (NONE.to_owned(), NONE.to_owned()));
    assert!(
        lab.rdmactl(&["-j", "vf", "set", &vf, "state", "auto"])
            .ok()
            .json()
            .is_array()
    );
    rebind(lab, &lab.vf(3));
}

fn rebind_at_once(lab: &Lab) {
    let vf = format!("{}/0", pf_netdev(lab));
    let node_guid = || {
        let file = format!("/sys/class/infiniband/{}/node_guid", lab.vf_rdma(0));
        lab.exec(&format!("cat {file}")).ok().stdout
    };
    let done = set(lab, &vf, &format!("guid {GUID} --rebind")).ok();
    done.stdout_has(&format!("vf {vf} pci {} driver mlx5_core ", lab.vf(0)))
        .stdout_has(&format!(
            " rdma {} netdev {} ",
            lab.vf_rdma(0),
            lab.vf_netdev(0)
        ))
        .stderr_is("");
    assert_eq!(node_guid(), "0200:0000:0000:000a\n");
    // Set and taken already: its driver is left alone.
    let name = lab.vf_rdma(0);
    lab.rdmactl(&["dev", "set", &name, "name", "mine"]).ok();
    set(lab, &vf, &format!("guid {GUID} --rebind"))
        .ok()
        .silent();
    assert_eq!(lab.vf_rdma(0), "mine");
    // Somebody uses it: that is found out before anything is changed.
    let netdev = lab.vf_netdev(0);
    lab.sh(&format!(
        "ip link set {netdev} up && ip address add 192.0.2.9/24 dev {netdev}"
    ))
    .ok();
    set(lab, &vf, &format!("guid {OTHER} --rebind"))
        .fails(1)
        .stdout_is("")
        .stderr_has("192.0.2.9");
    assert_eq!(guids(lab, 0), (GUID.to_owned(), GUID.to_owned()));
    lab.rdmactl(&[
        "--dry-run",
        "--force",
        "vf",
        "set",
        &vf,
        "port-guid",
        OTHER,
        "--rebind",
    ])
    .ok()
    .stdout_has(&format!(
        "would set port-guid of VF {vf} to {OTHER} (it is {GUID})\nwould take it from its user: "
    ))
    .stdout_has(&format!(
        "would bind VF 0 ({}) to its own driver\n",
        lab.vf(0)
    ));
    assert_eq!(lab.vf_rdma(0), "mine");
    set(lab, &vf, &format!("guid {OTHER} --rebind --force")).ok();
    assert_eq!(node_guid(), "0200:0000:0000:000b\n");
    // The driver does not come back: what was set stays set, and that is said.
    lab.inject("fail_probe_vf", "0,12");
    let failed = set(lab, &vf, "guid none --rebind");
    lab.inject("fail_probe_vf", "off");
    failed
        .fails(1)
        .stderr_has(&format!("note: what was set for VF {vf} stays set\n"))
        .stderr_has(&format!("mlx5_core failed to start on {}", lab.vf(0)));
    assert_eq!(guids(lab, 0), (NONE.to_owned(), NONE.to_owned()));
    lab.rdmactl(&["vf", "bind", &vf]).ok();
    assert_eq!(node_guid(), "0000:0000:0000:0000\n");
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

fn a_guid_is_somebodys(lab: &Lab) {
    let pf = pf_netdev(lab);
    let (first, second) = (format!("{pf}/0"), format!("{pf}/1"));
    set(lab, &first, &format!("port-guid {GUID}")).ok();
    set(lab, &second, &format!("guid {GUID}"))
        .fails(1)
        .stderr_has(&format!("error: the GUID {GUID} is taken\n"))
        .stderr_has(&format!(
            "cause: VF 0 of {} ({}) was given it",
            lab.pf(),
            lab.vf(0)
        ))
        .stderr_has("guid none\n");
    assert_eq!(guids(lab, 1).0, NONE);
    // The PF's own.
    let own = lab.exec(&format!(
        "cat /sys/bus/pci/devices/{0}/infiniband/{1}/node_guid",
        lab.pf(),
        pci::rdma(&lab.pf()).unwrap_or_default()
    ));
    let own = own.ok().stdout.trim().to_owned();
    set(lab, &second, &format!("guid {own}"))
        .fails(1)
        .stderr_has("goes by it; two with one GUID");
    set(lab, &second, &format!("guid {GUID} --force")).ok();
    assert_eq!(guids(lab, 1).0, GUID);
    for vf in [first, second] {
        set(lab, &vf, "guid none").ok();
    }
}

fn a_guid_of_another_adapter(lab: &Lab) {
    let pfs = pci::pfs();
    let [first, second] = &pfs[..] else {
        panic!("{pfs:?}")
    };
    let numvfs = format!("/sys/bus/pci/devices/{second}/sriov_numvfs");
    lab.sh(&format!("echo 2 > {numvfs}")).ok();
    let everywhere = lab.rdmactl(&["-j", "vf", "show"]);
    set(lab, &format!("{second}/1"), &format!("port-guid {GUID}")).ok();
    let other = pci::vf(second, 1).expect("it was made");
    let refused = set(lab, &format!("{first}/0"), &format!("node-guid {GUID}"));
    // By force it is given out twice, which the doctor finds across PFs.
    let mut by_force = vec!["vf", "set"];
    let vf = format!("{first}/0");
    by_force.extend([vf.as_str(), "node-guid", GUID, "--force"]);
    let forced = lab.rdmactl(&by_force);
    let said = doctor(lab, &["vfs"]);
    let back = set(lab, &vf, "node-guid none");
    lab.sh(&format!("echo 0 > {numvfs}")).ok();
    forced.ok();
    back.ok();
    let twice = said.has("vfs.guid-duplicate", &format!("node GUID of VF {first}/0"));
    assert_eq!(twice["about"], GUID);
    let evidence = twice["evidence"].to_string();
    let other_vf = format!("port GUID of VF {second}/1");
    assert!(evidence.contains(&other_vf), "{}", said.0);
    let rows = everywhere.ok().json();
    let pfs_of_rows: Vec<_> = (0..4).map(|at| rows[at]["pf_pci"].clone()).collect();
    assert_eq!(
        pfs_of_rows,
        [first, first, second, second].map(|pf| Value::from(pf.as_str()))
    );
    refused
        .fails(1)
        .stderr_has(&format!("error: the GUID {GUID} is taken\n"))
        .stderr_has(&format!("cause: VF 1 of {second} ({other}) was given it"));
    assert_eq!(guids(lab, 0).0, NONE);
}

/// Sets both GUIDs of VF 0 while `fault` strikes between the two: once the first is in the PF's
/// table, which the vendor's file shows without waiting for anybody.
fn with_a_fault_between(lab: &Lab, vf: &str, fault: &str) -> Output {
    let node = format!("/sys/bus/pci/devices/{}/sriov/0/node", lab.pf());
    lab.inject("guid_delay_ms", "200");
    let output = lab.sh(&format!(
        "(until grep -q {GUID} {node}; do :; done; echo {fault} > /sys/module/rdmalab/parameters/fail_guid_vf) & \
         {FACES}/rdmactl vf set {vf} guid {GUID}; status=$?; wait; exit $status"
    ));
    lab.inject("guid_delay_ms", "0");
    lab.inject("fail_guid_vf", "off");
    output
}

fn a_failure_half_way_is_undone(lab: &Lab) {
    let vf = format!("{}/0", pf_netdev(lab));
    set(lab, &vf, &format!("guid {OTHER}")).ok();
    let old = (OTHER.to_owned(), OTHER.to_owned());
    with_a_fault_between(lab, &vf, "0,16,1")
        .fails(1)
        .stderr_has("error: Device or resource busy\n")
        .stderr_has("is at something else; undone: node-guid\n")
        .stderr_has("fix: run the command again in a moment\n");
    assert_eq!(guids(lab, 0), old);
    // All of it in reverse, when the last of three fails.
    lab.inject("fail_link_vf", "0,5");
    set(lab, &vf, &format!("guid {GUID} state enable"))
        .fails(1)
        .stderr_has("error: Input/output error\n")
        .stderr_has(
            "cause: the firmware below the driver mlx5_core refused state enable; undone: port-guid, node-guid\n",
        );
    lab.inject("fail_link_vf", "off");
    assert_eq!(guids(lab, 0), old);
    // What cannot be undone either is named, as it is now and as it was.
    with_a_fault_between(lab, &vf, "0,16")
        .fails(1)
        .stderr_has(&format!(
            "; node-guid stays {GUID}, and not {OTHER} again: "
        ));
    assert_eq!(guids(lab, 0), (GUID.to_owned(), OTHER.to_owned()));
    set(lab, &vf, "guid none").ok();
}

fn what_does_not_fit(lab: &Lab) {
    let vf = format!("{}/0", pf_netdev(lab));
    let ones = "ff:ff:ff:ff:ff:ff:ff:ff";
    all_fail(
        lab,
        &vf,
        &[
            (
                "mac 02:00:00:00:00:01",
                "error: InfiniBand VFs have no mac\n",
            ),
            ("trust on", "has guid, node-guid, port-guid and state\n"),
            ("vlan 5 guid none", "error: InfiniBand VFs have no vlan\n"),
            (
                "guid 11:22:33:44:77:66:77:90",
                "10:22:33:44:77:66:77:90 is one device's",
            ),
            (&format!("guid {NONE}"), "write none to take it back"),
            (&format!("port-guid {ones}"), "write none to take it back"),
            ("guid 02:00:00:00:00:00:01", "is not a valid GUID"),
            ("guid", "a value is required"),
            ("state up", "write auto, enable or disable"),
            ("state auto state enable", "cannot be used multiple times"),
            ("guid none node-guid none", "cannot be used with"),
        ],
    );
    set(lab, &vf, "gid 0200000000000001")
        .fails(2)
        .stderr_has("'--guid'");
    lab.rdmactl(&["vf", "set", &vf])
        .fails(2)
        .stderr_has("nothing is named that is to be set");
    let vfs = ip_vfs(lab, &pf_netdev(lab));
    let untouched = |vf: &Value| vf["node guid"] == NONE && vf["link_state"] == "auto";
    assert!(vfs.iter().all(untouched), "{vfs:?}");
    // The group bit passes when it is meant.
    set(lab, &vf, "guid 11:22:33:44:77:66:77:90 --force").ok();
    assert_eq!(guids(lab, 0).0, "11:22:33:44:77:66:77:90");
    set(lab, &vf, "guid none").ok();
}

fn refusals_are_explained(lab: &Lab) {
    let (pf, address) = (pf_netdev(lab), lab.pf());
    let vf = format!("{pf}/1");
    for (errno, first, cause) in [
        (
            1,
            "Operation not permitted",
            "a security module may forbid it",
        ),
        (
            16,
            "Device or resource busy",
            "or the firmware below it, is at something else",
        ),
        (22, "Invalid argument", "takes no node-guid"),
        (
            34,
            "Numerical result out of range",
            "is outside what the driver mlx5_core takes",
        ),
        (19, "No such device", "went away meanwhile"),
        (
            95,
            "Operation not supported",
            "the driver mlx5_core cannot set node-guid of a VF",
        ),
        (
            110,
            "Connection timed out",
            "the firmware below the driver mlx5_core refused",
        ),
        (
            12,
            "Cannot allocate memory",
            "the driver mlx5_core refused node-guid",
        ),
    ] {
        lab.inject("fail_guid_vf", &format!("1,{errno}"));
        set(lab, &vf, &format!("guid {GUID}"))
            .fails(1)
            .stdout_is("")
            .stderr_has(&format!("error: {first}\ncause: "))
            .stderr_has(cause);
    }
    lab.inject("fail_guid_vf", "off");
    assert_eq!(guids(lab, 1).0, NONE);
    // Everybody may look, root alone may set.
    let shown = lab.exec(&format!("{NOBODY} {FACES}/rdmactl vf show {address}"));
    shown
        .ok()
        .stdout_has(&format!("vf {pf}/1 "))
        .stdout_has("state auto");
    lab.exec(&format!("{NOBODY} {FACES}/rdmactl vf set {vf} guid {GUID}"))
        .fails(1)
        .stderr_has("error: Operation not permitted\n")
        .stderr_has("cause: setting a VF takes CAP_NET_ADMIN, and the caller has none\n")
        .stderr_has("fix: run the command as root on the host\n");
    lab.exec(&format!(
        "unshare --user --map-root-user {FACES}/rdmactl vf set {vf} guid {GUID}"
    ))
    .fails(1)
    .stderr_has("only in a user namespace of its own");
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
