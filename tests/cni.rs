//! The `rdma` plugin in process: real namespaces where root may make them, a model of the RDMA core.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::print_stderr)]

#[path = "support/rdma_core.rs"]
mod rdma_core;

#[path = "cni/pod.rs"]
mod pod;

#[path = "cni/refusals.rs"]
mod refusals;

#[path = "cni/lifecycle.rs"]
mod lifecycle;

#[path = "cni/recovery.rs"]
mod recovery;

#[path = "cni/hostile.rs"]
mod hostile;

#[path = "cni/several.rs"]
mod several;
