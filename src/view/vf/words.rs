//! The settings of VFs in words: what is done, what was done, and what else there is to know.

use crate::kernel::modules::Availability;
use crate::sriov::change::Note;
use crate::sriov::ipoib;
use crate::sriov::link_layer::LinkLayer;
use crate::sriov::pf::Pf;
use crate::sriov::report::{Gap, Report};
use crate::sriov::step::Step;
use crate::sriov::vf_side::{Stale, VfSide};
use crate::view::namespace::describe;
use crate::wire::link::vf::VfSetting;

/// Why a listing lacks what a PF could tell, or where it comes from; nothing where all is well.
pub fn remark(pf: &Pf, report: &Report, ipoib: Availability) -> Option<String> {
    let address = pf.address;
    let lacking = match report.gap {
        None if !report.unproven.is_empty() => {
            return Some(format!(
                "what {address} gave its VFs is from the files of its vendor, which in some versions tell of another VF"
            ));
        }
        None => {
            let uplink = report.uplink.as_ref()?;
            let place = describe(&uplink.away.as_ref()?.namespace);
            let name = &uplink.name;
            return Some(format!(
                "the network interface {name} of {address} is in network namespace {place}"
            ));
        }
        Some(Gap::NoNetwork) => return None,
        Some(Gap::NoUplink { unseen }) => {
            let hidden = match unseen {
                0 => String::new(),
                unseen => format!("; {unseen} namespaces could not be looked into"),
            };
            let ib = report.layer == Some(LinkLayer::InfiniBand);
            let module = match ipoib {
                Availability::Installed if ib => {
                    format!(" (the module {} is not loaded)", ipoib::MODULE)
                }
                Availability::Missing if ib => {
                    format!(" (this kernel has no module {})", ipoib::MODULE)
                }
                _ => String::new(),
            };
            format!("it has no network interface{module}{hidden}")
        }
        Some(Gap::TooLong) => "the kernel cannot put so many VFs into one message".to_owned(),
        Some(Gap::Silent) => "its driver does not tell".to_owned(),
    };
    Some(format!(
        "what {address} gave its VFs is not known, or not of all: {lacking}"
    ))
}

/// The key of a setting, as `vf set` takes it.
pub fn key(setting: VfSetting) -> &'static str {
    match setting {
        VfSetting::NodeGuid(_) => "node-guid",
        VfSetting::PortGuid(_) => "port-guid",
        VfSetting::Mac(_) => "mac",
        VfSetting::Vlan(_) => "vlan",
        VfSetting::Rates(_) => "rate",
        VfSetting::Spoofchk(_) => "spoofchk",
        VfSetting::Trust(_) => "trust",
        VfSetting::QueryRss(_) => "query-rss",
        VfSetting::State(_) => "state",
    }
}

/// The value of a setting.
pub fn value(setting: VfSetting) -> String {
    let on_off = |on| if on { "on" } else { "off" }.to_owned();
    match setting {
        VfSetting::NodeGuid(guid) | VfSetting::PortGuid(guid) => guid.to_string(),
        VfSetting::Mac(mac) => mac.to_string(),
        VfSetting::Vlan(vlan) => vlan.to_string(),
        VfSetting::Rates(rates) => format!("{} to {} Mbit/s", rates.min, rates.max),
        VfSetting::Spoofchk(on) | VfSetting::Trust(on) | VfSetting::QueryRss(on) => on_off(on),
        VfSetting::State(policy) => policy.to_string(),
    }
}

/// A step, as a dry run says it.
pub fn step(vf: &str, step: &Step) -> String {
    let (key, value) = (key(step.setting), value(step.setting));
    match step.before {
        Some(before) => format!(
            "set {key} of VF {vf} to {value} (it is {})",
            self::value(before)
        ),
        None => format!("set {key} of VF {vf} to {value}"),
    }
}

/// What happened on the way.
pub fn note(note: &Note) -> String {
    match note {
        Note::Loaded => format!(
            "loaded the module {}: the GUIDs of VFs are set over the IPoIB interface of their PF",
            ipoib::MODULE
        ),
        Note::NotLoaded(why) => format!("cannot load the module {}: {why}", ipoib::MODULE),
        Note::ByVendorFiles => {
            "the PF has no IPoIB interface that takes it: the files of its vendor were used"
                .to_owned()
        }
        Note::NotReadBack => {
            "the PF does not tell of this VF: what was set could not be read back".to_owned()
        }
        Note::Unproven(setting) => format!(
            "the vendor's file reads back another {} than was written, as some versions do; see what the VF shows once it is bound anew",
            key(*setting)
        ),
    }
}

/// A VF goes by something else than it was given.
pub fn stale(vf: &str, stale: &[Stale]) -> Option<String> {
    let first = stale.first()?;
    let each = stale
        .iter()
        .map(|Stale { what, has, .. }| format!("{what} {has}"));
    let whose = first.whose.replace(char::is_control, "?");
    Some(format!(
        "{whose} still has {}: a change takes effect when its driver is bound again: rdmactl vf rebind {vf}",
        each.collect::<Vec<_>>().join(" and ")
    ))
}

/// A VF whose addresses cannot be looked at.
pub fn out_of_sight(vf: &str, side: &VfSide) -> String {
    let driver = side.driver.as_deref().unwrap_or_default();
    format!(
        "the driver {driver} has VF {vf}, and neither its RDMA device nor its interface is here: it takes a change when it is bound again, by whoever uses it"
    )
}
