//! Bytes to records and back; nothing here performs I/O.

pub mod address;
pub mod attr;
pub mod devlink;
pub mod extack;
pub mod link;
pub mod nldev;
pub mod request;
pub mod route;

pub use attr::{Attr, Attrs, DecodeError};
pub use request::Request;
