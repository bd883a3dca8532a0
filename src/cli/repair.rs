//! `cni repair`: one command that makes a node whole after a crash.

use super::{Context, Failure, reclaim};
use crate::attachment::AttachError;
use crate::attachment::register::Entry;
use crate::attachment::repair::{self, Lost};
use crate::kernel::{Conn, Host};
use crate::rdma::{RdmaError, system};
use crate::types::NetnsMode;
use crate::view;
use crate::view::explain::Explanation;
use crate::view::explain::causes::chain;

/// Ends what is void, brings home what nobody has on record, and says what was left.
pub(super) fn repair(cx: &mut Context<'_>) -> Result<(), Failure> {
    let found = repair::leftovers(cx.host).map_err(|error| told(&error))?;
    let mut home = movable(cx)?;
    if cx.dry_run {
        let lost = match &mut home {
            Some(home) => find(cx, home)?.0,
            None => Lost::default(),
        };
        cx.plan_all(|| {
            let records = found.void.iter().map(view::attachment::step);
            let is_on_record = |id: &Option<_>| found.void.iter().any(|entry| entry.device == *id);
            let devices = lost.free.iter().filter(|stray| !is_on_record(&stray.id));
            let devices = devices.map(view::reclaim::step);
            records.chain(devices).collect()
        })?;
        return Ok(());
    }
    let done = repair::end_all(cx.host, &found.void).map_err(|error| told(&error))?;
    let mut failures: Vec<Explanation> = done
        .failed
        .iter()
        .map(|(entry, error)| kept(entry, error))
        .collect();
    for warning in done.warnings {
        cx.note(warning);
    }
    let mut rows: Vec<_> = done.ended.iter().map(view::repair::ended).collect();
    let left = found.in_use.iter().map(view::repair::left_record);
    let mut left: Vec<_> = left.collect();
    if let Some(home) = &mut home {
        let (lost, gaps) = find(cx, home)?;
        for stray in &lost.free {
            match repair::bring(cx.host, home, stray) {
                Ok(came) => rows.push(view::repair::home(stray, &came)),
                Err(error) => failures.extend(reclaim::failed(cx, home, error).explanations()),
            }
        }
        left.extend(lost.in_use.iter().map(view::repair::left_device));
        failures.extend(gaps);
    }
    rows.extend(left);
    cx.view.rows(&rows)?;
    if failures.is_empty() {
        return Ok(());
    }
    Err(Failure::Several(failures))
}

/// The connection over which devices can be brought home; none where none can be away.
fn movable(cx: &Context<'_>) -> Result<Option<Conn>, Failure> {
    let mut home = match connected(cx.host) {
        Ok(home) => home,
        Err(RdmaError::NoRdma) => return Ok(None),
        Err(error) => return Err(cx.explain_unconnected(error)),
    };
    match system::get(&mut home) {
        Ok(system) if system.netns_mode() == Some(NetnsMode::Exclusive) => {}
        Ok(_) | Err(RdmaError::TooOld { .. }) => return Ok(None),
        Err(error) => return Err(cx.explain_plain(&mut home, error)),
    }
    reclaim::permitted(cx, &mut home)?;
    reclaim::home(cx, "cni repair")?;
    Ok(Some(home))
}

fn connected(host: &Host) -> Result<Conn, RdmaError> {
    Ok(host.rdma()?)
}

fn find(cx: &Context<'_>, home: &mut Conn) -> Result<(Lost, Vec<Explanation>), Failure> {
    let found = repair::lost(cx.host, home);
    let (lost, strays) = found.map_err(|error| reclaim::failed(cx, home, error))?;
    Ok((lost, cx.gaps(&strays.unseen, strays.hidden)))
}

/// Why an attachment was not ended.
pub(super) fn kept(entry: &Entry, error: &AttachError) -> Explanation {
    Explanation {
        headline: chain(error),
        cause: Some(format!(
            "{} was kept, and its device may be away",
            entry.path()
        )),
        cure: Some("run the command again; rdmactl doctor shows what is in the way".to_owned()),
    }
}

/// Why the records could not be looked through.
pub(super) fn told(error: &AttachError) -> Failure {
    Explanation {
        headline: chain(error),
        cause: Some("the records below /var/lib/cni and /proc must be readable".to_owned()),
        cure: Some("run the command as root on the host".to_owned()),
    }
    .into()
}
