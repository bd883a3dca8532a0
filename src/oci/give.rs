//! `createRuntime`: a container that is being made gets its devices, all of them or none.

use super::error::HookError;
use super::home::End;
use super::state::State;
use super::word::Word;
use super::{device, nodes, stale};
use crate::kernel::{Conn, Host, Netns};
use crate::pci::device::presence;
use crate::rdma::lease::lend::{Loan, lend};
use crate::rdma::lease::locate::{Place, Search};
use crate::rdma::lease::settle::{self, Standing};
use crate::rdma::lease::{Attachment, Phase, Store, locks, of_hook};
use crate::rdma::system;
use crate::types::{ContainerId, DeviceId, NetnsMode, RdmaNaming};
use crate::wire::nldev::device::Device;

/// What is to be done; nothing has been changed.
#[derive(Debug)]
pub struct Plan {
    /// The container.
    pub container: ContainerId,
    /// Its namespace.
    pub netns: Netns,
    /// What it gets, each once.
    pub ids: Vec<DeviceId>,
}

/// Checks all that can be checked before anything is changed.
///
/// # Errors
/// [`HookError`].
pub fn plan(
    host: &Host,
    home: &mut Conn,
    state: &State,
    words: &[Word],
) -> Result<Plan, HookError> {
    match system::get(home)?.netns_mode() {
        Some(NetnsMode::Exclusive) => {}
        mode => return Err(HookError::NotExclusive(mode)),
    }
    let pid = state.pid.ok_or(HookError::NoPid)?;
    let netns = match Netns::of_process(host, pid, &format!("/proc/{pid}/ns/net")) {
        Err(error) if error.is_absent() => return Err(HookError::NoProcess(pid)),
        other => other?,
    };
    if Netns::current(host)?.id() == netns.id() {
        return Err(HookError::HostNetwork(pid));
    }
    let mut ids = Vec::new();
    for word in words {
        let id = device::meant(host, home, word)?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(Plan {
        container: state.id.clone(),
        netns,
        ids,
    })
}

/// One run of the hook.
pub struct Gift<'a> {
    /// The machine.
    pub host: &'a Host,
    /// Its RDMA subsystem, at home.
    pub home: &'a mut Conn,
    /// What is to be done.
    pub plan: &'a Plan,
    /// The files of `/dev/infiniband` that the container was given for its one device, where
    /// whoever calls the hook tells.
    pub given: &'a [String],
    /// What a person should know.
    pub notes: Vec<String>,
}

impl Gift<'_> {
    /// Lends every device of the plan.
    ///
    /// # Errors
    /// [`HookError`]; no device is lent then, except after [`HookError::NotUndone`] and
    /// [`crate::rdma::lease::LeaseError::NotRolledBack`].
    pub fn give(&mut self) -> Result<(), HookError> {
        let ids = &self.plan.ids;
        for (done, id) in ids.iter().enumerate() {
            if let Err(mut cause) = self.give_one(id) {
                for id in ids[..done].iter().rev() {
                    cause = self.undo(id, cause);
                }
                return Err(cause);
            }
        }
        Ok(())
    }

    /// Takes one back, and returns why.
    fn undo(&mut self, id: &DeviceId, cause: HookError) -> HookError {
        let mut end = End {
            host: self.host,
            home: self.home,
            container: &self.plan.container,
            netns: Some(&self.plan.netns),
            notes: Vec::new(),
        };
        match end.take(id) {
            Ok(()) => cause,
            Err(rollback) => HookError::NotUndone {
                cause: Box::new(cause),
                rollback: Box::new(rollback),
            },
        }
    }

    fn give_one(&mut self, id: &DeviceId) -> Result<(), HookError> {
        let (host, netns) = (self.host, &self.plan.netns);
        let attachment = of_hook::attachment(&self.plan.container, id);
        let lock = locks::device(host, id)?;
        if self.is_given(id, &attachment)? {
            return Ok(());
        }
        self.notes
            .extend(stale::end(host, self.home, id, &attachment)?);
        let naming = RdmaNaming::Keep;
        let standing = settle::own(host, self.home, &attachment, id, netns, &naming)?;
        if standing == Standing::Resumed {
            self.notes.push(format!(
                "an earlier hook had moved {id} here and was cut off"
            ));
            return Ok(());
        }
        let mut devices = Vec::new();
        for found in device::at_home(host, self.home, id, &attachment)? {
            devices.push(settle::others(host, self.home, id, found)?);
        }
        let [first, siblings @ ..] = devices.as_slice() else {
            return Err(HookError::NotThere {
                id: id.clone(),
                presence: presence(host.sysfs(), id)?,
            });
        };
        let before = nodes::of(host, self.home, &devices)?;
        nodes::require_same(id, self.given, &before)?;
        let loan = Loan {
            attachment: &attachment,
            device_id: id,
            device: first,
            siblings,
            netns,
            naming: &naming,
        };
        let arrived = lend(host, self.home, &loan)?;
        let compared = self.compare(id, &before, &arrived);
        drop(lock);
        compared.map_err(|cause| self.undo(id, cause))
    }

    /// A hook that was called a second time has nothing to do.
    fn is_given(&mut self, id: &DeviceId, attachment: &Attachment) -> Result<bool, HookError> {
        let netns = &self.plan.netns;
        for entry in Store::new(self.host).own(attachment, Some(id))? {
            let Some(record) = &entry.record else {
                continue;
            };
            let search = Search {
                host: self.host,
                attachment,
                device_id: Some(id),
                record: Some(record),
                netns: Some(netns),
            };
            let place = search.run(self.home)?;
            let is_there = matches!(place, Place::Away(there, _) if there.id() == netns.id());
            if is_there && record.phase == Phase::Done {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Compares the files of the devices with those that the container has.
    fn compare(
        &mut self,
        id: &DeviceId,
        before: &[String],
        arrived: &[Device],
    ) -> Result<(), HookError> {
        let after = nodes::inside(self.host, &self.plan.netns, arrived)?;
        nodes::require_same(id, self.given, &after)?;
        if before != after {
            let (was, is) = (before.join(" "), after.join(" "));
            self.notes.push(format!(
                "the character devices of {id} were {was} and are {is}: a container that was given the old ones has those of another device"
            ));
        }
        Ok(())
    }
}
