//! The words of a plan: what is done, from what to what, and why.

use crate::provision::plan::{Action, Block, Reason};
use crate::types::NetnsMode;
use crate::wire::link::vf::VfSetting;

/// What a step does, with what it is from and to.
pub(super) struct Change {
    /// The word of the action.
    pub action: &'static str,
    /// The property, where there are several.
    pub key: Option<&'static str>,
    pub from: Option<String>,
    pub to: Option<String>,
}

pub(super) fn change(action: &Action) -> Change {
    let plain = |action, from: Option<String>, to: Option<String>| Change {
        action,
        key: None,
        from,
        to,
    };
    let mode = |mode: Option<NetnsMode>| mode.map(|mode| mode.to_string());
    let switch = |on: bool| if on { "on" } else { "off" }.to_owned();
    match action {
        Action::LoadModule(module) => plain("load-module", None, Some(module.to_string())),
        Action::PersistNetns { from, to } => {
            plain("persist-netns", mode(*from), Some(to.to_string()))
        }
        Action::SetNetns { from, to } => plain("set-netns", mode(*from), Some(to.to_string())),
        Action::SetFirmware { key, from, to } => plain(
            "set-firmware",
            from.map(|from| format!("{key}={from}")),
            Some(format!("{key}={to}")),
        ),
        Action::ResetFirmware { key, from, to } => plain(
            "reset-firmware",
            from.map(|from| format!("{key}={from}")),
            Some(format!("{key}={to}")),
        ),
        Action::BringUp => plain("bring-up", Some("down".to_owned()), Some("up".to_owned())),
        Action::BringDown => plain("bring-down", Some("up".to_owned()), Some("down".to_owned())),
        Action::Probing { to } => plain("autoprobe", Some(switch(!to)), Some(switch(*to))),
        Action::SetEswitch { from, to } => plain(
            "set-eswitch",
            from.map(|from| from.to_string()),
            Some(to.to_string()),
        ),
        Action::SetMsix { from, to } => plain(
            "set-msix",
            from.map(|from| from.to_string()),
            Some(to.to_string()),
        ),
        Action::Remove { from } => {
            plain("remove-vfs", Some(from.to_string()), Some("0".to_owned()))
        }
        Action::Create { to } => plain("create-vfs", Some("0".to_owned()), Some(to.to_string())),
        Action::Set { from, to } => {
            let (key, to) = setting(*to);
            Change {
                action: "set",
                key: Some(key),
                from: from.map(|from| setting(from).1),
                to: Some(to),
            }
        }
        Action::Unbind { from } => plain("unbind", Some(from.clone()), None),
        Action::Bind { to } => {
            let to = to.as_ref().map(ToString::to_string);
            plain(
                "bind",
                None,
                Some(to.unwrap_or_else(|| "default".to_owned())),
            )
        }
    }
}

/// The key of a property, as the document has it, and its value.
fn setting(setting: VfSetting) -> (&'static str, String) {
    let switch = |on: bool| if on { "on" } else { "off" }.to_owned();
    match setting {
        VfSetting::NodeGuid(guid) if guid.value() == 0 => ("node_guid", "none".to_owned()),
        VfSetting::PortGuid(guid) if guid.value() == 0 => ("port_guid", "none".to_owned()),
        VfSetting::NodeGuid(guid) => ("node_guid", guid.to_string()),
        VfSetting::PortGuid(guid) => ("port_guid", guid.to_string()),
        VfSetting::Mac(mac) if mac.is_zero() => ("mac", "none".to_owned()),
        VfSetting::Mac(mac) => ("mac", mac.to_string()),
        VfSetting::Vlan(vlan) => {
            let text = format!("{} qos {} proto {}", vlan.id, vlan.qos, vlan.proto.as_str());
            ("vlan", text)
        }
        VfSetting::Rates(rates) => ("rates", format!("{} to {} Mbit/s", rates.min, rates.max)),
        VfSetting::Spoofchk(on) => ("spoofchk", switch(on)),
        VfSetting::Trust(on) => ("trust", switch(on)),
        VfSetting::QueryRss(on) => ("query_rss", switch(on)),
        VfSetting::State(state) => {
            use crate::types::LinkPolicy::{Auto, Disable, Enable};
            let word = match state {
                Auto => "follow",
                Enable => "up",
                Disable => "down",
            };
            ("policy", word.to_owned())
        }
    }
}

pub(super) fn reason(reason: Reason) -> String {
    match reason {
        Reason::Declared => "declared".to_owned(),
        Reason::NeededForGuids => "without it the PF cannot give its VFs GUIDs".to_owned(),
        Reason::NextBoot => "declared, and it has to last".to_owned(),
        Reason::BeforeDrivers => "VFs get their addresses before drivers come".to_owned(),
        Reason::AfterSettings => "everything is set: drivers may come".to_owned(),
        Reason::ThroughZero { wanted } => {
            format!("{wanted} are declared, and the number changes through 0 only")
        }
        Reason::NewVf => "the VF is new".to_owned(),
        Reason::NotTold => "the PF does not tell what the VF has".to_owned(),
        Reason::NewAddress => "the driver asks for addresses only when it is bound".to_owned(),
        Reason::NewVectors => {
            "interrupt vectors are shared out while VFs have no drivers".to_owned()
        }
        Reason::EswitchMode => {
            "the mode of the switch changes while VFs have no drivers".to_owned()
        }
        Reason::EswitchFirst => {
            "the driver of the PF changes the mode of its switch while there are no VFs".to_owned()
        }
        Reason::OtherDriver => "another driver is declared".to_owned(),
        Reason::NoDriver => "the VF has no driver".to_owned(),
        Reason::WasBefore => "it was so before".to_owned(),
        Reason::LeftOff => "an apply that did not end had kept drivers away".to_owned(),
    }
}

pub(super) fn block(block: Block) -> String {
    match block {
        Block::Policy => "disruptive = \"never\" is declared".to_owned(),
        Block::InUse => "somebody uses it".to_owned(),
        Block::Reset => "it is set, and counts after a reset, which is for people to do".to_owned(),
        Block::UsageUnknown => "it is not known who uses it".to_owned(),
        Block::Unseen => {
            "not all processes can be looked at, and one of them may use it".to_owned()
        }
        Block::Namespaces(1) => "1 other network namespace exists".to_owned(),
        Block::Namespaces(others) => format!("{others} other network namespaces exist"),
        Block::Observed => "ownership = \"observe\" is declared".to_owned(),
        Block::Earlier => "a step before it will not be done".to_owned(),
    }
}
