//! Writes down which functions the CNI plugins run, for the linker to put together (`packaging/plugins.ld`).
//!
//! `CARGO_PROFILE_BENCH_STRIP=none cargo bench --bench hot` runs ADD, CHECK and DEL of both plugins in a guest of the lab
//! with a breakpoint at each function, and writes the file anew. `nm` tells where functions begin, and which object file of
//! the C library one comes from: that has no section for each.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods
)]

mod boot;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use boot::shell;

const LAYOUT: &str = "packaging/plugins.ld";
const HEAD: &str = "\
/* What ADD, CHECK and DEL of the CNI plugins run, together: a page that is needed draws in the fifteen around it.
   Made by `cargo bench --bench hot`. A function that is missing here, or is no more, does no harm. */
SECTIONS {
    .text.plugins : {
";
const FOOT: &str = "    }\n}\nINSERT BEFORE .text;\n";
/// `int3`.
const BREAKPOINT: u8 = 0xcc;

fn main() -> ExitCode {
    if std::env::args()
        .nth(1)
        .is_some_and(|word| word == "--in-guest")
    {
        in_guest();
        return ExitCode::SUCCESS;
    }
    let tree = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = Command::new("nm")
        .args(["-S", env!("CARGO_BIN_EXE_rdmactl")])
        .output();
    let functions = functions(&String::from_utf8_lossy(
        &table.expect("nm is there").stdout,
    ));
    if functions.is_empty() {
        println!("no names: build with CARGO_PROFILE_BENCH_STRIP=none");
        return ExitCode::FAILURE;
    }
    let share = tempfile::tempdir_in(tree.join("target/lab/tmp")).unwrap();
    let places: String = functions
        .keys()
        .map(|place| format!("{place:x}\n"))
        .collect();
    fs::write(share.path().join("places"), places).unwrap();
    let shares = [format!("{}:hot", share.path().display())];
    let told = boot::told_by_guest("rdmactl", "--cpus 1 --time-limit 600", &shares, &[]);
    let patterns = in_order(&functions, &told);
    let mut text = HEAD.to_owned();
    for pattern in &patterns {
        writeln!(text, "        {pattern}").unwrap();
    }
    fs::write(tree.join(LAYOUT), text + FOOT).unwrap();
    println!("{LAYOUT}: {} patterns", patterns.len());
    ExitCode::SUCCESS
}

/// A function: the pattern for its section, and its bytes.
type Functions = BTreeMap<u64, (String, u64)>;

fn functions(table: &str) -> Functions {
    let members = members();
    let lines = table.lines().filter_map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        let [place, size, "t" | "T" | "W" | "i", name] = words[..] else {
            return None;
        };
        let number = |word| u64::from_str_radix(word, 16).ok();
        let pattern = section(name).or_else(|| members.get(name).cloned());
        Some((number(place)?, (pattern?, number(size)?)))
    });
    lines.collect()
}

/// Without the numbers of crates, which differ between machines. What is marked as cold is in `.text.unlikely.NAME`.
fn section(name: &str) -> Option<String> {
    if name == "main" {
        return Some("*(.text.main)".to_owned());
    }
    let mut parts = name.strip_prefix("_R")?.split("Cs");
    let mut pattern = format!("*(.text*._R{}", parts.next()?);
    for part in parts {
        // A crate's number ends with `_`.
        pattern.push_str("Cs*_");
        pattern.push_str(part.split_once('_')?.1);
    }
    Some(pattern + "*)")
}

/// The object files of the C library by the functions that one alone has.
fn members() -> BTreeMap<String, String> {
    let mut members: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for library in ["libc.a", "libm-*.a"] {
        let script =
            format!("nm -A --defined-only $(dirname $(cc -print-file-name=libc.a))/{library}");
        let table = Command::new("sh").args(["-c", &script]).output();
        let table = table.expect("sh is there").stdout;
        for line in String::from_utf8_lossy(&table).lines() {
            if let [place, _kind, name] = line.split(' ').collect::<Vec<_>>()[..]
                && let Some(member) = place.split(':').nth(1)
            {
                let pattern = format!("*{library}:{}(.text .text.*)", of_any_processor(member));
                members.entry(name.to_owned()).or_default().insert(pattern);
            }
        }
    }
    let alone = |(name, mut of): (String, BTreeSet<String>)| {
        let first = of.pop_first().filter(|_| of.is_empty())?;
        Some((name, first))
    };
    members.into_iter().filter_map(alone).collect()
}

/// `memmove-avx-unaligned-erms.o` is one of several, of which the processor decides: all of them.
fn of_any_processor(member: &str) -> String {
    for part in ["-sse", "-ssse", "-avx", "-evex"] {
        if let Some((function, _)) = member.split_once(part) {
            return format!("{function}-*.o");
        }
    }
    member.to_owned()
}

/// What one plugin alone runs on either side of what both do, and behind that what stands for many functions of which few
/// are run.
fn in_order(functions: &Functions, told: &str) -> Vec<String> {
    let mut runs: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let (mut hit, mut all) = (BTreeMap::new(), BTreeMap::new());
    for (pattern, size) in functions.values() {
        *all.entry(pattern.as_str()).or_insert(0) += size;
    }
    let seen: BTreeSet<(u64, &str)> = told
        .lines()
        .filter_map(|line| {
            let (plugin, place) = line.split_once(' ')?;
            Some((u64::from_str_radix(place, 16).ok()?, plugin))
        })
        .collect();
    let mut last = None;
    for (place, plugin) in seen {
        let (pattern, size) = &functions[&place];
        runs.entry(pattern).or_default().insert(plugin);
        if last.replace(place) != Some(place) {
            *hit.entry(pattern.as_str()).or_insert(0) += size;
        }
    }
    let group = |pattern: &str| {
        let few = all[pattern] > 2 * hit[pattern] + 400;
        let plugins = &runs[pattern];
        match (few, plugins.contains("rdma"), plugins.contains("ib-sriov")) {
            (false, true, false) => 0,
            (false, true, true) => 1,
            (true, true, _) => 2,
            (false, false, _) => 3,
            (true, false, _) => 4,
        }
    };
    let mut patterns: Vec<&str> = runs.keys().copied().collect();
    patterns.sort_by_key(|pattern| group(pattern));
    patterns.into_iter().map(str::to_owned).collect()
}

