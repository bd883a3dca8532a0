//! ADD: every check, a record, then the VF, its addresses and the result; all undone if one fails.

use super::config::Settings;
use super::{IbSriov, addresses, attachment, partition};
use crate::attachment::release::Release;
use crate::attachment::settle::settle;
use crate::attachment::take::{self, Candidate, Order, Taken};
use crate::attachment::{AttachError, VfStore, home};
use crate::cni::ipam::{Ipam, Task};
use crate::cni::result::{CniResult, Interface, hardware_address};
use crate::cni::{Call, Code, Config, Failure};
use crate::kernel::{Conn, Lock};
use crate::plugins::attach_fault::attach;
use crate::plugins::char_devices::{self, Policy};
use crate::plugins::{device_info, fault, mode, netns};
use crate::rdma::char_device::Numbered;
use crate::rdma::lease::locks;
use crate::types::{DeviceId, IfName, PciAddr};
use crate::wire::link::message::Link;

/// Gives the container its VF.
///
/// # Errors
/// Nothing was changed, or what was has been undone.
pub fn add(plugin: &mut IbSriov<'_>, call: &Call, config: &Config<'_>) -> Result<String, Failure> {
    let settings = Settings::read(call, config)?;
    plugin.log.set_debug(settings.debug);
    let function = settings.function()?;
    let host = plugin.host;
    let mut home = home::conn(host).map_err(|error| attach(&error))?;
    if settings.isolation {
        mode::require_exclusive(&mut home)?;
    }
    addresses::previous(config)?;
    let ipam = addresses::plugin(config, call)?;
    let netns = netns::target(host, call)?;
    let ifname: IfName = call
        .ifname
        .parse()
        .map_err(|error: crate::types::Invalid| {
            Failure::new(Code::INVALID_ENVIRONMENT, error.to_string())
        })?;
    let partition = partition::wanted(&settings, &ifname)?;
    let attachment = attachment(call, config);
    let order = Order {
        attachment: &attachment,
        function,
        netns: &netns,
        ifname: &ifname,
        guid: settings.guid_for(host, function)?,
        needs_guid: settings.needs_guid(),
        policy: settings.policy,
        isolation: settings.isolation,
        naming: &settings.naming,
        together: settings.char_devices == Policy::Any,
        vfio: settings.vfio,
        pkey: &settings.pkey,
        partition: partition.as_ref(),
        ipam: ipam.as_ref().map_or("", Ipam::kind),
    };
    let mut route = host.route().map_err(|error| attach(&error.into()))?;
    // Held to the end, IPAM included: who collects leftovers must know one from work under way.
    let _adding = locks::adding(host, &attachment, locks::DEVICE_LIMIT)
        .map_err(|error| fault::lock(&error))?;
    let lock = locked(plugin, function)?;
    let mut warnings = Vec::new();
    let settled = settle(host, &attachment, function, &mut warnings);
    for warning in warnings {
        plugin.log.warn(warning);
    }
    settled.map_err(|error| attach(&error))?;
    let candidate =
        take::inspect(host, &mut home, &mut route, &order).map_err(|error| attach(&error))?;
    if candidate.vf.is_some() && settings.lacks_guid_of_ib_kubernetes(config) {
        return Err(Failure::new(
            Code::INVALID_CONFIG,
            "infiniband SRIOV-CNI failed, Unexpected error. GUID must be provided by ib-kubernetes",
        )
        .details("see the log of ib-kubernetes, or set ibKubernetesEnabled to false"));
    }
    let (name, record) =
        take::write_down(host, &order, &candidate).map_err(|error| attach(&error))?;
    let numbers = char_devices::before(host, &mut home, settings.char_devices, &candidate.rdma);
    let mut adding = Adding {
        plugin,
        order: &order,
        taken: Taken {
            name,
            record,
            link: None,
            partition: None,
            rdma: Vec::new(),
            notes: Vec::new(),
        },
        ipam: ipam.as_ref(),
        asked: false,
        numbers,
    };
    let outcome = adding.run(&mut home, &mut route, candidate, config, lock, &settings);
    if outcome.is_err() {
        adding.undo(config);
    }
    outcome
}

/// The lock of one function.
pub fn locked(plugin: &IbSriov<'_>, function: PciAddr) -> Result<Lock, Failure> {
    locks::device(plugin.host, &DeviceId::Pci(function)).map_err(|error| fault::lock(&error))
}

/// An ADD from its record on.
struct Adding<'p, 'h, 'o> {
    plugin: &'p mut IbSriov<'h>,
    order: &'o Order<'o>,
    taken: Taken,
    ipam: Option<&'o Ipam>,
    /// The IPAM plugin may have reserved something.
    asked: bool,
    /// Those of the character devices, before anything was changed.
    numbers: Vec<Vec<Numbered>>,
}

