//! The emulated PCI functions, read from /sys.

use std::fs;
use std::path::{Path, PathBuf};

const DEVICES: &str = "/sys/bus/pci/devices";

/// The names in a directory, sorted; none when it is not there.
pub(crate) fn names(dir: impl AsRef<Path>) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// The last part of what a symbolic link points to.
pub(crate) fn target(link: impl AsRef<Path>) -> Option<String> {
    let target = fs::read_link(link).ok()?;
    Some(target.file_name()?.to_string_lossy().into_owned())
}

pub(crate) fn device(address: &str) -> PathBuf {
    Path::new(DEVICES).join(address)
}

pub(crate) fn all() -> Vec<String> {
    names(DEVICES)
}

/// Functions that can have VFs, by address.
pub(crate) fn pfs() -> Vec<String> {
    all()
        .into_iter()
        .filter(|address| device(address).join("sriov_totalvfs").exists())
        .collect()
}

pub(crate) fn vf(pf: &str, index: u32) -> Option<String> {
    target(device(pf).join(format!("virtfn{index}")))
}

/// The function's RDMA device, as this network namespace sees it.
pub(crate) fn rdma(address: &str) -> Option<String> {
    names(device(address).join("infiniband")).into_iter().next()
}

pub(crate) fn netdev(address: &str) -> Option<String> {
    names(device(address).join("net")).into_iter().next()
}
