//! A host that does what a plan says, at once and without fail: what the steps mean.

use super::step::{Action, Step, Target};
use crate::kernel::modules::Availability;
use crate::provision::observed::{Found, Observed, PfState};
use crate::rdma::boot::Configured;
use crate::sriov::link_layer::LinkLayer;
use crate::sriov::pf::Vf;
use crate::sriov::vf_side::{Netdev, Rdma, VfSide};
use crate::types::PciAddr;
use crate::wire::link::vf::{Vf as Told, VfSetting};

/// Does one step; panics where the kernel would refuse.
pub(super) fn carry_out(observed: &mut Observed, step: &Step) {
    match (&step.action, step.target) {
        (Action::LoadModule(module), _) => {
            let there = observed
                .host
                .modules
                .insert(module.clone(), Availability::Present);
            assert_ne!(there, Some(Availability::Present));
            if module.as_str() == "ib_ipoib" {
                for found in &mut observed.pfs {
                    if let Found::One(state) = found {
                        state.up = state.up.or(Some(false));
                    }
                }
            }
        }
        (Action::PersistNetns { to, .. }, _) => {
            observed.host.netns.configured = Some(Configured {
                mode: Some(*to),
                file: "x".into(),
                line: 1,
            });
        }
        (Action::SetNetns { to, .. }, _) => {
            assert_eq!(observed.host.other_namespaces, 0);
            observed.host.netns.running = Some(*to);
        }
        (action, Target::Pf(pf)) => of_pf(state(observed, pf), action),
        (action, Target::Vf(pf, index)) => of_vf(state(observed, pf), index, action),
        (action, Target::Host) => panic!("{action:?} is not of a host"),
    }
}

fn state(observed: &mut Observed, pf: PciAddr) -> &mut PfState {
    let mut states = observed.pfs.iter_mut().filter_map(|found| match found {
        Found::One(state) => Some(state),
        _ => None,
    });
    states.find(|state| state.pf.address == pf).unwrap()
}

/// The address of a VF, as ARI would give it.
pub(super) fn vf(pf: PciAddr, index: u16) -> Vf {
    let bus = pf.to_string()[5..7].to_owned();
    let address = format!("0000:{bus}:{:02x}.{}", 0x10 + index / 8, index % 8);
    Vf {
        index,
        address: address.parse().unwrap(),
    }
}

fn of_pf(state: &mut PfState, action: &Action) {
    match action {
        Action::BringUp => state.up = Some(true),
        Action::Probing { to } => {
            assert_ne!(state.probing, *to);
            state.probing = *to;
            state.left_off &= !*to;
        }
        Action::SetEswitch { from, to } => {
            assert_eq!(state.eswitch, *from);
            let mut sides = state.sides.values();
            assert!(sides.all(|side| side.driver.is_none()), "VFs have drivers");
            let is_ice = state.driver.as_deref() == Some("ice");
            assert!(!is_ice || state.pf.vfs.is_empty(), "VFs are there");
            state.eswitch = Some(*to);
        }
        Action::Remove { from } => {
            assert_eq!(state.pf.vfs.len(), *from);
            state.pf.vfs.clear();
            state.told.clear();
            state.sides.clear();
            state.vectors.clear();
            state.usage = Some(Default::default());
        }
        Action::Create { to } => {
            assert!(state.pf.vfs.is_empty() && *to <= state.pf.total_vfs);
            assert!(!state.probing, "drivers would come before addresses");
            let pf = state.pf.address;
            state.pf.vfs = (0..*to).map(|index| vf(pf, index)).collect();
            for index in 0..*to {
                state.told.insert(index, blank(state.layer.unwrap(), index));
                state.sides.insert(index, VfSide::default());
                state.vectors.insert(index, 3);
            }
        }
        other => panic!("{other:?} is not of a PF"),
    }
}

/// What a PF tells of a VF that was given nothing.
pub(super) fn blank(layer: LinkLayer, index: u16) -> Told {
    use crate::types::{Guid, LinkPolicy, Mac, Vlan};
    use crate::wire::link::vf::Rates;
    let told = Told {
        index: index.into(),
        state: Some(LinkPolicy::Auto),
        ..Told::default()
    };
    match layer {
        LinkLayer::InfiniBand => Told {
            node_guid: Some(Guid::new(0)),
            port_guid: Some(Guid::new(0)),
            ..told
        },
        LinkLayer::Ethernet => Told {
            mac: Some(Mac::new([0; 6])),
            vlan: Some(Vlan::default()),
            rates: Some(Rates::default()),
            trust: Some(false),
            spoofchk: Some(false),
            query_rss: Some(false),
            ..told
        },
    }
}

fn of_vf(state: &mut PfState, index: u16, action: &Action) {
    assert!(state.pf.vf(index).is_some(), "there is no VF {index}");
    let told = state.told.get_mut(&index).unwrap();
    let side = state.sides.get_mut(&index).unwrap();
    match action {
        Action::Set { to, .. } => match *to {
            VfSetting::NodeGuid(guid) => told.node_guid = Some(guid),
            VfSetting::PortGuid(guid) => told.port_guid = Some(guid),
            VfSetting::Mac(mac) => told.mac = Some(mac),
            VfSetting::Vlan(vlan) => told.vlan = Some(vlan),
            VfSetting::Rates(rates) => told.rates = Some(rates),
            VfSetting::Spoofchk(on) => told.spoofchk = Some(on),
            VfSetting::Trust(on) => told.trust = Some(on),
            VfSetting::QueryRss(on) => told.query_rss = Some(on),
            VfSetting::State(policy) => told.state = Some(policy),
        },
        Action::SetMsix { to, .. } => {
            assert_eq!(side.driver, None, "VF {index} has a driver");
            state.vectors.insert(index, *to);
        }
        Action::Unbind { from } => {
            assert_eq!(side.driver.as_ref(), Some(from));
            *side = VfSide::default();
        }
        Action::Bind { to } => {
            assert_eq!(side.driver, None, "VF {index} has a driver");
            let usual = state.driver.clone().unwrap();
            let driver = to.as_ref().map_or(usual, ToString::to_string);
            *side = shown(state.layer.unwrap(), told, driver);
        }
        other => panic!("{other:?} is not of a VF"),
    }
}

/// What a VF shows whose driver comes now.
pub(super) fn shown(layer: LinkLayer, told: &Told, driver: String) -> VfSide {
    let mut side = VfSide {
        driver: Some(driver),
        ..VfSide::default()
    };
    if side.driver.as_deref() == Some("vfio-pci") {
        return side;
    }
    side.rdma.push(Rdma {
        name: format!("mlx5_{}", told.index + 1),
        node_guid: told.node_guid,
        port_guid: told.port_guid,
        port_state: None,
    });
    side.netdevs.push(Netdev {
        name: format!("net{}", told.index + 1),
        mac: told.mac.filter(|_| layer == LinkLayer::Ethernet),
    });
    side
}
