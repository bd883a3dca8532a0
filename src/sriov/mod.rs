//! What PFs know of their VFs, and what can be asked of them.

pub mod vf_mac;
