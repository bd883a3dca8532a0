//! The `rdma` plugin: gives a container the RDMA device of an interface it already has.

mod add;
mod check;
pub(super) mod config;
mod del;
mod device;
mod gc;
mod shared;
mod status;

use super::attachment;
use super::log::Log;
use super::logged::Logged;
use crate::cni::{Call, Config, Failure, Verbs};
use crate::kernel::Host;

/// The plugin over one machine.
pub struct Rdma<'a> {
    host: &'a Host,
    log: Log<'a>,
}

impl<'a> Rdma<'a> {
    /// Works on `host` and reports to `log`.
    pub fn new(host: &'a Host, log: Log<'a>) -> Self {
        Self { host, log }
    }
}

impl<'a> Logged<'a> for Rdma<'a> {
    fn parts(&mut self) -> (&'a Host, &mut Log<'a>) {
        (self.host, &mut self.log)
    }
}

impl Verbs for Rdma<'_> {
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
        self.logged(call, config, |plugin| gc::gc(plugin, config))
    }

    fn status(&mut self, call: &Call, config: &Config<'_>) -> Result<(), Failure> {
        self.logged(call, config, |plugin| status::status(plugin, config))
    }
}
