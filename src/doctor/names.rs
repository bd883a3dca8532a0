//! The names of RDMA devices: whether they last, and whether they can be used.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::{Facts, Finding, Id};
use crate::kernel::file;
use crate::rdma::lease::Store;
use crate::types::RdmaName;
use crate::types::shell::quoted;
use crate::wire::nldev::device::Device;

/// udev(7): a file hides those of the same name in later folders.
const RULES: [&str; 5] = [
    "/etc/udev/rules.d",
    "/run/udev/rules.d",
    "/usr/local/lib/udev/rules.d",
    "/usr/lib/udev/rules.d",
    "/lib/udev/rules.d",
];

/// The folders of the administrator, in which a rule may have any name.
const OWN_RULES: usize = 2;

/// What distributions call files about RDMA.
const ABOUT_RDMA: [&str; 3] = ["rdma", "infiniband", "mlx"];

const MAX_RULES: u64 = 256 * 1024;

/// What drivers call their devices before a number (`ib_register_device` and its `%d`).
const KERNEL_NAMES: [&str; 17] = [
    "mlx5_",
    "mlx4_",
    "irdma",
    "bnxt_re",
    "hfi1_",
    "qedr",
    "hns_",
    "efa_",
    "cxgb4_",
    "mana_",
    "ionic_",
    "erdma_",
    "ocrdma",
    "mthca",
    "vmw_pvrdma",
    "usnic_",
    "qib",
];

/// The rule of rdma-core.
const RULE: &str =
    "ACTION==\"add\", SUBSYSTEM==\"infiniband\", PROGRAM=\"rdma_rename %k NAME_FALLBACK\"\n";
const RULE_FILE: &str = "/etc/udev/rules.d/60-rdma-persistent-naming.rules";

pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(kernel_names(facts));
    found.extend(fallbacks(facts));
    found.extend(unsound(facts));
    found
}

/// Devices of hardware that still have the name of the driver.
fn kernel_names(facts: &Facts<'_>) -> Option<Finding> {
    let sysfs = facts.host.sysfs();
    let is_hardware = |device: &&Device| {
        let folder = device.name.replace('/', "!");
        sysfs
            .link_name(format!("class/infiniband/{folder}/device"))
            .is_ok()
    };
    let devices = facts.rdma().devices.iter();
    let named: Vec<&str> = devices
        .filter(|device| has_kernel_name(&device.name))
        .filter(is_hardware)
        .map(|device| device.name.as_str())
        .collect();
    let first = *named.first()?;
    let listed = format!("{} devices, such as {first}", named.len());
    match rule(facts) {
        Some(path) => Some(
            Finding::new(Id::NamesKernel)
                .saw("rdma dev show", listed)
                .saw(path, "renames RDMA devices")
                .advise("do not write these names into configurations. They stay where udev did not run when the devices came, or where the new name was taken; this has it try again, also for devices in use")
                .run(format!("udevadm trigger --action=add /sys/class/infiniband/{}", quoted(first))),
        ),
        // A single device is always the first.
        None if named.len() > 1 => Some(
            Finding::new(Id::NamesUnstable)
                .saw("rdma dev show", listed)
                .saw(RULES.join(" "), "no rule renames RDMA devices")
                .advise("name devices by their PCI address in configurations; or, with rdma_rename of rdma-core installed, have udev name them from it")
                .write(RULE_FILE, RULE),
        ),
        None => None,
    }
}

fn has_kernel_name(name: &str) -> bool {
    KERNEL_NAMES.iter().any(|prefix| {
        name.strip_prefix(prefix)
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
    })
}

/// The file with a rule that renames RDMA devices.
fn rule(facts: &Facts<'_>) -> Option<String> {
    let mut chosen: BTreeMap<OsString, usize> = BTreeMap::new();
    for (at, folder) in RULES.iter().enumerate() {
        for name in facts.file(file::list(&facts.host.path(folder))) {
            chosen.entry(name).or_insert(at);
        }
    }
    chosen.into_iter().find_map(|(name, at)| {
        let text = name.to_str().filter(|text| text.ends_with(".rules"))?;
        if at >= OWN_RULES && !ABOUT_RDMA.iter().any(|word| text.contains(word)) {
            return None;
        }
        let path = facts.host.path(RULES[at]).join(&name);
        // A link to /dev/null hides a rule, and is no regular file.
        let bytes = file::read_regular(&path, MAX_RULES).ok()??;
        let renames = String::from_utf8_lossy(&bytes).lines().any(is_renaming);
        renames.then(|| format!("{}/{text}", RULES[at]))
    })
}

fn is_renaming(line: &str) -> bool {
    let line = line.trim_start();
    let names = line.contains("rdma_rename") || line.contains("NAME=") || line.contains("NAME:=");
    !line.starts_with('#') && line.contains("infiniband") && names
}

/// `ibdevN`: the kernel's choice when a namespace ends and the name is taken at home (Linux 7.3).
fn fallbacks(facts: &Facts<'_>) -> Vec<Finding> {
    let devices = facts.rdma().devices.iter();
    let lost = devices.filter(|device| {
        let number = device.name.strip_prefix("ibdev");
        number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    });
    lost.map(|device| {
        let finding = Finding::about(Id::NamesFallback, device.name.as_str()).saw(
            "rdma dev show",
            format!("device {} is {}", device.index, device.name),
        );
        match on_record(facts, device) {
            Some((name, record)) => finding
                .saw(record, format!("its name at home is {name}"))
                .run(format!(
                    "rdmactl dev set {} name {}",
                    device.name,
                    quoted(&name)
                )),
            None => finding.run(format!("rdmactl dev set {} name NAME", device.name)),
        }
    })
    .collect()
}

/// The name that a record says the device has at home.
fn on_record(facts: &Facts<'_>, device: &Device) -> Option<(String, String)> {
    let store = Store::new(facts.host);
    let entries = facts.file(store.all());
    entries.into_iter().find_map(|entry| {
        let record = entry.record?;
        let lodging = record.lodging.as_ref()?;
        let path = store.folder().path().join(&entry.name);
        (lodging.is_of(device) && !record.host_name.is_empty())
            .then(|| (record.host_name.clone(), path.display().to_string()))
    })
}

fn unsound(facts: &Facts<'_>) -> Vec<Finding> {
    let devices = facts.rdma().devices.iter();
    let found = devices.filter_map(|device| {
        let broken = device.name.parse::<RdmaName>().err()?;
        let command = format!("rdmactl dev set {} name NAME", quoted(&device.name));
        Some(
            Finding::about(Id::NamesUnsound, device.name.as_str())
                .saw("rdma dev show", broken.rule)
                .run(command),
        )
    });
    found.collect()
}
