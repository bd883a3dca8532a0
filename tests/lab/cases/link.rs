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
        case("a_port_that_cannot_be_asked", cannot_be_asked),
        case("names_and_bits_are_right", right_names),
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

/// iproute2 ends there, and the ports behind it are missing.
fn cannot_be_asked(lab: &Lab) {
    let (broken, sound) = (lab.vf_rdma(0), lab.vf_rdma(1));
    lab.inject("fail_port_vf", "0,5");
    let theirs = lab.iproute2_rdma(&["link"]);
    let ours = lab.rdmactl(&["link"]);
    let one = lab.rdmactl(&["link", "show", &broken]);
    let json = lab.rdmactl(&["-j", "link"]);
    lab.inject("fail_port_vf", "off");
    theirs.fails(1).stdout_lacks(&format!("link {sound}/1 "));
    ours.fails(1)
        .stdout_has(&format!("link {sound}/1 "))
        .stdout_lacks(&broken)
        .stderr_has("error: Input/output error\n")
        .stderr_has(&format!("the kernel refused to show port 1 of {broken}"));
    one.fails(1)
        .stdout_is("")
        .stderr_has("error: Input/output error\n");
    assert_eq!(json.fails(1).json().as_array().map(Vec::len), Some(2));
}

/// Text keeps the words of iproute2, its slips and its `UNKNOWN` too.
fn right_names(lab: &Lab) {
    let dev = lab.vf_rdma(1);
    lab.rdmactl(&["-d", "link", "show", &dev])
        .ok()
        .stdout_has("MULT_PKER_TRAP");
    lab.rdmactl(&["--format", "table", "-d", "link", "show", &dev])
        .ok()
        .stdout_has("MULT_PKEY_TRAP")
        .stdout_lacks("PKER");
    let shown = lab.rdmactl(&["-j", "-d", "link", "show", &dev]).ok().json();
    assert_eq!(shown[0]["cap_flags"], 0x2651_e848, "{shown}");
    // What is more comes last.
    let words = ["-j", "-d", "dev", "show", &dev];
    let theirs = lab.iproute2_rdma(&words).ok().stdout;
    let (ours, same) = (lab.rdmactl(&words), lab.rdma(&words));
    let same = same.ok().stdout;
    let same = same.strip_suffix("}\n]\n").expect("an array of one");
    ours.ok().stdout_has(&format!("{same},\"cap_flags\":"));
    assert!(theirs.contains("\"caps\":["), "{theirs}");
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
