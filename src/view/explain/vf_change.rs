//! Why a VF does not have what it was to be given, and what to type next.

use super::{AS_ROOT, Advice, Explanation, refusal_lines, vf_refusal};
use crate::kernel::modules::Availability;
use crate::kernel::{NetlinkError, Refusal};
use crate::sriov::change::ChangeError;
use crate::sriov::failed::StepError;
use crate::sriov::guid_holder::Holder;
use crate::sriov::ipoib;
use crate::sriov::link_layer::LinkLayer;
use crate::sriov::uplink::UplinkError;
use crate::sriov::vf_side::Stale;
use crate::sriov::wish::Unfit;
use crate::types::Guid;

/// Explains it; `vf` is the word that the VF was named by.
pub fn explain(error: &ChangeError, vf: &str) -> Explanation {
    let (cause, cure) = match error {
        ChangeError::Unfit(unfit) => misfit(unfit, vf),
        ChangeError::Taken { holder, .. } => taken(holder),
        ChangeError::Bare { driver, unseen, .. } => bare(driver.as_deref(), *unseen),
        ChangeError::NoUplink {
            layer,
            ipoib,
            not_loaded,
            unseen,
            ..
        } => match layer {
            LinkLayer::Ethernet => (Some(nowhere(*unseen)), unseen_cure(*unseen)),
            LinkLayer::InfiniBand => no_ipoib(*ipoib, not_loaded.as_deref(), *unseen),
        },
        ChangeError::Failed(failed) => vf_refusal::advice(failed),
        ChangeError::Uplink(error) => return unreachable(error),
    };
    let headline = match error {
        ChangeError::Failed(failed) => match &failed.why {
            StepError::Refused { refusal, .. } => refusal_lines(refusal),
            other => format!("error: {other}"),
        },
        other => format!("error: {other}"),
    };
    Explanation {
        headline,
        cause,
        cure,
    }
}

/// Explains why a PF could not be asked.
pub fn unreachable(error: &UplinkError) -> Explanation {
    let refusal: Option<&Refusal> = match error {
        UplinkError::Netlink(NetlinkError::Refused(refusal)) => Some(refusal),
        _ => None,
    };
    let source = match error {
        UplinkError::Netlink(
            NetlinkError::Open { source, .. } | NetlinkError::Transport(source),
        ) => Some(source.to_string()),
        _ => None,
    };
    Explanation {
        headline: refusal.map_or_else(|| format!("error: {error}"), refusal_lines),
        cause: source
            .or_else(|| refusal.map(|_| "the PF could not be asked for its VFs".to_owned())),
        cure: None,
    }
}

/// Explains why a VF whose driver was bound again goes by another address all the same.
pub fn still(vf: &str, stale: &[Stale]) -> Explanation {
    let (whose, has, given) = match stale.first() {
        Some(first) => (
            first.whose.replace(char::is_control, "?"),
            format!("{} {}", first.what, first.has),
            first.given.as_str(),
        ),
        None => Default::default(),
    };
    Explanation {
        headline: format!("error: {whose} still has {has}"),
        cause: Some(format!(
            "the PF was given {given} for VF {vf}, and its driver was bound again; the driver or the firmware has an address of its own"
        )),
        cure: Some(format!("rdmactl vf show {vf} -d")),
    }
}

fn misfit(unfit: &Unfit, vf: &str) -> Advice {
    let (cause, cure) = match unfit {
        Unfit::Layer { key, layer } => match layer {
            LinkLayer::InfiniBand => (
                "its PF speaks InfiniBand; such a VF has guid, node-guid, port-guid and state"
                    .to_owned(),
                (*key == "mac").then(|| format!("rdmactl vf set {vf} guid GUID")),
            ),
            LinkLayer::Ethernet => (
                "its PF speaks Ethernet; the GUIDs of such a VF follow from its MAC address"
                    .to_owned(),
                key.ends_with("guid")
                    .then(|| format!("rdmactl vf set {vf} mac MAC --rebind")),
            ),
        },
        Unfit::Group { guid } => {
            let single = Guid::new(guid.value() & !(1 << 56));
            let cause = format!(
                "an odd first byte marks an address of many (EUI-64), which no one device can have; {single} is one device's"
            );
            let cure = format!("rdmactl vf set {vf} guid {single}, or --force");
            (cause, Some(cure))
        }
        Unfit::Rates(rates) => (
            format!(
                "a VF cannot be guaranteed {} Mbit/s and be held to {}; what is not named stays as it is",
                rates.min, rates.max
            ),
            Some(format!(
                "rdmactl vf set {vf} min-rate {} max-rate {}",
                rates.min, rates.min
            )),
        ),
        Unfit::Half { key, other } => (
            "the kernel takes both at once, and what is not named was to stay as it is".to_owned(),
            Some(format!("name both: rdmactl vf set {vf} {other} N {key} N")),
        ),
    };
    (Some(cause), cure)
}

