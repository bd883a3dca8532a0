//! The settings of a card's firmware: asked, compared, changed. Nothing here resets a card.
//!
//! Three ways lead to them. devlink's permanent parameters need no tool at all; `mstconfig` and
//! `mlxconfig` print a table, or write JSON (mstflint 4.31). A change takes effect with the next
//! reset of the firmware, which is a restart of the machine, or of its power.

pub mod access;
pub mod attempts;
pub mod card;
pub mod devlink;
pub mod error;
pub mod json;
pub mod judgement;
pub mod outcome;
pub mod setting;
pub mod table;
pub mod tool;
pub mod wish;

pub use access::Access;
pub use attempts::{Attempts, WaitsFor};
pub use card::Card;
pub use devlink::Devlink;
pub use error::FirmwareError;
pub use judgement::{Judgement, judge};
pub use outcome::Outcome;
pub use setting::{Setting, Value};
pub use tool::Tool;
pub use wish::{LinkType, Wish};
