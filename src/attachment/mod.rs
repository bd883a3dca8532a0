//! Attachments of `ib-sriov`: a VF given to a container, on record until it is as it was.

pub mod bind_anew;
pub mod error;
pub mod further_netdevs;
pub mod home;
pub mod name_trade;
pub mod names;
mod netdev_name;
pub mod netdev_side;
pub mod partition;
pub mod rdma_side;
pub mod record;
pub mod register;
pub mod release;
pub mod repair;
pub mod reserved_guid;
pub mod settle;
pub mod store;
pub mod take;

pub use error::AttachError;
pub use partition::Partition;
pub use record::{Original, VfRecord};
pub use store::{Entry, VfStore};
