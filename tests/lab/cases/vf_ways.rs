//! The ways to the GUIDs of VFs: an IPoIB interface elsewhere, one that has to be made, the vendor's files.

use super::vf::{
    GUID, LOCKS, NOBODY, NONE, OTHER, REBOUND, guids, ip_vf, pf_netdev, rebind, set, shown,
};
use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::pci;

pub(super) fn cases() -> Vec<Case> {
    vec![
        case(
            "the_interface_lives_elsewhere",
            the_interface_lives_elsewhere,
        )
        .may_change(LOCKS),
        case("ipoib_is_loaded", ipoib_is_loaded).may_change(LOCKS),
        case("without_any_way", without_any_way).may_change(LOCKS),
        case("the_vendors_files", the_vendors_files)
            .adapter("mode=ib vendor_sysfs=1")
            .may_change(REBOUND),
    ]
}

fn the_interface_lives_elsewhere(lab: &Lab) {
    let (pf, address) = (pf_netdev(lab), lab.pf());
    let _blue = lab.netns("blue");
    lab.ip(&["link", "set", &pf, "netns", "blue"]).ok();
    let vf = format!("{address}/0");
    let set = lab.rdmactl(&["vf", "set", &vf, "guid", GUID, "state", "enable"]);
    let told = lab.rdmactl(&["-j", "vf", "show", &vf]);
    let dump = lab.in_netns("blue", &["ip", "-j", "link", "show", &pf]);
    // With a socket in there and the /sys of the first namespace, as nsenter leaves it.
    let entered = lab.exec(&format!(
        "nsenter --net=/run/netns/blue {FACES}/rdmactl -j vf show {vf}"
    ));
    // Its name is one of that namespace.
    let inside = lab.rdmactl(&["--netns", "blue", "-j", "vf", "show", &format!("{pf}/0")]);
    let nobody = lab.exec(&format!(
        "{NOBODY} {FACES}/rdmactl vf set {vf} guid {OTHER}"
    ));
    let back = lab.rdmactl(&["vf", "set", &vf, "guid", "none", "state", "auto"]);
    lab.in_netns("blue", &["ip", "link", "set", &pf, "netns", "1"])
        .ok();
    set.ok();
    let ip = dump.ok().json()[0]["vfinfo_list"][0].clone();
    assert_eq!(
        (&ip["node guid"], &ip["link_state"]),
        (&GUID.into(), &"enable".into())
    );
    for shown in [told.ok(), entered.ok(), inside.ok()] {
        let row = shown.json()[0].clone();
        assert_eq!(
            (&row["port_guid"], &row["state"]),
            (&GUID.into(), &"enable".into())
        );
    }
    nobody.fails(1).stderr_has("could not be looked into");
    back.ok();
    assert_eq!(guids(lab, 0).0, NONE);
}

/// Interfaces of InfiniBand functions are there while this holds, or while `ib_ipoib` is loaded.
struct Ipoib<'a>(&'a Lab);

impl<'a> Ipoib<'a> {
    fn only(lab: &'a Lab, word: &str) -> Self {
        lab.inject("ipoib", word);
        Self(lab)
    }
}

impl Drop for Ipoib<'_> {
    fn drop(&mut self) {
        self.0.sh("rmmod ib_ipoib 2> /dev/null || true");
        self.0.inject("ipoib", "1");
    }
}

fn ipoib_is_loaded(lab: &Lab) {
    let _ipoib = Ipoib::only(lab, "module");
    let address = lab.pf();
    let vf = format!("{address}/0");
    assert_eq!(pci::netdev(&address), None);
    // Looking loads nothing, nor does a dry run.
    lab.rdmactl(&["vf", "show", &vf])
        .ok()
        .stdout_has(&format!("/0 pci {} ", lab.vf(0)))
        .stdout_lacks(" node_guid")
        .stderr_has("it has no network interface (the module ib_ipoib is not loaded)\n");
    lab.rdmactl(&["--dry-run", "vf", "set", &vf, "guid", GUID])
        .ok()
        .stdout_is(&format!(
            "would load the module ib_ipoib\n\
             would set node-guid of VF {vf} to {GUID}\nwould set port-guid of VF {vf} to {GUID}\n"
        ));
    let module = std::path::Path::new("/sys/module/ib_ipoib");
    assert!(!module.exists());
    lab.exec(&format!("{NOBODY} {FACES}/rdmactl vf set {vf} guid {GUID}"))
        .fails(1)
        .stderr_has("error: the PF")
        .stderr_has("it could not be loaded: ");
    set(lab, &vf, &format!("guid {GUID} state enable"))
        .ok()
        .stderr_has("note: loaded the module ib_ipoib: ");
    assert!(module.exists());
    assert_eq!(guids(lab, 0), (GUID.to_owned(), GUID.to_owned()));
    assert_eq!(ip_vf(lab, 0)["link_state"], "enable");
    set(lab, &vf, "guid none state auto").ok();
}

fn without_any_way(lab: &Lab) {
    let _ipoib = Ipoib::only(lab, "0");
    set(lab, &format!("{}/0", lab.pf()), &format!("guid {GUID}"))
        .fails(1)
        .stderr_has("note: loaded the module ib_ipoib")
        .stderr_has("has no network interface, through which its VFs are set\n")
        .stderr_has("it is loaded, and there is no such interface of this PF");
}

fn the_vendors_files(lab: &Lab) {
    let _ipoib = Ipoib::only(lab, "0");
    let address = lab.pf();
    let vf = format!("{address}/1");
    let files = || {
        let read = |file: &str| {
            lab.exec(&format!(
                "cat /sys/bus/pci/devices/{address}/sriov/1/{file}"
            ))
        };
        ["node", "port", "policy"].map(|file| read(file).ok().stdout.trim().to_owned())
    };
    let given = format!("node-guid {GUID} port-guid {OTHER} state enable");
    set(lab, &vf, &given)
        .ok()
        .stderr_has("note: loaded the module ib_ipoib")
        .stderr_has(
            "note: the PF has no IPoIB interface that takes it: the files of its vendor were used\n",
        )
        .stderr_has(" still has node GUID ");
    assert_eq!(files(), [GUID, OTHER, "Up"]);
    let row = shown(lab, &vf);
    assert_eq!(
        (&row["node_guid"], &row["port_guid"], &row["state"]),
        (&GUID.into(), &OTHER.into(), &"enable".into())
    );
    rebind(lab, &lab.vf(1));
    assert_eq!(shown(lab, &vf)["needs_rebind"], false);
    // The second of two refused, and the first undone, by the files too.
    lab.inject("fail_link_vf", "1,16");
    set(lab, &vf, &format!("node-guid {OTHER} state disable"))
        .fails(1)
        .stderr_has("error: Device or resource busy\n")
        .stderr_has("sriov/1/policy); undone: node-guid\n");
    lab.inject("fail_link_vf", "off");
    assert_eq!(files(), [GUID, OTHER, "Up"]);
    set(lab, &vf, "guid none state auto").ok();
    assert_eq!(files(), [NONE, NONE, "Follow"]);
    rebind(lab, &lab.vf(1));
}
