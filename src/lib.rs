//! rdmactl: RDMA isolation and SR-IOV provisioning. The floors of the house, from the top down.

pub mod kernel;
pub mod rdma;
pub mod types;
pub mod wire;
