//! A host from bare to ready: what is declared, what is there, and the steps between the two.

pub mod addresses;
pub mod desired;
pub mod document;
pub mod export;
pub mod firmware;
pub mod look;
pub mod observed;
pub mod plan;
pub mod problem;
