//! The command line over tapes: what it asks the kernel, what it prints, how it ends.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use rdmactl::types::{NetnsMode, RdmaName};
use rdmactl::wire::Request;
use rdmactl::wire::nldev::attr_ids::*;
use rdmactl::wire::nldev::{device, port, system};
use support::{Answer, Ran, Tape, ack, data, done, entry, play};

const GET: u16 = 0x1401;

fn mlx5(index: u32) -> Request {
    Request::new(0)
        .u32(RDMA_NLDEV_ATTR_DEV_INDEX, index)
        .text(RDMA_NLDEV_ATTR_DEV_NAME, &format!("mlx5_{index}"))
        .u32(RDMA_NLDEV_ATTR_PORT_INDEX, 1)
        .u64(RDMA_NLDEV_ATTR_CAP_FLAGS, 1 << 20 | 1 << 40)
        .text(RDMA_NLDEV_ATTR_FW_VERSION, "16.35.4030")
        .u64(
            RDMA_NLDEV_ATTR_NODE_GUID,
            0x0011_2233_4455_6600 + u64::from(index),
        )
        .u64(RDMA_NLDEV_ATTR_SYS_IMAGE_GUID, 0x0011_2233_4455_6600)
        .u8(RDMA_NLDEV_ATTR_DEV_NODE_TYPE, 1)
        .u8(RDMA_NLDEV_ATTR_DEV_DIM, 1)
        .text(RDMA_NLDEV_ATTR_DEV_PROTOCOL, "ib")
}

fn listing() -> Vec<Answer> {
    vec![entry(GET, &mlx5(0)), entry(GET, &mlx5(1)), done(0)]
}

fn devices() -> Tape {
    Tape::default().then(device::dump(), listing())
}

fn call(tape: &Tape, line: &str, terminal: Option<u16>) -> Ran {
    let root = tempfile::tempdir().unwrap();
    play(tape, root.path(), line, "", terminal)
}

#[track_caller]
fn printed(tape: &Tape, line: &str) -> String {
    call(tape, line, None).printed()
}

const MLX5_0: &str = "0: mlx5_0: node_type ca protocol ib fw 16.35.4030 \
                      node_guid 0011:2233:4455:6600 sys_image_guid 0011:2233:4455:6600 ";
const MLX5_1: &str = "1: mlx5_1: node_type ca protocol ib fw 16.35.4030 \
                      node_guid 0011:2233:4455:6601 sys_image_guid 0011:2233:4455:6600 ";

#[test]
fn dev_show_is_iproute2s() {
    assert_eq!(
        printed(&devices(), "rdma dev"),
        format!("{MLX5_0}\n{MLX5_1}\n")
    );
    assert_eq!(
        printed(&devices(), "rdmactl dev show mlx5_1"),
        format!("{MLX5_1}\n")
    );
    let details = "adaptive-moderation on \n    caps: <XRC, UNKNOWN>\n";
    assert_eq!(
        printed(&devices(), "rdma -d d s mlx5_0"),
        format!("{MLX5_0}{details}")
    );
    let oneline = "adaptive-moderation on \\    caps: <XRC, UNKNOWN>\n";
    assert_eq!(
        printed(&devices(), "rdma d s mlx5_0 -d -o"),
        format!("{MLX5_0}{oneline}")
    );
    assert_eq!(
        printed(&devices(), "rdma -j -d dev show mlx5_0"),
        "[{\"ifindex\":0,\"ifname\":\"mlx5_0\",\"node_type\":\"ca\",\"protocol\":\"ib\",\"fw\":\"16.35.4030\",\
         \"node_guid\":\"0011:2233:4455:6600\",\"sys_image_guid\":\"0011:2233:4455:6600\",\
         \"adaptive-moderation\":true,\"caps\":[\"XRC\",\"UNKNOWN\"]}\n]\n"
    );
}

