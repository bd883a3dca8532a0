//! The vendor's own files for the VFs of an InfiniBand PF: the second way to their GUIDs.
//!
//! MLNX_OFED and kernels that took it over have them below the PF's function, while it has VFs;
//! the mainline kernel does not.

use std::path::PathBuf;

use super::pf::Vf;
use crate::kernel::{Sysfs, SysfsError};
use crate::pci::function;
use crate::types::{Guid, LinkPolicy, PciAddr};
use crate::wire::link::vf::{Vf as Report, VfSetting};

/// Whether a PF has the files for this VF.
pub fn has(sysfs: &Sysfs, pf: PciAddr, vf: Vf) -> bool {
    sysfs.exists(folder(pf, vf).join("node"))
}

/// What the files say of a VF; `None` where there are none.
///
/// Some versions read them for the VF before: what they say proves nothing.
pub fn read(sysfs: &Sysfs, pf: PciAddr, vf: Vf) -> Option<Report> {
    if !has(sysfs, pf, vf) {
        return None;
    }
    let text = |file: &str| sysfs.read(folder(pf, vf).join(file)).ok();
    let guid = |file: &str| text(file)?.parse::<Guid>().ok();
    Some(Report {
        index: vf.index.into(),
        node_guid: guid("node"),
        port_guid: guid("port"),
        state: text("policy").and_then(|word| policy(&word)),
        ..Report::default()
    })
}

/// Writes one setting; `None` when there is no file for it.
///
/// # Errors
/// [`SysfsError`] with the driver's errno.
pub fn write(
    sysfs: &Sysfs,
    pf: PciAddr,
    vf: Vf,
    setting: VfSetting,
) -> Option<Result<(), SysfsError>> {
    let (file, word) = match setting {
        VfSetting::NodeGuid(guid) => ("node", guid.to_string()),
        VfSetting::PortGuid(guid) => ("port", guid.to_string()),
        VfSetting::State(policy) => ("policy", word(policy).to_owned()),
        _ => return None,
    };
    let path = folder(pf, vf).join(file);
    // Older versions compare with the line break.
    let written = || sysfs.write(&path, &format!("{word}\n"));
    sysfs.exists(&path).then(written)
}

fn folder(pf: PciAddr, vf: Vf) -> PathBuf {
    function::folder(pf).join(format!("sriov/{}", vf.index))
}

fn word(policy: LinkPolicy) -> &'static str {
    match policy {
        LinkPolicy::Auto => "Follow",
        LinkPolicy::Enable => "Up",
        LinkPolicy::Disable => "Down",
    }
}

fn policy(text: &str) -> Option<LinkPolicy> {
    let mut all = (0..3).filter_map(LinkPolicy::from_number);
    all.find(|policy| word(*policy) == text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;
    use crate::types::Mac;

    #[test]
    fn the_three_files() {
        let machine = Machine::new()
            .file(
                "sys/bus/pci/devices/0000:01:00.0/sriov/1/node",
                "00:11:22:33:44:55:66:77\n",
            )
            .file("sys/bus/pci/devices/0000:01:00.0/sriov/1/port", "junk\n")
            .file("sys/bus/pci/devices/0000:01:00.0/sriov/1/policy", "Up\n");
        let host = machine.host();
        let (pf, sysfs) = ("0000:01:00.0".parse().unwrap(), host.sysfs());
        let vf = |index| Vf {
            index,
            address: "0000:01:10.0".parse().unwrap(),
        };
        let read_1 = read(sysfs, pf, vf(1)).unwrap();
        assert_eq!(read_1.node_guid, Some(Guid::new(0x0011_2233_4455_6677)));
        assert_eq!(
            (read_1.port_guid, read_1.state),
            (None, Some(LinkPolicy::Enable))
        );
        assert_eq!(read(sysfs, pf, vf(2)), None);
        let guid = Guid::new(0xab);
        for (setting, file, text) in [
            (
                VfSetting::PortGuid(guid),
                "port",
                "00:00:00:00:00:00:00:ab\n",
            ),
            (VfSetting::State(LinkPolicy::Auto), "policy", "Follow\n"),
        ] {
            let path = format!("sys/bus/pci/devices/0000:01:00.0/sriov/1/{file}");
            write(sysfs, pf, vf(1), setting).unwrap().unwrap();
            // sysfs takes a write whole; a file of the test keeps what was longer.
            assert!(machine.read(&path).starts_with(text));
        }
        assert!(write(sysfs, pf, vf(2), VfSetting::NodeGuid(guid)).is_none());
        let mac = VfSetting::Mac(Mac::new([2; 6]));
        assert!(write(sysfs, pf, vf(1), mac).is_none());
    }
}
