//! Devices and kernels that do not answer.

use rdmactl::wire::Request;
use rdmactl::wire::nldev::attr_ids::*;
use rdmactl::wire::nldev::device;
use rdmactl::wire::nldev::resource::Kind;

use crate::devices::{call, devices, mlx5, query, table};
use crate::queue_pairs::{QP_GSI, gsi};
use crate::support::{Answer, Tape, ack, data, done};

/// The kernel's answer to a command that it does not have, and to one that it has.
fn probe(tape: Tape, kind: u16, known: bool) -> Tape {
    let mut body = (-34i32).to_ne_bytes().to_vec();
    body.extend_from_slice(&[0; 16]);
    body.extend_from_slice(
        Request::new(0)
            .text(1, "Attribute failed policy validation")
            .body(),
    );
    let why = Answer::Bytes(crate::support::message(2, 0x300, 0, &body));
    let answer = if known { why } else { ack(22) };
    tape.then(
        Request::new(kind).u8(RDMA_NLDEV_ATTR_DEV_INDEX, 0),
        vec![answer],
    )
}

#[test]
fn a_device_that_cannot_be_asked_does_not_end_the_listing() {
    let q = query(Kind::Qp);
    let tape = devices().then(q.dump(0, None), vec![done(22)]);
    let tape = probe(tape, q.message_type(), true)
        .then(device::get(0), vec![data(0x1401, &mlx5(0)), ack(0)])
        .then(
            q.dump(1, None),
            vec![table(Kind::Qp, 1, &[gsi(1)]), done(0)],
        );
    let ran = call(&tape, "rdma res show qp", None);
    assert_eq!(ran.code, 1);
    assert_eq!(ran.out, QP_GSI.replace("mlx5_0/2", "mlx5_1/1"));
    assert!(
        ran.err.starts_with("error: Invalid argument\n")
            && ran.err.contains("queue pairs of mlx5_0"),
        "{}",
        ran.err
    );
}

#[test]
fn a_kernel_without_the_command_is_told_apart() {
    let q = query(Kind::FrmrPools);
    let tape = devices().then(q.dump(0, None), vec![done(22)]);
    let ran = call(
        &probe(tape, q.message_type(), false),
        "rdma -j res show f",
        None,
    );
    assert_eq!((ran.code, ran.out.as_str()), (1, "[]\n"));
    assert!(ran.err.contains("Linux 7.1"), "{}", ran.err);
}
