//! Containers without CNI: the hook that lends them devices, and the devices that they are offered.

pub mod cdi;
pub mod device;
pub mod error;
pub mod give;
pub mod home;
pub mod nodes;
pub mod stale;
pub mod state;
pub mod word;

pub use error::HookError;
pub use state::{State, StateError};
pub use word::Word;
