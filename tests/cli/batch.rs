//! Batches: one process, one socket, one list of devices.

use rdmactl::types::RdmaName;
use rdmactl::wire::Request;
use rdmactl::wire::nldev::attr_ids::*;
use rdmactl::wire::nldev::{device, port, system};

use crate::devices::{GET, MLX5_1, devices, mlx5};
use crate::support::{Ran, Tape, ack, data, done, entry, play};

fn batch(tape: &Tape, line: &str, input: &str) -> Ran {
    let root = tempfile::tempdir().unwrap();
    play(tape, root.path(), line, input, None)
}

#[test]
fn a_batch_is_one_process_with_one_socket() {
    let name: RdmaName = "roce0".parse().unwrap();
    let renamed = || mlx5(1).text(RDMA_NLDEV_ATTR_DEV_NAME, "roce0");
    let tape = || {
        devices()
            .then(device::rename(1, &name), vec![ack(0)])
            .then(device::get(1), vec![data(GET, &renamed())])
            // What line 1 made is there for line 3.
            .then(device::dump(), vec![entry(GET, &renamed()), done(0)])
    };
    let input = "dev set mlx5_1 name roce0 # new\n\nd s \\\nroce0\n";
    let shown = MLX5_1.replace("mlx5_1", "roce0");
    let ran = batch(&tape(), "rdma -batch -", input);
    assert_eq!(
        ran,
        Ran {
            code: 0,
            out: format!("{shown}\n"),
            err: String::new()
        }
    );
    let ran = batch(&tape(), "rdmactl -j -b -", input);
    let json: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(
        (
            json[0].as_array().map(Vec::len),
            json[1][0]["ifname"].as_str()
        ),
        (Some(0), Some("roce0"))
    );
    // Under the other name, a document a line.
    assert!(
        batch(&tape(), "rdma -j -b -", input)
            .out
            .starts_with("[]\n[{\"ifindex\":1,")
    );
}

/// Devices are listed once; what the kernel then says of one shows whether it is still the same.
#[test]
fn a_batch_asks_for_one_device_where_it_knows_the_index() {
    let port = Request::new(0)
        .u32(RDMA_NLDEV_ATTR_DEV_INDEX, 1)
        .text(RDMA_NLDEV_ATTR_DEV_NAME, "mlx5_1")
        .u32(RDMA_NLDEV_ATTR_PORT_INDEX, 1)
        .u8(RDMA_NLDEV_ATTR_PORT_STATE, 4);
    let tape = devices()
        .then(device::get(1), vec![data(GET, &mlx5(1))])
        .then(port::get(1, 1), vec![data(GET, &port)])
        // No port 9: the device says so, and once more to tell how many it has.
        .then(port::get(1, 9), vec![ack(22)])
        .then(device::get(1), vec![data(GET, &mlx5(1))])
        .then(device::get(1), vec![data(GET, &mlx5(1))]);
    let input = "dev show mlx5_1\ndev show mlx5_1\nlink show mlx5_1/1\nlink show mlx5_1/9\n";
    let ran = batch(&tape, "rdma -b -", input);
    let link = "link mlx5_1/1 state ACTIVE \n";
    assert_eq!(ran.out, format!("{MLX5_1}\n{MLX5_1}\n{link}"));
    assert!(ran.err.ends_with("Command failed -:4\n"), "{}", ran.err);

    // Another device has that index now, then none: it is looked for again, and for the reason.
    let shared = Request::new(0).u8(RDMA_NLDEV_SYS_ATTR_NETNS_MODE, 1);
    let other = || mlx5(1).text(RDMA_NLDEV_ATTR_DEV_NAME, "roce0");
    let rest = || vec![entry(GET, &other()), done(0)];
    let moved = || mlx5(7).text(RDMA_NLDEV_ATTR_DEV_NAME, "mlx5_1");
    let tape = devices()
        .then(device::get(1), vec![data(GET, &other())])
        .then(
            device::dump(),
            vec![entry(GET, &other()), entry(GET, &moved()), done(0)],
        )
        .then(device::get(7), vec![ack(22)])
        .then(device::dump(), rest())
        .then(device::dump(), rest())
        .then(system::get(), vec![data(0x1406, &shared), ack(0)])
        .then(device::dump(), rest());
    let ran = batch(&tape, "rdma -b -", &"dev show mlx5_1\n".repeat(3));
    let again = MLX5_1.replacen('1', "7", 1).replacen("6601", "6607", 1);
    assert_eq!(ran.out, format!("{MLX5_1}\n{again}\n"));
    assert!(ran.err.ends_with("Command failed -:3\n"), "{}", ran.err);
}

#[test]
fn a_batch_ends_at_the_first_failure_unless_forced() {
    let input = "bogus\ndev show mlx5_1\n";
    let ran = batch(&Tape::default(), "rdma -b -", input);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(
        ran.err.ends_with("Command failed -:1\n") && ran.err.contains("bogus"),
        "{}",
        ran.err
    );
    let ran = batch(&devices(), "rdma -force -batch -", input);
    assert_eq!((ran.code, ran.out), (1, format!("{MLX5_1}\n")));
    let ran = batch(&Tape::default(), "rdma -b /no/such/file", "");
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (
            1,
            "Cannot open file \"/no/such/file\" for reading: No such file or directory\n"
        )
    );
    assert_eq!(batch(&Tape::default(), "rdma -b - dev show", "").code, 2);
}

/// An option on a line would look as if it held there; a change that should only be tried is not made.
#[test]
fn options_are_refused_on_the_lines_of_a_batch() {
    for line in [
        "--dry-run dev set mlx5_1 name roce0",
        "--netns pod1 dev show",
        "dev show -j",
        "-b other",
        "monitor",
    ] {
        let ran = batch(&Tape::default(), "rdmactl -b -", &format!("{line}\n"));
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{line}");
        assert!(
            ran.err.ends_with("Command failed -:1\n"),
            "{line}: {}",
            ran.err
        );
    }
}
