//! The `rdma` plugin: gives a container the RDMA device of an interface it already has.

mod add;
mod check;
mod config;
mod del;
mod device;
mod gc;
mod status;

use super::log::Log;
use crate::cni::{Call, Config, Failure, Verbs};
use crate::kernel::Host;
use crate::rdma::lease::Attachment;

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

impl Verbs for Rdma<'_> {
    fn add(&mut self, call: &Call, config: &Config<'_>) -> Result<String, Failure> {
        add::add(self, call, config)
    }

    fn del(&mut self, call: &Call, config: &Config<'_>) -> Result<(), Failure> {
        del::del(self, call, config)
    }

    fn check(&mut self, call: &Call, config: &Config<'_>) -> Result<(), Failure> {
        check::check(self, call, config)
    }

    fn gc(&mut self, _: &Call, config: &Config<'_>) -> Result<(), Failure> {
        gc::gc(self, config)
    }

    fn status(&mut self, _: &Call, _: &Config<'_>) -> Result<(), Failure> {
        status::status(self)
    }
}

/// Whose call it is.
fn attachment(call: &Call, config: &Config<'_>) -> Attachment {
    Attachment {
        network: config.name.clone(),
        container: call.container.clone(),
        ifname: call.ifname.clone(),
    }
}
