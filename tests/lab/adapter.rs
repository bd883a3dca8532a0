//! Puts in place what a case needs: the adapter module with its parameters, VFs, the RDMA netns mode.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::case::{Case, Netns};
use crate::output::run;
use crate::pci;

type Result<T> = std::result::Result<T, String>;

/// What is in place, so that a case whose needs are the last one's costs nothing.
#[derive(Default, PartialEq, Eq)]
pub(crate) struct Ground {
    adapter: Option<&'static str>,
    vfs: u32,
    netns: Option<Netns>,
    /// A driver was bound anew: devices have other numbers than a new adapter gives them.
    pub(crate) is_renumbered: bool,
    /// A case left something: for other needs than its own the adapter is loaded anew.
    pub(crate) is_used: bool,
}

/// What a case names that binds drivers anew.
pub(crate) const NUMBERS: &str = ", index";

impl Ground {
    /// Returns whether anything had to be done.
    pub(crate) fn prepare(&mut self, case: &Case) -> Result<bool> {
        let wanted = Self {
            adapter: case.adapter,
            vfs: case.vfs,
            netns: Some(case.netns),
            // Who renumbers devices can begin with any numbers; others see those of a new adapter.
            is_renumbered: self.is_renumbered && case.may_change.contains(&NUMBERS),
            is_used: self.is_used,
        };
        if *self == wanted {
            return Ok(false);
        }
        if self.is_used {
            self.unload()?;
        }
        // The core is there for every case: without it `rdma` has nobody to ask.
        if !Path::new("/sys/module/ib_uverbs").exists() {
            shell("modprobe -a ib_core ib_uverbs")?;
        }
        if self.adapter != wanted.adapter {
            self.unload()?;
            if let Some(parameters) = wanted.adapter {
                shell(&format!("insmod /lab/adapter/rdmalab.ko {parameters}"))?;
                self.adapter = wanted.adapter;
                let pf = the_pf()?;
                until("the PF has an RDMA device", || pci::rdma(&pf).is_some())?;
            }
        }
        if self.netns != wanted.netns {
            set_netns(case.netns)?;
            self.netns = wanted.netns;
        }
        if self.vfs != wanted.vfs {
            set_vfs(&the_pf()?, wanted.vfs)?;
            self.vfs = wanted.vfs;
        }
        Ok(true)
    }

    /// After a case that left something behind nothing is trusted any more.
    pub(crate) fn unload(&mut self) -> Result<()> {
        if Path::new("/sys/module/rdmalab").exists() {
            shell("rmmod rdmalab")?;
        }
        *self = Self::default();
        Ok(())
    }
}

fn the_pf() -> Result<String> {
    pci::pfs()
        .into_iter()
        .next()
        .ok_or_else(|| "this guest has no PF; the case needs another --pf".to_owned())
}

fn set_vfs(pf: &str, count: u32) -> Result<()> {
    let file = pci::device(pf).join("sriov_numvfs");
    for value in [0, count] {
        fs::write(&file, value.to_string())
            .map_err(|error| format!("{value} to {}: {error}", file.display()))?;
    }
    until("every VF has an RDMA device", || {
        (0..count).all(|index| pci::vf(pf, index).is_some_and(|vf| pci::rdma(&vf).is_some()))
    })
}

/// The kernel says EBUSY while any namespace but the first is there, dying ones included.
fn set_netns(mode: Netns) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match shell(&format!("rdma system set netns {}", mode.word())) {
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => sleep(Duration::from_millis(100)),
            Ok(()) => return Ok(()),
        }
    }
}

pub(crate) fn until(what: &str, done: impl Fn() -> bool) -> Result<()> {
    within(10, what, done)
}

/// As [`until`], for what may take longer than 10 s.
pub(crate) fn within(seconds: u64, what: &str, done: impl Fn() -> bool) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    while !done() {
        if Instant::now() > deadline {
            return Err(format!("after {seconds} s it is still not so that {what}"));
        }
        sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// A script that is one plain command runs without a shell: in the emulated guest that is a third of it.
pub(crate) fn shell(script: &str) -> Result<()> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " _-./:=".contains(c);
    let output = if script.chars().all(is_plain) {
        let mut words = script.split_whitespace();
        let program = words.next().ok_or("a command has a name")?;
        run(Command::new(program).args(words), "")
    } else {
        run(Command::new("sh").args(["-c", script]), "")
    };
    if output.status == 0 {
        Ok(())
    } else {
        Err(output.to_string())
    }
}
