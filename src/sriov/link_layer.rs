//! `LinkLayer`: whether a function speaks InfiniBand or Ethernet.

use std::fmt;

use crate::kernel::{Sysfs, SysfsError};
use crate::pci::function;
use crate::types::PciAddr;

/// What a port speaks; the settings of VFs differ between the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkLayer {
    /// VFs have GUIDs.
    InfiniBand,
    /// VFs have MAC addresses.
    Ethernet,
}

impl LinkLayer {
    /// That of a network interface, by its `ARPHRD_*` (`uapi/linux/if_arp.h`).
    pub const fn of_hardware(hardware: u16) -> Option<Self> {
        match hardware {
            1 => Some(Self::Ethernet),
            32 => Some(Self::InfiniBand),
            _ => None,
        }
    }
}

impl fmt::Display for LinkLayer {
    /// As sysfs has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InfiniBand => "InfiniBand",
            Self::Ethernet => "Ethernet",
        })
    }
}

/// What the RDMA device of a function says, or its network interface where there is none that can
/// be seen in the namespace that `sysfs` belongs to.
///
/// # Errors
/// [`SysfsError`].
pub fn of(sysfs: &Sysfs, address: PciAddr) -> Result<Option<LinkLayer>, SysfsError> {
    let folder = function::folder(address);
    for device in sysfs.list_if_there(folder.join("infiniband"))? {
        let ports = folder.join("infiniband").join(device).join("ports");
        for port in sysfs.list_if_there(&ports)? {
            match sysfs.read(ports.join(port).join("link_layer")).as_deref() {
                Ok("InfiniBand") => return Ok(Some(LinkLayer::InfiniBand)),
                Ok("Ethernet") => return Ok(Some(LinkLayer::Ethernet)),
                _ => {}
            }
        }
    }
    for netdev in function::netdevs(sysfs, address)? {
        let hardware = sysfs.read(folder.join("net").join(netdev.as_str()).join("type"));
        let hardware = hardware.ok().and_then(|number| number.parse().ok());
        if let Some(layer) = hardware.and_then(LinkLayer::of_hardware) {
            return Ok(Some(layer));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;

    #[test]
    fn the_rdma_device_knows_best() {
        let at = |number: u8, rest: &str| format!("sys/bus/pci/devices/0000:0{number}:00.0/{rest}");
        let machine = Machine::new()
            .file(
                &at(1, "infiniband/mlx5_0/ports/1/link_layer"),
                "InfiniBand\n",
            )
            .file(&at(2, "infiniband/mlx5_1/ports/1/link_layer"), "Ethernet\n")
            .file(&at(3, "net/ib3/type"), "32\n")
            .file(&at(4, "net/eth0/type"), "1\n")
            .file(&at(5, "net/can0/type"), "280\n")
            .file(&at(6, "infiniband/odd/ports/1/link_layer"), "garbage\n");
        let host = machine.host();
        let told = |number: u8| {
            let address = format!("0000:0{number}:00.0").parse().unwrap();
            of(host.sysfs(), address).unwrap()
        };
        assert_eq!((1..=4).map(told).collect::<Vec<_>>(), {
            use LinkLayer::{Ethernet, InfiniBand};
            [InfiniBand, Ethernet, InfiniBand, Ethernet].map(Some)
        });
        assert_eq!((told(5), told(6), told(7)), (None, None, None));
    }
}
