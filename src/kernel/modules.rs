//! Kernel modules: which there are for the running kernel, and which are in it.

use super::Host;
use super::file;

/// `modules.alias` of a distribution's kernel has 1 to 3 MB.
const MAX_INDEX: u64 = 32 * 1024 * 1024;

/// Whether a module can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    /// It is in the kernel: loaded, or built in.
    Present,
    /// It is installed and can be loaded.
    Installed,
    /// The running kernel does not have it.
    Missing,
    /// The lists of modules cannot be read, as in most containers.
    Unknown,
}

/// The release of the running kernel, as `uname -r` prints it.
pub fn release(host: &Host) -> Option<String> {
    let text = file::read(&host.path("/proc/sys/kernel/osrelease"), 256).ok()??;
    let text = String::from_utf8_lossy(&text).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// Whether `module`, in its underscore spelling, can be had.
pub fn availability(host: &Host, module: &str) -> Availability {
    if is_present(host, module) {
        return Availability::Present;
    }
    match index(host, "modules.dep") {
        None => Availability::Unknown,
        Some(text) if lists(&text, module) => Availability::Installed,
        Some(_) => Availability::Missing,
    }
}

/// Whether `module`, in its underscore spelling, is in the kernel: loaded, or built in.
pub fn is_present(host: &Host, module: &str) -> bool {
    host.sysfs().exists(format!("module/{module}")) || is_built_in(host, module)
}

/// Whether `module` is part of the kernel itself, which no file of modprobe can then configure.
pub fn is_built_in(host: &Host, module: &str) -> bool {
    index(host, "modules.builtin").is_some_and(|text| lists(&text, module))
}

/// The types that `link add` takes: what the modules say they are with the alias
/// `rdma-link-TYPE` (`MODULE_ALIAS_RDMA_LINK`, `rdma/rdma_netlink.h`).
pub fn link_types(host: &Host) -> Vec<String> {
    let text = index(host, "modules.alias").unwrap_or_default();
    let aliases = text.lines().filter_map(|line| {
        let kind = line.strip_prefix("alias rdma-link-")?;
        kind.split_whitespace().next()
    });
    let mut types: Vec<String> = aliases.map(str::to_owned).collect();
    types.sort();
    types.dedup();
    types
}

/// Whether udev runs, which loads the modules of new devices, a while after they came.
pub fn are_loaded_on_demand(host: &Host) -> bool {
    host.path("/run/udev/control").symlink_metadata().is_ok()
}

fn index(host: &Host, name: &str) -> Option<String> {
    let release = release(host).filter(|release| !release.contains('/'))?;
    ["/lib/modules", "/usr/lib/modules"]
        .iter()
        .find_map(|root| {
            let path = host.path(root).join(&release).join(name);
            let text = file::read(&path, MAX_INDEX).ok()??;
            Some(String::from_utf8_lossy(&text).into_owned())
        })
}

/// A line begins with the file: `kernel/drivers/infiniband/core/ib_core.ko.xz: ...`.
fn lists(index: &str, module: &str) -> bool {
    index.lines().any(|line| {
        let path = line.split(':').next().unwrap_or_default();
        let file = path.rsplit('/').next().unwrap_or_default();
        let name = file.split_once(".ko").map(|(name, _)| name);
        name.is_some_and(|name| name.replace('-', "_") == module)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;

    #[test]
    fn installed_present_missing_unknown() {
        let bare = Machine::new();
        assert_eq!(availability(&bare.host(), "ib_core"), Availability::Unknown);
        let machine = Machine::new()
            .file("proc/sys/kernel/osrelease", "6.1.0\n")
            .file("sys/module/rdma_cm/uevent", "")
            .file(
                "lib/modules/6.1.0/modules.dep",
                "kernel/drivers/infiniband/core/ib_core.ko.xz: kernel/x/not_me.ko\nkernel/x/rdma-rxe.ko:\n",
            )
            .file("lib/modules/6.1.0/modules.builtin", "kernel/x/ib_umad.ko\n")
            .file(
                "lib/modules/6.1.0/modules.alias",
                "alias rdma-link-siw siw\nalias pci:v1 mlx5\nalias rdma-link-rxe rdma_rxe\n",
            );
        let host = machine.host();
        for (module, expected) in [
            ("ib_core", Availability::Installed),
            ("rdma_rxe", Availability::Installed),
            ("rdma_cm", Availability::Present),
            ("ib_umad", Availability::Present),
            ("not_me", Availability::Missing),
        ] {
            assert_eq!(availability(&host, module), expected, "{module}");
        }
        assert!(is_built_in(&host, "ib_umad") && !is_built_in(&host, "ib_core"));
        assert_eq!(link_types(&host), ["rxe", "siw"]);
        assert_eq!(release(&host).unwrap(), "6.1.0");
    }
}
