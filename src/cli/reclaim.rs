//! `dev reclaim`: brings RDMA devices home from every other network namespace.

use std::time::Instant;

use clap::Args;
use nix::errno::Errno;

use super::words::unmarked;
use super::{Context, Failure};
use crate::kernel::namespaces;
use crate::kernel::netns::NetnsId;
use crate::kernel::netns_sysfs::NetnsSysfs;
use crate::kernel::{Conn, Namespace, Netns, Privilege, Refusal};
use crate::pci::device::rdma_names;
use crate::rdma::diagnosis::Attempt;
use crate::rdma::lease::LeaseError;
use crate::rdma::lease::reclaim::{self, PATIENCE};
use crate::rdma::lease::stray::{self, Place, Stray, Strays};
use crate::rdma::{RdmaError, device, system};
use crate::types::{DeviceId, Invalid, NetnsMode};
use crate::view;
use crate::view::explain::{self, Explanation};
use crate::view::namespace::quoted;

/// Bring devices home from other network namespaces
#[derive(Debug, Clone, Args)]
pub(super) struct Reclaim {
    /// This device, by its name there or at home, or by what it sits on; every one that nobody uses
    /// if not given
    #[arg(value_parser = plain)]
    dev: Option<String>,
    /// Only from this network namespace: a name, a path or a PID
    #[arg(long, value_name = "NETNS")]
    from: Option<String>,
}

fn plain(word: &str) -> Result<String, std::convert::Infallible> {
    Ok(unmarked(word).to_owned())
}

impl Reclaim {
    pub(super) fn run(self, cx: &mut Context<'_>, conn: &mut Conn) -> Result<(), Failure> {
        if cx.force && !self.is_named() {
            let rule = "it takes a device, or --from NETNS";
            return Err(Invalid::new("--force", "option of dev reclaim alone", rule).into());
        }
        let shared = match system::get(conn) {
            Ok(system) => system.netns_mode() != Some(NetnsMode::Exclusive),
            Err(RdmaError::TooOld { .. }) => true,
            Err(error) => return Err(cx.explain_plain(conn, error)),
        };
        if shared {
            return Ok(cx.view.remark(
                "nothing to bring home: in shared mode every network namespace has every RDMA device",
            )?);
        }
        permitted(cx, conn)?;
        let home = home(cx, "dev reclaim")?;
        let from = match &self.from {
            Some(word) => {
                let netns = Netns::open(cx.host, word);
                Some(netns.map_err(|error| cx.explain_netns(&error))?.id())
            }
            None => None,
        };
        let mut strays = stray::find(cx.host, conn).map_err(|error| failed(cx, conn, error))?;
        self.choose(cx, conn, &mut strays, from)?;
        let (wanted, left) = self.share_out(strays.found, cx.force);
        let mut failures = self.refusals(&left);
        let seen = |stray: &&Stray| !matches!(stray.place, Place::Lost);
        if cx.plan_all(|| wanted.iter().map(view::reclaim::step).collect())? {
            if !self.is_named() {
                left.iter()
                    .filter(seen)
                    .for_each(|stray| cx.note(view::reclaim::stay(stray)));
            }
        } else {
            let deadline = Instant::now() + PATIENCE;
            let mut rows = Vec::new();
            for stray in &wanted {
                match reclaim::bring(cx.host, conn, stray, deadline) {
                    Ok(came) => rows.push(view::reclaim::home(stray, &came, &home)),
                    Err(error) => failures.extend(failed(cx, conn, error).explanations()),
                }
            }
            if !self.is_named() {
                let left = left.iter().filter(seen);
                rows.extend(left.map(view::reclaim::left));
            }
            cx.view.rows(&rows)?;
        }
        failures.extend(cx.gaps(&strays.unseen, strays.hidden));
        if failures.is_empty() {
            return Ok(());
        }
        Err(Failure::Several(failures))
    }

    /// Whether the devices were asked for one by one, or by their namespace.
    fn is_named(&self) -> bool {
        self.dev.is_some() || self.from.is_some()
    }

    /// Keeps the strays that were asked for.
    fn choose(
        &self,
        cx: &Context<'_>,
        conn: &mut Conn,
        strays: &mut Strays,
        from: Option<NetnsId>,
    ) -> Result<(), Failure> {
        strays.found.retain(|stray| match (&stray.place, from) {
            (_, None) => true,
            (Place::Away(namespace, _), Some(from)) => namespace.id == from,
            (Place::Lost | Place::Misnamed(_), Some(_)) => false,
        });
        let Some(word) = &self.dev else {
            return Ok(());
        };
        let id: Option<DeviceId> = word.parse().ok();
        strays.found.retain(|stray| {
            stray.name == *word
                || stray.host_name.as_ref() == Some(word)
                || (id.is_some() && stray.id == id)
        });
        match &strays.found[..] {
            [] => at_home(cx, conn, word),
            [_] => Ok(()),
            // A function may have several RDMA devices.
            _ if id.is_some() => Ok(()),
            several => Err(ambiguous(word, several).into()),
        }
    }

