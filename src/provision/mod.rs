//! Bringing an SR-IOV host from bare to ready, from one document.

pub mod firmware;
