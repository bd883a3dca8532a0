//! The doctor on files of others that decide on VFs and on names.

use super::doctor::doctor;
use crate::case::{Case, case};
use crate::handle::Lab;
use crate::pci;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("other_managers", other_managers)
            .no_adapter()
            .only(&["6.12"], "files are read, and no kernel is asked"),
        case("names_that_last", names_that_last),
    ]
}

/// Files as each of the others has them.
fn other_managers(lab: &Lab) {
    let area = ["managers"];
    assert!(doctor(lab, &area).1.is_empty());
    let etc = |file: &str| format!("/etc/{file}");
    let files = [
        (
            "NetworkManager/system-connections/ib0.nmconnection",
            "[connection]\nid=fabric\n[sriov]\ntotal-vfs=4\n",
        ),
        (
            "NetworkManager/conf.d/vfs.conf",
            "[device-ib]\nsriov-num-vfs=4\n",
        ),
        (
            "systemd/network/10-ib.link",
            "[Link]\nSR-IOVVirtualFunctions=4\n",
        ),
        (
            "netplan/60-ib.yaml",
            "network:\n  ethernets:\n    ib0:\n      virtual-function-count: 4\n",
        ),
        ("sriov-operator/sriov_config.json", "{}\n"),
    ];
    let folders: Vec<String> = files.iter().map(|(file, _)| etc(file)).collect();
    let present: Vec<bool> = [
        "NetworkManager",
        "systemd/network",
        "netplan",
        "sriov-operator",
    ]
    .iter()
    .map(|name| std::path::Path::new(&etc(name)).exists())
    .collect();
    for (file, text) in files {
        let path = etc(file);
        let folder = path.rsplit_once('/').unwrap().0;
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let said = doctor(lab, &area);
    said.mends(
        "managers.networkmanager",
        "ib0.nmconnection:4: total-vfs=4",
        "nmcli connection modify fabric remove sriov",
    );
    said.mends(
        "managers.networkmanager",
        "vfs.conf:2: sriov-num-vfs=4",
        "sed -i '2d' /etc/NetworkManager/conf.d/vfs.conf",
    );
    said.has(
        "managers.networkd",
        "10-ib.link:2: SR-IOVVirtualFunctions=4",
    );
    said.mends("managers.netplan", "60-ib.yaml:4", "netplan generate");
    said.has("managers.operator", "sriov_config.json");
    // What is said to be done, done; others' files stay as they are.
    lab.exec("sed -i 2d /etc/NetworkManager/conf.d/vfs.conf")
        .ok();
    lab.exec(&format!(
        "rm {} {} {} {}",
        folders[0], folders[2], folders[3], folders[4]
    ))
    .ok();
    assert!(doctor(lab, &area).1.is_empty());
    lab.exec(&format!("rm {}", folders[1])).ok();
    for (name, was_there) in [
        "NetworkManager",
        "systemd/network",
        "netplan",
        "sriov-operator",
    ]
    .iter()
    .zip(present)
    {
        if !was_there {
            lab.exec(&format!("rm -r {}", etc(name))).ok();
        }
    }
}

/// A rule of udev that renames RDMA devices: rdma-core's, hidden, and the one that is advised.
fn names_that_last(lab: &Lab) {
    let area = ["names"];
    let own = [
        pci::rdma(&lab.pf()).unwrap(),
        lab.vf_rdma(0),
        lab.vf_rdma(1),
    ];
    let listed = format!("3 devices, such as {}", own[0]);
    let again = format!(
        "udevadm trigger --action=add /sys/class/infiniband/{}",
        own[0]
    );
    let said = doctor(lab, &area);
    said.is_clean().lacks("names.unstable");
    said.mends(
        "names.kernel",
        "/usr/lib/udev/rules.d/60-rdma-persistent-naming.rules: renames",
        &again,
    );
    let hidden = "/etc/udev/rules.d/60-rdma-persistent-naming.rules";
    lab.sh(&format!(
        "mkdir -p /etc/udev/rules.d; ln -s /dev/null {hidden}"
    ))
    .ok();
    let said = doctor(lab, &area);
    said.is_clean().lacks("names.kernel");
    let found = said.has("names.unstable", &listed);
    assert_eq!(found["file"], hidden);
    std::fs::remove_file(hidden).unwrap();
    std::fs::write(hidden, found["content"].as_str().unwrap()).unwrap();
    let said = doctor(lab, &area);
    said.lacks("names.unstable");
    said.mends("names.kernel", &format!("{hidden}: renames"), &again);
    // With names that no driver gives they have what the rule is for.
    let rename = |from: &str, to: &str| {
        lab.iproute2_rdma(&["dev", "set", from, "name", to]).ok();
    };
    for (name, number) in own.iter().zip(0..) {
        rename(name, &format!("ibp1s{number}"));
    }
    assert!(doctor(lab, &area).1.is_empty());
    // A name that breaks paths, and the one that the kernel gives when the old one is taken.
    rename("ibp1s0", "a b");
    rename("ibp1s1", "ibdev7");
    let said = doctor(lab, &area);
    said.mends("names.unsound", "", "rdmactl dev set 'a b' name NAME");
    said.mends(
        "names.fallback",
        "ibdev7",
        "rdmactl dev set ibdev7 name NAME",
    );
    rename("a b", &own[0]);
    rename("ibdev7", &own[1]);
    rename("ibp1s2", &own[2]);
    std::fs::remove_file(hidden).unwrap();
}
