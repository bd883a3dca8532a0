//! Link messages of rtnetlink: `struct ifinfomsg` and the IFLA attributes used here.

pub mod change;
pub mod interface;
pub mod message;
pub mod pkey_child;
pub mod port;
pub mod stacking;
pub mod vf;
