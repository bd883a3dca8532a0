//! A bench takes itself and the program into a guest of the lab, and is called there with `--in-guest`.
#![allow(dead_code)]

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

/// `name` is what the program is called in `/lab/bin`; `options` are those of `tests/lab/boot`, `shares` further folders,
/// and `numbers` what the bench is told.
pub fn into_guest(name: &str, options: &str, shares: &[String], numbers: &[usize]) -> ExitCode {
    let (_bin, mut boot) = prepared(name, options, shares, numbers);
    if boot.status().unwrap().success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// As [`into_guest`], and what the bench says there is returned.
pub fn told_by_guest(name: &str, options: &str, shares: &[String], numbers: &[usize]) -> String {
    let (_bin, mut boot) = prepared(name, options, shares, numbers);
    let told = boot.stderr(Stdio::inherit()).output().unwrap();
    assert!(told.status.success(), "{}", told.status);
    String::from_utf8(told.stdout).unwrap()
}

fn prepared(
    name: &str,
    options: &str,
    shares: &[String],
    numbers: &[usize],
) -> (tempfile::TempDir, Command) {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scratch = tree.join("target/lab/tmp");
    fs::create_dir_all(&scratch).unwrap();
    let bin = tempfile::Builder::new()
        .prefix("bench.")
        .tempdir_in(scratch)
        .unwrap();
    fs::copy(std::env::current_exe().unwrap(), bin.path().join("bench")).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_rdmactl"), bin.path().join(name)).unwrap();
    let mut boot = Command::new(tree.join("tests/lab/boot"));
    boot.args("--kernel 6.12 --pf nvme".split(' '))
        .args(options.split(' '))
        .arg("--share")
        .arg(format!("{}:bin", bin.path().display()));
    for share in shares {
        boot.args(["--share", share]);
    }
    boot.args(["--", "/lab/bin/bench", "--in-guest"])
        .args(numbers.iter().map(usize::to_string));
    (bin, boot)
}

/// Runs a script in the guest.
pub fn shell(script: &str) {
    let status = Command::new("bash")
        .args(["-euc", script])
        .status()
        .unwrap();
    assert!(status.success(), "{script}: {status}");
}
