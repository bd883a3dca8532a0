//! Hardware counters of ports.

use rdmactl::wire::nldev::device;
use rdmactl::wire::nldev::statistic::port;

use crate::devices::{EINVAL, GET, answer, call, counters, devices, mlx5, named, printed};
use crate::support::{Tape, ack, data};

fn one_port() -> Tape {
    let content = counters(named(0), &[("rx", 7), ("tx", u64::MAX)]);
    devices().then(port::get(0, 1), answer(&content))
}

#[test]
fn counters_of_a_port() {
    for line in [
        "rdma stat show link mlx5_0/1",
        "rdma st s l mlx5_0",
        "rdmactl statistic list link mlx5_0/",
    ] {
        assert_eq!(
            printed(&one_port(), line),
            "link mlx5_0/1 \n    rx 7 \n    tx 18446744073709551615 \n"
        );
    }
    assert_eq!(
        printed(&one_port(), "rdma -o stat show link mlx5_0/1"),
        "link mlx5_0/1 \\    rx 7 \\    tx 18446744073709551615 \n"
    );
    assert_eq!(
        printed(&one_port(), "rdma -j stat show link mlx5_0/1"),
        "[{\"ifname\":\"mlx5_0\",\"port\":1,\"rx\":7,\"tx\":18446744073709551615}\n]\n"
    );
    assert_eq!(printed(&devices(), "rdma stat show link mlx5_0/-"), "");
}

/// Counters are too many for columns.
#[test]
fn a_table_has_a_line_for_each_counter() {
    let ran = call(&one_port(), "rdmactl stat show link mlx5_0", Some(80));
    assert_eq!(
        ran.out,
        "DEVICE  PORT  NAME  VALUE\n\
         mlx5_0  1     rx    7\n\
         mlx5_0  1     tx    18446744073709551615\n"
    );
}

#[test]
fn a_device_without_counters_does_not_end_the_listing() {
    let listed = || {
        devices()
            .then(port::get(0, 1), vec![ack(EINVAL)])
            .then(device::get(0), vec![data(GET, &mlx5(0, 1)), ack(0)])
            .then(port::get(1, 1), answer(&counters(named(1), &[("rx", 1)])))
            // This one goes away between the listing and the question.
            .then(port::get(1, 2), vec![ack(EINVAL)])
            .then(device::get(1), vec![ack(EINVAL)])
    };
    let ran = call(&listed(), "rdma stat", None);
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (1, "link mlx5_1/1 \n    rx 1 \n")
    );
    assert_eq!(
        ran.err,
        "error: Invalid argument\ncause: mlx5_0/1 has no hardware counters: its driver does not offer them\n"
    );
    let ran = call(&listed(), "rdma -j stat", None);
    assert_eq!(ran.out, "[{\"ifname\":\"mlx5_1\",\"port\":1,\"rx\":1}\n]\n");
}
