//! Taking a VF back: every step by itself, from record and live system, none fatal to the next.

use super::bind_anew::{Expected, bind_anew};
use super::error::AttachError;
use super::netdev_side::{self, Homecoming};
use super::record::{Lodging, Original, VfRecord};
use super::store::{Entry, VfStore};
use super::take::VFIO;
use super::{further_netdevs, home, partition, rdma_side};
use crate::kernel::namespaces::{Depth, survey};
use crate::kernel::{Conn, Host, Netns, state};
use crate::netdev::on_function;
use crate::pci::function;
use crate::rdma::lease::{Attachment, locks};
use crate::sriov::binding::Job;
use crate::sriov::carrying_out;
use crate::sriov::change::{self, Note};
use crate::sriov::pf::{self, Pf, Vf};
use crate::sriov::vf_side;
use crate::sriov::wish::Wish;
use crate::types::{Guid, PciAddr};

/// What is to be taken back.
pub struct Release<'a> {
    /// The machine.
    pub host: &'a Host,
    /// Whose it was.
    pub attachment: &'a Attachment,
    /// What is on record.
    pub record: &'a VfRecord,
    /// The container's namespace, as far as the runtime still has it.
    pub netns: Option<&'a Netns>,
    /// Drivers of others may be bound at the same time, whatever numbers character devices get.
    pub together: bool,
}

/// How it went.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What could not be put back; a repeat may help.
    pub failures: Vec<AttachError>,
    /// What an operator should know.
    pub warnings: Vec<String>,
    /// What happened on the way to the PF.
    pub notes: Vec<Note>,
}

