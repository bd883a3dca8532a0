//! `topology` of Ethernet adapters, of soft-RoCE and of 120 VFs.

use serde_json::Value;

use super::topology::{compare, compare_function, find, rows, text};
use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::pci;

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("ethernet_in_shared_mode", ethernet)
            .ethernet()
            .may_change(&["rdma device", "netdev eth", "vf "]),
        case("soft_roce", soft_roce).no_adapter(),
        case("vfs_120", many).pf("nvme").vfs(120).limit(120),
    ]
}

/// Every namespace has the devices; the interface tells whose a port is.
fn ethernet(lab: &Lab) {
    let (vf, netdev) = (lab.vf(0), lab.vf_netdev(0));
    let pf_netdev = pci::netdev(&lab.pf()).unwrap();
    let _blue = lab.netns("blue");
    lab.ip(&["link", "set", &netdev, "netns", "blue"]).ok();
    lab.ip(&[
        "link",
        "set",
        &pf_netdev,
        "vf",
        "1",
        "mac",
        "02:00:00:00:00:11",
    ])
    .ok();
    let second = lab.vf(1);
    lab.sh(&format!(
        "echo {second} > /sys/bus/pci/drivers/mlx5_core/unbind"
    ))
    .ok();
    let all = rows(lab, &[]);
    all.iter().for_each(compare_function);
    compare(lab, &all[0], "env");
    let row = find(&all, "pci", &vf);
    let inside = lab
        .in_netns("blue", &["ip", "-j", "link", "show", &netdev])
        .ok()
        .json();
    assert_eq!(
        (&row["netdev"], &row["netns"]),
        (&netdev.as_str().into(), &"blue".into())
    );
    assert_eq!(
        (&row["mac"], &row["netdev_index"]),
        (&inside[0]["address"], &inside[0]["ifindex"])
    );
    compare(lab, row, "env");
    let bare = find(&all, "pci", &second);
    assert_eq!(bare["mac"], "02:00:00:00:00:11", "{bare}");
    lab.rdmactl(&["-o", "topology"])
        .ok()
        .stdout_has(&format!(" ==> {netdev} (Down) netns blue\n"));
    // Nothing is hidden from anybody here.
    let nobody =
        format!("setpriv --reuid=65534 --regid=65534 --clear-groups {FACES}/rdmactl -j topology");
    assert_eq!(
        lab.exec(&nobody).ok().json().as_array().unwrap().len(),
        all.len()
    );
    lab.in_netns("blue", &["ip", "link", "set", &netdev, "netns", "1"])
        .ok();
    lab.sh(&format!(
        "echo {second} > /sys/bus/pci/drivers/mlx5_core/bind"
    ))
    .ok();
    lab.ip(&[
        "link",
        "set",
        &pf_netdev,
        "vf",
        "1",
        "mac",
        "00:00:00:00:00:00",
    ])
    .ok();
}

fn soft_roce(lab: &Lab) {
    lab.sh("modprobe -a rdma_rxe ib_umad rdma_ucm && ip link add par0 type veth peer name par1 && ip link set par0 up && ip link set par1 up && rdma link add rxe0 type rxe netdev par0")
        .ok();
    let all = rows(lab, &["rxe0"]);
    let [row] = &all[..] else { panic!("{all:?}") };
    compare(lab, row, "env");
    assert_eq!(
        (&row["role"], &row["driver"], &row["pci"]),
        (&"software".into(), &"rxe".into(), &Value::Null)
    );
    assert_eq!(
        (&row["netdev"], &row["netdev_state"]),
        (&"par0".into(), &"up".into())
    );
    let mac = text("/sys/class/net/par0/address");
    assert_eq!(row["mac"].as_str(), mac.as_deref());
    assert_eq!(row["rdma_cm"], "/dev/infiniband/rdma_cm");
    assert_eq!(
        row["rdma_cm_number"].as_str(),
        text("/sys/class/misc/rdma_cm/dev").as_deref()
    );
    // Linux 6.1 has a node for the subnet manager too, of which its netlink knows nothing.
    let umad = pci::names("/sys/class/infiniband_mad");
    let umad = umad.iter().find(|name| name.starts_with("umad")).unwrap();
    assert_eq!(row["umad"], format!("/dev/infiniband/{umad}"), "{row}");
    let number = text(&format!("/sys/class/infiniband_mad/{umad}/dev"));
    assert_eq!(row["umad_number"].as_str(), number.as_deref());
    lab.rdmactl(&["-o", "map"])
        .ok()
        .stdout_is("rxe0 port 1 ==> par0 (Up)\n");
    lab.sh("rdma link delete rxe0; ip link delete par0; rmmod rdma_rxe rdma_ucm ib_umad")
        .ok();
    // A look loads nothing.
    lab.rdmactl(&["topology"]).ok();
    assert!(!std::path::Path::new("/sys/module/ib_umad").exists());
}

fn many(lab: &Lab) {
    let all = rows(lab, &[]);
    assert_eq!(all.len(), 121);
    let mut addresses = Vec::new();
    for (at, row) in all.iter().enumerate() {
        let pci = row["pci"].as_str().unwrap();
        assert_eq!(row["rdma_dev"].as_str(), pci::rdma(pci).as_deref(), "{row}");
        assert_eq!(row["netdev"].as_str(), pci::netdev(pci).as_deref(), "{row}");
        assert_eq!(
            row["vf"].as_u64(),
            at.checked_sub(1).map(|index| index as u64)
        );
        addresses.push(pci);
        compare_function(row);
    }
    addresses.dedup();
    assert_eq!(addresses.len(), 121);
    // Listings and questions by the dozen: never one round trip a device.
    let trace = format!(
        "strace -f -qq -e trace=sendto -o /run/lab/trace {FACES}/rdmactl -o topology >/dev/null && wc -l </run/lab/trace; rm /run/lab/trace"
    );
    let sends: u32 = lab.sh(&trace).ok().stdout.trim().parse().unwrap();
    assert!((5..60).contains(&sends), "{sends} datagrams");
}
