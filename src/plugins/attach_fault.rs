//! What can go wrong with an attachment as CNI errors: a code, what happened, what to do about it.
#![deny(clippy::wildcard_enum_match_arm)]

use super::device_name;
use super::fault::{
    self, CHECK_FAILED, DEVICE_AWAY, DEVICE_IN_USE, DEVICE_NOT_FOUND, NOT_PERMITTED, chain,
};
use crate::attachment::AttachError;
use crate::cni::{Code, Failure};
use crate::kernel::NetlinkError;
use crate::netdev::NetdevError;
use crate::sriov::binding::BindingError;
use crate::sriov::change::ChangeError;
use crate::sriov::uplink::UplinkError;
use nix::errno::Errno;

/// A VF whose settings could not be changed.
pub const VF_NOT_SET: Code = Code(107);
/// A VF whose driver could not be bound.
pub const VF_NOT_BOUND: Code = Code(108);
/// A VF without GUID.
pub const NO_GUID: Code = Code(109);

/// An attachment that could not be begun or ended.
pub fn attach(error: &AttachError) -> Failure {
    let failure = |code| Failure::new(code, chain(error));
    match error {
        AttachError::NoFunction(_) => failure(DEVICE_NOT_FOUND)
            .details("its VFs may have been destroyed since the device plugin listed them: rdmactl vf show lists what is there"),
        AttachError::NotVf(address) => failure(Code::INVALID_CONFIG).details(format!(
            "{address} is no VF: deviceID is the PCI address of a VF, or of a function bound to vfio-pci"
        )),
        AttachError::NotVfio { driver, .. } => failure(Code::INVALID_CONFIG).details(format!(
            "{}: rdmactl vf bind VF --driver vfio-pci binds it, or remove vfioPciMode",
            driver.as_ref().map_or("no driver is bound to it".to_owned(), |driver| format!("it is bound to {driver}"))
        )),
        AttachError::NoDriver(address) => failure(VF_NOT_BOUND)
            .details(format!("rdmactl vf bind {address} binds it; dmesg may say why it was let go")),
        AttachError::NoNetdev { function, driver, holder } => failure(DEVICE_IN_USE).details(match holder {
            Some(holder) => holder.clone(),
            None => format!(
                "{driver} is bound to it, so its interface is in another network namespace, or IPoIB is not loaded (modprobe ib_ipoib): rdmactl topology {function} shows who has it"
            ),
        }),
        AttachError::RdmaDevices { function, names } if names.is_empty() => failure(DEVICE_IN_USE)
            .details(format!("another container has it, or its driver has no RDMA half: rdmactl topology {function} shows it")),
        AttachError::RdmaDevices { function, .. } => failure(DEVICE_NOT_FOUND)
            .details(format!("they were made anew meanwhile: rdmactl topology {function} shows what is there")),
        AttachError::OneName { .. } => failure(Code::INVALID_CONFIG)
            .details(device_name::ONE_NAME),
        AttachError::NoGuid { pf, index } => failure(NO_GUID).details(format!(
            "without a GUID the subnet manager does not know it: rdmactl vf set {pf}/{index} guid GUID --rebind gives it one, or ask for one with runtimeConfig.infinibandGUID, or set guidPolicy to generate"
        )),
        AttachError::GuidReserved { .. } => failure(DEVICE_IN_USE)
            .details("a GUID must be the only one of its kind on the fabric: ask for another one, or end that container first"),
        AttachError::GuidAsked { .. } => failure(Code::TRY_AGAIN)
            .details("a GUID must be the only one of its kind on the fabric: ask for another one for one of the two"),
        AttachError::NoPartitions { .. } => failure(Code::INVALID_CONFIG)
            .details("remove pkeyInterface: partitions are InfiniBand's"),
        AttachError::Ethernet { .. } => failure(Code::INVALID_CONFIG)
            .details("ib-sriov is for InfiniBand; for Ethernet use sriov, and rdma behind it"),
        AttachError::IfNameTaken { .. } => failure(DEVICE_IN_USE)
            .details("each interface of a container needs its own name; nothing was changed"),
        AttachError::Already { .. } => failure(DEVICE_IN_USE)
            .details("a runtime must call DEL before it calls ADD again; DEL brings the VF home"),
        AttachError::Taken { .. } => failure(DEVICE_IN_USE)
            .details("DEL of that container brings it home; if the container is gone, GC does"),
        AttachError::NoName { .. } => failure(Code::IO)
            .details("remove the records of containers that are gone from /var/lib/cni/ib-sriov"),
        AttachError::NoBootId => failure(Code::IO).details("/proc must be mounted where the plugin runs"),
        AttachError::NotBack { function, .. } => failure(VF_NOT_BOUND)
            .details(format!("dmesg may say why; rdmactl vf rebind {function} tries again")),
        AttachError::Change(error) => change(error),
        AttachError::Binding(error) => binding(error),
        AttachError::Uplink(error) => uplink(error),
        AttachError::Netdev(error) => netdev(error),
        AttachError::Lease(error) => fault::lease(error),
        AttachError::Rdma(error) => fault::rdma(error),
        AttachError::Netns(error) => fault::netns(error),
        AttachError::Netlink(error) => netlink(error),
        AttachError::Lock(error) => fault::lock(error),
        AttachError::File(error) => fault::file(error),
        AttachError::Sysfs(error) => fault::sysfs(error),
    }
}

