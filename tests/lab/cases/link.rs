//! `link`: ports, and soft-RoCE devices added and deleted, checked through iproute2.

use crate::case::{Case, case};
use crate::handle::Lab;
use crate::soft_roce::SoftRoce;

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("add_and_delete_soft_roce", add_and_delete).no_adapter(),
        case("ports_of_one_device", ports_of_one_device),
        case("a_hardware_device_cannot_be_deleted", hardware),
        case("the_netdev_is_the_last_word", netdev_is_last).ethernet(),
    ]
}

fn add_and_delete(lab: &Lab) {
    let _interfaces = SoftRoce::pairs(1);
    lab.rdmactl(&["link", "add", "rxe0", "type", "rxe", "netdev", "par0"])
        .ok()
        .silent();
    lab.iproute2_rdma(&["link"])
        .ok()
        .stdout_has("link rxe0/1 state ACTIVE physical_state LINK_UP netdev par0 ");
    lab.rdmactl(&["l", "a", "rxe1", "t", "rxe", "n", "par1"])
        .ok()
        .silent();
    lab.rdmactl(&["link", "show", "rxe1/1"])
        .ok()
        .stdout_has("netdev par1 ");
    lab.rdmactl(&["link", "delete", "rxe0"]).ok().silent();
    lab.rdmactl(&["link", "delete", "rxe0"])
        .fails(1)
        .stderr_has("Wrong device name - rxe0");
    lab.rdmactl(&["link", "delete", "rxe1"]).ok().silent();
}

fn ports_of_one_device(lab: &Lab) {
    let dev = lab.vf_rdma(1);
    let line = lab
        .iproute2_rdma(&["link", "show", &format!("{dev}/1")])
        .ok()
        .stdout;
    // iproute2 wants the port; people type the device.
    lab.rdmactl(&["link", "show", &dev]).ok().stdout_is(&line);
    lab.rdmactl(&["link", "show", &format!("{dev}/2")])
        .fails(1)
        .stderr_has("Wrong device name")
        .stderr_has("port");
    let shown = lab.rdmactl(&["-j", "link", "show", &dev]).ok().json();
    assert_eq!(shown[0]["ifname"], dev.as_str());
}

fn hardware(lab: &Lab) {
    let dev = lab.vf_rdma(0);
    lab.rdmactl(&["link", "delete", &dev])
        .fails(1)
        .stderr_has("error: Invalid argument")
        .stderr_has("only software devices");
}

/// Scripts cut the last word of the line.
fn netdev_is_last(lab: &Lab) {
    let (dev, netdev) = (lab.vf_rdma(0), lab.vf_netdev(0));
    let out = lab.rdmactl(&["link", "show", &dev]).ok().stdout;
    assert_eq!(
        out.split_whitespace().last(),
        Some(netdev.as_str()),
        "{out}"
    );
}
