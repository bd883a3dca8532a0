//! What a crash left on a node: attachments that nobody will end, devices on no record.

use std::time::Instant;

use super::error::AttachError;
use super::register::{self, Entry, Standing};
use super::{VfStore, names};
use crate::kernel::{Conn, Host, Namespace};
use crate::rdma::lease::reclaim::{self, Homecoming, PATIENCE};
use crate::rdma::lease::stray::{self, Place, Stray, Strays};
use crate::rdma::lease::{self, LeaseError, locks};

/// What was found on record.
#[derive(Debug, Default)]
pub struct Leftovers {
    /// Void: nobody will miss them.
    pub void: Vec<Entry>,
    /// Void too, but for a container that has processes: it may be using the device.
    pub in_use: Vec<Entry>,
}

/// Looks through the records.
///
/// # Errors
/// [`AttachError`] when the folders or `/proc` cannot be read.
pub fn leftovers(host: &Host) -> Result<Leftovers, AttachError> {
    let all = register::list(host)?.into_iter();
    let void = all.filter(|entry| entry.standing.is_void());
    let (in_use, void) = void.partition(|entry| namespace_in_use(entry).is_some());
    Ok(Leftovers { void, in_use })
}

/// The namespace of an ADD that was cut off, if somebody works in it.
pub fn namespace_in_use(entry: &Entry) -> Option<&Namespace> {
    let Standing::HalfDone(Some(namespace)) = &entry.standing else {
        return None;
    };
    let is_thread = |holder: &crate::kernel::namespace::Holder| holder.link.ends_with("ns/net");
    let used = namespace.population > 0 || namespace.holders.iter().any(is_thread);
    used.then_some(namespace)
}

/// How ending attachments went.
#[derive(Debug, Default)]
pub struct Ended {
    /// Those that are ended.
    pub ended: Vec<Entry>,
    /// Those that could not be, and why.
    pub failed: Vec<(Entry, AttachError)>,
    /// What an operator should know.
    pub warnings: Vec<String>,
}

/// Ends what is void, one by one, whatever becomes of the others; gives names back that one had of
/// another; removes what killed writers of records and killed holders of locks left.
///
/// # Errors
/// [`AttachError`] when names could not be looked at.
pub fn end_all(host: &Host, void: &[Entry]) -> Result<Ended, AttachError> {
    let mut all = Ended::default();
    for entry in void {
        match register::end(host, entry, &mut all.warnings) {
            Ok(true) => all.ended.push(entry.clone()),
            Ok(false) => {}
            Err(error) => all.failed.push((entry.clone(), error)),
        }
    }
    for folder in [
        VfStore::new(host).folder(),
        lease::Store::new(host).folder(),
    ] {
        if let Err(error) = folder.sweep() {
            all.warnings.push(error.to_string());
        }
    }
    locks::sweep(host);
    names::settle(host, &all.ended)?;
    Ok(all)
}

/// Devices that are not where they belong, apart from those that are lent.
#[derive(Debug, Default)]
pub struct Lost {
    /// Those that can come home.
    pub free: Vec<Stray>,
    /// Those that somebody uses where they are.
    pub in_use: Vec<Stray>,
}

/// Looks for devices that nobody has on record, or that are home under another name than their
/// record has. Software devices may be at home wherever they are.
///
/// # Errors
/// [`LeaseError`] at home.
pub fn lost(host: &Host, home: &mut Conn) -> Result<(Lost, Strays), LeaseError> {
    let mut strays = stray::find(host, home)?;
    let mut lost = Lost::default();
    for stray in std::mem::take(&mut strays.found) {
        let is_ours = stray.id.is_some() && !stray.is_lent();
        match stray.is_in_use() {
            _ if !is_ours => {}
            // A container that has its device is as it should be.
            true if stray.owner.is_some() => {}
            true => lost.in_use.push(stray),
            // Where it is nobody can look: the kernel is at work on it, or it is lent.
            false if stray.place == Place::Lost && stray.owner.is_some() => {}
            false => lost.free.push(stray),
        }
    }
    Ok((lost, strays))
}

/// Brings one home.
///
/// # Errors
/// As [`reclaim::bring`].
pub fn bring(host: &Host, home: &mut Conn, stray: &Stray) -> Result<Homecoming, LeaseError> {
    reclaim::bring(host, home, stray, Instant::now() + PATIENCE)
}