#[test]
fn a_terminal_gets_a_table_but_not_under_iproute2s_name() {
    let table = call(&devices(), "rdmactl dev", Some(120)).out;
    assert_eq!(
        table,
        "INDEX  NAME    TYPE  PROTOCOL  FIRMWARE    NODE GUID            SYSTEM IMAGE GUID\n\
         0      mlx5_0  ca    ib        16.35.4030  0011:2233:4455:6600  0011:2233:4455:6600\n\
         1      mlx5_1  ca    ib        16.35.4030  0011:2233:4455:6601  0011:2233:4455:6600\n"
    );
    assert_eq!(
        call(&devices(), "rdma dev", Some(120)).out,
        format!("{MLX5_0}\n{MLX5_1}\n")
    );
    assert!(printed(&devices(), "rdmactl --format table dev").starts_with("INDEX"));
    assert!(printed(&devices(), "rdmactl --format=json dev").starts_with("[{"));
}

#[test]
fn in_shared_mode_all_namespaces_have_the_same() {
    let mode = Request::new(0).u8(RDMA_NLDEV_SYS_ATTR_NETNS_MODE, 1);
    let tape = || {
        Tape::default()
            .then(system::get(), vec![data(0x1406, &mode), ack(0)])
            .then(device::dump(), listing())
    };
    let plain = printed(&devices(), "rdmactl dev");
    assert_eq!(printed(&tape(), "rdmactl --all-netns dev"), plain);
    assert_eq!(printed(&tape(), "rdma -a d s"), plain);
}

#[test]
fn every_namespace_is_only_looked_at() {
    for line in [
        "rdmactl --all-netns dev set mlx5_0 name x",
        "rdmactl --all-netns dev reclaim",
        "rdmactl --all-netns link delete mlx5_0",
        "rdmactl --all-netns resource set frmr_pools dev mlx5_0 aging 1",
        "rdmactl --all-netns statistic qp set link mlx5_0 auto type on",
        "rdmactl --all-netns statistic set link mlx5_0 optional-counters x",
        "rdmactl --all-netns system set netns shared",
        "rdmactl --all-netns monitor --kernel",
        "rdmactl --all-netns --netns pod1 dev",
        "rdma --all-netns dev add smi1 type SMI parent mlx5_0",
        "rdmactl --format dot dev",
        "rdmactl --format mermaid monitor",
    ] {
        let ran = call(&Tape::default(), line, None);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{line}");
        assert!(
            ran.err.contains("--all-netns") || ran.err.contains("for topology"),
            "{line}: {}",
            ran.err
        );
    }
}

#[test]
fn link_show_by_device_and_by_port() {
    let one = || {
        Request::new(0)
            .u32(RDMA_NLDEV_ATTR_DEV_INDEX, 1)
            .text(RDMA_NLDEV_ATTR_DEV_NAME, "mlx5_1")
            .u32(RDMA_NLDEV_ATTR_PORT_INDEX, 1)
            .u64(RDMA_NLDEV_ATTR_CAP_FLAGS, 0x2)
            .u64(RDMA_NLDEV_ATTR_SUBNET_PREFIX, 0xfe80_0000_0000_0000)
            .u32(RDMA_NLDEV_ATTR_LID, 13)
            .u32(RDMA_NLDEV_ATTR_SM_LID, 49)
            .u8(RDMA_NLDEV_ATTR_LMC, 0)
            .u8(RDMA_NLDEV_ATTR_PORT_STATE, 4)
            .u8(RDMA_NLDEV_ATTR_PORT_PHYS_STATE, 5)
            .u32(RDMA_NLDEV_ATTR_NDEV_INDEX, 5)
            .text(RDMA_NLDEV_ATTR_NDEV_NAME, "ib1")
    };
    let line = "link mlx5_1/1 subnet_prefix fe80:0000:0000:0000 lid 13 sm_lid 49 lmc 0 state ACTIVE \
                physical_state LINK_UP netdev ib1 ";
    let by_port = || devices().then(port::get(1, 1), vec![data(GET, &one()), ack(0)]);
    assert_eq!(
        printed(&by_port(), "rdma link show mlx5_1/1"),
        format!("{line}\n")
    );
    assert_eq!(
        printed(&by_port(), "rdma -d link show mlx5_1/1"),
        format!("{line}netdev_index 5 \n    caps: <SM>\n")
    );
    let by_device = devices().then(port::get(1, 1), vec![data(GET, &one())]);
    assert_eq!(
        printed(&by_device, "rdmactl link show mlx5_1"),
        format!("{line}\n")
    );
}