fn in_guest() {
    shell(
        "mkdir /tmp/ours && cp /lab/bin/rdmactl /tmp/ours/
         ln -s rdmactl /tmp/ours/rdma && ln -s rdmactl /tmp/ours/ib-sriov
         modprobe -a ib_core ib_uverbs && rdma system set netns exclusive
         insmod /lab/adapter/rdmalab.ko mode=ib vf_guids=1
         for pf in /sys/bus/pci/drivers/mlx5_core/0000:*/sriov_numvfs; do echo 24 > $pf; done
         ip netns add pod",
    );
    let vf = fs::read_dir("/sys/bus/pci/drivers/mlx5_core")
        .unwrap()
        .flatten()
        .find_map(|entry| fs::read_link(entry.path().join("virtfn1")).ok())
        .expect("the adapter has VFs");
    let vf = vf.file_name().unwrap().to_str().unwrap();
    let places = fs::read_to_string("/lab/hot/places").unwrap();
    let places = places
        .lines()
        .map(|line| u64::from_str_radix(line, 16).unwrap());
    let places: Vec<u64> = places.collect();
    for (plugin, rest) in [
        ("rdma", ""),
        (
            "ib-sriov",
            r#","link_state":"enable","rdmaIsolation":true,"runtimeConfig":{"infinibandGUID":"02:00:00:00:00:00:00:aa"}"#,
        ),
    ] {
        let prev = r#"{"cniVersion":"1.0.0","interfaces":[{"name":"eth0"}]}"#;
        let config = format!(
            r#"{{"cniVersion":"1.0.0","name":"net","type":"{plugin}","deviceID":"{vf}","prevResult":{prev}{rest}}}"#
        );
        fs::write("/tmp/config", config).unwrap();
        for verb in ["ADD", "CHECK", "DEL"] {
            let mut command = Command::new(format!("/tmp/ours/{plugin}"));
            command
                .stdin(Stdio::from(File::open("/tmp/config").unwrap()))
                .stdout(Stdio::null())
                .envs([
                    ("CNI_COMMAND", verb),
                    ("CNI_CONTAINERID", "bench"),
                    ("CNI_IFNAME", "eth0"),
                    ("CNI_NETNS", "/run/netns/pod"),
                    ("CNI_PATH", "/usr/lib/cni"),
                ]);
            for place in begun(command, &places) {
                println!("{plugin} {place:x}");
            }
        }
    }
}

/// Runs a program and all that it starts; which of these functions, by their places in its file, were begun.
fn begun(mut command: Command, places: &[u64]) -> BTreeSet<u64> {
    #[expect(unsafe_code, reason = "a tracee has to ask for it before it begins")]
    // SAFETY: one system call that takes nothing.
    unsafe {
        command.pre_exec(|| Ok(ptrace::traceme()?));
    }
    let first = Pid::from_raw(i32::try_from(command.spawn().unwrap().id()).unwrap());
    waitpid(first, None).unwrap();
    let options = Options::PTRACE_O_TRACECLONE | Options::PTRACE_O_TRACEFORK;
    ptrace::setoptions(first, options).unwrap();
    let maps = fs::read_to_string(format!("/proc/{first}/maps")).unwrap();
    let start = maps.lines().find(|line| line.ends_with("/rdmactl"));
    let start = start.and_then(|line| u64::from_str_radix(line.split('-').next()?, 16).ok());
    let start = start.expect("the program is mapped");
    let memory = |pid: Pid| {
        let path = format!("/proc/{pid}/mem");
        File::options().read(true).write(true).open(path).unwrap()
    };
    let code = memory(first);
    let mut before = BTreeMap::new();
    for place in places {
        let mut byte = [0];
        code.read_exact_at(&mut byte, start + place).unwrap();
        code.write_all_at(&[BREAKPOINT], start + place).unwrap();
        before.insert(*place, byte);
    }
    let mut begun = BTreeSet::new();
    ptrace::cont(first, None).unwrap();
    loop {
        let (pid, signal) = match waitpid(None, Some(WaitPidFlag::__WALL)) {
            Ok(WaitStatus::Exited(pid, status)) => {
                assert!(pid != first || status == 0, "{status}");
                continue;
            }
            Ok(WaitStatus::Stopped(pid, signal)) => (pid, Some(signal)),
            Ok(WaitStatus::PtraceEvent(pid, ..)) => (pid, None),
            Ok(_) | Err(Errno::EINTR) => continue,
            Err(_) => return begun,
        };
        if signal == Some(Signal::SIGTRAP)
            && let Ok(mut registers) = ptrace::getregs(pid)
            && let Some(place) = registers.rip.checked_sub(start + 1)
            && let Some(byte) = before.get(&place)
        {
            begun.insert(place);
            memory(pid).write_all_at(byte, start + place).unwrap();
            registers.rip -= 1;
            ptrace::setregs(pid, registers).unwrap();
        }
        let signal = signal.filter(|signal| !matches!(signal, Signal::SIGTRAP | Signal::SIGSTOP));
        // One that is killed meanwhile is not there to go on.
        let _ = ptrace::cont(pid, signal);
    }
}
