//! Ports that do not work, and the likely reason.

use super::adapter::{Adapter, VfSeat};
use super::{Facts, Finding, Id};
use crate::types::LinkPolicy;
use crate::types::shell::quoted;
use crate::wire::nldev::port::Port;

/// `enum ib_port_state` (`rdma/ib_verbs.h`).
const INIT: u8 = 2;
const ARMED: u8 = 3;
const ACTIVE: u8 = 4;
const ACTIVE_DEFER: u8 = 5;

/// `enum ib_port_phys_state`.
const POLLING: u8 = 2;
const DISABLED: u8 = 3;
const LINK_UP: u8 = 5;

/// What a VF's port has before the subnet manager has given it anything.
const NO_LID: u32 = 0xffff;

/// `IFF_UP` (`uapi/linux/if.h`).
const UP: u32 = 1;

const LOOK_AT_CABLE: &str =
    "if it is to work, look at the cable, the transceiver, and the port on the other side";

pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let ports = facts.rdma().ports.iter();
    let idle = ports.filter(|port| port.state.is_some() && !works(port));
    idle.map(|port| examine(facts, port)).collect()
}

fn works(port: &Port) -> bool {
    matches!(port.state, Some(ACTIVE | ACTIVE_DEFER))
}

/// What is known of one port that does not work.
struct Idle<'a, 'f> {
    facts: &'a Facts<'f>,
    port: &'a Port,
    is_infiniband: bool,
    vf: Option<(&'a Adapter, &'a VfSeat)>,
}

fn examine(facts: &Facts<'_>, port: &Port) -> Finding {
    let mut devices = facts.rdma().devices.iter();
    let device = devices.find(|device| device.index == port.device_index);
    let folder = port.device.replace('/', "!");
    let is_on = |vf: &&VfSeat| vf.seat.rdma.contains(&folder);
    let mut adapters = facts.adapters().iter();
    Idle {
        facts,
        port,
        is_infiniband: device.is_some_and(|device| device.protocol.as_deref() == Some("ib")),
        vf: adapters.find_map(|adapter| Some((adapter, adapter.vfs.iter().find(is_on)?))),
    }
    .finding()
}

impl Idle<'_, '_> {
    fn finding(&self) -> Finding {
        // What the VF itself suffers from first, then what comes from the PF, then the cable.
        let known = self
            .vf
            .and_then(|(adapter, vf)| self.disabled(adapter, vf))
            .or_else(|| self.netdev_down())
            .or_else(|| self.vf.and_then(|(adapter, vf)| self.above(adapter, vf)))
            .or_else(|| self.no_carrier());
        if let Some(finding) = known {
            return finding;
        }
        let (state, physical) = (self.port.state, self.port.physical_state);
        match (self.is_infiniband, state, physical) {
            (_, _, Some(DISABLED)) => self.plain(Id::PortsDisabled).advise(
                "if it is to work, switch it on where it was switched off: on the switch, or on the port itself",
            ),
            (_, _, Some(POLLING)) => self
                .plain(Id::PortsNoLink)
                .advise(LOOK_AT_CABLE),
            (true, Some(INIT | ARMED), _) | (true, _, Some(LINK_UP)) => self
                .plain(Id::PortsNoSubnetManager)
                .advise("start a subnet manager on the switch or on a host of the fabric (opensm), or find out why it does not reach this port"),
            _ => self.unknown(),
        }
    }

    /// As `rdma link show` names it.
    fn word(&self) -> String {
        format!("{}/{}", self.port.device, self.port.number)
    }

    /// A finding with what the port itself says.
    fn plain(&self, id: Id) -> Finding {
        let number = |value: Option<u8>| value.map_or("?".to_owned(), |value| value.to_string());
        let mut says = format!(
            "state {} ({}), physical state {} ({})",
            number(self.port.state),
            state_word(self.port.state),
            number(self.port.physical_state),
            physical_word(self.port.physical_state),
        );
        if let Some(lid) = self.port.lid {
            says.push_str(&format!(", LID {lid}"));
        }
        if let Some(lid) = self.port.sm_lid {
            says.push_str(&format!(", LID of the subnet manager {lid}"));
        }
        Finding::about(id, self.word()).saw(format!("rdma link show {}", self.word()), says)
    }

