//! A host from bare to ready: what is declared, what is there, and the steps between the two.

pub mod addresses;
pub mod apply;
pub mod desired;
pub mod document;
pub mod duplicates;
pub mod export;
pub mod firmware;
pub mod given;
pub mod journal;
pub mod look;
pub mod observed;
pub mod plan;
pub mod problem;
pub mod rollback;
