//! One boot: the test program and the binary under test go in, verdicts come out.

use std::fs;
use std::io::{BufRead, BufReader, Read, Result};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use crate::cases::cni_parallel::PODS;
use crate::cases::cni_sweeps::WHOLE;
use crate::host::Boot;

/// Returns how the guest ended, with what the launcher said: the end of the console when it went wrong.
pub(crate) fn run(tree: &Path, boot: &Boot) -> Result<String> {
    let Boot { root, pf, .. } = boot;
    let scratch = tree.join("target/lab/tmp");
    fs::create_dir_all(&scratch)?;
    // Copies: the next build must not change the files under a running guest.
    let bin = tempfile::Builder::new()
        .prefix("bin.")
        .tempdir_in(scratch)?;
    fs::copy(std::env::current_exe()?, bin.path().join("lab"))?;
    fs::copy(env!("CARGO_BIN_EXE_rdmactl"), bin.path().join("rdmactl"))?;

    let limit: u64 = 60
        + boot
            .cases
            .iter()
            .map(|case| case.limit.as_secs())
            .map(|limit| limit.min(20).max(limit.saturating_sub(60) / 2))
            .sum::<u64>();
    let mut child = Command::new(tree.join("tests/lab/boot"))
        .args([
            "--kernel",
            root,
            "--pf",
            pf,
            // One case runs at a time: a second CPU would idle, and emulated ones disturb each other.
            "--cpus",
            "1",
            "--time-limit",
            &limit.to_string(),
            "--share",
        ])
        .arg(format!("{}:bin", bin.path().display()))
        .arg("--log")
        .arg(tree.join(format!("target/lab/logs/cases-{}.log", boot.title())))
        .args(boot.systemd.then_some("--systemd"))
        .args(["--", "env"])
        .args([WHOLE, PODS].iter().filter_map(|name| {
            let value = std::env::var(name).ok()?;
            Some(format!("{name}={value}"))
        }))
        .args(["/lab/bin/lab", "--in-guest"])
        .args(boot.cases.iter().map(|case| &case.name))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stderr = child.stderr.take().expect("piped");
    let said = thread::spawn(move || {
        let mut said = String::new();
        stderr.read_to_string(&mut said).map(|_| said)
    });
    for line in BufReader::new(child.stdout.take().expect("piped")).lines() {
        let line = line?;
        match serde_json::from_str(&line) {
            Ok(report) => boot.guest.hear(report),
            Err(_) => eprintln!("k{root}: {line}"),
        }
    }
    let status = child.wait()?;
    let said = said.join().expect("the reader does not panic")?;
    // A second try is said aloud even when it went well.
    for line in said
        .lines()
        .filter(|line| line.contains("trying once more"))
    {
        eprintln!("{line}");
    }
    Ok(format!("the guest ended with {status}\n{said}"))
}
