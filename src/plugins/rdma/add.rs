//! ADD: every check, then the move, then the result of the plugin before, unchanged.

use super::config::Settings;
use super::{Rdma, attachment, del, device, shared};
use crate::cni::prev_result::PrevResult;
use crate::cni::{Call, Code, Config, Failure};
use crate::kernel::{Conn, Host, Netns};
use crate::netdev::on_function;
use crate::pci::function;
use crate::plugins::{char_devices, device_name, fault, mode, netns};
use crate::rdma::RdmaError;
use crate::rdma::lease::lend::{Loan, lend};
use crate::rdma::lease::locate::Search;
use crate::rdma::lease::settle::{self, Standing};
use crate::rdma::lease::{Attachment, Store, locks};
use crate::types::{DeviceId, RdmaNaming};
use crate::wire::nldev::device::Device;

/// `ARPHRD_INFINIBAND` (`uapi/linux/if_arp.h`).
const ARPHRD_INFINIBAND: u16 = 32;

/// Gives the container its RDMA device.
///
/// # Errors
/// Nothing was changed, or what was has been undone.
pub fn add(plugin: &mut Rdma<'_>, call: &Call, config: &Config<'_>) -> Result<String, Failure> {
    let settings = Settings::read(call, config)?;
    plugin.log.set_debug(settings.debug);
    let prev = previous(config)?;
    // What is printed at the end exists before the beginning: it cannot fail afterwards.
    let document = prev.document();
    let host = plugin.host;
    let mut home = host
        .rdma()
        .map_err(|error| mode::unreadable(&RdmaError::from(error)))?;
    if shared::is_skipped(&mut home, settings.shared_mode)? {
        plugin
            .log
            .info("shared mode: nothing is moved, every container sees every RDMA device");
        return Ok(document);
    }
    mode::require_exclusive(&mut home)?;
    let id = device::wanted(host, &settings, Some(&prev))?;
    if settings.device.is_empty() {
        plugin.log.warn(format!(
            "no deviceID; the interface's address belongs to {id}"
        ));
    }
    let netns = netns::target(host, call)?;
    let attachment = attachment(call, config);
    let lease = |error| fault::lease(&error);

    let _lock = locks::device(host, &id).map_err(|error| fault::lock(&error))?;
    plugin.log.debug(format!("locked {id}"));
    let standing =
        settle::own(host, &mut home, &attachment, &id, &netns, &settings.naming).map_err(lease)?;
    if standing == Standing::Resumed {
        plugin.log.warn(format!(
            "an earlier ADD had moved the device of {id}; it stays where it is"
        ));
        return Ok(document);
    }
    refuse_ipoib(host, &id, &netns)?;
    let mut devices = device::at_home(host, &mut home, &id, &attachment)?.into_iter();
    let mut next = || -> Result<Option<Device>, Failure> {
        let found = devices.next();
        let settled = found.map(|found| settle::others(host, &mut home, &id, found));
        settled.transpose().map_err(lease)
    };
    // At home there is one at least.
    let Some(first) = next()? else {
        return Err(Failure::new(Code::INTERNAL, format!("{id} has no device")));
    };
    let mut siblings = Vec::new();
    while let Some(sibling) = next()? {
        siblings.push(sibling);
    }
    require_one_name_each(&settings.naming, &id, 1 + siblings.len())?;
    let loan = Loan {
        attachment: &attachment,
        device_id: &id,
        device: &first,
        siblings: &siblings,
        netns: &netns,
        naming: &settings.naming,
    };
    let lent: Vec<Device> = std::iter::once(&first).chain(&siblings).cloned().collect();
    let numbers = char_devices::before(host, &mut home, settings.char_devices, &lent);
    let arrived = lend(host, &mut home, &loan).map_err(|error| moving(&first.name, &error))?;
    let policy = settings.char_devices;
    let same = char_devices::compare(host, &mut plugin.log, policy, &netns, &numbers, &arrived);
    if let Err(failure) = same {
        take_back(plugin, &mut home, &attachment, &id, &netns);
        return Err(failure);
    }
    for (lent, arrived) in lent.iter().zip(arrived) {
        let (name, there) = (&lent.name, &arrived.name);
        let called = if name == there {
            String::new()
        } else {
            format!(", where it is called {there}")
        };
        plugin
            .log
            .info(format!("moved {name} ({id}) to {}{called}", call.netns));
    }
    Ok(document)
}

/// What cannot be taken back stays on record, for DEL to do.
fn take_back(
    plugin: &mut Rdma<'_>,
    home: &mut Conn,
    attachment: &Attachment,
    id: &DeviceId,
    netns: &Netns,
) {
    let store = Store::new(plugin.host);
    let own = store.own(attachment, Some(id)).unwrap_or_default();
    for entry in own {
        let search = Search {
            host: plugin.host,
            attachment,
            device_id: Some(id),
            record: entry.record.as_ref(),
            netns: Some(netns),
        };
        let ended = del::end(&search, home);
        let removed = ended.and_then(|_| {
            let removed = store.folder().remove(&entry.name);
            removed.map_err(|error| fault::file(&error))
        });
        if let Err(failure) = removed {
            let msg = failure.msg;
            plugin
                .log
                .warn(format!("could not be undone, DEL tries again: {msg}"));
        }
    }
}

/// One name is not enough for several devices.
fn require_one_name_each(naming: &RdmaNaming, id: &DeviceId, count: usize) -> Result<(), Failure> {
    match naming {
        RdmaNaming::Fixed(name) if count > 1 => Err(Failure::new(
            Code::INVALID_CONFIG,
            format!("{id} has {count} RDMA devices, which cannot all be called {name}"),
        )
        .details(device_name::ONE_NAME)),
        _ => Ok(()),
    }
}

/// Moving an RDMA device makes its IPoIB interface anew, and the one that `ib-sriov` put into the
/// container would be gone.
fn refuse_ipoib(host: &Host, id: &DeviceId, netns: &Netns) -> Result<(), Failure> {
    let DeviceId::Pci(function) = id else {
        return Ok(());
    };
    let at_home = function::netdevs(host.sysfs(), *function);
    if at_home.is_ok_and(|names| !names.is_empty()) {
        return Ok(());
    }
    let link = on_function::inside(host, netns, *function).ok().flatten();
    match link.filter(|link| link.hardware == ARPHRD_INFINIBAND) {
        None => Ok(()),
        Some(link) => Err(Failure::new(
            Code::INVALID_CONFIG,
            format!(
                "{} in the container is the IPoIB interface of {function}: moving its RDMA device would take it away",
                link.name
            ),
        )
        .details("remove rdma from the list of plugins, and set \"rdmaIsolation\": true for ib-sriov, which moves both")),
    }
}

/// The result of the plugin before, without which this one has no place in the list.
///
/// # Errors
/// Code 7.
pub fn previous<'a>(config: &Config<'a>) -> Result<PrevResult<'a>, Failure> {
    PrevResult::of(config)?.ok_or_else(|| {
        Failure::new(
            Code::INVALID_CONFIG,
            "RDMA-CNI is expected to be called as part of a plugin chain",
        )
        .details("there is no prevResult: put rdma behind the plugin that makes the interface, in the \"plugins\" of a conflist")
    })
}

fn moving(device: &str, error: &crate::rdma::lease::LeaseError) -> Failure {
    let mut failure = fault::lease(error);
    failure.msg = format!(
        "failed to move RDMA device {device} to namespace. {}",
        failure.msg
    );
    failure
}
