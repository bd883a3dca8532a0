//! The container's namespace: opened, and told from our own, before anything is changed.

use nix::errno::Errno;

use super::fault;
use crate::cni::{Call, Code, Failure};
use crate::kernel::netns::{NetnsError, NetnsId};
use crate::kernel::{Host, Netns};

/// Opens CNI_NETNS.
///
/// # Errors
/// Code 4 when it is no namespace, 8 when it is the plugin's own.
pub fn target(host: &Host, call: &Call) -> Result<Netns, Failure> {
    let netns = open(host, &call.netns).map_err(|error| fault::netns(&error))?;
    if !call.netns_override && is_own(host, &netns)? {
        return Err(Failure::new(
            Code::INVALID_NETNS,
            "plugin's netns and netns from CNI_NETNS should not be the same",
        )
        .details(format!("CNI_NETNS is {}; nothing was changed", call.netns)));
    }
    Ok(netns)
}

/// What CHECK says when the container has another namespace than the one that `what` was lent to.
pub fn made_anew(what: &str, lent: NetnsId, netns: &Netns) -> Failure {
    let now = match netns.id() {
        now if now == lent => "another one that has this number by now".to_owned(),
        now => now.to_string(),
    };
    let msg = format!("the {what} was lent to {lent}, CNI_NETNS is {now}");
    let details = format!("the namespace was made anew; DEL and ADD lend the {what} to it");
    Failure::new(fault::CHECK_FAILED, msg).details(details)
}

/// Opens CNI_NETNS for DEL: `None`, and why, when there is nothing in it to look for.
pub fn left(host: &Host, call: &Call) -> (Option<Netns>, Option<String>) {
    if call.netns.is_empty() {
        return (None, None);
    }
    match open(host, &call.netns) {
        Err(error) => (None, Some(error.to_string())),
        Ok(netns) => match is_own(host, &netns) {
            Ok(true) if !call.netns_override => {
                let why = format!("CNI_NETNS {} is the plugin's own namespace", call.netns);
                (None, Some(why))
            }
            _ => (Some(netns), None),
        },
    }
}

fn open(host: &Host, path: &str) -> Result<Netns, NetnsError> {
    let file = host.path(path);
    let metadata = file.metadata().map_err(|source| NetnsError::Open {
        word: path.to_owned(),
        source,
    })?;
    if !metadata.is_file() {
        // A pipe would keep us waiting for its other end.
        return Err(NetnsError::NotNetns {
            word: path.to_owned(),
            path: file,
        });
    }
    Netns::open_path(&file, path)
}

fn is_own(host: &Host, netns: &Netns) -> Result<bool, Failure> {
    match Netns::current(host) {
        Ok(own) => Ok(own.id() == netns.id()),
        Err(error) => Err(Failure::new(
            Code::INVALID_NETNS,
            format!("cannot tell the plugin's own namespace: {error}"),
        )
        .details(format!(
            "{}: /proc must be mounted where the plugin runs",
            Errno::ENOENT.desc()
        ))),
    }
}
