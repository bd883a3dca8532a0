//! Network interfaces: found, renamed, moved, switched on, given addresses and routes.

pub mod addressing;
pub mod error;
pub mod interface;
pub mod on_function;
pub mod pkey_child;
pub mod vf_list;

pub use error::NetdevError;
