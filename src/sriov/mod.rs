//! SR-IOV: physical functions, their VFs, and what the PF says of them.

pub mod pf;
pub mod selector;
pub mod vf_mac;
