//! The CNI plugins: a call of a runtime in, one document and an exit status out.

use std::io::{Read, Write};

use crate::cni::call::Env;
use crate::cni::{Call, Config, serve};
use crate::kernel::Host;
use crate::rdma::lease::Attachment;

pub mod about;
pub mod attach_fault;
pub mod char_devices;
pub mod chosen;
pub mod device_info;
pub mod device_name;
pub mod fault;
pub mod ib_sriov;
pub mod log;
pub mod logged;
pub mod mode;
pub mod netns;
#[cfg(test)]
mod networks;
pub mod rdma;
pub mod valid;

pub use about::about;

use chosen::Chosen;
use ib_sriov::IbSriov;
use log::Log;
use rdma::Rdma;

/// The plugins by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plugin {
    /// Moves the RDMA device of an interface that another plugin set up.
    Rdma,
    /// Gives a container an InfiniBand VF.
    IbSriov,
}

impl Plugin {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Rdma, Self::IbSriov];

    /// The name of its binary, and its `type` in a configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rdma => "rdma",
            Self::IbSriov => "ib-sriov",
        }
    }

    /// The plugin with this name, to the letter.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|plugin| plugin.name() == name)
    }
}

/// The streams of a call.
pub struct Stdio<'a> {
    /// The configuration.
    pub input: &'a mut dyn Read,
    /// The answer.
    pub out: &'a mut dyn Write,
    /// Everything else.
    pub err: &'a mut dyn Write,
}

/// Runs one call as `plugin`, or as the one that the configuration's `type` names; the exit status.
///
/// Exactly one JSON document is written to `out`, or nothing where the protocol wants nothing.
pub fn run(plugin: Option<Plugin>, env: &Env, stdio: Stdio<'_>, host: &Host) -> u8 {
    let name = plugin.map_or("rdmactl", Plugin::name);
    let log = Log::new(name, stdio.err).traced(env);
    let outcome = match plugin {
        Some(Plugin::Rdma) => serve::serve(env, stdio.input, &mut Rdma::new(host, log)),
        Some(Plugin::IbSriov) => serve::serve(env, stdio.input, &mut IbSriov::new(host, env, log)),
        None => serve::serve(env, stdio.input, &mut Chosen::new(host, env, log)),
    };
    let written = stdio
        .out
        .write_all(outcome.stdout.as_bytes())
        .and_then(|()| stdio.out.flush());
    match written {
        Ok(()) => outcome.status,
        // Whoever asked is not there to hear it; DEL will be called.
        Err(_) => 1,
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
