//! SR-IOV: physical functions, their VFs, and what the PF says of them.

pub mod arrival;
pub mod binding;
mod carrying_out;
pub mod change;
pub mod count;
pub mod derived_guid;
pub mod derived_mac;
pub mod eswitch;
pub mod failed;
pub mod giving;
pub mod guid_holder;
pub mod held;
pub mod ipoib;
pub mod link_layer;
pub mod lock;
pub mod managers;
pub mod pf;
pub mod report;
pub mod seat;
pub mod selector;
pub mod uplink;
pub mod usage;
pub mod vendor;
pub mod vf_mac;
pub mod vf_side;
pub mod vfio;
pub mod wish;