fn taken(holder: &Holder) -> Advice {
    let twice = "two with one GUID take each other off the subnet";
    match holder {
        Holder::Vf { pf, vf } => (
            Some(format!(
                "VF {} of {pf} ({}) was given it; {twice}",
                vf.index, vf.address
            )),
            Some(format!(
                "choose another, or take it back there first: rdmactl vf set {} guid none",
                vf.address
            )),
        ),
        Holder::Device { name } => (
            Some(format!("the RDMA device {name} goes by it; {twice}")),
            Some("choose another; --force gives it all the same".to_owned()),
        ),
    }
}

fn bare(driver: Option<&str>, unseen: usize) -> Advice {
    match driver {
        None => (
            Some(
                "no driver is bound to it, and the driver of the PF is what sets its VFs"
                    .to_owned(),
            ),
            None,
        ),
        Some(driver) => (
            Some(format!(
                "its driver {driver} has made neither here, so that nothing tells InfiniBand from Ethernet{}",
                hidden(unseen)
            )),
            unseen_cure(unseen),
        ),
    }
}

fn nowhere(unseen: usize) -> String {
    format!(
        "its driver has made none, or it is in a namespace that cannot be found{}",
        hidden(unseen)
    )
}

fn hidden(unseen: usize) -> String {
    match unseen {
        0 => String::new(),
        1 => "; one namespace could not be looked into".to_owned(),
        unseen => format!("; {unseen} namespaces could not be looked into"),
    }
}

fn unseen_cure(unseen: usize) -> Option<String> {
    (unseen > 0).then(|| AS_ROOT.to_owned())
}

fn no_ipoib(module: Availability, not_loaded: Option<&str>, unseen: usize) -> Advice {
    let what = format!(
        "the GUIDs and states of InfiniBand VFs are set over the IPoIB interface of their PF, which the module {} makes",
        ipoib::MODULE
    );
    if let Some(why) = not_loaded {
        return (
            Some(format!(
                "{what}; it could not be loaded: {why}{}",
                hidden(unseen)
            )),
            Some(format!("modprobe {}, as root on the host", ipoib::MODULE)),
        );
    }
    match module {
        Availability::Missing => (
            Some(format!("{what}, and this kernel does not have it")),
            Some("install the package with the rest of this kernel's modules (linux-modules-extra-*, kernel-modules-extra)".to_owned()),
        ),
        _ => (
            Some(format!(
                "{what}; it is loaded, and there is no such interface of this PF{}",
                hidden(unseen)
            )),
            unseen_cure(unseen).or_else(|| Some("dmesg, for why it made none".to_owned())),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(error: &ChangeError) -> [String; 3] {
        let explanation = explain(error, "ib0/2");
        [
            explanation.headline,
            explanation.cause.unwrap_or_default(),
            explanation.cure.unwrap_or_default(),
        ]
    }

    #[test]
    fn without_an_ipoib_interface() {
        let none = |ipoib, not_loaded: Option<&str>, unseen| {
            lines(&ChangeError::NoUplink {
                pf: "0000:01:00.0".parse().unwrap(),
                layer: LinkLayer::InfiniBand,
                ipoib,
                not_loaded: not_loaded.map(str::to_owned),
                unseen,
            })
        };
        let [_, cause, cure] = none(Availability::Missing, None, 0);
        assert!(
            cause.ends_with("and this kernel does not have it"),
            "{cause}"
        );
        assert!(cure.starts_with("install the package"), "{cure}");
        let [_, cause, cure] = none(Availability::Installed, Some("denied"), 1);
        assert!(
            cause.contains("could not be loaded: denied; one namespace"),
            "{cause}"
        );
        assert!(cure.starts_with("modprobe ib_ipoib"), "{cure}");
        let [_, cause, cure] = none(Availability::Present, None, 2);
        assert!(
            cause.ends_with("; 2 namespaces could not be looked into"),
            "{cause}"
        );
        assert_eq!(cure, AS_ROOT);
    }

    #[test]
    fn a_group_bit_and_a_bare_pf() {
        let guid = Guid::new(0x1122_3344_7766_7790);
        let [headline, cause, cure] = lines(&ChangeError::Unfit(Unfit::Group { guid }));
        assert!(headline.starts_with("error: 11:22:33:44:77:66:77:90 is the GUID of a group"));
        assert!(
            cause.contains("10:22:33:44:77:66:77:90 is one device's"),
            "{cause}"
        );
        assert_eq!(
            cure,
            "rdmactl vf set ib0/2 guid 10:22:33:44:77:66:77:90, or --force"
        );
        let [_, cause, _] = lines(&ChangeError::Bare {
            pf: "0000:01:00.0".parse().unwrap(),
            driver: None,
            unseen: 0,
        });
        assert!(cause.starts_with("no driver is bound to it"), "{cause}");
    }
}
