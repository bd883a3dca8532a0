//! The `ib-sriov` plugin: gives a container an InfiniBand VF, with its GUID and its addresses.

mod add;
mod addresses;
mod check;
pub(super) mod config;
mod del;
mod gc;
mod partition;
mod status;

use super::attachment;
use super::log::Log;
use super::logged::Logged;
use crate::cni::call::Env;
use crate::cni::{Call, Config, Failure, Verbs};
use crate::kernel::Host;
use crate::sriov::change::Note;

/// The plugin over one machine.
pub struct IbSriov<'a> {
    host: &'a Host,
    env: &'a Env,
    log: Log<'a>,
}

impl<'a> IbSriov<'a> {
    /// Works on `host` and reports to `log`; IPAM plugins are called with `env`.
    pub fn new(host: &'a Host, env: &'a Env, log: Log<'a>) -> Self {
        Self { host, env, log }
    }

    fn report(&mut self, notes: &[Note]) {
        for note in notes {
            match note {
                Note::Loaded => self
                    .log
                    .info("loaded ib_ipoib: GUIDs are set over the PF's interface"),
                Note::NotLoaded(why) => self
                    .log
                    .warn(format!("ib_ipoib could not be loaded: {why}")),
                Note::ByVendorFiles => self
                    .log
                    .info("the PF has no interface: set by the vendor's files"),
                Note::NotReadBack => self
                    .log
                    .warn("the PF does not tell what it was given: it was not read back"),
                Note::Unproven(_) => self
                    .log
                    .warn("the vendor's file does not read as it was written"),
            }
        }
    }
}

impl<'a> Logged<'a> for IbSriov<'a> {
    fn parts(&mut self) -> (&'a Host, &mut Log<'a>) {
        (self.host, &mut self.log)
    }
}

impl Verbs for IbSriov<'_> {
    fn add(&mut self, call: &Call, config: &Config<'_>) -> Result<String, Failure> {
        self.logged(call, config, |plugin| add::add(plugin, call, config))
    }

    fn del(&mut self, call: &Call, config: &Config<'_>) -> Result<(), Failure> {
        self.logged(call, config, |plugin| del::del(plugin, call, config))
    }

    fn check(&mut self, call: &Call, config: &Config<'_>) -> Result<(), Failure> {
        self.logged(call, config, |plugin| check::check(plugin, call, config))
    }

    fn gc(&mut self, call: &Call, config: &Config<'_>) -> Result<(), Failure> {
        self.logged(call, config, |plugin| gc::gc(plugin, call, config))
    }

    fn status(&mut self, call: &Call, config: &Config<'_>) -> Result<(), Failure> {
        self.logged(call, config, |plugin| status::status(plugin, call, config))
    }
}
