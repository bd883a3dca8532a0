//! `Chosen`: the plugin that the configuration names, for a binary under any other name.

use super::Plugin;
use super::ib_sriov::IbSriov;
use super::log::Log;
use super::rdma::Rdma;
use crate::cni::call::Env;
use crate::cni::config::load_error;
use crate::cni::{Call, Code, Config, Failure, Verbs};
use crate::kernel::Host;

/// Every plugin, told apart by `type`.
pub struct Chosen<'a> {
    host: &'a Host,
    env: &'a Env,
    /// Goes to the plugin that is chosen.
    log: Option<Log<'a>>,
}

impl<'a> Chosen<'a> {
    /// All plugins over one machine.
    pub fn new(host: &'a Host, env: &'a Env, log: Log<'a>) -> Self {
        Self {
            host,
            env,
            log: Some(log),
        }
    }

    fn by_type(&mut self, config: &Config<'_>) -> Result<Box<dyn Verbs + 'a>, Failure> {
        let kind = config
            .object
            .text("type")
            .map_err(|error| load_error(&error))?;
        let log = self.log.take();
        match (Plugin::named(&kind), log) {
            (Some(Plugin::Rdma), Some(log)) => Ok(Box::new(Rdma::new(self.host, log))),
            (Some(Plugin::IbSriov), Some(log)) => {
                Ok(Box::new(IbSriov::new(self.host, self.env, log)))
            }
            _ => {
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