fn change(error: &ChangeError) -> Failure {
    let msg = format!(
        "infiniBand SRI-OV CNI failed to configure VF \"{}\"",
        chain(error)
    );
    let failure = |code| Failure::new(code, msg.clone());
    match error {
        ChangeError::Unfit(_) => failure(Code::INVALID_CONFIG).details("see the guid and link_state of the configuration"),
        ChangeError::Taken { guid, .. } => failure(DEVICE_IN_USE).details(format!(
            "a GUID must be the only one of its kind on the fabric; rdmactl vf show lists who has {guid}"
        )),
        ChangeError::Bare { pf, .. } => failure(VF_NOT_SET)
            .details(format!("the driver of {pf} must make an interface: rdmactl topology {pf}")),
        ChangeError::NoUplink { .. } => failure(VF_NOT_SET)
            .details("the GUIDs of VFs are set over the PF's IPoIB interface: modprobe ib_ipoib on the host"),
        ChangeError::Failed(_) => failure(VF_NOT_SET)
            .details("what was done before it has been undone; dmesg may say why the driver refuses"),
        ChangeError::Uplink(error) => {
            let failure = uplink(error);
            Failure { msg, ..failure }
        }
    }
}

fn binding(error: &BindingError) -> Failure {
    let failure = |code| Failure::new(code, chain(error));
    match error {
        BindingError::Stranger { .. } => failure(Code::TRY_AGAIN)
            .details("the VFs were made anew meanwhile; the runtime should try again"),
        BindingError::Lent { address, .. } => failure(VF_NOT_BOUND).details(format!(
            "rdmactl vf rebind {address} gives it its own driver back"
        )),
        BindingError::Driver(_) | BindingError::Left { .. } => {
            failure(VF_NOT_BOUND).details("dmesg may say why; DEL puts the VF right")
        }
        BindingError::Sysfs(error) => fault::sysfs(error),
    }
}

fn uplink(error: &UplinkError) -> Failure {
    match error {
        UplinkError::Sysfs(error) => fault::sysfs(error),
        UplinkError::Netns(error) => fault::netns(error),
        UplinkError::Netlink(error) => netlink(error),
    }
}

fn netdev(error: &NetdevError) -> Failure {
    let failure = |code| Failure::new(code, chain(error));
    match error {
        NetdevError::Gone { .. } => failure(DEVICE_AWAY)
            .details("somebody else moved it, or its driver was unbound at the same time"),
        NetdevError::NameTaken { .. } => failure(DEVICE_IN_USE).details("nothing was moved"),
        NetdevError::Misnamed { .. } => failure(DEVICE_IN_USE)
            .details("somebody took the name at the same moment; DEL brings the interface home"),
        NetdevError::Refused { refusal, .. } if refusal.errno == Errno::EPERM => failure(
            NOT_PERMITTED,
        )
        .details("the plugin needs CAP_NET_ADMIN over both namespaces: run the runtime as root"),
        NetdevError::Refused { .. } | NetdevError::NotDone { .. } => {
            failure(DEVICE_AWAY).details("the kernel log may say why: dmesg | tail")
        }
        NetdevError::Duplicate { .. } => failure(CHECK_FAILED)
            .details("two nodes cannot share an address; look at the ranges of the IPAM plugin"),
        NetdevError::Netns(error) => fault::netns(error),
        NetdevError::Netlink(error) => netlink(error),
        NetdevError::Sysfs(error) => fault::sysfs(error),
    }
}

fn netlink(error: &NetlinkError) -> Failure {
    fault::netlink(error)
}
