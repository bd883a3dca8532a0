//! Carrying out a change step by step: all read back at the end, and all undone when one fails.

use super::change::{Change, ChangeError, Module, Note, Way, plan_after};
use super::failed::{Failed, StepError};
use super::hand::{Hand, compare};
use super::ipoib;
use super::report;
use super::step::Step;
use super::vendor;
use super::wish::Wish;
use crate::kernel::{Host, NetlinkError};
use crate::pci::function;

/// Does what was planned: every step is read back, and when one fails, those made are undone in
/// reverse. What a caller should know is added to `notes`, also when it fails.
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

impl Hand<'_> {
    /// Asking a PF costs more than setting something, the more VFs it has: it is asked once, at the end.
    fn all(mut self, notes: &mut Vec<Note>) -> Result<(), Box<Failed>> {
        let steps = &self.change.steps;
        let mut to_read = Vec::with_capacity(steps.len());
        for (at, step) in steps.iter().enumerate() {
            match self.set_or_write(step.setting, notes) {
                Ok(true) => {}
                Ok(false) => to_read.push(step),
                Err(why) => return Err(self.given_up(at, why)),
            }
        }
        let Some(last) = to_read.last() else {
            return Ok(());
        };
        let told = match self.told() {
            Ok(told) => told,
            Err(error) => return Err(self.undone(steps, last, error.into())),
        };
        for step in to_read {
            if let Err(why) = compare(told.as_ref(), step.setting, notes) {
                return Err(self.undone(steps, step, why));
            }
        }
        Ok(())
    }

    /// Undoes what was made before a step that could not be.
    fn given_up(self, at: usize, why: StepError) -> Box<Failed> {
        let steps = &self.change.steps;
        if matches!(why, StepError::Netlink(NetlinkError::Stuck { .. })) {
            // Whatever else is asked of the kernel over this way waits behind it.
            let left = steps[..at].iter().map(|step| (*step, None)).collect();
            return self.failed(&steps[at], why, Vec::new(), left);
        }
        // What was not refused may have done something.
        let is_refused = matches!(why, StepError::Refused { .. });
        self.undone(&steps[..at + usize::from(!is_refused)], &steps[at], why)
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::{Answer, Kernel, Machine};
    use crate::sriov::link_layer::LinkLayer;
    use crate::sriov::pf::{Pf, Vf};
    use crate::sriov::uplink::Uplink;
    use crate::sriov::wish::current;
    use crate::types::{Guid, LinkPolicy};
    use crate::wire::Request;
    use crate::wire::link::message::Link;
    use crate::wire::link::vf::{Vf as Told, VfSetting};
    use nix::errno::Errno;
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
        given_by(|now| kernel(now, verdict))
    }

    fn given_by(kernel: impl FnOnce(Arc<Mutex<Told>>) -> Kernel) -> (Result<(), String>, Told) {
        let machine = Machine::new();
        let now = Arc::new(Mutex::new(told(1, 2, LinkPolicy::Auto)));
        let host = machine.host_with(kernel(now.clone()));
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
        assert!(why.contains("reads back something else, undone 3"), "{why}");
        assert_eq!(now, told(1, 2, LinkPolicy::Auto));
    }

    #[test]
    fn what_cannot_be_looked_at_is_undone() {
        let (outcome, now) = given_by(|now| {
            let kernel = kernel(now, |_, _| None);
            let looks = Mutex::new(0);
            Arc::new(move |kind, body: &[u8]| {
                if kind == 18 {
                    let mut looks = looks.lock().unwrap();
                    *looks += 1;
                    if *looks == 1 {
                        return Answer::Refused(Errno::EIO, None);
                    }
                }
                kernel(kind, body)
            })
        });
        let why = outcome.unwrap_err();
        assert!(why.starts_with("State(Enable): "), "{why}");
        assert!(why.ends_with("undone 3, left 0"), "{why}");
        assert_eq!(now, told(1, 2, LinkPolicy::Auto));
    }
}
