//! Why the driver of a PF did not take a setting of a VF, and what became of the others.

use super::{AS_ROOT, Advice};
use crate::kernel::{NetlinkError, Privilege};
use crate::sriov::failed::{Failed, Reason, StepError};
use crate::sriov::step::Step;
use crate::view::vf::words::{key, value};
use crate::wire::link::vf::VfSetting;

/// The cause and the next command.
pub(super) fn advice(failed: &Failed) -> Advice {
    let driver = failed.driver.as_deref();
    let whose = driver.map_or_else(
        || "its driver".to_owned(),
        |name| format!("the driver {name}"),
    );
    let (key, value) = (key(failed.setting), value(failed.setting));
    let (cause, cure) = match &failed.why {
        StepError::Refused { reason, file, .. } => {
            let (cause, cure) = refused(failed, *reason, &whose);
            match file {
                Some(file) => (format!("{cause} (writing {})", file.display()), cure),
                None => (cause, cure),
            }
        }
        StepError::NotDone { now } => (
            format!(
                "{whose} took {key} {value}, and then told of {}",
                self::value(*now)
            ),
            None,
        ),
        StepError::Netlink(NetlinkError::Stuck { pid }) => (
            format!(
                "setting {key} of VF {} to {value}: {whose}, or the firmware, has not finished with it; until then nobody on this host can change or list network interfaces",
                failed.vf.index
            ),
            Some(format!(
                "cat /proc/{pid}/stack, and dmesg: what it waits for; it goes on by itself when that comes, else after a reset of the card"
            )),
        ),
        StepError::Netlink(error) => (format!("setting {key} to {value}: {error}"), None),
    };
    (Some(cause + &rest(&failed.undone, &failed.left)), cure)
}

fn refused(failed: &Failed, reason: Reason, whose: &str) -> (String, Option<String>) {
    let Failed {
        pf, vf, setting, ..
    } = failed;
    let (key, value) = (key(*setting), value(*setting));
    let again = Some("run the command again in a moment".to_owned());
    match reason {
        Reason::NotPermitted(privilege) => (
            not_permitted(privilege).to_owned(),
            Some(AS_ROOT.to_owned()),
        ),
        Reason::NotSupported if failed.driver.as_deref() == Some("mlx4_core") => (
            format!(
                "{whose} keeps the GUIDs of VFs in iov/ports/PORT/admin_guids below its RDMA device, which is not supported"
            ),
            None,
        ),
        Reason::NotSupported => (format!("{whose} cannot set {key} of a VF"), None),
        Reason::Protocol => (
            format!("{whose} does not tag frames with {value}"),
            Some(format!("rdmactl vf set {} proto 802.1Q", vf.address)),
        ),
        Reason::NoLink => (
            format!("{whose} holds rates against the speed of the PF's link, and it has none"),
            failed
                .uplink
                .as_ref()
                .map(|name| format!("ip link set {name} up, and a cable")),
        ),
        Reason::Invalid if matches!(setting, VfSetting::Rates(_)) => (
            format!(
                "{whose} takes no such rates: they may be above the speed of the link, or it guarantees none"
            ),
            None,
        ),
        Reason::Invalid => (
            format!(
                "{whose} takes no {key} {value}, or has no VF {} any more",
                vf.index
            ),
            Some(format!("rdmactl vf show {pf}")),
        ),
        Reason::Range => (format!("{key} {value} is outside what {whose} takes"), None),
        Reason::Busy => (
            format!("{whose}, or the firmware below it, is at something else"),
            again,
        ),
        Reason::Gone => (
            "the PF or the VF went away meanwhile".to_owned(),
            Some("rdmactl vf show".to_owned()),
        ),
        Reason::Firmware => (
            format!("the firmware below {whose} refused {key} {value}"),
            Some("dmesg, for what it says of it".to_owned()),
        ),
        Reason::Other => (format!("{whose} refused {key} {value}"), None),
    }
}

fn not_permitted(privilege: Option<Privilege>) -> &'static str {
    match privilege {
        Some(privilege) if !privilege.net_admin => {
            "setting a VF takes CAP_NET_ADMIN, and the caller has none"
        }
        Some(privilege) if !privilege.initial_userns => {
            "setting a VF takes CAP_NET_ADMIN over the namespace of its PF, and the caller has it only in a user namespace of its own, such as a container's"
        }
        Some(_) => "the caller has CAP_NET_ADMIN; a security module may forbid it",
        None => "setting a VF takes CAP_NET_ADMIN over the namespace of its PF",
    }
}

