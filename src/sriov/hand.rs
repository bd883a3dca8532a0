//! `Hand`: one setting made, and what the PF tells of it then.

use std::path::PathBuf;

use nix::errno::Errno;

use super::change::{Change, Note};
use super::failed::{Reason, StepError};
use super::report;
use super::uplink::Uplink;
use super::vendor;
use super::wish::current;
use crate::kernel::privilege::Privilege;
use crate::kernel::{Conn, Host, NetlinkError, Refusal};
use crate::wire::link::message::{Link, get, set_vf};
use crate::wire::link::vf::{Vf as Told, VfSetting};

/// What sets one property after the other.
pub(super) struct Hand<'a> {
    pub(super) host: &'a Host,
    pub(super) change: &'a Change,
    /// Without it there are the vendor's files alone.
    pub(super) post: Option<(&'a mut Conn, &'a Uplink)>,
}

impl Hand<'_> {
    /// Makes one setting and reads it back.
    pub(super) fn make(
        &mut self,
        setting: VfSetting,
        notes: &mut Vec<Note>,
    ) -> Result<(), StepError> {
        if self.set_or_write(setting, notes)? {
            return Ok(());
        }
        let told = self.told()?;
        compare(told.as_ref(), setting, notes)
    }

    /// Makes one setting. Returns whether a vendor's file took it; that has been read back then.
    pub(super) fn set_or_write(
        &mut self,
        setting: VfSetting,
        notes: &mut Vec<Note>,
    ) -> Result<bool, StepError> {
        if !self.set(setting)? {
            return Ok(false);
        }
        note(Note::ByVendorFiles, notes);
        let now = self.file().and_then(|told| current(&told, setting));
        if now.is_some_and(|now| now != setting) {
            notes.push(Note::Unproven(setting));
        }
        Ok(true)
    }

    /// Returns whether the vendor's file took it.
    fn set(&mut self, setting: VfSetting) -> Result<bool, StepError> {
        let index = self.change.vf.index.into();
        let refusal = match &mut self.post {
            Some((conn, uplink)) => {
                let request = set_vf(uplink.index, index, setting);
                let outcome = match self.change.limit {
                    Some(limit) => conn.change_within(&request, limit),
                    None => conn.change(&request),
                };
                match outcome {
                    Err(NetlinkError::Refused(refusal)) => Some(refusal),
                    other => return Ok(other.map(|()| false)?),
                }
            }
            None => None,
        };
        // IPoIB has no such operation: the vendor's files may.
        let unsupported = |refusal: &Refusal| refusal.errno == Errno::EOPNOTSUPP;
        if refusal.as_ref().is_none_or(unsupported) {
            let (pf, vf) = (self.change.pf.address, self.change.vf);
            match vendor::write(self.host.sysfs(), pf, vf, setting) {
                Some(Ok(())) => return Ok(true),
                Some(Err(error)) => {
                    let (errno, message) = (error.errno, None);
                    let refusal = Refusal { errno, message };
                    return Err(self.refused(setting, refusal, Some(error.path)));
                }
                None => {}
            }
        }
        let refusal = refusal.unwrap_or(Refusal {
            errno: Errno::EOPNOTSUPP,
            message: None,
        });
        Err(self.refused(setting, refusal, None))
    }

    fn file(&self) -> Option<Told> {
        vendor::read(self.host.sysfs(), self.change.pf.address, self.change.vf)
    }

    pub(super) fn told(&mut self) -> Result<Option<Told>, NetlinkError> {
        let Some((conn, uplink)) = &mut self.post else {
            return Ok(None);
        };
        let told = report::told(conn, uplink)?;
        Ok(told.and_then(|told| told.get(&self.change.vf.index).copied()))
    }

    fn refused(
        &mut self,
        setting: VfSetting,
        refusal: Refusal,
        file: Option<PathBuf>,
    ) -> StepError {
        let is_rate = matches!(setting, VfSetting::Rates(_));
        let reason = match refusal.errno {
            Errno::EPERM | Errno::EACCES => Reason::NotPermitted(Privilege::of_caller(self.host)),
            Errno::EOPNOTSUPP => Reason::NotSupported,
            Errno::EPROTONOSUPPORT => Reason::Protocol,
            Errno::EINVAL | Errno::ERANGE if is_rate && self.has_link() == Some(false) => {
                Reason::NoLink
            }
            Errno::EINVAL => Reason::Invalid,
            Errno::ERANGE => Reason::Range,
            Errno::EBUSY | Errno::EAGAIN => Reason::Busy,
            Errno::ENODEV | Errno::ENXIO | Errno::ENOENT => Reason::Gone,
            Errno::EIO | Errno::ETIMEDOUT | Errno::EREMOTEIO => Reason::Firmware,
            _ => Reason::Other,
        };
        StepError::Refused {
            reason,
            refusal,
            file,
        }
    }

    fn has_link(&mut self) -> Option<bool> {
        let (conn, uplink) = self.post.as_mut()?;
        let link = conn.get(&get(uplink.index, false), Link::decode).ok()?;
        Some(link.running)
    }
}
/// What the PF does not tell cannot be read back.
pub(super) fn compare(
    told: Option<&Told>,
    setting: VfSetting,
    notes: &mut Vec<Note>,
) -> Result<(), StepError> {
    let Some(told) = told else {
        note(Note::NotReadBack, notes);
        return Ok(());
    };
    match current(told, setting) {
        Some(now) if now != setting => Err(StepError::NotDone { now }),
        Some(_) | None => Ok(()),
    }
}

fn note(note: Note, notes: &mut Vec<Note>) {
    if !notes.contains(&note) {
        notes.push(note);
    }
}
