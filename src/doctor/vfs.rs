//! VFs: whether there can be any, whether all are seen, and whether they have drivers.

use super::adapter::Adapter;
use super::finding::ranges;
use super::{Facts, Finding, Id, guids, macs};
use crate::pci::function::{self, Role};
use crate::types::PciAddr;

/// The vendor that mstconfig is for.
const NVIDIA: u16 = 0x15b3;

pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for adapter in facts.adapters() {
        found.extend(none_possible(adapter));
        found.extend(list_short(adapter));
        found.extend(no_driver(facts, adapter));
    }
    found.extend(sriov_off(facts));
    found.extend(guids::check(facts));
    found.extend(macs::check(facts));
    found
}

fn none_possible(adapter: &Adapter) -> Option<Finding> {
    let address = adapter.pf.address;
    (adapter.pf.total_vfs == 0).then(|| {
        let total = function::folder(address).join("sriov_totalvfs");
        let finding = Finding::about(Id::VfsNonePossible, adapter.word())
            .saw(format!("/sys/{}", total.display()), "0");
        more_in_firmware(finding, adapter.seat.function.vendor, address)
    })
}

fn more_in_firmware(finding: Finding, vendor: Option<u16>, address: PciAddr) -> Finding {
    let finding = finding.advise(
        "if VFs are wanted, have the firmware offer some and switch SR-IOV on in the BIOS, then reboot",
    );
    match vendor {
        Some(NVIDIA) => finding.run(format!(
            "mstconfig -d {address} set SRIOV_EN=1 NUM_OF_VFS=8"
        )),
        _ => finding,
    }
}

/// A function with an RDMA device that is neither PF nor VF.
fn sriov_off(facts: &Facts<'_>) -> Vec<Finding> {
    let plain = facts
        .seats()
        .iter()
        .filter(|seat| seat.function.role == Role::Plain && seat.has_verbs);
    plain
        .map(|seat| {
            let address = seat.function.address;
            let total = function::folder(address).join("sriov_totalvfs");
            let about = match seat.rdma.first() {
                Some(name) => format!("{address} ({name})"),
                None => address.to_string(),
            };
            let finding = Finding::about(Id::VfsSriovOff, about)
                .saw(format!("/sys/{}", total.display()), "is not there");
            more_in_firmware(finding, seat.function.vendor, address)
        })
        .collect()
}

/// A driver that tells nothing of its VFs is none that hides some.
fn list_short(adapter: &Adapter) -> Option<Finding> {
    let told = adapter.link.as_ref()?.vfs.len();
    let there = adapter.vfs.len();
    let finding = |told: String| {
        Finding::about(Id::VfsListShort, adapter.word())
            .saw(adapter.shown_by(), told)
            .saw(
                format!("/sys/{}", function::folder(adapter.pf.address).display()),
                format!("{there} VFs (virtfn links)"),
            )
    };
    if adapter.is_cut && there > 0 {
        let advice = "boot a newer kernel, or make fewer VFs; what their drivers have was checked all the same";
        return Some(finding("Message too long".to_owned()).advise(advice));
    }
    (told > 0 && told < there).then(|| {
        finding(format!("{told} VFs"))
            .advise("ask again when nobody is making or removing VFs")
            .run("rdmactl doctor --only vfs")
    })
}

fn no_driver(facts: &Facts<'_>, adapter: &Adapter) -> Option<Finding> {
    let idle: Vec<_> = adapter
        .vfs
        .iter()
        .filter(|vf| vf.seat.function.driver.is_none())
        .map(|vf| vf.vf)
        .collect();
    let first = idle.first()?;
    let folder = function::folder(first.address);
    let mut finding = Finding::about(Id::VfsNoDriver, adapter.word()).saw(
        format!("/sys/{}/driver", folder.display()),
        format!(
            "is not there; so it is with VFs {}",
            ranges(idle.iter().map(|vf| vf.index))
        ),
    );
    // Read without the lock of the device (`sriov_drivers_autoprobe_show`, drivers/pci/iov.c).
    let autoprobe = function::folder(adapter.pf.address).join("sriov_drivers_autoprobe");
    if facts
        .host
        .sysfs()
        .read(&autoprobe)
        .is_ok_and(|on| on == "0")
    {
        finding = finding.saw(
            format!("/sys/{}", autoprobe.display()),
            "0: VFs are not bound when they are made",
        );
    }
    let bind =
        |finding: Finding, vf| finding.run(format!("rdmactl vf bind {}", adapter.vf_word(vf)));
    Some(idle.into_iter().fold(finding, bind))
}
