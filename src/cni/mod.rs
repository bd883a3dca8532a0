//! The CNI protocol: what a runtime asks, how it is told; no plugin's own work.

pub mod args;
pub mod call;
pub mod code;
pub mod config;
pub mod ipam;
pub mod object;
pub mod prev_result;
pub mod result;
pub mod result_text;
pub mod serve;
pub mod version;

pub use call::{Call, Verb};
pub use code::{Code, Failure};
pub use config::Config;
pub use serve::{Outcome, Verbs};
