//! Files of other managers, and the functions they are about.

use super::*;
use crate::kernel::fake::Machine;
use proptest::prelude::*;

#[test]
fn sections_and_comments() {
    let text = "a=1\n[sriov]\n# total-vfs=9\n total-vfs = 4\n[x\n;y=1\nodd\n";
    let told: Vec<_> = lines(text)
        .into_iter()
        .map(|line| (line.number, line.section, line.key, line.value))
        .collect();
    let line = |number, section: &str, key: &str, value: &str| {
        (number, section.to_owned(), key.to_owned(), value.to_owned())
    };
    assert_eq!(
        told,
        [line(1, "", "a", "1"), line(4, "sriov", "total-vfs", "4")]
    );
}

#[test]
fn each_says_what_it_is_about() {
    let machine = Machine::new()
        .file(
            "etc/NetworkManager/system-connections/a.nmconnection",
            "[connection]\nid=a\ninterface-name=ib0\n[sriov]\ntotal-vfs=4\n",
        )
        .file(
            "etc/NetworkManager/conf.d/x.conf",
            "[device-x]\nmatch-device=interface-name:ens1f*,driver:x\nsriov-num-vfs=4\n",
        )
        .file(
            "etc/systemd/network/10.link",
            "[Match]\nPath=pci-0000:3b:00.0\n[Link]\nName=x\nSR-IOVVirtualFunctions=4\n",
        )
        .file(
            "etc/netplan/50.yaml",
            "network:\n  ethernets:\n    e0:\n      # a\n      mtu: 9000\n      virtual-function-count: 4\n    e1: {}\n",
        )
        .file("etc/sriov-operator/pci/0000:3b:00.1", "{}")
        .file(
            "etc/sriov-operator/sriov-interface-config.yaml",
            "spec:\n  interfaces:\n  - name: e2\n    pciAddress: \"0000:5e:00.0\"\n",
        );
    let found = claims(&machine.host(), &mut |error| panic!("{error}"));
    let meant = |words: &[&str]| -> Vec<Manager> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let found = found.iter().filter(|claim| claim.may_mean(&words));
        found.map(|claim| claim.manager).collect()
    };
    use Manager::{Netplan, NetworkManager, Networkd, Operator};
    assert_eq!(meant(&["ib0", "0000:01:00.0"]), [NetworkManager]);
    assert_eq!(meant(&["ens1f0", "0000:01:00.0"]), [NetworkManager]);
    assert_eq!(meant(&["x", "0000:3b:00.0"]), [Networkd]);
    assert_eq!(meant(&["e0", "0000:01:00.0"]), [Netplan]);
    assert_eq!(meant(&["e9", "0000:3b:00.1"]), [Operator]);
    assert_eq!(meant(&["e9", "0000:5E:00.0"]), [Operator]);
    assert_eq!(meant(&["e1", "0000:02:00.0"]), []);
    assert_eq!(
        found[0].place(),
        "/etc/NetworkManager/system-connections/a.nmconnection:5"
    );
    // What its owner does not read is no claim.
    let vfs = "[Link]\nSR-IOVVirtualFunctions=4\n";
    let machine = Machine::new()
        .file("usr/lib/systemd/network/10.link.example", vfs)
        .file("usr/lib/systemd/network/10.link.d/x.conf.bak", vfs)
        .file("etc/netplan/1.yaml.save", "virtual-function-count: 2\n")
        .file(
            "etc/NetworkManager/conf.d/x.conf~",
            "[device]\nsriov-num-vfs=4\n",
        );
    let found = claims(&machine.host(), &mut |error| panic!("{error}"));
    assert_eq!(found, []);
    // One that does not say may be about any.
    let machine = Machine::new().file("etc/netplan/1.yaml", "virtual-function-count: 2\n");
    let found = claims(&machine.host(), &mut |error| panic!("{error}"));
    assert!(found[0].may_mean(&["x".to_owned()]));
}

proptest! {
    #[test]
    fn no_file_panics(text in "(\\[[a-z]{0,6}\\]|[ a-z:=#*;\"'-]{0,12}|\n){0,20}") {
        connection("/x", &text);
        defaults("/x", &text);
        link("/x", &text);
        plan("/x", &text);
    }
}
