//! `AttachError`: why a VF could not be given to a container, or not be had back.

use crate::kernel::netns::NetnsError;
use crate::kernel::{FileError, LockError, NetlinkError, SysfsError};
use crate::netdev::NetdevError;
use crate::rdma::RdmaError;
use crate::rdma::lease::{Attachment, LeaseError};
use crate::sriov::binding::BindingError;
use crate::sriov::change::ChangeError;
use crate::sriov::uplink::UplinkError;
use crate::types::{Guid, PKey, PciAddr, RdmaName};

/// Why an operation on an attachment did not happen.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// There is no such PCI function.
    #[error("there is no PCI function {0}")]
    NoFunction(PciAddr),
    /// It is no VF, and only a whole function for a virtual machine need not be one.
    #[error("PF device {0} requires vfioPciMode to be enabled")]
    NotVf(PciAddr),
    /// It should be one for a virtual machine.
    #[error("vfioPciMode is enabled but device {function} is not bound to vfio-pci driver")]
    NotVfio {
        /// The function.
        function: PciAddr,
        /// The driver bound to it.
        driver: Option<String>,
    },
    /// No driver is bound to it.
    #[error("no driver is bound to {0}")]
    NoDriver(PciAddr),
    /// The VF has no interface at home.
    #[error("{function} has no network interface on the host")]
    NoNetdev {
        /// The function.
        function: PciAddr,
        /// The driver bound to it.
        driver: String,
        /// Who has it, as far as it can be told.
        holder: Option<String>,
    },
    /// The VF has no RDMA device at home.
    #[error("{function} has {} RDMA devices on the host", .names.len())]
    RdmaDevices {
        /// The function.
        function: PciAddr,
        /// Their names.
        names: Vec<String>,
    },
    /// Several RDMA devices cannot have one name.
    #[error("{function} has {count} RDMA devices, which cannot all be called {name}")]
    OneName {
        /// The function.
        function: PciAddr,
        /// How many it has.
        count: usize,
        /// The name.
        name: RdmaName,
    },
    /// The VF has no GUID, none was asked for, and without one it cannot talk.
    #[error("VF {index} of {pf} has no GUID")]
    NoGuid {
        /// The PF.
        pf: PciAddr,
        /// The VF.
        index: u16,
    },
    /// Another VF had the GUID before its container got it, and will have it again.
    #[error(
        "GUID {guid} is taken: {function} gets it back when its container ends (record {record})"
    )]
    GuidReserved {
        /// The GUID.
        guid: Guid,
        /// The other VF.
        function: PciAddr,
        /// The name of its record.
        record: String,
    },
    /// Somebody else is giving the same GUID to another VF.
    #[error("GUID {guid} is taken: it is being given to another VF ({error})")]
    GuidAsked {
        /// The GUID.
        guid: Guid,
        /// Who is at it.
        error: LockError,
    },
    /// It speaks Ethernet, which has no partitions.
    #[error("{function} is no IPoIB interface, and an interface of partition {pkey} was asked for")]
    NoPartitions {
        /// The VF.
        function: PciAddr,
        /// The partition.
        pkey: PKey,
    },
    /// It speaks Ethernet, which has no GUIDs to be set.
    #[error("{function} is an Ethernet VF, and GUID {guid} was asked for")]
    Ethernet {
        /// The VF.
        function: PciAddr,
        /// The GUID.
        guid: Guid,
    },
    /// The container has an interface of this name already.
    #[error("the container already has an interface {ifname}")]
    IfNameTaken {
        /// The name.
        ifname: String,
    },
    /// The attachment has its VF, and it is out.
    #[error("attachment {} of container {} already has VF {function} (record {record})",
        .attachment.ifname, .attachment.container)]
    Already {
        /// Whose.
        attachment: Attachment,
        /// The VF.
        function: PciAddr,
        /// The name of the record.
        record: String,
    },
    /// Another attachment has the VF.
    #[error("VF {function} belongs to container {container} (record {record})")]
    Taken {
        /// The VF.
        function: PciAddr,
        /// The container, or what is known of it.
        container: String,
        /// The name of the record.
        record: String,
    },
    /// No file name is free for the record.
    #[error("every file name for the record of {} of container {} is taken by another attachment",
        .attachment.ifname, .attachment.container)]
    NoName {
        /// Whose.
        attachment: Attachment,
    },
    /// Nothing tells which boot this is.
    #[error("cannot read the boot id below /proc/sys/kernel/random")]
    NoBootId,
    /// After its driver was bound anew it lacks something.
    #[error("{function} has no {lack} after its driver was bound anew")]
    NotBack {
        /// The VF.
        function: PciAddr,
        /// What it lacks.
        lack: &'static str,
    },
    /// Its settings on the PF could not be changed.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// Its driver could not be bound anew.
    #[error(transparent)]
    Binding(#[from] BindingError),
    /// The PF could not be asked.
    #[error(transparent)]
    Uplink(#[from] UplinkError),
    /// Its interface could not be moved or set.
    #[error(transparent)]
    Netdev(#[from] NetdevError),
    /// Its RDMA device could not be moved.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// The RDMA subsystem could not be asked.
    #[error(transparent)]
    Rdma(#[from] RdmaError),
    /// A namespace cannot be opened or entered.
    #[error(transparent)]
    Netns(#[from] NetnsError),
    /// The kernel could not be asked.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// Somebody else works on the VF or on the node.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A record cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// sysfs cannot be read.
    #[error(transparent)]
    Sysfs(#[from] SysfsError),
}
