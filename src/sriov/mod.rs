//! SR-IOV: physical functions, their VFs, and what the PF says of them.

pub mod arrival;
pub mod binding;
pub mod count;
pub mod held;
pub mod lock;
pub mod pf;
pub mod seat;
pub mod selector;
pub mod usage;
pub mod vf_mac;
