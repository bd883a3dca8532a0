//! The netlink connection over tapes: everything a kernel may answer, wanted or not.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io;
use std::time::Duration;

use nix::errno::Errno;
use rdmactl::kernel::child::Outcome;
use rdmactl::kernel::{Conn, Datagrams, NetlinkError};
use rdmactl::wire::nldev::attr_ids::*;
use rdmactl::wire::nldev::device::{self, Device};
use rdmactl::wire::nldev::port::{self, Port};
use rdmactl::wire::{DecodeError, Request};
use support::{Answer, Tape, ack, data, done, entry, message};

const GET: u16 = 0x1401;

fn named(index: u32, name: &str) -> Request {
    Request::new(0)
        .u32(RDMA_NLDEV_ATTR_DEV_INDEX, index)
        .text(RDMA_NLDEV_ATTR_DEV_NAME, name)
}

fn list(answers: Vec<Answer>) -> Result<Vec<String>, NetlinkError> {
    let tape = Tape::default().then(device::dump(), answers);
    let devices = Conn::new(tape.socket()).list(&device::dump(), Device::decode)?;
    Ok(devices.into_iter().map(|device| device.name).collect())
}

#[test]
fn a_listing_in_several_datagrams() {
    let two = [
        message(GET, 2, 0, named(0, "mlx5_0").body()),
        message(GET, 2, 0, named(1, "mlx5_1").body()),
    ];
    let names = list(vec![
        Answer::Bytes(two.concat()),
        entry(GET, &named(2, "mlx5_2")),
        done(0),
    ])
    .unwrap();
    assert_eq!(names, ["mlx5_0", "mlx5_1", "mlx5_2"]);
}

#[test]
fn the_status_of_done_counts() {
    let error = list(vec![
        entry(GET, &named(0, "mlx5_0")),
        done(Errno::EINVAL as i32),
    ])
    .unwrap_err();
    assert_eq!(error.errno(), Some(Errno::EINVAL));
}

#[test]
fn done_may_carry_the_kernels_words() {
    let mut body = (-(Errno::EINVAL as i32)).to_ne_bytes().to_vec();
    body.extend_from_slice(Request::new(0).text(1, "no such thing").body());
    let error = list(vec![Answer::Bytes(message(3, 0x202, 0, &body))]).unwrap_err();
    let NetlinkError::Refused(refusal) = error else {
        panic!("{error}")
    };
    assert_eq!(refusal.message.as_deref(), Some("no such thing"));
}

#[test]
fn answers_to_other_requests_are_passed_over() {
    let stale = Answer::Bytes(message(GET, 2, 4242, named(9, "stale").body()));
    let stale_done = Answer::Bytes(message(3, 2, 4242, &[0; 4]));
    let names = list(vec![
        stale,
        stale_done,
        entry(GET, &named(0, "mlx5_0")),
        done(0),
    ])
    .unwrap();
    assert_eq!(names, ["mlx5_0"]);
}

#[test]
fn a_port_answers_with_another_type() {
    let port = named(0, "mlx5_0").u32(RDMA_NLDEV_ATTR_PORT_INDEX, 1);
    let tape = Tape::default().then(port::get(0, 1), vec![data(GET, &port), ack(0)]);
    let port = Conn::new(tape.socket())
        .get(&port::get(0, 1), Port::decode)
        .unwrap();
    assert_eq!(port.number, 1);
}

#[test]
fn an_answer_without_room_is_asked_for_again() {
    let lost = || vec![Answer::Errno(Errno::ENOBUFS as i32)];
    let tape = Tape::default()
        .then(device::get(1), lost())
        .then(device::get(1), vec![data(GET, &named(1, "mlx5_1"))]);
    let device = Conn::new(tape.socket()).get(&device::get(1), Device::decode);
    assert_eq!(device.unwrap().name, "mlx5_1");
    let tape = Tape::default()
        .then(device::get(1), lost())
        .then(device::get(1), lost());
    let error = Conn::new(tape.socket()).get(&device::get(1), Device::decode);
    assert!(matches!(error, Err(NetlinkError::Overrun)));
}

#[test]
fn an_interrupted_listing_is_begun_again() {
    let torn = Answer::Bytes(message(GET, 2 | 0x10, 0, named(0, "mlx5_0").body()));
    let tape = Tape::default()
        .then(device::dump(), vec![torn, done(0)])
        .then(
            device::dump(),
            vec![Answer::Errno(Errno::ENOBUFS as i32), done(0)],
        )
        .then(
            device::dump(),
            vec![entry(GET, &named(1, "mlx5_1")), done(0)],
        );
    let devices = Conn::new(tape.socket())
        .list(&device::dump(), Device::decode)
        .unwrap();
    assert_eq!(devices.len(), 1);
    assert_eq!(devices[0].name, "mlx5_1");
    assert!(tape.is_over());
}

#[test]
fn a_listing_that_never_settles_ends() {
    let mut tape = Tape::default();
    for _ in 0..8 {
        let torn = Answer::Bytes(message(GET, 2 | 0x10, 0, named(0, "mlx5_0").body()));
        tape = tape.then(device::dump(), vec![torn, done(0)]);
    }
    let error = Conn::new(tape.socket())
        .list(&device::dump(), Device::decode)
        .unwrap_err();
    assert!(matches!(error, NetlinkError::Unstable), "{error}");
}

