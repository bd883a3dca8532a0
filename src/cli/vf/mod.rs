//! `vf`: how many VFs a PF has, what they are given, and which drivers have them.

use std::time::{Duration, Instant};

use clap::{Args, Subcommand};

use self::trees::Trees;
use super::words::unmarked;
use super::{Context, Failure};
use crate::kernel::{Lock, LockError, Sysfs};
use crate::rdma::lease::locks;
use crate::sriov::pf::{Pf, Vf as Member};
use crate::sriov::selector::SelectError;
use crate::sriov::usage::{self, Usage};
use crate::types::{DeviceId, PciAddr};
use crate::view;
use crate::view::explain::usage::Loss;
use crate::view::explain::{self, Explanation};
use crate::view::held::Owner;

mod binding;
mod count;
mod everywhere;
mod guids;
mod set;
mod show;
mod trees;

/// How long the drivers of a VF may take, and what comes on top once.
const EACH: Duration = Duration::from_secs(2);
const ONCE: Duration = Duration::from_secs(60);

/// Virtual functions: how many a PF has, what they are given, and their drivers
#[derive(Debug, Clone, Args)]
pub(super) struct Vf {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// Show VFs: what their PF gave them, and what they go by
    #[command(visible_alias = "list")]
    Show(show::Show),
    /// Give a VF its addresses, its link state, and what it may
    Set(Box<set::Set>),
    /// Give a PF its VFs, and wait until they can be used
    Create(count::Create),
    /// Take all VFs from a PF
    Destroy(count::Destroy),
    /// Bind a VF to a driver, its own unless another is named
    Bind(binding::Bind),
    /// Take its driver from a VF
    Unbind(binding::Unbind),
    /// Take its driver from a VF and bind it anew, so that it takes new settings
    Rebind(binding::Bind),
}

/// How long to wait.
#[derive(Debug, Clone, Args)]
struct Patience {
    /// Give up after so long; the kernel may still finish
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    timeout: Option<u32>,
}

impl Patience {
    /// For work on so many VFs.
    fn limit(&self, vfs: usize) -> Duration {
        let usual = || ONCE + EACH * u32::try_from(vfs).unwrap_or(u32::MAX / 4);
        self.timeout
            .map_or_else(usual, |seconds| Duration::from_secs(seconds.into()))
    }
}

impl Vf {
    /// Whether it changes nothing.
    pub(super) fn only_shows(&self) -> bool {
        matches!(self.verb, None | Some(Verb::Show(_)))
    }

    pub(super) fn run(self, cx: &mut Context<'_>) -> Result<(), Failure> {
        match self.verb.unwrap_or(Verb::Show(show::Show::default())) {
            Verb::Show(show) => show.run(cx),
            Verb::Set(set) => set.run(cx),
            Verb::Create(create) => create.run(cx),
            Verb::Destroy(destroy) => destroy.run(cx),
            Verb::Bind(bind) => bind.run(cx, binding::Way::Bind),
            Verb::Unbind(unbind) => unbind.run(cx),
            Verb::Rebind(bind) => bind.run(cx, binding::Way::Rebind),
        }
    }
}

pub(super) fn plain(word: &str) -> Result<String, std::convert::Infallible> {
    Ok(unmarked(word).to_owned())
}

pub(super) fn unselected(error: SelectError) -> Failure {
    explain::select::explain(&error).into()
}

/// Prints what VFs have now.
fn show(
    cx: &mut Context<'_>,
    trees: &Trees<'_>,
    pf: PciAddr,
    vfs: &[Member],
) -> Result<(), Failure> {
    let held = |vf: &Member| trees.held(*vf).map_err(|error| unread(&error));
    let own = held(&Member {
        index: 0,
        address: pf,
    })?;
    let netdev = own.netdevs.first().map(|name| name.to_string());
    let name = netdev.or_else(|| own.rdma.first().cloned());
    let owner = Owner {
        address: pf,
        name: name.unwrap_or_else(|| pf.to_string()),
    };
    let mut rows = Vec::new();
    for vf in vfs {
        rows.push(view::held::row(&owner, &held(vf)?));
    }
    Ok(cx.view.rows(&rows)?)
}

/// Who would lose VFs; a failure when somebody would, unless that is wanted.
fn users(cx: &mut Context<'_>, pf: &Pf, vfs: &[Member], loss: Loss) -> Result<Usage, Failure> {
    let usage = match usage::look(cx.host, pf, vfs) {
        Ok(usage) => usage,
        Err(_) if cx.force => return Ok(Usage::default()),
        Err(error) => return Err(explain::usage::unknown(&error).into()),
    };
    if usage.uses.is_empty() || cx.force {
        if let Some(gap) = explain::usage::hidden(&usage) {
            cx.note(gap);
        }
        return Ok(usage);
    }
    Err(explain::usage::in_use(pf.address, &usage, loss).into())
}

/// The steps that take VFs from who uses them, for a dry run.
fn losses(usage: &Usage) -> impl Iterator<Item = String> {
    let lines = usage.uses.iter().map(explain::usage::line);
    lines.map(|line| format!("take it from its user: {line}"))
}

/// Keeps everybody else off the VFs of a PF, and off these VFs.
fn locked(
    cx: &Context<'_>,
    pf: PciAddr,
    vfs: &[Member],
    deadline: Instant,
) -> Result<Vec<Lock>, Failure> {
    let left = deadline.saturating_duration_since(Instant::now());
    let whole = crate::sriov::lock::pf(cx.host, pf, left);
    let mut held = vec![whole.map_err(|error| unlocked(&error))?];
    for vf in vfs {
        let lock = locks::device(cx.host, &DeviceId::Pci(vf.address));
        held.push(lock.map_err(|error| unlocked(&error))?);
    }
    Ok(held)
}

fn unlocked(error: &LockError) -> Failure {
    let (headline, cause, cure) = match error {
        LockError::Busy { .. } => (
            error.to_string(),
            "another command is at work on these VFs, and only one at a time changes them",
            "run the command again when that one has ended; --timeout SECONDS waits longer",
        ),
        LockError::File(file) => (
            format!("{file}: {}", file.source),
            "only root may change VFs; a lock below /run/rdmactl keeps others off them meanwhile",
            "run the command as root on the host",
        ),
    };
    Explanation {
        headline,
        cause: Some(cause.to_owned()),
        cure: Some(cure.to_owned()),
    }
    .into()
}

fn unread(error: &impl std::fmt::Display) -> Failure {
    Explanation {
        headline: error.to_string(),
        cause: None,
        cure: None,
    }
    .into()
}

/// The PF as it is by now.
fn again(sysfs: &Sysfs, pf: PciAddr) -> Result<Pf, Failure> {
    let gone = || SelectError::Unknown {
        word: pf.to_string(),
    };
    match crate::sriov::pf::read(sysfs, pf) {
        Ok(now) => now.ok_or_else(|| unselected(gone())),
        Err(error) => Err(unread(&error)),
    }
}
