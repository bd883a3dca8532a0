//! Which face is asked for: the command line, iproute2's dialect of it, or a CNI plugin.

use std::ffi::OsStr;

use crate::cli::Dialect;

/// What the program is this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    /// The command line.
    Cli(Dialect),
    /// The CNI plugin that its own name says.
    Plugin(PluginName),
    /// The CNI plugin that the configuration's `type` says.
    ConfiguredPlugin,
}

/// The plugins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PluginName {
    /// `rdma`: moves the RDMA device of an interface that another plugin set up.
    Rdma,
}

/// The face, by the whole last part of argv[0] and by whether CNI_COMMAND is set.
pub fn face(name: &OsStr, cni_command: bool) -> Face {
    match (name.to_str(), cni_command) {
        (Some("rdma"), true) => Face::Plugin(PluginName::Rdma),
        (_, true) => Face::ConfiguredPlugin,
        (Some("rdma"), false) => Face::Cli(Dialect::Iproute2),
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
            ("rdma", true, Face::Plugin(PluginName::Rdma)),
            ("rdmactl", true, Face::ConfiguredPlugin),
            ("xrdma", true, Face::ConfiguredPlugin),
            ("", false, Face::Cli(Dialect::Own)),
        ];
        for (name, cni, expected) in cases {
            assert_eq!(face(OsStr::new(name), cni), expected, "{name} {cni}");
        }
    }
}
