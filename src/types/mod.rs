//! Validated values that every floor shares; nothing here touches the system.

pub mod auto_criteria;
pub mod aux_name;
pub mod build_mark;
pub mod container_id;
pub mod device_id;
pub mod driver_name;
pub mod eswitch_mode;
pub mod frmr_key;
pub mod guid;
pub mod ifname;
pub mod interval;
pub mod ip_net;
pub mod link_policy;
pub mod mac;
pub mod module_name;
pub mod near;
pub mod netns_mode;
pub mod number_list;
pub mod pci_addr;
pub mod pkey;
pub mod port;
pub mod rdma_name;
pub mod rdma_naming;
pub mod shell;
pub mod vlan;

pub use auto_criteria::AutoCriteria;
pub use aux_name::AuxName;
pub use container_id::ContainerId;
pub use device_id::DeviceId;
pub use driver_name::DriverName;
pub use eswitch_mode::EswitchMode;
pub use frmr_key::FrmrKey;
pub use guid::Guid;
pub use ifname::IfName;
pub use interval::Interval;
pub use ip_net::IpNet;
pub use link_policy::LinkPolicy;
pub use mac::Mac;
pub use module_name::ModuleName;
pub use netns_mode::NetnsMode;
pub use number_list::NumberList;
pub use pci_addr::PciAddr;
pub use pkey::PKey;
pub use port::{DeviceSelector, PortSelector};
pub use rdma_name::RdmaName;
pub use rdma_naming::{RdmaNamePattern, RdmaNaming};
pub use vlan::{Vlan, VlanProto};

/// Why a word is not the value it should be.
///
/// `word` is what was given, `what` names the value ("GUID"), `rule` says what it must look like.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{word}\" is not a valid {what}: {rule}")]
pub struct Invalid {
    /// The word as given, shortened where it is long.
    pub word: String,
    /// The name of the value.
    pub what: &'static str,
    /// The rule it breaks.
    pub rule: &'static str,
}

impl Invalid {
    /// Keeps at most 80 characters of the word: it may come from anywhere.
    pub fn new(word: &str, what: &'static str, rule: &'static str) -> Self {
        let word = if word.chars().count() > 80 {
            word.chars().take(77).collect::<String>() + "..."
        } else {
            word.to_owned()
        };
        Self { word, what, rule }
    }
}
