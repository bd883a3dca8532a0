//! Whereabouts: which network namespace a device, or an interface, lives in.

use super::away;
use super::device;
use super::error::RdmaError;
use super::system;
use crate::kernel::namespaces::{self, Depth};
use crate::kernel::{Conn, FileError, Host, Namespace, NetnsError, Survey, Sysfs, interfaces};
use crate::types::{Guid, NetnsMode};
use crate::wire::nldev::device::Device;

/// What a device is looked for by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// Its name.
    Name(&'a str),
    /// Its RDMA index.
    Index(u32),
    /// Its node GUID.
    Guid(Guid),
}

impl Wanted<'_> {
    fn is(self, device: &Device) -> bool {
        match self {
            Self::Name(name) => device.name == name,
            Self::Index(index) => device.index == index,
            Self::Guid(guid) => device.node_guid == Some(guid),
        }
    }
}

/// A device, and the namespace it was seen in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// Where.
    pub namespace: Namespace,
    /// What.
    pub device: Device,
}

/// Why a namespace could not be looked into.
#[derive(Debug, thiserror::Error)]
pub enum Unseen {
    /// It could not be opened or entered.
    #[error(transparent)]
    Netns(#[from] NetnsError),
    /// Its devices could not be listed.
    #[error(transparent)]
    Rdma(#[from] RdmaError),
}

/// What a search found.
#[derive(Debug, Default)]
pub struct Search {
    /// In the caller's namespace.
    pub here: Vec<Device>,
    /// In the others.
    pub elsewhere: Vec<Sighting>,
    /// Namespaces that could not be looked into, and why.
    pub unseen: Vec<(Namespace, Unseen)>,
    /// Processes that the caller may not look at; their namespaces may be missing.
    pub hidden: usize,
}

/// Looks for a device in the namespace of `conn`, which must be the calling thread's, and in every
/// other one that can be found. In shared mode the first shows all there is.
///
/// # Errors
/// [`RdmaError::Netlink`] in the caller's namespace; failures in others are part of the result.
pub fn search(host: &Host, conn: &mut Conn, wanted: Wanted<'_>) -> Result<Search, RdmaError> {
    let mut search = Search {
        here: matching(device::list(conn)?, wanted),
        ..Search::default()
    };
    // Kernels too old to tell have the shared mode only.
    match system::get(conn) {
        Ok(system) if system.netns_mode() == Some(NetnsMode::Exclusive) => {}
        Ok(_) | Err(RdmaError::TooOld { .. }) => return Ok(search),
        Err(error) => return Err(error),
    }
    let Ok(survey) = namespaces::survey(host, Depth::Processes) else {
        return Ok(search);
    };
    search.hidden = survey.hidden;
    for namespace in survey.namespaces {
        if namespace.is_current {
            continue;
        }
        match list_in(host, &namespace) {
            Ok(devices) => search
                .elsewhere
                .extend(
                    matching(devices, wanted)
                        .into_iter()
                        .map(|device| Sighting {
                            namespace: namespace.clone(),
                            device,
                        }),
                ),
            Err(error) => search.unseen.push((namespace, error)),
        }
    }
    Ok(search)
}

/// The namespaces to look into for everything there is. Those that nothing but an open file or a
/// thread keeps are looked for when devices are away from the namespace of `sysfs`: that costs a
/// system call for every thread and file on the machine.
///
/// # Errors
/// [`FileError`] when `/proc` cannot be listed.
pub fn everywhere(host: &Host, sysfs: &Sysfs) -> Result<Survey, FileError> {
    let depth = match away::list(sysfs) {
        Ok(away) if away.is_empty() => Depth::Processes,
        _ => Depth::Files,
    };
    namespaces::survey(host, depth)
}

/// The namespaces other than the caller's that have an interface of this name; those that cannot
/// be looked into are left out.
pub fn interface(host: &Host, name: &str) -> Vec<Namespace> {
    let has_it = |namespace: &Namespace| {
        let inside = namespace
            .open(host)
            .and_then(|netns| netns.within(|| interfaces::list(host)));
        inside.is_ok_and(|names| names.iter().any(|each| each == name))
    };
    let all = namespaces::list(host).unwrap_or_default().into_iter();
    all.filter(|namespace| !namespace.is_current && has_it(namespace))
        .collect()
}

fn list_in(host: &Host, namespace: &Namespace) -> Result<Vec<Device>, Unseen> {
    let devices = namespace.open(host)?.within(|| {
        let mut conn = host.rdma()?;
        device::list(&mut conn)
    })?;
    Ok(devices?)
}

fn matching(devices: Vec<Device>, wanted: Wanted<'_>) -> Vec<Device> {
    let devices = devices.into_iter();
    devices.filter(|device| wanted.is(device)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::{Kernel, Machine, nldev};

    fn found(kernel: Kernel, machine: &Machine, wanted: Wanted<'_>) -> Search {
        let host = machine.host_with(kernel);
        let mut conn = host.rdma().unwrap();
        search(&host, &mut conn, wanted).unwrap()
    }

    #[test]
    fn shared_mode_shows_all_there_is() {
        let machine = Machine::new().process(9, "net:[200]", "sleep", "0::/");
        let search = found(nldev(1, &["mlx5_0"]), &machine, Wanted::Name("mlx5_0"));
        assert_eq!((search.here.len(), search.unseen.len()), (1, 0));
    }

    #[test]
    fn what_cannot_be_entered_is_reported_not_fatal() {
        let machine = Machine::new()
            .link("proc/thread-self/ns/net", "net:[100]")
            .process(1, "net:[100]", "systemd", "0::/")
            .process(9, "net:[200]", "sleep", "0::/");
        let search = found(nldev(0, &["mlx5_0", "b"]), &machine, Wanted::Index(1));
        assert_eq!(search.here[0].name, "b");
        assert!(search.elsewhere.is_empty());
        let [(namespace, Unseen::Netns(_))] = &search.unseen[..] else {
            panic!("{search:?}");
        };
        assert_eq!(namespace.processes[0].pid, 9);
        let guid = Wanted::Guid(Guid::new(7));
        assert!(found(nldev(1, &["a"]), &machine, guid).here.is_empty());
    }
}