impl Adding<'_, '_, '_> {
    fn run(
        &mut self,
        home: &mut Conn,
        route: &mut Conn,
        candidate: Candidate,
        config: &Config<'_>,
        lock: Lock,
        settings: &Settings,
    ) -> Result<String, Failure> {
        let host = self.plugin.host;
        let function = self.order.function;
        let carried = take::carry_out(host, home, route, self.order, candidate, &mut self.taken);
        let notes = std::mem::take(&mut self.taken.notes);
        self.plugin.report(&notes);
        carried.map_err(|error| self.told(&error))?;
        char_devices::compare(
            host,
            &mut self.plugin.log,
            settings.char_devices,
            self.order.netns,
            &self.numbers,
            &self.taken.rdma,
        )?;
        // An IPAM plugin may take its time: nobody has to wait for it here. The record keeps
        // others from the VF.
        drop(lock);
        let mut result = CniResult::default();
        if let Some(wanted) = self.order.partition.filter(|_| self.taken.link.is_some()) {
            partition::report(self.plugin, self.order.netns, function, wanted);
        }
        // The addresses are those of the partition, where there is one.
        let link = self.taken.partition.as_ref().or(self.taken.link.as_ref());
        if let (Some(ipam), Some(link)) = (self.ipam, link) {
            self.asked = true;
            let (answer, said) =
                ipam.ask(Task::Add, self.plugin.env, config)
                    .map_err(|failure| Failure {
                        msg: format!(
                            "failed to set up IPAM plugin type {:?} from the device {:?}: {}",
                            ipam.kind(),
                            link.name,
                            failure.msg
                        ),
                        ..failure
                    })?;
            if !said.is_empty() {
                self.plugin.log.debug(said);
            }
            result = answer;
            addresses::configure(host, self.order.netns, link, &result)?;
        } else if let Some(ipam) = self.ipam {
            self.plugin.log.warn(format!(
                "{function} is for a virtual machine: {} is not asked for addresses",
                ipam.kind()
            ));
        }
        let own = self.interface(self.order.ifname, self.taken.link.as_ref());
        result.interfaces = vec![own];
        if let (Some(wanted), Some(link)) = (self.order.partition, &self.taken.partition) {
            let further = self.interface(&wanted.ifname, Some(link));
            result.interfaces.push(further);
        }
        let last = u32::from(result.interfaces.len() > 1);
        for ip in &mut result.ips {
            ip.interface = Some(last);
        }
        let result = addresses::previous(config)?.followed_by(result);
        let document = result.document(&config.version);
        let rdma = self.taken.rdma.iter().map(|device| device.name.as_str());
        let rdma: Vec<&str> = rdma.collect();
        let pf = self.taken.record.vf.as_ref().and_then(|vf| vf.pf);
        device_info::write(host, &settings.device_info_file, function, &rdma, pf)?;
        take::finish(host, &mut self.taken).map_err(|error| attach(&error))?;
        self.plugin.log.info(format!(
            "gave {function} to container {} as {}",
            self.order.attachment.container, self.order.ifname
        ));
        Ok(document)
    }

    fn told(&self, error: &AttachError) -> Failure {
        attach(error)
    }

    fn interface(&self, name: &IfName, link: Option<&Link>) -> Interface {
        Interface {
            name: name.to_string(),
            mac: link.and_then(|link| hardware_address(&link.address)),
            mtu: link.and_then(|link| link.mtu),
            sandbox: self.order.netns.word().to_owned(),
            pci_id: Some(self.order.function),
        }
    }

    /// Everything as it was. What cannot be put back stays on record, for DEL to do.
    fn undo(&mut self, config: &Config<'_>) {
        let host = self.plugin.host;
        if let (true, Some(ipam)) = (self.asked, self.ipam)
            && let Err(failure) = ipam.ask(Task::Del, self.plugin.env, config)
        {
            self.plugin.log.warn(format!(
                "the addresses may still be reserved: {}",
                failure.msg
            ));
        }
        if let Some(guid) = self.order.guid {
            locks::clear_guid(host, guid);
        }
        let _lock = locked(self.plugin, self.order.function);
        let release = Release {
            host,
            attachment: self.order.attachment,
            record: &self.taken.record,
            netns: Some(self.order.netns),
            together: self.order.together,
        };
        let outcome = release.run();
        for warning in outcome.warnings {
            self.plugin.log.warn(warning);
        }
        if outcome.failures.is_empty() {
            let store = VfStore::new(host);
            if let Err(error) = store.folder().remove(&self.taken.name) {
                self.plugin.log.warn(fault::chain(&error));
            }
        }
        for failure in outcome.failures {
            let text = fault::chain(&failure);
            self.plugin
                .log
                .warn(format!("could not be undone, DEL tries again: {text}"));
        }
    }
}
