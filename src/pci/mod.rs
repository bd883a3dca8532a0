//! PCI functions and auxiliary devices, as sysfs shows them.

pub mod device;
pub mod function;
