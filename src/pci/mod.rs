//! PCI functions and auxiliary devices, as sysfs shows them.

pub mod admission;
pub mod appearance;
pub mod device;
pub mod devlink;
pub mod driver;
pub mod driver_error;
pub mod function;
pub mod msix;
pub mod vpd;
