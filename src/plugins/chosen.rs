//! `Chosen`: the plugin that the configuration names, for a binary under any other name.

use super::Plugin;
use super::log::Log;
use super::rdma::Rdma;
use crate::cni::config::load_error;
use crate::cni::{Call, Code, Config, Failure, Verbs};
use crate::kernel::Host;

/// Every plugin, told apart by `type`.
pub struct Chosen<'a> {
    rdma: Rdma<'a>,
}

impl<'a> Chosen<'a> {
    /// All plugins over one machine.
    pub fn new(host: &'a Host, log: Log<'a>) -> Self {
        Self {
            rdma: Rdma::new(host, log),
        }
    }

    fn by_type(&mut self, config: &Config<'_>) -> Result<&mut dyn Verbs, Failure> {
        let kind = config
            .object
            .text("type")
            .map_err(|error| load_error(&error))?;
        match Plugin::named(&kind) {
            Some(Plugin::Rdma) => Ok(&mut self.rdma),
            None => {
                let known = Plugin::ALL.map(Plugin::name).join(", ");
                let msg = format!("no plugin of type {kind:?} in this binary");
                Err(Failure::new(Code::INVALID_CONFIG, msg).details(format!(
                    "its plugins are: {known}; name it as one of them, or write one as type"
                )))
            }
        }
    }
}

impl Verbs for Chosen<'_> {
    fn add(&mut self, call: &Call, config: &Config<'_>) -> Result<String, Failure> {
        self.by_type(config)?.add(call, config)
    }

    fn del(&mut self, call: &Call, config: &Config<'_>) -> Result<(), Failure> {
        self.by_type(config)?.del(call, config)
    }

    fn check(&mut self, call: &Call, config: &Config<'_>) -> Result<(), Failure> {
        self.by_type(config)?.check(call, config)
    }

    fn gc(&mut self, call: &Call, config: &Config<'_>) -> Result<(), Failure> {
        self.by_type(config)?.gc(call, config)
    }

    fn status(&mut self, call: &Call, config: &Config<'_>) -> Result<(), Failure> {
        self.by_type(config)?.status(call, config)
    }
}
