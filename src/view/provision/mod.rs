//! `provision`: steps, standing and addresses as rows.

pub mod addresses;
pub mod fault;
pub mod plan;
pub mod status;
mod words;
