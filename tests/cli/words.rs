//! Words that make no command, and the help on those that do.

use crate::devices::{call, printed};
use crate::support::Tape;

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
