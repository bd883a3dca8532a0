//! Carrying out a change step by step: each read back, and all undone when one fails.

use std::path::PathBuf;

use nix::errno::Errno;

use super::change::{Change, ChangeError, Module, Note, Way, plan_after};
use super::failed::{Failed, Reason, StepError};
use super::ipoib;
use super::report;
use super::step::Step;
use super::uplink::Uplink;
use super::vendor;
use super::wish::{Wish, current};
use crate::kernel::privilege::Privilege;
use crate::kernel::{Conn, Host, NetlinkError, Refusal};
use crate::pci::function;
use crate::wire::link::message::{Link, get, set_vf};
use crate::wire::link::vf::{Vf as Told, VfSetting};

/// Does what was planned: every step is read back, and when one fails, those before it are undone
/// in reverse. What a caller should know is added to `notes`, also when it fails.
///
/// # Errors
/// [`ChangeError`].
pub fn apply(
    host: &Host,
    change: Change,
    wish: &Wish,
    force: bool,
    notes: &mut Vec<Note>,
) -> Result<(), ChangeError> {
    if change.steps.is_empty() {
        return Ok(());
    }
    if !matches!(change.way, Way::Ipoib) {
        return all(host, &change, notes);
    }
    let Change { pf, vf, limit, .. } = change;
    let module = match ipoib::load(host) {
        Ok(()) => {
            notes.push(Note::Loaded);
            let has_second_way = vendor::has(host.sysfs(), pf.address, vf);
            ipoib::appearance(host, pf.address, has_second_way)?;
            Module::Loaded
        }
        Err(error) => Module::NotLoaded(error.to_string()),
    };
    let why = match &module {
        Module::NotLoaded(why) => Some(why.clone()),
        Module::Untried | Module::Loaded => None,
    };
    // With the interface the PF tells what its VFs have, and who has a GUID already.
    let report = report::of(host, &pf)?;
    let change = Change {
        limit,
        ..plan_after(host, &pf, vf, wish, force, report, module)?
    };
    notes.extend(why.map(Note::NotLoaded));
    all(host, &change, notes)
}

/// Makes all steps of a change.
///
/// # Errors
/// [`ChangeError::Failed`]; [`ChangeError::Uplink`] when the way cannot be gone at all.
fn all(host: &Host, change: &Change, notes: &mut Vec<Note>) -> Result<(), ChangeError> {
    let outcome = match &change.way {
        Way::Uplink(uplink) => uplink.speak(host, |conn| {
            let post = Some((conn, uplink.as_ref()));
            Hand { host, change, post }.all(notes)
        })?,
        Way::Ipoib | Way::Vendor => {
            let post = None;
            Hand { host, change, post }.all(notes)
        }
    };
    Ok(outcome?)
}

/// What sets one property after the other.
struct Hand<'a> {
    host: &'a Host,
    change: &'a Change,
    /// Without it there are the vendor's files alone.
    post: Option<(&'a mut Conn, &'a Uplink)>,
}

