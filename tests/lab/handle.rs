//! What a case has in hand: the binary under test under each of its names, the stock tools, namespaces, addresses.

use std::path::PathBuf;
use std::process::Command;

use crate::namespace::{Held, Named};
use crate::namespace_number::Number;
use crate::output::{Output, Started, run};
use crate::pci;
use crate::terminal::Terminal;

/// Where the binary under test has its names.
pub(crate) const FACES: &str = "/run/lab/faces";

/// Every command of a case sees this and nothing else of the environment.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

pub(crate) struct Lab;

#[allow(dead_code, reason = "the vocabulary of cases, not all of it used yet")]
impl Lab {
    pub(crate) fn rdmactl(&self, args: &[&str]) -> Output {
        run(clean(&format!("{FACES}/rdmactl")).args(args), "")
    }

    /// The binary under test, invoked as `rdma`.
    pub(crate) fn rdma(&self, args: &[&str]) -> Output {
        run(clean(&format!("{FACES}/rdma")).args(args), "")
    }

    pub(crate) fn iproute2_rdma(&self, args: &[&str]) -> Output {
        run(clean("rdma").args(args), "")
    }

    pub(crate) fn ip(&self, args: &[&str]) -> Output {
        run(clean("ip").args(args), "")
    }

    pub(crate) fn sh(&self, script: &str) -> Output {
        run(clean("bash").args(["-c", script]), "")
    }

    /// Runs the words of `line`, which are separated by single blanks and mean only themselves.
    pub(crate) fn exec(&self, line: &str) -> Output {
        let mut words = line.split(' ').filter(|word| !word.is_empty());
        let program = words.next().expect("a command has a name");
        run(clean(program).args(words), "")
    }

    /// The words of `line`, as [`Self::exec`] has them, on a terminal that they control.
    pub(crate) fn on_terminal(&self, line: &str, columns: u16, lines: u16) -> Terminal {
        let words = line.split(' ').filter(|word| !word.is_empty());
        let mut command = clean("setsid");
        command.arg("--ctty").args(words).env("TERM", "xterm");
        Terminal::new(command, columns, lines)
    }

    /// A command that goes on while the case does.
    pub(crate) fn start(&self, line: &str) -> Started {
        let mut words = line.split(' ').filter(|word| !word.is_empty());
        let program = words.next().expect("a command has a name");
        Started::new(clean(program).args(words))
    }

    /// A plugin as a runtime calls it; `env` comes on top of container `lab-container` and interface `eth0`.
    pub(crate) fn cni(
        &self,
        plugin: &str,
        verb: &str,
        env: &[(&str, &str)],
        config: &str,
    ) -> Output {
        run(&mut self.cni_command(plugin, verb, env), config)
    }

    /// What [`Self::cni`] runs.
    pub(crate) fn cni_command(&self, plugin: &str, verb: &str, env: &[(&str, &str)]) -> Command {
        let ours = PathBuf::from(FACES).join(plugin);
        let path = if ours.exists() {
            ours
        } else {
            PathBuf::from("/usr/lib/cni").join(plugin)
        };
        let mut command = clean(&path.to_string_lossy());
        command
            .env("CNI_COMMAND", verb)
            .env("CNI_PATH", format!("{FACES}:/usr/lib/cni"));
        if verb != "VERSION" {
            command
                .env("CNI_CONTAINERID", "lab-container")
                .env("CNI_IFNAME", "eth0");
        }
        command.envs(env.iter().copied());
        command
    }

    pub(crate) fn netns(&self, name: &str) -> Named {
        Named::new(name)
    }

    /// A namespace with the number that one had which is gone.
    pub(crate) fn netns_numbered(&self, name: &str, inode: u64) -> Named {
        Number::wait(inode)
            .map(|number| number.give_to(name))
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs `argv` in the named namespace as `ip netns exec` does, so /sys shows that namespace.
    pub(crate) fn in_netns(&self, name: &str, argv: &[&str]) -> Output {
        run(clean("ip").args(["netns", "exec", name]).args(argv), "")
    }

    /// A namespace without a name, kept by a process.
    pub(crate) fn spawn_in_new_netns(&self, argv: &[&str]) -> Held {
        Held::new(argv)
    }

    pub(crate) fn pf(&self) -> String {
        pci::pfs().into_iter().next().expect("the guest has a PF")
    }

    pub(crate) fn vf(&self, index: u32) -> String {
        pci::vf(&self.pf(), index).unwrap_or_else(|| panic!("there is no VF {index}"))
    }

    /// The VF's RDMA device; it must be in the first namespace.
    pub(crate) fn vf_rdma(&self, index: u32) -> String {
        pci::rdma(&self.vf(index)).unwrap_or_else(|| panic!("VF {index} has no RDMA device here"))
    }

    pub(crate) fn vf_netdev(&self, index: u32) -> String {
        pci::netdev(&self.vf(index)).unwrap_or_else(|| panic!("VF {index} has no netdev here"))
    }

    /// Sets a parameter of the adapter module, such as an injected failure. Set it back before the case ends.
    pub(crate) fn inject(&self, parameter: &str, value: &str) {
        let file = format!("/sys/module/rdmalab/parameters/{parameter}");
        std::fs::write(&file, value).unwrap_or_else(|error| panic!("{value} to {file}: {error}"));
    }
}

/// A command with the environment of every command of a case.
pub(crate) fn clean(program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", PATH)
        .env("HOME", "/root")
        .env("LC_ALL", "C.UTF-8");
    command
}
