//! `Listing`: what is found on all devices, and which of them could not be asked.

use super::RdmaError;

/// What is found on all devices, and the devices that could not be asked.
#[derive(Debug)]
pub struct Listing<T> {
    /// What was found, in the kernel's order.
    pub found: Vec<T>,
    /// Why devices are missing from it, one error a device.
    pub failed: Vec<RdmaError>,
}
