//! In the guest: prepares each case, runs it in a process of its own, and checks what it left behind.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::process::{Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use crate::adapter::{Ground, shell};
use crate::beside::Tally;
use crate::booted;
use crate::case::Case;
use crate::cases;
use crate::handle::{FACES, Lab};
use crate::pci;
use crate::report::Report;
use crate::snapshot::Snapshot;

const SAID: &str = "/run/lab/said";

pub(crate) fn run_one(name: &str) -> ExitCode {
    (cases::named(name).run)(&Lab);
    ExitCode::SUCCESS
}

pub(crate) fn run_all(names: &[String]) -> ExitCode {
    make_faces().expect("the guest's /run can be written");
    // What a case leaves running becomes a child of this process, and can be found and ended.
    nix::sys::prctl::set_child_subreaper(true).expect("the kernel has child subreapers");
    let mut ground = Ground::default();
    // Without changes in between, one case's end is the next one's beginning.
    let mut last = None;
    for name in names {
        let case = cases::named(name);
        if case.systemd && booted::has_ended(name) {
            continue;
        }
        say(&Report::Started { case: name.clone() });
        let begun = Instant::now();
        let verdict = match case.systemd {
            // A reboot leaves nothing to compare.
            true => run_case(&case).map(|()| fs::read_to_string(SAID).unwrap_or_default()),
            false => attempt(&case, &mut ground, &mut last),
        };
        if case.systemd {
            booted::ended(name);
        }
        let (ok, output) = verdict.map_or_else(|output| (false, output), |said| (true, said));
        say(&Report::Ended {
            case: name.clone(),
            ok,
            seconds: begun.elapsed().as_secs_f64(),
            output,
        });
    }
    let tally = Tally::take();
    if tally.lines() > 0 {
        println!("{tally}");
    }
    ExitCode::SUCCESS
}

/// What a case that went well had to say, or what is wrong.
fn attempt(
    case: &Case,
    ground: &mut Ground,
    last: &mut Option<Snapshot>,
) -> Result<String, String> {
    match ground.prepare(case) {
        Ok(true) => *last = None,
        Ok(false) => {}
        Err(error) => {
            repair(ground, last);
            return Err(format!(
                "what the case needs could not be put in place:\n{error}"
            ));
        }
    }
    let before = last.take().unwrap_or_else(Snapshot::take);
    let verdict = run_case(case);
    let left = leftovers();
    let (after, diff) = settle(&before, case.may_change);
    let mut trouble = verdict.err().unwrap_or_default();
    if !left.is_empty() {
        trouble += &format!("left running:\n{}", left.concat());
    }
    if !diff.is_empty() {
        trouble += &format!("left behind:\n{diff}");
    }
    // A case that went well has left nothing but what it was free to: most leave records, which need no new adapter.
    ground.is_used |= before != after;
    let kept = trouble
        .is_empty()
        .then(|| after.without_records(&before))
        .flatten();
    match kept {
        Some((now, renumbered)) => {
            ground.is_renumbered |= renumbered;
            *last = Some(now);
        }
        None => repair(ground, last),
    }
    if trouble.is_empty() {
        Ok(fs::read_to_string(SAID).unwrap_or_default())
    } else {
        Err(trouble)
    }
}

fn run_case(case: &Case) -> Result<(), String> {
    let said = File::create(SAID).and_then(|file| Ok((file.try_clone()?, file)));
    let (out, err) = said.map_err(|error| format!("{SAID}: {error}"))?;
    let mut child = Command::new(std::env::current_exe().map_err(|error| error.to_string())?)
        .args(["--case", &case.name])
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .spawn()
        .map_err(|error| error.to_string())?;
    let deadline = Instant::now() + case.limit;
    let how = loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => break format!("the case ended with {status}"),
            Ok(None) if Instant::now() < deadline => sleep(Duration::from_millis(5)),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                break format!(
                    "the case was still running after {} s",
                    case.limit.as_secs()
                );
            }
            Err(error) => break error.to_string(),
        }
    };
    Err(format!(
        "{how}\n{}",
        fs::read_to_string(SAID).unwrap_or_default()
    ))
}

/// Namespaces die in the background: a difference counts when it stays.
fn settle(before: &Snapshot, except: &[&str]) -> (Snapshot, String) {
    let deadline = Instant::now() + Duration::from_secs(3);
    loop {
        let after = Snapshot::take();
        let diff = before.diff(&after, except);
        if diff.is_empty() || Instant::now() > deadline {
            return (after, diff);
        }
        sleep(Duration::from_millis(50));
    }
}

/// Ends what a case left running, children of children too, and says what it was.
fn leftovers() -> Vec<String> {
    let mut found = Vec::new();
    loop {
        let children = children();
        if children.is_empty() {
            return found;
        }
        for pid in children {
            let id = Pid::from_raw(pid);
            let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            // An orphan that has ended by itself only waits to be collected.
            if !line.is_empty() {
                found.push(format!("  {pid} {}\n", line.replace('\0', " ")));
                let _ = kill(id, Signal::SIGKILL);
            }
            let _ = waitpid(id, Some(WaitPidFlag::empty()));
        }
    }
}

fn children() -> Vec<i32> {
    let own = std::process::id().to_string();
    pci::names("/proc")
        .into_iter()
        .filter_map(|name| name.parse().ok())
        .filter(|pid: &i32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            // pid (comm) state ppid ...; comm may have anything in it.
            stat.rsplit(')')
                .next()
                .and_then(|rest| rest.split(' ').nth(2))
                == Some(&own)
        })
        .collect()
}

/// Makes the next case start on clean ground, whatever this one did.
fn repair(ground: &mut Ground, last: &mut Option<Snapshot>) {
    *last = None;
    let swept = shell(
        "for each in $(ip netns list | cut -d ' ' -f 1); do ip netns delete $each; done
         find /var/lib/cni /run/rdmactl /var/lib/rdmactl -mindepth 1 -delete 2>/dev/null
         true",
    )
    .and_then(|()| ground.unload());
    if let Err(error) = swept {
        eprintln!("cannot clean up after a case: {error}");
    }
}

fn make_faces() -> std::io::Result<()> {
    fs::create_dir_all(FACES)?;
    // A copy in memory: each start from the folder shared with the host would cost messages to it.
    let shared = std::env::current_exe()?.with_file_name("rdmactl");
    let binary = "/run/lab/rdmactl";
    fs::copy(shared, binary)?;
    ["rdmactl", "rdma", "ib-sriov"]
        .iter()
        .try_for_each(|face| symlink(binary, format!("{FACES}/{face}")))
}

fn say(report: &Report) {
    let line = serde_json::to_string(report).expect("a report is JSON");
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .expect("the host listens");
}
