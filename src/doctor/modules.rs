//! Kernel modules: RDMA itself, both halves of drivers, IPoIB, uverbs, umad.

use super::adapter::{Adapter, INFINIBAND, Seat};
use super::{Facts, Finding, Id};
use crate::kernel::modules::{self, Availability};
use crate::pci::function;
use crate::types::NetnsMode;

/// Network halves of drivers, their RDMA halves, and whether every adapter has RDMA: of the
/// others only those are held to it that offer it on the auxiliary bus.
const HALVES: [(&str, &str, bool); 7] = [
    ("mlx5_core", "mlx5_ib", true),
    ("mlx4_core", "mlx4_ib", true),
    ("ice", "irdma", false),
    ("i40e", "irdma", false),
    ("bnxt_en", "bnxt_re", false),
    ("mana", "mana_ib", false),
    ("ionic", "ionic_rdma", false),
];

/// What drivers call their RDMA halves on the auxiliary bus.
const AUXILIARY: [&str; 3] = ["rdma", "roce", "iwarp"];

/// More functions than these are counted only.
const MAX_LISTED: usize = 8;

pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(ib_core(facts));
    for half in HALVES {
        found.extend(halves(facts, half));
    }
    let adapters = facts.adapters().iter();
    found.extend(adapters.filter_map(|adapter| ipoib(facts, adapter)));
    found.extend(uverbs(facts));
    found.extend(umad(facts));
    found
}

fn ib_core(facts: &Facts<'_>) -> Option<Finding> {
    let finding = Finding::new(Id::ModulesIbCore);
    let gone = "/sys/module/ib_core";
    match modules::availability(facts.host, "ib_core") {
        Availability::Present => None,
        Availability::Installed => Some(
            finding
                .saw(gone, "is not there; the module is installed")
                .run("modprobe ib_core"),
        ),
        Availability::Missing => Some(
            finding
                .saw(gone, "is not there, and modules.dep of this kernel does not list it")
                .advise("install the rest of this kernel's modules (linux-modules-extra-*, kernel-modules-extra), then load it")
                .run("modprobe ib_core"),
        ),
        Availability::Unknown => Some(
            finding
                .saw(gone, "is not there; the lists of modules cannot be read")
                .run("modprobe ib_core"),
        ),
    }
}

fn halves(facts: &Facts<'_>, (driver, half, always): (&str, &str, bool)) -> Option<Finding> {
    let mine = facts.seats().iter();
    let without: Vec<&Seat> = mine
        .filter(|seat| seat.function.driver.as_deref() == Some(driver) && !seat.has_verbs)
        .filter(|seat| always || offers_rdma(facts, seat, driver))
        .collect();
    if without.is_empty() {
        return None;
    }
    let mut listed: Vec<String> = without
        .iter()
        .take(MAX_LISTED)
        .map(|seat| seat.function.address.to_string())
        .collect();
    if without.len() > MAX_LISTED {
        listed.push(format!("and {} more", without.len() - MAX_LISTED));
    }
    let bound = format!("{driver}, and no RDMA device on {}", listed.join(", "));
    let place = "/sys/bus/pci/devices/ADDRESS/driver";
    if !facts.is_loaded(half) {
        let finding = Finding::about(Id::ModulesRdmaHalf, driver)
            .saw(place, bound)
            .saw(format!("/sys/module/{half}"), "is not there");
        let finding = match modules::availability(facts.host, half) {
            Availability::Missing => finding.advise(format!(
                "install the rest of this kernel's modules, which has {half}, then load it"
            )),
            _ => finding,
        };
        return Some(finding.run(format!("modprobe {half}")));
    }
    // Without uverbs a device in another namespace looks the same.
    let can_tell = facts.mode() == Some(NetnsMode::Shared)
        || facts.host.sysfs().exists("class/infiniband_verbs");
    can_tell.then(|| {
        let first = without[0].function.address;
        Finding::about(Id::ModulesNoRdmaDevice, driver)
            .saw(place, bound)
            .saw(format!("/sys/module/{half}"), "is there")
            .advise(format!(
                "if the kernel log tells of no failure, RDMA is switched off for the function: see devlink dev param show pci/{first}, and switch it on"
            ))
            .run(format!("dmesg | grep -F {first}"))
            .run(format!(
                "devlink dev param set pci/{first} name enable_rdma value true cmode driverinit"
            ))
            .run(format!("devlink dev reload pci/{first}"))
    })
}

/// Whether the driver made an auxiliary device for RDMA and nothing has taken it.
fn offers_rdma(facts: &Facts<'_>, seat: &Seat, driver: &str) -> bool {
    let folder = function::folder(seat.function.address);
    let sysfs = facts.host.sysfs();
    let names = facts.sysfs(sysfs.list_if_there(&folder));
    names.iter().any(|name| {
        let kind = name
            .strip_prefix(driver)
            .and_then(|rest| rest.strip_prefix('.'))
            .and_then(|rest| rest.split_once('.'));
        kind.is_some_and(|(kind, _)| AUXILIARY.contains(&kind))
            && !sysfs.exists(folder.join(name).join("driver"))
    })
}

/// GUIDs are set through the PF's IPoIB interface, or through files that vendor drivers have.
fn ipoib(facts: &Facts<'_>, adapter: &Adapter) -> Option<Finding> {
    let wants_guids = adapter.pf.total_vfs > 0 && adapter.is_infiniband(facts);
    let has_ipoib = adapter
        .link
        .as_ref()
        .is_some_and(|link| link.hardware == INFINIBAND);
    let files = function::folder(adapter.pf.address).join("sriov");
    if !wants_guids || has_ipoib || facts.is_loaded("ib_ipoib") || facts.host.sysfs().exists(&files)
    {
        return None;
    }
    Some(
        Finding::about(Id::ModulesIpoib, adapter.word())
            .saw("/sys/module/ib_ipoib", "is not there")
            .saw(format!("/sys/{}", files.display()), "is not there either")
            .write("/etc/modules-load.d/ib_ipoib.conf", "ib_ipoib\n")
            .run("modprobe ib_ipoib"),
    )
}

fn uverbs(facts: &Facts<'_>) -> Option<Finding> {
    let devices = facts.rdma().devices.len();
    (devices > 0 && !facts.is_loaded("ib_uverbs")).then(|| {
        Finding::new(Id::ModulesUverbs)
            .saw("/sys/module/ib_uverbs", "is not there")
            .saw("rdma dev show", format!("devices: {devices}"))
            .write("/etc/modules-load.d/ib_uverbs.conf", "ib_uverbs\n")
            .run("modprobe ib_uverbs")
    })
}

fn umad(facts: &Facts<'_>) -> Option<Finding> {
    let mut devices = facts.rdma().devices.iter();
    let device = devices.find(|device| device.protocol.as_deref() == Some("ib"))?;
    (!facts.is_loaded("ib_umad")).then(|| {
        Finding::new(Id::ModulesUmad)
            .saw("/sys/module/ib_umad", "is not there")
            .saw("rdma dev show", format!("{} is InfiniBand", device.name))
            .run("modprobe ib_umad")
    })
}