impl Hand<'_> {
    fn all(mut self, notes: &mut Vec<Note>) -> Result<(), Box<Failed>> {
        let steps = &self.change.steps;
        for (at, step) in steps.iter().enumerate() {
            let Err(why) = self.make(step.setting, notes) else {
                continue;
            };
            // What was acknowledged may have done something.
            let acknowledged = !matches!(why, StepError::Refused { .. });
            if matches!(why, StepError::Netlink(NetlinkError::Stuck { .. })) {
                // Whatever else is asked of the kernel over this way waits behind it.
                let left = steps[..at].iter().map(|step| (*step, None)).collect();
                return Err(self.failed(step, why, Vec::new(), left));
            }
            return Err(self.undone(&steps[..at + usize::from(acknowledged)], step, why));
        }
        Ok(())
    }

    fn undone(mut self, done: &[Step], failed: &Step, why: StepError) -> Box<Failed> {
        let (mut undone, mut left) = (Vec::new(), Vec::new());
        for step in done.iter().rev() {
            match step.before.map(|before| self.make(before, &mut Vec::new())) {
                Some(Ok(())) => undone.push(*step),
                Some(Err(error)) => left.push((*step, Some(error))),
                None => left.push((*step, None)),
            }
        }
        self.failed(failed, why, undone, left)
    }

    fn failed(
        &self,
        failed: &Step,
        why: StepError,
        undone: Vec<Step>,
        left: Vec<(Step, Option<StepError>)>,
    ) -> Box<Failed> {
        let Change { pf, vf, .. } = self.change;
        let function = function::read(self.host.sysfs(), pf.address);
        Box::new(Failed {
            pf: pf.address,
            driver: function.ok().flatten().and_then(|function| function.driver),
            uplink: self.post.as_ref().map(|(_, uplink)| uplink.name.clone()),
            vf: *vf,
            setting: failed.setting,
            why,
            undone,
            left,
        })
    }

    /// Makes one setting and reads it back; what the PF does not tell cannot be read back.
    fn make(&mut self, setting: VfSetting, notes: &mut Vec<Note>) -> Result<(), StepError> {
        let by_file = self.set(setting)?;
        let told = if by_file { self.file() } else { self.told()? };
        let note = match (by_file, &told) {
            (true, _) => Some(Note::ByVendorFiles),
            (false, None) => Some(Note::NotReadBack),
            (false, Some(_)) => None,
        };
        notes.extend(note.filter(|note| !notes.contains(note)));
        match told.and_then(|told| current(&told, setting)) {
            Some(now) if now != setting && by_file => notes.push(Note::Unproven(setting)),
            Some(now) if now != setting => return Err(StepError::NotDone { now }),
            Some(_) | None => {}
        }
        Ok(())
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

    fn told(&mut self) -> Result<Option<Told>, NetlinkError> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::{Answer, Kernel, Machine};
    use crate::sriov::link_layer::LinkLayer;
    use crate::sriov::pf::{Pf, Vf};
    use crate::types::{Guid, LinkPolicy};
    use crate::wire::Request;
    use std::sync::{Arc, Mutex};

    /// Answers a setting, the first of which is number 0.
    type Verdict = fn(usize, VfSetting) -> Option<Errno>;

    /// A PF with one InfiniBand VF; a setting counts when the verdict on it is none. With the
    /// errno 0 it is acknowledged and forgotten.
    fn kernel(told: Arc<Mutex<Told>>, verdict: Verdict) -> Kernel {
        let count = Mutex::new(0);
        Arc::new(move |kind, body: &[u8]| {
            let mut told = told.lock().unwrap();
            if kind == 19 {
                let vf = Link::decode(body).unwrap().vfs[0];
                let (node, port) = (vf.node_guid, vf.port_guid);
                let setting = node.map(VfSetting::NodeGuid);
                let setting = setting.or_else(|| port.map(VfSetting::PortGuid));
                let setting = setting.unwrap_or_else(|| VfSetting::State(vf.state.unwrap()));
                let mut count = count.lock().unwrap();
                *count += 1;
                match verdict(*count - 1, setting) {
                    Some(errno) if errno as i32 != 0 => return Answer::Refused(errno, None),
                    Some(_) => return Answer::Done,
                    None => {}
                }
                told.node_guid = node.or(told.node_guid);
                told.port_guid = port.or(told.port_guid);
                told.state = vf.state.or(told.state);
                return Answer::Done;
            }
            let guid = |guid: Option<Guid>| {
                let number = guid.unwrap_or(Guid::new(0)).value();
                [[0; 8], number.to_ne_bytes()].concat()
            };
            let state = told.state.map_or(0, LinkPolicy::number);
            let info = |vf: Request| {
                let vf = vf.bytes(10, &guid(told.node_guid));
                let vf = vf.bytes(11, &guid(told.port_guid));
                vf.bytes(5, &[[0; 4], state.to_ne_bytes()].concat())
            };
            let mut fixed = [0; 16];
            fixed[2] = 32;
            let link = Request::new(0).fixed(&fixed);
            let link = link.u32(21, 1).nest(22, |list| list.nest(1, info));
            Answer::Data(vec![link.body().to_vec()])
        })
    }

    fn told(node: u64, port: u64, state: LinkPolicy) -> Told {
        Told {
            node_guid: Some(Guid::new(node)),
            port_guid: Some(Guid::new(port)),
            state: Some(state),
            ..Told::default()
        }
    }

    /// Gives both GUIDs and the state to a VF that has others, and says what came of it.
    fn given(verdict: Verdict) -> (Result<(), String>, Told) {
        let machine = Machine::new();
        let now = Arc::new(Mutex::new(told(1, 2, LinkPolicy::Auto)));
        let host = machine.host_with(kernel(now.clone(), verdict));
        let vf = Vf {
            index: 0,
            address: "0000:01:10.0".parse().unwrap(),
        };
        let before = *now.lock().unwrap();
        let step = |setting| Step {
            setting,
            before: current(&before, setting),
        };
        let change = Change {
            pf: Pf {
                address: "0000:01:00.0".parse().unwrap(),
                total_vfs: 1,
                vfs: vec![vf],
            },
            vf,
            layer: LinkLayer::InfiniBand,
            way: Way::Uplink(Box::new(Uplink {
                name: "ib0".to_owned(),
                index: 3,
                hardware: 32,
                away: None,
                talk: Default::default(),
            })),
            steps: [
                VfSetting::NodeGuid(Guid::new(8)),
                VfSetting::PortGuid(Guid::new(9)),
                VfSetting::State(LinkPolicy::Enable),
            ]
            .map(step)
            .to_vec(),
            limit: None,
        };
        let outcome = all(&host, &change, &mut Vec::new());
        let outcome = outcome.map_err(|error| match error {
            ChangeError::Failed(failed) => format!(
                "{:?}: {}, undone {}, left {}",
                failed.setting,
                failed.why,
                failed.undone.len(),
                failed.left.len()
            ),
            other => panic!("{other}"),
        });
        let now = *now.lock().unwrap();
        (outcome, now)
    }

    #[test]
    fn all_or_nothing() {
        let (outcome, now) = given(|_, _| None);
        assert_eq!((outcome, now), (Ok(()), told(8, 9, LinkPolicy::Enable)));
        let (outcome, now) = given(|at, _| (at == 2).then_some(Errno::EBUSY));
        let why = "State(Enable): Device or resource busy, undone 2, left 0".to_owned();
        assert_eq!((outcome, now), (Err(why), told(1, 2, LinkPolicy::Auto)));
        let (outcome, now) = given(|at, _| (at == 0).then_some(Errno::EIO));
        assert!(outcome.unwrap_err().ends_with("undone 0, left 0"));
        assert_eq!(now, told(1, 2, LinkPolicy::Auto));
    }

    #[test]
    fn what_cannot_be_undone_is_told() {
        // The state is refused, and so is the first attempt to undo.
        let (outcome, now) = given(|at, _| (at == 2 || at == 3).then_some(Errno::EBUSY));
        assert!(outcome.unwrap_err().ends_with("undone 1, left 1"));
        assert_eq!(now, told(1, 9, LinkPolicy::Auto));
    }

    /// The acknowledgement of a driver that does nothing is not believed.
    #[test]
    fn an_acknowledgement_is_no_proof() {
        let (outcome, now) = given(|at, _| (at == 1).then_some(Errno::UnknownErrno));
        let why = outcome.unwrap_err();
        assert!(why.contains("reads back something else, undone 2"), "{why}");
        assert_eq!(now, told(1, 2, LinkPolicy::Auto));
    }
}
