//! CHECK: whether everything that ADD made still stands.

use super::config::Settings;
use super::{IbSriov, addresses, attachment, partition};
use crate::attachment::record::RdmaDevice;
use crate::attachment::{AttachError, VfRecord, VfStore};
use crate::cni::ipam::{Ipam, Task};
use crate::cni::prev_result::PrevResult;
use crate::cni::result::CniResult;
use crate::cni::{Call, Code, Config, Failure};
use crate::kernel::Netns;
use crate::netdev::{addressing, on_function};
use crate::pci::device::rdma_names;
use crate::plugins::attach_fault::attach;
use crate::plugins::{fault, netns};
use crate::rdma::{self, RdmaError};
use crate::sriov::{pf, report};
use crate::types::DeviceId;
use crate::wire::link::message::Link;

/// Looks for the record, the interface, its addresses and routes, the RDMA device, and for what
/// the PF says of the VF.
///
/// # Errors
/// Code 105 with what is wrong; those of the environment, the configuration and the IPAM plugin.
pub fn check(plugin: &mut IbSriov<'_>, call: &Call, config: &Config<'_>) -> Result<(), Failure> {
    let settings = Settings::read(call, config)?;
    plugin.log.set_debug(settings.debug);
    let prev = PrevResult::of(config)?.ok_or_else(|| {
        Failure::new(
            Code::INVALID_CONFIG,
            "CHECK needs the result of ADD as prevResult",
        )
        .details("the runtime sends what ADD printed; see the specification of CNI 0.4.0")
    })?;
    let netns = netns::target(plugin.host, call)?;
    let attachment = attachment(call, config);
    let own = VfStore::new(plugin.host).own(&attachment);
    let own = own.map_err(|error| fault::file(&error))?;
    let record = own
        .into_iter()
        .find_map(|entry| entry.record)
        .ok_or_else(|| {
            wrong(
                "no record of a VF for this attachment",
                "ADD was not called, or its record is gone or unreadable; DEL and ADD make it anew",
            )
        })?;
    require_whole(&record, &netns, &settings)?;
    if record.original.netdev.is_some() {
        let link = interface(plugin, call, &record, &netns)?;
        let result = CniResult::decode(&prev.document(), &config.version);
        let result = result.map_err(|error| {
            Failure::new(
                Code::INVALID_CONFIG,
                format!("could not parse prevResult: {error}"),
            )
        })?;
        let link = partition::require(plugin, &record, &netns, link)?;
        require_addresses(plugin, &netns, &link, &result)?;
    }
    for rdma in record.rdma_devices() {
        require_rdma(plugin, &record, rdma, &netns)?;
    }
    require_settings(plugin, &record)?;
    if let Some(ipam) = Ipam::of(config, call)?
        && record.original.netdev.is_some()
    {
        ipam.ask(Task::Check, plugin.env, config)?;
    }
    Ok(())
}

/// What the record alone can tell.
fn require_whole(record: &VfRecord, netns: &Netns, settings: &Settings) -> Result<(), Failure> {
    if !record.done {
        return Err(wrong(
            "ADD did not come to its end",
            "it was killed; DEL and ADD put it right",
        ));
    }
    if record.function != settings.device {
        return Err(wrong(
            "the configuration names another function than the record",
            "the configuration changed under the container; DEL and ADD follow it",
        ));
    }
    match &record.lodging {
        Some(lodging) if !lodging.netns.is(netns) => {
            Err(netns::made_anew("VF", lodging.netns.id, netns))
        }
        _ => Ok(()),
    }
}

fn interface(
    plugin: &IbSriov<'_>,
    call: &Call,
    record: &VfRecord,
    netns: &Netns,
) -> Result<Link, Failure> {
    let function = record
        .function
        .ok_or_else(|| wrong("the record names no function", "DEL and ADD make it anew"))?;
    let link = on_function::inside(plugin.host, netns, function);
    let link = link.map_err(|error| attach(&error.into()))?.ok_or_else(|| {
        wrong(
            &format!("the container has no interface of {function}"),
            "somebody took it out, or moved its RDMA device (the rdma plugin behind ib-sriov does: set rdmaIsolation instead); DEL and ADD lend it again",
        )
    })?;
    if link.name != call.ifname {
        return Err(wrong(
            &format!(
                "the interface of {function} is called {} in the container, not {}",
                link.name, call.ifname
            ),
            "somebody renamed it; DEL and ADD name it anew",
        ));
    }
    if !link.up {
        return Err(wrong(
            &format!("interface {} is switched off", link.name),
            "somebody in the container did that: ip link set up",
        ));
    }
    Ok(link)
}