impl Release<'_> {
    /// Puts everything back. Repeating it is safe.
    pub fn run(&self) -> Outcome {
        let mut outcome = Outcome::default();
        match self.is_of_this_boot() {
            Ok(true) => {}
            // Nothing of an earlier boot is left: VFs, GUIDs and names were all made anew.
            Ok(false) => return outcome,
            Err(error) => outcome.failures.push(error),
        }
        let Some(function) = self.record.function else {
            return outcome;
        };
        match self.belongs_to_another(function) {
            Ok(None) => {}
            Ok(Some(other)) => {
                outcome.warnings.push(format!(
                    "{function} belongs to another container now (record {other}); it is left alone"
                ));
                return outcome;
            }
            Err(error) => outcome.failures.push(error),
        }
        let mut route = match self.host.route() {
            Ok(route) => route,
            Err(error) => {
                outcome.failures.push(error.into());
                return outcome;
            }
        };
        if let Some(netns) = self.netns {
            netns.prepare(self.host, self.record.wanted.isolation, true);
        }
        let netns = self.lodging();
        let netns = netns.as_ref().or(self.netns);
        if let Some(wanted) = &self.record.wanted.partition
            && let Err(error) = partition::leave(self.host, netns, function, wanted)
        {
            outcome.failures.push(error);
        }
        if let Err(error) = self.rdma(netns, &mut outcome.warnings) {
            outcome.failures.push(error);
        }
        if let Err(error) = self.netdev(&mut route, function, netns, &mut outcome.warnings) {
            outcome.failures.push(error);
        }
        if let Err(error) = self.settings(&mut route, function, &mut outcome) {
            outcome.failures.push(error);
        }
        outcome
    }

    fn is_of_this_boot(&self) -> Result<bool, AttachError> {
        let Some(lodging) = &self.record.lodging else {
            return Ok(true);
        };
        let boot = state::boot_id(self.host)?;
        Ok(boot.is_none_or(|boot| boot == lodging.netns.boot))
    }

    /// Another attachment's record of the same function, made since: a late DEL must not take
    /// away what is not its container's any more.
    fn belongs_to_another(&self, function: PciAddr) -> Result<Option<String>, AttachError> {
        let others = VfStore::new(self.host).of_others(function, self.attachment)?;
        let since = |record: &VfRecord| record.lodging.as_ref().map(|lodging| lodging.since);
        let ours = since(self.record);
        let later = |entry: &Entry| entry.record.as_ref().and_then(since) > ours;
        let other = others.into_iter().find(later);
        Ok(other.map(|entry| entry.name))
    }

    /// The namespace of the record, wherever it still is to be had.
    fn lodging(&self) -> Option<Netns> {
        let lodging = self.record.lodging.as_ref()?;
        if let Some(netns) = self.netns.filter(|netns| lodging.netns.is(netns)) {
            return netns.try_clone().ok();
        }
        find(self.host, lodging)
    }

    /// The RDMA device first: with IPoIB its interface comes and goes with it.
    fn rdma(&self, netns: Option<&Netns>, warnings: &mut Vec<String>) -> Result<(), AttachError> {
        let recorded = self.record.rdma.as_ref();
        if recorded.is_none() && !self.record.wanted.isolation {
            return Ok(());
        }
        warnings.extend(rdma_side::leave(
            self.host,
            self.attachment,
            self.record,
            netns,
        )?);
        Ok(())
    }

    fn netdev(
        &self,
        route: &mut Conn,
        function: PciAddr,
        netns: Option<&Netns>,
        warnings: &mut Vec<String>,
    ) -> Result<(), AttachError> {
        let original = &self.record.original;
        if original.driver.as_deref() == Some(VFIO) {
            return Ok(());
        }
        let came = netdev_side::leave(self.host, route, function, netns, original)?;
        further_netdevs::restore(self.host, route, function, &original.further)?;
        // Its own name may have been that of a further one until now.
        let came = match came {
            Homecoming::Kept(_) => netdev_side::restore(self.host, route, function, original)?,
            came => came,
        };
        self.tell(came, warnings);
        Ok(())
    }

    fn tell(&self, came: Homecoming, warnings: &mut Vec<String>) {
        if let (Homecoming::Kept(kept), Some(name)) = (came, &self.record.original.netdev) {
            warnings.push(format!(
                "{name} is now called {kept}: its name belongs to another interface"
            ));
        }
    }

    /// GUIDs and link policy on the PF; the driver, where it is missing or has to see them.
    fn settings(
        &self,
        route: &mut Conn,
        function: PciAddr,
        outcome: &mut Outcome,
    ) -> Result<(), AttachError> {
        let host = self.host;
        let Some((pf, vf)) = pf::of_vf(host.sysfs(), function)? else {
            // The VFs were destroyed, and with them everything there was to put back.
            return Ok(());
        };
        if self.record.vf.as_ref().is_some_and(|recorded| {
            recorded.index != vf.index || recorded.pf.is_some_and(|address| address != pf.address)
        }) {
            outcome.warnings.push(format!(
                "{function} is another VF than it was; its settings are left alone"
            ));
            return Ok(());
        }
        let wish = self.put_back();
        if wish != Wish::default() {
            let change = change::plan(host, &pf, vf, &wish, true)?;
            carrying_out::apply(host, change, &wish, true, &mut outcome.notes)?;
        }
        self.driver(route, &pf, vf, outcome)
    }

    /// What ADD changed, as it was before; what was not known is put to what means unset.
    fn put_back(&self) -> Wish {
        let VfRecord {
            original, wanted, ..
        } = self.record;
        let unset = Guid::new(0);
        let before = |guid: Option<Guid>| match guid {
            // Go writes all ones where it did not look.
            Some(guid) if guid.is_assignable() => guid,
            _ => unset,
        };
        let is_go = self.record.lodging.is_none();
        let touched = wanted.guid.is_some() || (is_go && original.port_guid.is_some());
        Wish {
            node_guid: touched.then(|| before(original.node_guid)),
            port_guid: touched.then(|| before(original.port_guid)),
            state: wanted
                .policy
                .map(|_| original.policy.unwrap_or(crate::types::LinkPolicy::Auto)),
            ..Wish::default()
        }
    }

    fn driver(
        &self,
        route: &mut Conn,
        pf: &Pf,
        vf: Vf,
        outcome: &mut Outcome,
    ) -> Result<(), AttachError> {
        let original = &self.record.original;
        if original.driver.as_deref() == Some(VFIO) {
            return Ok(());
        }
        let host = self.host;
        let now = function::read(host.sysfs(), vf.address)?.and_then(|function| function.driver);
        // Somebody gave it to a virtual machine meanwhile.
        if now.as_deref() == Some(VFIO) {
            return Ok(());
        }
        let had_netdev = original.netdev.is_some();
        let link = on_function::here(route, host.sysfs(), vf.address)?;
        let stale = self.put_back().node_guid.is_some_and(|guid| {
            let side = vf_side::read(host.sysfs(), vf).unwrap_or_default();
            side.rdma
                .iter()
                .any(|rdma| rdma.node_guid.unwrap_or(Guid::new(0)) != guid)
        });
        let lost = had_netdev && link.is_none() && !self.is_elsewhere(vf.address)?;
        if now.is_none() && original.driver.is_some() {
            let job = Job {
                host,
                pf,
                vf,
                deadline: std::time::Instant::now() + super::bind_anew::PROBE,
            };
            let lock = locks::node(host);
            job.bind(None)?;
            drop(lock);
            self.rename_anew(vf.address, outcome);
        } else if stale || lost {
            let expected = Expected {
                netdev: had_netdev,
                rdma: self.record.rdma_devices().count(),
                together: self.together,
            };
            bind_anew(host, route, pf, vf, expected, &self.rdma_names())?;
        } else {
            return Ok(());
        }
        further_netdevs::restore(host, route, vf.address, &original.further)?;
        let came = netdev_side::restore(host, route, vf.address, original)?;
        self.tell(came, &mut outcome.warnings);
        Ok(())
    }

    fn rdma_names(&self) -> Vec<String> {
        let devices = self.record.rdma_devices();
        devices.map(|rdma| rdma.host_name.clone()).collect()
    }

    /// A rebind gives the RDMA devices the lowest free names, which may be another pod's.
    fn rename_anew(&self, function: PciAddr, outcome: &mut Outcome) {
        let names = self.rdma_names();
        let renamed = home::conn(self.host)
            .and_then(|mut home| home::rename_anew(self.host, &mut home, function, &names));
        if let Err(error) = renamed {
            outcome.failures.push(error);
        }
    }

    /// Whether its interface is in some other namespace, where it is not ours to take.
    fn is_elsewhere(&self, function: PciAddr) -> Result<bool, AttachError> {
        for namespace in survey(self.host, Depth::Processes)?.namespaces {
            if namespace.is_current {
                continue;
            }
            let Ok(netns) = namespace.open(self.host) else {
                continue;
            };
            if on_function::inside(self.host, &netns, function)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// What was there before, for a VF that is only known by its function.
pub fn unrecorded(function: PciAddr, isolation: bool) -> VfRecord {
    VfRecord {
        function: Some(function),
        done: true,
        original: Original::default(),
        wanted: super::record::Wanted {
            isolation,
            ..Default::default()
        },
        ..VfRecord::default()
    }
}

/// The namespace of a record, in whatever way it is kept alive.
pub fn find(host: &Host, lodging: &Lodging) -> Option<Netns> {
    [Depth::Processes, Depth::Files]
        .into_iter()
        .find_map(|depth| {
            let namespaces = survey(host, depth).ok()?.namespaces;
            let namespace = namespaces
                .into_iter()
                .find(|each| each.id == lodging.netns.id)?;
            let netns = namespace.open(host).ok()?;
            lodging.netns.is(&netns).then_some(netns)
        })
}
