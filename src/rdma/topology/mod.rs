//! What every namespace has: RDMA devices with their ports, and the interfaces of functions.

pub mod census;
pub mod presence;

pub use census::{Census, take};
pub use presence::{Port, Presence, Resident};
