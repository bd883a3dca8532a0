//! Which face is asked for: the command line, iproute2's dialect of it, or a CNI plugin.

use std::ffi::OsStr;

use crate::cli::Dialect;
use crate::plugins::Plugin;

/// What the program is this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    /// The command line.
    Cli(Dialect),
    /// The CNI plugin that its own name says.
    Plugin(Plugin),
    /// The CNI plugin that the configuration's `type` says.
    ConfiguredPlugin,
}

/// The face, by the whole last part of argv[0] and by whether CNI_COMMAND is set.
pub fn face(name: &OsStr, cni_command: bool) -> Face {
    let name = name.to_str().unwrap_or_default();
    match (Plugin::named(name), cni_command) {
        (Some(plugin), true) => Face::Plugin(plugin),
        (None, true) => Face::ConfiguredPlugin,
        (_, false) if name == "rdma" => Face::Cli(Dialect::Iproute2),
        (_, false) => Face::Cli(Dialect::Own),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_name_decides() {
        let cases = [
            ("rdmactl", false, Face::Cli(Dialect::Own)),
            ("rdma", false, Face::Cli(Dialect::Iproute2)),
            ("my-rdma", false, Face::Cli(Dialect::Own)),
            ("rdma", true, Face::Plugin(Plugin::Rdma)),
            ("rdmactl", true, Face::ConfiguredPlugin),
            ("xrdma", true, Face::ConfiguredPlugin),
            ("", false, Face::Cli(Dialect::Own)),
        ];
        for (name, cni, expected) in cases {
            assert_eq!(face(OsStr::new(name), cni), expected, "{name} {cni}");
        }
    }
}
