//! What can be asked of the RDMA subsystem and done to it, over one connection.

pub mod device;
pub mod error;
pub mod link;
pub mod system;

pub use error::RdmaError;
