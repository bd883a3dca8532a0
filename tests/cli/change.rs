//! Changes: asked of the kernel, read back, or only planned.

use rdmactl::types::{NetnsMode, RdmaName};
use rdmactl::wire::Request;
use rdmactl::wire::nldev::attr_ids::*;
use rdmactl::wire::nldev::{device, system};

use crate::devices::{GET, call, devices, mlx5, printed};
use crate::support::{Tape, ack, data};

#[test]
fn a_rename_is_read_back() {
    let name: RdmaName = "roce0".parse().unwrap();
    let renamed = mlx5(1).text(RDMA_NLDEV_ATTR_DEV_NAME, "roce0");
    let tape = devices()
        .then(device::rename(1, &name), vec![ack(0)])
        .then(device::get(1), vec![data(GET, &renamed), ack(0)]);
    assert_eq!(printed(&tape, "rdma -j dev set mlx5_1 name roce0"), "[]\n");
    // A kernel that says yes and does nothing is found out.
    let tape = devices()
        .then(device::rename(1, &name), vec![ack(0)])
        .then(device::get(1), vec![data(GET, &mlx5(1)), ack(0)]);
    let ran = call(&tape, "rdma dev set mlx5_1 name roce0", None);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("did not happen"), "{}", ran.err);
}

#[test]
fn a_dry_run_changes_nothing() {
    assert_eq!(
        printed(&devices(), "rdmactl --dry-run dev set mlx5_1 name roce0"),
        "would rename RDMA device mlx5_1 (index 1) to roce0\n"
    );
    let ran = call(
        &devices(),
        "rdmactl -j --dry-run dev set mlx5_1 name roce0",
        None,
    );
    assert_eq!(
        ran.out,
        "[{\"would\":\"rename RDMA device mlx5_1 (index 1) to roce0\"}\n]\n"
    );
}

#[test]
fn the_mode_is_set_and_read_back() {
    let exclusive = data(
        0x1406,
        &Request::new(0).u8(RDMA_NLDEV_SYS_ATTR_NETNS_MODE, 0),
    );
    let tape = Tape::default()
        .then(system::set_netns_mode(NetnsMode::Exclusive), vec![ack(0)])
        .then(system::get(), vec![exclusive, ack(0)]);
    assert_eq!(printed(&tape, "rdma system set netns exclusive"), "");
}

/// A kernel before 6.7 knows the command and not the attribute.
#[test]
fn a_setting_that_the_kernel_lacks() {
    let without = data(
        0x1406,
        &Request::new(0).u8(RDMA_NLDEV_SYS_ATTR_NETNS_MODE, 1),
    );
    let tape = Tape::default()
        .then(system::set_privileged_qkey(true), vec![ack(22)])
        .then(system::get(), vec![without, ack(0)]);
    let ran = call(&tape, "rdma system set privileged-qkey on", None);
    assert_eq!(ran.code, 1);
    assert!(
        ran.err.starts_with("error: Invalid argument\n") && ran.err.contains("Linux 6.7"),
        "{}",
        ran.err
    );
}
