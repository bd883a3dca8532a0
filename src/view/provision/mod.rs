//! `provision`: steps, standing and addresses as rows.

pub mod addresses;
pub mod applied;
pub mod fault;
pub mod meter;
mod phases;
pub mod plan;
pub mod status;
mod words;
