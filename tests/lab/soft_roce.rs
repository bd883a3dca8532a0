//! Soft-RoCE devices on pairs of interfaces, all gone with the guard, however its case ends.

use std::path::Path;
use std::thread::panicking;

use crate::adapter::{shell, until};

/// Interfaces par0 and par1 are a pair, as are par2 and par3; par0 has the address 192.168.77.1.
pub(crate) struct SoftRoce {
    pairs: u32,
}

impl SoftRoce {
    /// So many pairs of interfaces, which are up, without a device.
    pub(crate) fn pairs(pairs: u32) -> Self {
        let guard = Self { pairs };
        let mut script = "set -e".to_owned();
        for (one, other) in guard.ends() {
            script += &format!(
                "; ip link add {one} type veth peer name {other}; ip link set {one} up; ip link set {other} up"
            );
        }
        script += "; ip addr add 192.168.77.1/24 dev par0";
        shell(&script).unwrap_or_else(|error| panic!("{error}"));
        guard
    }

    /// The device rxe0 on par0, rxe1 on par1, and so on.
    pub(crate) fn devices(count: u32) -> Self {
        let guard = Self::pairs(count.div_ceil(2));
        for number in 0..count {
            guard.add(number);
        }
        guard
    }

    /// The device of this number on the interface of this number.
    pub(crate) fn add(&self, number: u32) {
        shell(&format!(
            "rdma link add rxe{number} type rxe netdev par{number}"
        ))
        .unwrap_or_else(|error| panic!("{error}"));
    }

    fn ends(&self) -> impl Iterator<Item = (String, String)> + use<> {
        let end = |number: u32| format!("par{number}");
        (0..self.pairs).map(move |pair| (end(2 * pair), end(2 * pair + 1)))
    }
}

/// With an interface its devices go, but later; so these go first.
impl Drop for SoftRoce {
    fn drop(&mut self) {
        let mut script = "for device in /sys/class/infiniband/rxe*; do [ ! -e $device ] || rdma link delete ${device##*/}; done".to_owned();
        for (one, _) in self.ends() {
            script += &format!("; [ ! -e /sys/class/net/{one} ] || ip link delete {one}");
        }
        let gone = shell(&(script + "; true")).and_then(|()| {
            until("soft-RoCE is unloaded", || {
                // Programs that listen have loaded rdma_ucm.
                let _ = shell("rmmod rdma_ucm rdma_rxe");
                !Path::new("/sys/module/rdma_rxe").exists()
            })
        });
        match gone {
            Err(error) if panicking() => eprintln!("{error}"),
            Err(error) => panic!("{error}"),
            Ok(()) => {}
        }
    }
}
