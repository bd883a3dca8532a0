//! Leases: RDMA devices lent to the namespaces of containers, on record until they are home.

pub mod error;
pub mod give_back;
pub mod holder;
pub mod ledger;
pub mod lend;
pub mod locate;
pub mod locks;
pub mod lodging;
pub mod naming;
mod netdev;
pub mod netns_mark;
pub mod of_hook;
pub mod of_ib_sriov;
pub mod reclaim;
pub mod record;
pub mod settle;
pub mod store;
pub mod stray;

pub use error::LeaseError;
pub use netns_mark::NetnsMark;
pub use record::{Attachment, Phase, Record};
pub use store::{Entry, Store};
