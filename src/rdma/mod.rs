//! What can be asked of the RDMA subsystem and done to it, over one connection.

pub mod away;
pub mod boot;
pub mod char_device;
pub mod device;
pub mod diagnosis;
pub mod error;
pub mod lease;
pub mod link;
pub mod listing;
pub mod mode;
pub mod monitor;
pub mod newest;
pub mod numbered;
pub mod persist;
pub mod removal;
pub mod resource;
pub mod statistic;
pub mod system;
pub mod topology;
pub mod users;
pub mod whereabouts;

pub use error::RdmaError;
pub use listing::Listing;