    fn unknown(&self) -> Finding {
        self.plain(Id::PortsDown)
            .advise("look at the kernel log for the adapter, and at the port on the other side")
            .run("dmesg | grep -i -e infiniband -e mlx")
    }

    fn disabled(&self, adapter: &Adapter, vf: &VfSeat) -> Option<Finding> {
        let policy = vf.told.and_then(|told| told.state);
        let says = format!("VF {}: link-state disable", vf.vf.index);
        (policy == Some(LinkPolicy::Disable)).then(|| {
            self.plain(Id::PortsVfDisabled)
                .saw(adapter.shown_by(), says)
                .run(format!(
                    "rdmactl vf set {} state auto",
                    adapter.vf_word(vf.vf)
                ))
        })
    }

    /// What the PF's port has to do with it.
    fn above(&self, adapter: &Adapter, vf: &VfSeat) -> Option<Finding> {
        let policy = vf.told.and_then(|told| told.state);
        let pf = adapter.seat.rdma.first()?;
        let mut ports = self.facts.rdma().ports.iter();
        let above = ports
            .find(|port| port.device.replace('/', "!") == *pf && port.number == self.port.number)?;
        if !works(above) && policy != Some(LinkPolicy::Enable) {
            return Some(
                self.plain(Id::PortsVfFollows)
                    .saw(
                        format!("rdma link show {pf}/{}", above.number),
                        "does not work either",
                    )
                    .advise("see to the PF's port"),
            );
        }
        (self.is_infiniband && works(above)).then(|| self.unserved(adapter, vf))
    }

    /// What users meet as "physical LinkUp, logical Down".
    fn unserved(&self, adapter: &Adapter, vf: &VfSeat) -> Finding {
        let mut finding = self.plain(Id::PortsVfUnvirtualised);
        if self.port.lid == Some(NO_LID) {
            finding = finding.saw(
                format!("rdma link show {}", self.word()),
                "LID 65535: the subnet manager has not configured it",
            );
        }
        let told = vf.told.and_then(|told| told.port_guid);
        if told.is_some_and(|guid| !guid.is_assignable()) {
            return finding
                .saw(
                    adapter.shown_by(),
                    format!("VF {}: no port GUID", vf.vf.index),
                )
                .advise("give the VF a GUID first: see vfs.guid-zero");
        }
        finding.advise("switch virtualization on in the subnet manager (virt_enabled 2 in opensm.conf, or on the managed switch), and see that the GUID of the VF is unique and known to it")
    }

    /// The interface that RoCE follows: an interface that is down makes a port that is disabled.
    fn netdev(&self) -> Option<&str> {
        let netdev = self
            .port
            .netdev
            .as_deref()
            .filter(|_| !self.is_infiniband)?;
        (!netdev.contains('/') && !matches!(netdev, "" | "." | "..")).then_some(netdev)
    }

    fn netdev_down(&self) -> Option<Finding> {
        let netdev = self.netdev()?;
        let path = format!("class/net/{netdev}/flags");
        let text = self.facts.host.sysfs().read(&path).ok()?;
        let flags = u32::from_str_radix(text.strip_prefix("0x")?, 16).ok()?;
        (flags & UP == 0).then(|| {
            self.plain(Id::PortsNetdevDown)
                .saw(format!("/sys/{path}"), format!("{text}: it is not up"))
                .run(format!("ip link set {} up", quoted(netdev)))
        })
    }

    fn no_carrier(&self) -> Option<Finding> {
        let path = format!("class/net/{}/operstate", self.netdev()?);
        let state = self.facts.host.sysfs().read(&path).ok()?;
        (state == "down" || state == "lowerlayerdown").then(|| {
            self.plain(Id::PortsNoLink)
                .saw(format!("/sys/{path}"), state)
                .advise(LOOK_AT_CABLE)
        })
    }
}

fn state_word(state: Option<u8>) -> &'static str {
    match state {
        Some(1) => "down",
        Some(INIT) => "init",
        Some(ARMED) => "armed",
        _ => "unknown",
    }
}

fn physical_word(state: Option<u8>) -> &'static str {
    match state {
        Some(1) => "sleep",
        Some(POLLING) => "polling",
        Some(DISABLED) => "disabled",
        Some(4) => "training",
        Some(LINK_UP) => "link up",
        Some(6) => "error recovery",
        Some(7) => "test",
        _ => "unknown",
    }
}