fn require_addresses(
    plugin: &IbSriov<'_>,
    netns: &Netns,
    link: &Link,
    result: &CniResult,
) -> Result<(), Failure> {
    let found = netns.within(|| -> Result<_, AttachError> {
        let mut conn = plugin.host.route()?;
        let addresses = addressing::of(&mut conn, link)?;
        Ok((addresses, addressing::routes(&mut conn, link)?))
    });
    let found = found.map_err(AttachError::from).and_then(|found| found);
    let (addresses, routes) = found.map_err(|error| attach(&error))?;
    let own = result
        .interfaces
        .iter()
        .position(|each| each.name == link.name);
    for ip in &result.ips {
        // A later plugin of the chain may have added an interface with addresses of its own.
        let is_ours = ip
            .interface
            .is_none_or(|index| own == usize::try_from(index).ok());
        if is_ours && !addresses.iter().any(|each| each.net == ip.address) {
            return Err(wrong(
                &format!("interface {} has no address {}", link.name, ip.address),
                "somebody in the container removed it; DEL and ADD set it again",
            ));
        }
    }
    for route in &result.routes {
        let wanted = addresses::onto(route, &result.ips);
        let same = |each: &crate::wire::route::Route| {
            each.gateway == wanted.gateway && network(each.to) == network(wanted.to)
        };
        if !routes.iter().any(same) {
            return Err(wrong(
                &format!("there is no route to {} through {}", route.dst, link.name),
                "somebody in the container removed it; DEL and ADD set it again",
            ));
        }
    }
    Ok(())
}

/// The network of an address: the kernel keeps no host part in a destination.
fn network(net: crate::types::IpNet) -> (u128, u8) {
    let (bits, width) = match net.address() {
        std::net::IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
        std::net::IpAddr::V6(address) => (u128::from(address), 128),
    };
    let host = width - u32::from(net.prefix());
    (bits.checked_shr(host).unwrap_or(0), net.prefix())
}

fn require_rdma(
    plugin: &IbSriov<'_>,
    record: &VfRecord,
    rdma: &RdmaDevice,
    netns: &Netns,
) -> Result<(), Failure> {
    let Some(function) = record.function else {
        return Ok(());
    };
    let index = rdma.index;
    let found = netns.within(|| -> Result<bool, RdmaError> {
        let mut conn = plugin.host.rdma()?;
        // A listing may leave out a device while others come and go.
        match index {
            Some(index) => Ok(rdma::device::with_index(&mut conn, index)?.is_some()),
            None => {
                let name = std::slice::from_ref(&rdma.pod_name);
                Ok(!rdma::device::shown(&mut conn, name)?.is_empty())
            }
        }
    });
    let found = found.map_err(|error| fault::netns(&error))?;
    if found.map_err(|error| fault::rdma(&error))? {
        return Ok(());
    }
    let at_home = rdma_names(plugin.host.sysfs(), &DeviceId::Pci(function)).unwrap_or_default();
    let place = match at_home.as_slice() {
        [] => "nowhere on the host either".to_owned(),
        names => format!("on the host, as {}", names.join(" ")),
    };
    Err(wrong(
        &format!(
            "RDMA device {} is not in the container: it is {place}",
            rdma.host_name
        ),
        "somebody moved it, or its driver was bound anew; DEL and ADD lend it again",
    ))
}

fn require_settings(plugin: &IbSriov<'_>, record: &VfRecord) -> Result<(), Failure> {
    let Some(function) = record.function else {
        return Ok(());
    };
    let found = pf::of_vf(plugin.host.sysfs(), function).map_err(|error| fault::sysfs(&error))?;
    let Some((pf, vf)) = found else { return Ok(()) };
    if record.wanted.guid.is_none() && record.wanted.policy.is_none() {
        return Ok(());
    }
    let report = report::of(plugin.host, &pf).map_err(|error| attach(&error.into()))?;
    let Some(told) = report.told.get(&vf.index) else {
        return Ok(());
    };
    if let Some(guid) = record.wanted.guid
        && (told.node_guid != Some(guid) || told.port_guid != Some(guid))
    {
        return Err(wrong(
            &format!("VF {} of {} has not the GUID {guid}", vf.index, pf.address),
            "somebody set another one, or the VFs were made anew; DEL and ADD set it again",
        ));
    }
    match record.wanted.policy {
        Some(policy) if told.state != Some(policy) => Err(wrong(
            &format!(
                "the link state of VF {} of {} is not {policy}",
                vf.index, pf.address
            ),
            "somebody set another one; DEL and ADD set it again",
        )),
        _ => Ok(()),
    }
}

fn wrong(msg: &str, details: &str) -> Failure {
    Failure::new(fault::CHECK_FAILED, msg).details(details)
}
