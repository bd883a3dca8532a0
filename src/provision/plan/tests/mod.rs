//! Plans over many states of a host: the states, and plans in short.

mod converging;
mod keys;
mod no_way;
mod ways;

use std::collections::BTreeMap;
use std::path::Path;

use super::model::{blank, shown, vf};
use super::*;
use crate::kernel::modules::Availability;
use crate::kernel::namespace::Process;
use crate::provision::document::{Language, Part, parse};
use crate::provision::observed::{HostState, PfState};
use crate::rdma::boot::{BootSettings, Initramfs};
use crate::sriov::link_layer::LinkLayer;
use crate::sriov::pf::Pf;
use crate::sriov::usage::{How, Usage, Use};
use crate::sriov::vf_side::VfSide;
use crate::types::{EswitchMode, Guid, Mac, NetnsMode};

const IB: &str = "0000:01:00.0";
const ETH: &str = "0000:02:00.0";

fn document(text: &str) -> Document {
    let part = Part {
        path: Path::new("x"),
        text,
        language: Language::Toml,
    };
    parse(&[part]).unwrap_or_else(|faults| panic!("{text}\n{faults:#?}"))
}

fn pf(address: &str, vfs: u16) -> PfState {
    let layer = match address {
        IB => LinkLayer::InfiniBand,
        _ => LinkLayer::Ethernet,
    };
    let address: PciAddr = address.parse().unwrap();
    let mut state = PfState {
        left_off: false,
        pf: Pf {
            address,
            total_vfs: 8,
            vfs: (0..vfs).map(|index| vf(address, index)).collect(),
        },
        name: "pf".to_owned(),
        driver: Some("mlx5_core".to_owned()),
        layer: Some(layer),
        guid: (layer == LinkLayer::InfiniBand).then(|| Guid::new(0xb859_9f03_00f9_8f86)),
        mac: (layer == LinkLayer::Ethernet).then(|| Mac::new([0xb8, 0x59, 0x9f, 0xf9, 0x8f, 0x86])),
        probing: true,
        up: Some(true),
        eswitch: (layer == LinkLayer::Ethernet).then_some(EswitchMode::Legacy),
        vectors: (0..vfs).map(|index| (index, 3)).collect(),
        told: BTreeMap::new(),
        gap: None,
        sides: BTreeMap::new(),
        usage: Some(Usage::default()),
    };
    for index in 0..vfs {
        let told = blank(layer, index);
        let side = shown(layer, &told, "mlx5_core".to_owned());
        state.sides.insert(index, side);
        state.told.insert(index, told);
    }
    state
}

fn host() -> HostState {
    HostState {
        netns: BootSettings {
            running: Some(NetnsMode::Shared),
            configured: None,
            command_line: None,
            is_built_in: false,
            initramfs: Initramfs::Absent,
            rebuild: None,
        },
        other_namespaces: 0,
        namespaces: Vec::new(),
        modules: BTreeMap::new(),
    }
}

fn observed(pfs: Vec<PfState>) -> Observed {
    Observed {
        host: host(),
        pfs: pfs.into_iter().map(|pf| Found::One(Box::new(pf))).collect(),
        firmware: BTreeMap::new(),
    }
}

/// The steps in short: `vf 0 set`, `!` before those that would not be done.
fn short(plan: &Plan) -> Vec<String> {
    let steps = plan.steps.iter().map(|step| {
        let target = match step.target {
            Target::Host => "host".to_owned(),
            Target::Pf(_) => "pf".to_owned(),
            Target::Vf(_, index) => format!("vf {index}"),
        };
        let what = match &step.action {
            Action::LoadModule(module) => format!("load {module}"),
            Action::PersistNetns { to, .. } => format!("persist {to}"),
            Action::SetNetns { to, .. } => format!("netns {to}"),
            Action::SetFirmware { key, to, .. } => format!("firmware {key} {to}"),
            Action::ResetFirmware { key, .. } => format!("reset {key}"),
            Action::BringUp => "up".to_owned(),
            Action::BringDown => "down".to_owned(),
            Action::Probing { to } => format!("autoprobe {}", u8::from(*to)),
            Action::SetEswitch { to, .. } => format!("eswitch {to}"),
            Action::SetMsix { to, .. } => format!("msix {to}"),
            Action::Remove { from } => format!("remove {from}"),
            Action::Create { to } => format!("create {to}"),
            Action::Set { to, .. } => {
                let text = format!("{to:?}");
                format!("set {}", text.split('(').next().unwrap())
            }
            Action::Unbind { from } => format!("unbind {from}"),
            Action::Bind { to: Some(driver) } => format!("bind {driver}"),
            Action::Bind { to: None } => "bind".to_owned(),
        };
        let mark = if step.blocked.is_some() { "!" } else { "" };
        let class = match step.class {
            Class::Safe => String::new(),
            class => format!(" ({})", class.as_str()),
        };
        format!("{mark}{target} {what}{class}")
    });
    steps.collect()
}

fn entry(address: &str, more: &str) -> String {
    format!("[[pf]]\nmatch = {{ pci = \"{address}\" }}\n{more}\n")
}

fn planned(text: &str, observed: &Observed) -> Plan {
    plan(&document(&format!("version = 1\n{text}")), observed)
}

fn troubles(plan: &Plan) -> Vec<String> {
    let troubles = plan.troubles.iter();
    troubles
        .map(|trouble| trouble.problem.to_string())
        .collect()
}

fn user(vf: crate::sriov::pf::Vf) -> Use {
    Use {
        vf,
        how: How::Guest {
            file: "/dev/vfio/1".to_owned(),
            process: Process {
                pid: 7,
                comm: "qemu".to_owned(),
                owner: None,
            },
        },
    }
}