    /// What is brought home, and what is left where it is.
    fn share_out(&self, strays: Vec<Stray>, force: bool) -> (Vec<Stray>, Vec<Stray>) {
        let named = self.is_named();
        strays.into_iter().partition(|stray| {
            if force {
                return true;
            }
            // What may never have been the host's, and what a runtime may be about to use, has to
            // be asked for.
            let free = named || (stray.id.is_some() && !stray.is_lent());
            free && !stray.is_in_use()
        })
    }

    /// Why devices that were asked for are not taken.
    fn refusals(&self, left: &[Stray]) -> Vec<Explanation> {
        if !self.is_named() {
            return Vec::new();
        }
        let refusal = |stray: &Stray| {
            let from = match &stray.place {
                Place::Away(namespace, _) => format!(" --from {}", word_of(namespace)),
                Place::Lost | Place::Misnamed(_) => String::new(),
            };
            Explanation {
                headline: format!("RDMA device {} is in use", stray.name),
                cause: Some(view::reclaim::use_of(stray)),
                cure: Some(format!(
                    "end these processes, or rdmactl dev reclaim {}{from} --force",
                    quoted(&stray.name)
                )),
            }
        };
        left.iter().map(refusal).collect()
    }
}

/// Who may not move devices does not see where they are either: a half answer helps nobody.
pub(super) fn permitted(cx: &Context<'_>, conn: &mut Conn) -> Result<(), Failure> {
    if Privilege::of_caller(cx.host).is_none_or(Privilege::suffices) {
        return Ok(());
    }
    let refusal = Refusal {
        errno: Errno::EPERM,
        message: None,
    };
    let what = "bring devices home".to_owned();
    Err(cx.explain_plain(conn, RdmaError::NotPermitted { what, refusal }))
}

/// The namespace that devices come home to: the one the machine started with, to which the kernel
/// itself brings them, and in which the names on record are those of the host.
pub(super) fn home(cx: &Context<'_>, command: &str) -> Result<Namespace, Failure> {
    let all = namespaces::list(cx.host).map_err(|error| Explanation::of(error.to_string()))?;
    let mut here = all.iter().filter(|namespace| namespace.is_current);
    match here.next() {
        Some(here) if here.is_initial => Ok(here.clone()),
        _ => {
            let initial = all.iter().any(|namespace| namespace.is_initial);
            Err(Explanation {
                headline: "devices are brought home from the initial network namespace only"
                    .to_owned(),
                cause: Some("the caller is in another one, which is not their home".to_owned()),
                cure: Some(if initial {
                    format!("nsenter --net=/proc/1/ns/net rdmactl {command}")
                } else {
                    "run the command on the host, outside of containers".to_owned()
                }),
            }
            .into())
        }
    }
}

/// Nothing to do for a device that is at home.
fn at_home(cx: &Context<'_>, conn: &mut Conn, word: &str) -> Result<(), Failure> {
    if let Ok(id) = word.parse::<DeviceId>() {
        let own = NetnsSysfs::of_caller(cx.host);
        let sysfs = own.as_ref().map_or(cx.host.sysfs(), NetnsSysfs::tree);
        if rdma_names(sysfs, &id).is_ok_and(|names| !names.is_empty()) {
            return Ok(());
        }
    }
    match device::find(conn, word) {
        Ok(_) => Ok(()),
        Err(error) => Err(cx.explain_plain(conn, error)),
    }
}

/// Since 7.3 names are unique in a namespace only; one may also be another's at home.
fn ambiguous(word: &str, several: &[Stray]) -> Explanation {
    let places = several.iter().map(|stray| {
        let id = stray.id.as_ref().map(ToString::to_string);
        let id = id.unwrap_or_else(|| stray.name.clone());
        match &stray.place {
            Place::Away(namespace, _) => {
                format!("{id} in {}", view::namespace::describe(namespace))
            }
            Place::Lost | Place::Misnamed(_) => id,
        }
    });
    let quoted = quoted(word);
    Explanation {
        headline: format!("several RDMA devices are called {word}"),
        cause: Some(format!("they are {}", view::namespace::list_of(places))),
        cure: Some(format!(
            "rdmactl dev reclaim {quoted} --from NETNS, or dev reclaim with what it sits on"
        )),
    }
}

/// A word that `--from` takes.
fn word_of(namespace: &Namespace) -> String {
    let process = namespace.processes.first().map(|process| process.pid);
    match (namespace.paths.first(), process) {
        (Some(_), _) => quoted(&namespace.word()),
        (None, Some(pid)) => pid.to_string(),
        (None, None) => {
            let holder = namespace.holders.first();
            holder.map_or_else(
                || "NETNS".to_owned(),
                |holder| holder.link.display().to_string(),
            )
        }
    }
}

/// Says why a device is still away.
pub(super) fn failed(cx: &Context<'_>, conn: &mut Conn, error: LeaseError) -> Failure {
    match error {
        LeaseError::Rdma(error) => match Netns::current(cx.host) {
            Ok(home) => cx.explain(conn, error, Attempt::Move(&home)),
            Err(_) => cx.explain_plain(conn, error),
        },
        LeaseError::Netns(error) => cx.explain_netns(&error),
        other => explain::lease(&other).into(),
    }
}