#[test]
fn absent_devices_and_ports() {
    let shared = || {
        data(
            0x1406,
            &Request::new(0).u8(RDMA_NLDEV_SYS_ATTR_NETNS_MODE, 1),
        )
    };
    for (line, headline) in [
        ("rdma dev show mlx5_7", "Wrong device name - mlx5_7\n"),
        ("rdma link show mlx5_7/1", "Wrong device name - mlx5_7\n"),
    ] {
        // Looked for, then looked for again to say what there is instead.
        let tape = devices()
            .then(device::dump(), listing())
            .then(system::get(), vec![shared(), ack(0)])
            .then(device::dump(), listing());
        let ran = call(&tape, line, None);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{line}");
        assert!(ran.err.starts_with(headline), "{line}: {}", ran.err);
        assert!(ran.err.contains("mlx5_0"), "{line}: {}", ran.err);
    }
}

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

#[test]
fn words_that_make_no_command() {
    for line in [
        "rdma bogus",
        "rdma dev bogus",
        "rdma dev set mlx5_0",
        "rdma dev set mlx5_0 netns",
        "rdma dev set mlx5_0 name a/b",
        "rdma system set netns foo",
        "rdma system set netns shar",
        "rdma link add rxe0 type rxe",
        "rdma -x dev",
        "rdma dev show mlx5_0 extra",
    ] {
        let ran = call(&Tape::default(), line, None);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{line}");
        assert!(ran.err.starts_with("error: "), "{line}: {}", ran.err);
    }
}

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

#[test]
fn a_slip_of_the_pen_is_seen() {
    for (line, meant) in [
        ("rdma dve show", "'dev'"),
        ("rdma dev shwo", "'show'"),
        ("rdma dev set mlx5_0 nets 1", "'netns'"),
        ("rdmactl sytem set netns shared", "'system'"),
    ] {
        let ran = call(&Tape::default(), line, None);
        assert_eq!(ran.code, 2, "{line}");
        assert!(ran.err.contains(meant), "{line}: {}", ran.err);
    }
}

#[test]
fn help_and_version_need_no_kernel() {
    for line in [
        "rdma",
        "rdma -h",
        "rdma help",
        "rdma dev help",
        "rdma dev set -h",
        "rdma link add --help",
    ] {
        let ran = call(&Tape::default(), line, None);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{line}");
        assert!(ran.out.contains("Usage: "), "{line}: {}", ran.out);
    }
    assert_eq!(
        printed(&Tape::default(), "rdmactl -V"),
        concat!("rdmactl ", env!("CARGO_PKG_VERSION"), "\n")
    );
    assert!(printed(&Tape::default(), "rdma dev -V").starts_with("rdma utility, "));
}

/// clap gives a global option's value to any argument below that has the same id.
#[test]
fn no_argument_hides_behind_a_global_option() {
    fn walk(command: &clap::Command, globals: &[String]) {
        for verb in command.get_subcommands() {
            for argument in verb.get_arguments() {
                assert!(
                    !globals.contains(&argument.get_id().to_string()),
                    "{} {}",
                    verb.get_name(),
                    argument.get_id()
                );
            }
            walk(verb, globals);
        }
    }
    let root = rdmactl::cli::command();
    let globals: Vec<String> = root
        .get_arguments()
        .map(|argument| argument.get_id().to_string())
        .collect();
    assert!(globals.len() > 5);
    walk(&root, &globals);
}

#[test]
fn help_fits_80_columns() {
    fn walk(command: &mut clap::Command) {
        command.build();
        for text in [
            command.render_help().to_string(),
            command.render_long_help().to_string(),
        ] {
            for line in text.lines() {
                assert!(line.chars().count() <= 80, "{}: {line}", command.get_name());
            }
        }
        let names: Vec<String> = command
            .get_subcommands()
            .map(|verb| verb.get_name().to_owned())
            .collect();
        for name in names {
            walk(command.find_subcommand_mut(&name).unwrap());
        }
    }
    walk(&mut rdmactl::cli::command().term_width(80));
    rdmactl::cli::command().debug_assert();
}
