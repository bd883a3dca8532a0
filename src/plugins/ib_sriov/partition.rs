//! `pkeyInterface`: an interface of the partition, named after the VF's own as the kernel does.

use super::IbSriov;
use super::config::Settings;
use crate::attachment::{Partition, VfRecord, partition};
use crate::cni::{Code, Failure};
use crate::kernel::Netns;
use crate::plugins::attach_fault::attach;
use crate::plugins::fault::CHECK_FAILED;
use crate::types::{IfName, PKey, PciAddr};
use crate::wire::link::message::Link;

/// The interface that the configuration asks for.
///
/// # Errors
/// Code 7: the P_Key is none, or no name is left for it.
pub fn wanted(settings: &Settings, ifname: &IfName) -> Result<Option<Partition>, Failure> {
    if !settings.pkey_interface {
        return Ok(None);
    }
    let pkey: PKey = settings.pkey.parse().map_err(|error| {
        Failure::new(
            Code::INVALID_CONFIG,
            format!("failed to load netconf: pkeyInterface: {error}"),
        )
        .details("set pkey to the partition, such as 0x8001, or remove pkeyInterface")
    })?;
    let name = format!("{ifname}.{:04x}", pkey.full());
    let ifname = name.parse().map_err(|error| {
        Failure::new(
            Code::INVALID_CONFIG,
            format!("pkeyInterface: no name for the interface: {error}"),
        )
        .details("the name of the VF's own interface, CNI_IFNAME, may have 10 bytes")
    })?;
    Ok(Some(Partition { pkey, ifname }))
}

/// Tells that the port is not in the partition yet: the subnet manager may be on its way.
pub fn report(plugin: &mut IbSriov<'_>, netns: &Netns, function: PciAddr, wanted: &Partition) {
    let member = partition::is_member(plugin.host, netns, function, wanted.pkey);
    if member.is_ok_and(|member| !member) {
        plugin.log.warn(format!(
            "{function} is not in partition {}: {} has no link until the subnet manager puts its GUID there",
            wanted.pkey, wanted.ifname
        ));
    }
}

/// The interface that has the addresses: that of the partition, where there is one.
///
/// # Errors
/// Code 105 when it is not as ADD made it.
pub fn require(
    plugin: &IbSriov<'_>,
    record: &VfRecord,
    netns: &Netns,
    main: Link,
) -> Result<Link, Failure> {
    let (Some(wanted), Some(function)) = (&record.wanted.partition, record.function) else {
        return Ok(main);
    };
    let wrong = |msg: String, details: &str| Failure::new(CHECK_FAILED, msg).details(details);
    let again = "somebody in the container did that; DEL and ADD make it anew";
    let name = &wanted.ifname;
    let found = partition::inside(plugin.host, netns, function, &main, wanted);
    let Some((child, link)) = found.map_err(|error| attach(&error))? else {
        let pkey = wanted.pkey;
        return Err(wrong(
            format!("the container has no interface of partition {pkey}"),
            again,
        ));
    };
    if child.name != name.as_str() {
        return Err(wrong(
            format!("{name} is called {} in the container", child.name),
            again,
        ));
    }
    if !child.up {
        return Err(wrong(format!("interface {name} is switched off"), again));
    }
    let member = partition::is_member(plugin.host, netns, function, wanted.pkey);
    if !member.map_err(|error| attach(&error))? {
        return Err(wrong(
            format!("{function} is not in partition {}", wanted.pkey),
            "the subnet manager puts ports there by their GUID: see its partitions",
        ));
    }
    Ok(link)
}
