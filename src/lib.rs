//! rdmactl: RDMA isolation and SR-IOV provisioning. The floors of the house, from the top down.

pub mod entry;
pub mod exit;
pub mod world;

pub mod cli;

pub mod view;

pub mod rdma;

pub mod kernel;

pub mod wire;

pub mod types;

use entry::Face;
use exit::Exit;
use world::World;

/// Runs the face that `world` asks for and says how it ended.
pub fn run(world: World<'_>) -> Exit {
    let cni = world.env.contains_key(std::ffi::OsStr::new("CNI_COMMAND"));
    match entry::face(world.name(), cni) {
        Face::Cli(dialect) => {
            let outcome = cli::run(cli::Call {
                argv: world.argv,
                dialect,
                out: world.out,
                terminal: world.terminal,
                host: &world.host,
            });
            Exit::of(outcome, world.err)
        }
        Face::Plugin(_) | Face::ConfiguredPlugin => Exit::Plugin(1),
    }
}