#[test]
fn lost_answers_to_a_change_are_said() {
    let tape = Tape::default().then(device::get(0), vec![Answer::Errno(Errno::ENOBUFS as i32)]);
    let error = Conn::new(tape.socket())
        .change(&device::get(0))
        .unwrap_err();
    assert!(matches!(error, NetlinkError::Overrun), "{error}");
}

#[test]
fn a_bad_entry_is_an_error_and_the_socket_stays_usable() {
    let tape = Tape::default()
        .then(
            device::dump(),
            vec![
                entry(GET, &Request::new(0).u8(1, 0)),
                entry(GET, &named(0, "a")),
                done(0),
            ],
        )
        .then(device::dump(), vec![entry(GET, &named(0, "a")), done(0)]);
    let mut conn = Conn::new(tape.socket());
    let error = conn.list(&device::dump(), Device::decode).unwrap_err();
    assert!(
        matches!(
            error,
            NetlinkError::Malformed(DecodeError::Missing("RDMA_NLDEV_ATTR_DEV_INDEX"))
        ),
        "{error}"
    );
    assert_eq!(conn.list(&device::dump(), Device::decode).unwrap().len(), 1);
}

#[test]
fn a_torn_message_is_an_error() {
    for bytes in [vec![1, 2, 3], message(GET, 2, 0, &[])[..12].to_vec(), {
        let mut lying = message(GET, 2, 0, &[0; 8]);
        lying[0] = 200;
        lying
    }] {
        let error = list(vec![Answer::Bytes(bytes)]).unwrap_err();
        assert!(matches!(error, NetlinkError::Malformed(_)), "{error}");
    }
}

#[test]
fn an_acknowledgement_without_data_is_no_object() {
    let tape = Tape::default().then(device::get(0), vec![ack(0)]);
    let error = Conn::new(tape.socket())
        .get(&device::get(0), Device::decode)
        .unwrap_err();
    assert!(matches!(error, NetlinkError::Malformed(_)), "{error}");
}

#[test]
fn many_questions_in_few_datagrams() {
    let port = |index: u32| named(index, "mlx5").u32(RDMA_NLDEV_ATTR_PORT_INDEX, 1);
    let mut tape = Tape::default();
    let questions: Vec<Request> = (0..20).map(|index| port::get(index, 1)).collect();
    for index in 0..20 {
        let answer = if index == 7 {
            ack(Errno::EINVAL as i32)
        } else {
            data(GET, &port(index))
        };
        tape = tape.then(port::get(index, 1), vec![answer]);
    }
    let answers = Conn::new(tape.socket())
        .get_all(&questions, Port::decode)
        .unwrap();
    assert_eq!(answers.len(), 20);
    for (index, answer) in answers.iter().enumerate() {
        match answer {
            Ok(port) => assert_eq!(port.device_index as usize, index),
            Err(error) => assert_eq!((index, error.errno()), (7, Some(Errno::EINVAL))),
        }
    }
    assert!(tape.is_over());
}

#[test]
fn an_unknown_command_is_told_apart() {
    let probe = || Request::new(0x141a).u8(RDMA_NLDEV_ATTR_DEV_INDEX, 0);
    let explained = {
        let mut body = (-(Errno::EINVAL as i32)).to_ne_bytes().to_vec();
        body.extend_from_slice(&[0; 16]);
        body.extend_from_slice(
            Request::new(0)
                .text(1, "Attribute failed policy validation")
                .body(),
        );
        Answer::Bytes(message(2, 0x300, 0, &body))
    };
    for (answer, known) in [
        (ack(Errno::EINVAL as i32), false),
        (explained, true),
        (ack(Errno::EPERM as i32), true),
    ] {
        let tape = Tape::default().then(probe(), vec![answer]);
        let known_here = Conn::new(tape.socket())
            .knows(0x141a, RDMA_NLDEV_ATTR_DEV_INDEX)
            .unwrap();
        assert_eq!(known_here, known);
    }
}

/// A kernel that is stuck in the first request and answers both when the second has come.
#[derive(Default)]
struct Slow(Vec<Vec<u8>>);

impl Slow {
    fn acknowledge(&mut self, datagram: &[u8], errno: Errno) {
        let sequence = u32::from_ne_bytes(datagram[8..12].try_into().unwrap());
        let mut body = (-(errno as i32)).to_ne_bytes().to_vec();
        body.extend_from_slice(&[0; 16]);
        self.0.insert(0, message(2, 0x100, sequence, &body));
    }
}

impl Datagrams for Slow {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        self.acknowledge(datagram, Errno::EPERM);
        Ok(())
    }

    fn send_within(&mut self, datagram: &[u8], _: Duration) -> io::Result<Outcome> {
        self.acknowledge(datagram, Errno::EBUSY);
        Ok(Outcome::Stuck { pid: 77 })
    }

    fn receive(&mut self, into: &mut Vec<u8>) -> io::Result<()> {
        *into = self.0.pop().expect("no answer is missing");
        Ok(())
    }
}

#[test]
fn a_late_answer_is_not_taken_for_another() {
    let mut conn = Conn::new(Box::new(Slow::default()));
    let request = device::get(0);
    let stuck = conn.change_within(&request, Duration::ZERO).unwrap_err();
    assert!(
        matches!(stuck, NetlinkError::Stuck { pid: 77 }),
        "{stuck:?}"
    );
    let error = conn.change(&request).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::EPERM));
}
