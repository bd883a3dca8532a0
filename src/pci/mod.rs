//! PCI functions and auxiliary devices, as sysfs shows them.

pub mod admission;
pub mod appearance;
pub mod device;
pub mod driver;
pub mod function;