/// What became of the settings before the one that failed.
fn rest(undone: &[Step], left: &[(Step, Option<StepError>)]) -> String {
    let mut text = String::new();
    if !undone.is_empty() {
        let keys: Vec<_> = undone.iter().map(|step| key(step.setting)).collect();
        text.push_str(&format!("; undone: {}", keys.join(", ")));
    }
    for (step, why) in left {
        let (key, now) = (key(step.setting), value(step.setting));
        let why = match (why, step.before) {
            (Some(why), Some(before)) => format!(", and not {} again: {why}", value(before)),
            _ => ": what it was is not known".to_owned(),
        };
        text.push_str(&format!("; {key} stays {now}{why}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Refusal;
    use crate::sriov::pf::Vf;
    use crate::types::{Guid, LinkPolicy, Vlan, VlanProto};
    use crate::wire::link::vf::Rates;
    use nix::errno::Errno;

    fn failed(driver: &str, setting: VfSetting, reason: Reason, errno: Errno) -> String {
        let refusal = Refusal {
            errno,
            message: None,
        };
        let failed = Failed {
            pf: "0000:01:00.0".parse().unwrap(),
            driver: Some(driver.to_owned()),
            uplink: Some("eth0".to_owned()),
            vf: Vf {
                index: 2,
                address: "0000:01:10.4".parse().unwrap(),
            },
            setting,
            why: StepError::Refused {
                reason,
                refusal,
                file: None,
            },
            undone: Vec::new(),
            left: Vec::new(),
        };
        advice(&failed).0.unwrap()
    }

    #[test]
    fn each_refusal_has_its_sentence() {
        let guid = VfSetting::NodeGuid(Guid::new(1));
        let rates = VfSetting::Rates(Rates { min: 0, max: 10 });
        let tag = VfSetting::Vlan(Vlan {
            id: 5,
            qos: 0,
            proto: VlanProto::Ad,
        });
        let user = Privilege {
            net_admin: false,
            sys_admin: false,
            initial_userns: true,
        };
        for (driver, setting, reason, errno, cause) in [
            (
                "igb",
                VfSetting::State(LinkPolicy::Auto),
                Reason::NotSupported,
                Errno::EOPNOTSUPP,
                "the driver igb cannot set state of a VF",
            ),
            (
                "mlx4_core",
                guid,
                Reason::NotSupported,
                Errno::EOPNOTSUPP,
                "iov/ports/PORT/admin_guids",
            ),
            (
                "igb",
                tag,
                Reason::Protocol,
                Errno::EPROTONOSUPPORT,
                "with 5 qos 0 proto 802.1ad",
            ),
            (
                "igb",
                rates,
                Reason::NoLink,
                Errno::EINVAL,
                "and it has none",
            ),
            (
                "igb",
                rates,
                Reason::Invalid,
                Errno::EINVAL,
                "or it guarantees none",
            ),
            (
                "ice",
                guid,
                Reason::Invalid,
                Errno::EINVAL,
                "or has no VF 2 any more",
            ),
            (
                "ice",
                guid,
                Reason::Range,
                Errno::ERANGE,
                "is outside what the driver ice takes",
            ),
            (
                "ice",
                guid,
                Reason::Busy,
                Errno::EBUSY,
                "is at something else",
            ),
            (
                "ice",
                guid,
                Reason::Gone,
                Errno::ENODEV,
                "went away meanwhile",
            ),
            (
                "ice",
                guid,
                Reason::Firmware,
                Errno::EIO,
                "the firmware below the driver ice refused",
            ),
            (
                "ice",
                guid,
                Reason::Other,
                Errno::ENOSPC,
                "the driver ice refused node-guid",
            ),
            (
                "ice",
                guid,
                Reason::NotPermitted(Some(user)),
                Errno::EPERM,
                "and the caller has none",
            ),
        ] {
            let found = failed(driver, setting, reason, errno);
            assert!(found.contains(cause), "{reason:?}: {found}");
        }
    }
}
