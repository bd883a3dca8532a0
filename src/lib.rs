//! rdmactl: RDMA isolation and SR-IOV provisioning. The floors of the house, from the top down.

pub mod entry;
pub mod exit;
pub mod world;

pub mod cli;
pub mod plugins;

pub mod view;

pub mod attachment;
pub mod cni;
pub mod doctor;
pub mod installation;
pub mod oci;
pub mod provision;

pub mod rdma;
pub mod sriov;

pub mod netdev;
pub mod pci;

pub mod kernel;

pub mod wire;

pub mod types;

use std::ffi::OsStr;

use entry::Face;
use exit::Exit;
use plugins::{Plugin, Stdio};
use world::World;

/// Runs the face that `world` asks for and says how it ended.
pub fn run(world: World<'_>) -> Exit {
    let cni = world.env.contains_key(OsStr::new("CNI_COMMAND"));
    match entry::face(world.name(), cni) {
        Face::Cli(dialect) => {
            let outcome = cli::run(cli::Call {
                argv: world.argv,
                dialect,
                input: world.input,
                out: world.out,
                err: world.err,
                terminal: world.terminal,
                redraws: world.env.get(OsStr::new("TERM")) != Some(&"dumb".into()),
                host: &world.host,
            });
            Exit::of(outcome, world.err)
        }
        Face::Plugin(plugin) => plug(Some(plugin), world),
        Face::ConfiguredPlugin => plug(None, world),
    }
}

fn plug(plugin: Option<Plugin>, world: World<'_>) -> Exit {
    let mut stdio = Stdio {
        input: world.input,
        out: world.out,
        err: world.err,
    };
    let flags = world.argv.get(1..).unwrap_or_default();
    let told = plugin.and_then(|plugin| plugins::about(plugin, flags, &mut stdio));
    Exit::Plugin(told.unwrap_or_else(|| plugins::run(plugin, &world.env, stdio, &world.host)))
}
