//! `HookError`: why a container did not get its devices, or why one is still away.

use super::state::StateError;
use super::word::Word;
use crate::kernel::netns::NetnsError;
use crate::kernel::{FileError, LockError, SysfsError};
use crate::pci::device::Presence;
use crate::rdma::RdmaError;
use crate::rdma::lease::LeaseError;
use crate::types::{DeviceId, NetnsMode};

/// Why the hook failed.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// What the runtime says cannot be understood.
    #[error(transparent)]
    State(#[from] StateError),
    /// A lease could not be begun or ended.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// The kernel refused, or could not be asked.
    #[error(transparent)]
    Rdma(#[from] RdmaError),
    /// The namespace cannot be opened or entered.
    #[error(transparent)]
    Netns(#[from] NetnsError),
    /// Somebody else works on the device or on the node.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// sysfs cannot be read.
    #[error(transparent)]
    Sysfs(#[from] SysfsError),
    /// Devices can be moved in exclusive mode only.
    #[error("the RDMA subsystem is in {} mode", .0.map_or("an unknown", NetnsMode::as_str))]
    NotExclusive(Option<NetnsMode>),
    /// The state names no process.
    #[error("the OCI state has no pid: the container is not being created")]
    NoPid,
    /// The container's process is gone.
    #[error("there is no process {0}")]
    NoProcess(u32),
    /// The container shares our own namespace.
    #[error("process {0} is in the host's own network namespace")]
    HostNetwork(u32),
    /// Nothing is called so.
    #[error("there is no RDMA device {0}")]
    NoDevice(Word),
    /// It sits on nothing, so that nothing would tell it from another of its name.
    #[error("RDMA device {0} is a software device")]
    Software(Word),
    /// It is somewhere else.
    #[error("the RDMA device of {id} is not at home")]
    Busy {
        /// The device.
        id: DeviceId,
        /// Who has it on record, and the record.
        owner: Option<(Option<String>, String)>,
        /// Where it was seen.
        place: Option<String>,
    },
    /// It has no RDMA device.
    #[error("{id} has no RDMA device")]
    NotThere {
        /// The device.
        id: DeviceId,
        /// How far it is from having one.
        presence: Presence,
    },
    /// The container was given the files of other devices.
    #[error("the character devices of {id} are {}, and the container was given {}",
        words(.has), words(.given))]
    Nodes {
        /// The device.
        id: DeviceId,
        /// What it was given.
        given: Vec<String>,
        /// What the device has.
        has: Vec<String>,
    },
    /// What was done before could not be undone.
    #[error("{cause}; then a device could not be taken back: {rollback}")]
    NotUndone {
        /// What failed first.
        cause: Box<HookError>,
        /// What failed then.
        rollback: Box<HookError>,
    },
    /// Which program the hook is cannot be told.
    #[error("cannot tell which file this program is: {0}")]
    Program(&'static str),
}

fn words(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.join(" ")
}
