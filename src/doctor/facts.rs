//! `Facts`: what the checks read of the host, each thing once, and what could not be read.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeSet;

use super::adapter::{self, Adapter, Seat};
use super::chain_file::{self, ChainFile};
use super::cni_folders::{self, CniFolders};
use crate::kernel::modules;
use crate::kernel::namespaces::{self, Depth};
use crate::kernel::netns_sysfs::NetnsSysfs;
use crate::kernel::{FileError, Host, Namespace, NetlinkError, Survey, SysfsError};
use crate::rdma::boot::{self, BootSettings};
use crate::rdma::{RdmaError, device, link, system};
use crate::types::{DeviceId, NetnsMode};
use crate::wire::nldev::device::Device;
use crate::wire::nldev::port::Port;
use crate::wire::nldev::system::System;

/// The host as the checks see it. What is looked up is kept: all of them judge one state.
pub struct Facts<'a> {
    /// The machine.
    pub host: &'a Host,
    release: OnceCell<Option<Release>>,
    boot: OnceCell<BootSettings>,
    rdma: OnceCell<Rdma>,
    survey: OnceCell<Survey>,
    away: OnceCell<Vec<Away>>,
    seats: OnceCell<Vec<Seat>>,
    adapters: OnceCell<Vec<Adapter>>,
    folders: OnceCell<CniFolders>,
    chains: OnceCell<Vec<ChainFile>>,
    gaps: RefCell<BTreeSet<Gap>>,
}

/// Something that could not be looked at, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// The file, or what was asked.
    pub place: String,
    /// Why.
    pub why: String,
}

/// The release of the running kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// As `uname -r` prints it.
    pub text: String,
    /// The first two numbers of it.
    pub version: (u32, u32),
}

/// What the RDMA subsystem tells the caller's namespace.
#[derive(Debug, Default)]
pub struct Rdma {
    /// Its settings.
    pub system: System,
    /// The devices.
    pub devices: Vec<Device>,
    /// Their ports.
    pub ports: Vec<Port>,
}

/// A device in another namespace than the caller's.
#[derive(Debug, Clone)]
pub struct Away {
    /// Where it is.
    pub namespace: Namespace,
    /// What it is.
    pub device: Device,
    /// What it sits on, if that namespace's sysfs could be had.
    pub id: Option<DeviceId>,
}

impl<'a> Facts<'a> {
    /// Nothing is read yet.
    pub fn of(host: &'a Host) -> Self {
        Self {
            host,
            release: OnceCell::new(),
            boot: OnceCell::new(),
            rdma: OnceCell::new(),
            survey: OnceCell::new(),
            away: OnceCell::new(),
            seats: OnceCell::new(),
            adapters: OnceCell::new(),
            folders: OnceCell::new(),
            chains: OnceCell::new(),
            gaps: RefCell::default(),
        }
    }

    /// The running kernel.
    pub fn release(&self) -> Option<&Release> {
        let read = || {
            let release = modules::release(self.host).as_deref().and_then(parse);
            if release.is_none() {
                self.gap("/proc/sys/kernel/osrelease", "no version can be read there");
            }
            release
        };
        self.release.get_or_init(read).as_ref()
    }

    /// The namespace mode, now and after a boot.
    pub fn boot(&self) -> &BootSettings {
        self.boot.get_or_init(|| boot::settings(self.host))
    }

    /// What the RDMA subsystem tells; nothing while ib_core is not there, for opening the socket
    /// would have the kernel load it.
    pub fn rdma(&self) -> &Rdma {
        self.rdma.get_or_init(|| match self.is_loaded("ib_core") {
            true => self.ask(),
            false => Rdma::default(),
        })
    }

    fn ask(&self) -> Rdma {
        let mut rdma = Rdma::default();
        let mut conn = match self.host.rdma() {
            Ok(conn) => conn,
            Err(error) => {
                self.netlink_gap("rdma dev show", &error);
                return rdma;
            }
        };
        let missed = |what: &str, error: RdmaError| self.gap(what, error.to_string());
        match system::get(&mut conn) {
            Ok(system) => rdma.system = system,
            Err(error) => missed("rdma system show", error),
        }
        match device::list(&mut conn) {
            Ok(devices) => rdma.devices = devices,
            Err(error) => missed("rdma dev show", error),
        }
        match link::ports(&mut conn, None) {
            Ok(ports) => rdma.ports = ports,
            Err(error) => missed("rdma link show", error),
        }
        rdma
    }

    /// The namespace mode that runs.
    pub fn mode(&self) -> Option<NetnsMode> {
        self.boot()
            .running
            .or_else(|| self.rdma().system.netns_mode())
    }

    /// Whether a module is in the kernel.
    pub fn is_loaded(&self, module: &str) -> bool {
        modules::is_present(self.host, module)
    }

    /// The network namespaces that have a name or a process.
    pub fn survey(&self) -> &Survey {
        self.survey.get_or_init(|| {
            let survey = self.file(namespaces::survey(self.host, Depth::Processes));
            if survey.hidden > 0 {
                let why = format!("processes that cannot be looked at: {}", survey.hidden);
                self.gap("/proc/PID/ns/net", why);
            }
            survey
        })
    }

    /// The devices in other namespaces; in shared mode there are none.
    pub fn away(&self) -> &[Away] {
        self.away.get_or_init(|| {
            let mut away = Vec::new();
            if self.mode() != Some(NetnsMode::Exclusive) || !self.is_loaded("ib_core") {
                return away;
            }
            let mut closed = 0;
            for namespace in &self.survey().namespaces {
                if namespace.is_current {
                    continue;
                }
                match inside(self.host, namespace) {
                    Some(found) => away.extend(found),
                    None => closed += 1,
                }
            }
            if closed > 0 {
                let why = format!("network namespaces that cannot be entered: {closed}");
                self.gap("rdma dev show", why);
            }
            away
        })
    }

    /// Every PCI function with a driver that has to do with RDMA or networks, or is a VF.
    pub fn seats(&self) -> &[Seat] {
        self.seats.get_or_init(|| adapter::seats(self))
    }

    /// The PFs of adapters.
    pub fn adapters(&self) -> &[Adapter] {
        self.adapters.get_or_init(|| adapter::list(self))
    }

    /// Where CNI plugins and their configurations lie.
    pub fn cni_folders(&self) -> &CniFolders {
        self.folders.get_or_init(|| cni_folders::find(self))
    }

    /// The configurations of CNI.
    pub fn chains(&self) -> &[ChainFile] {
        self.chains.get_or_init(|| chain_file::list(self))
    }

    /// The device with this name in sysfs.
    pub fn device(&self, name: &str) -> Option<&Device> {
        // The kernel writes `!` for `/` in file names (kobject_set_name_vargs).
        let mut devices = self.rdma().devices.iter();
        devices.find(|device| device.name.replace('/', "!") == name)
    }

    /// Notes that something could not be looked at.
    pub fn gap(&self, place: impl Into<String>, why: impl Into<String>) {
        self.gaps.borrow_mut().insert(Gap {
            place: place.into(),
            why: why.into(),
        });
    }

    /// What was read in sysfs, or nothing and a gap.
    pub fn sysfs<T: Default>(&self, read: Result<T, SysfsError>) -> T {
        read.unwrap_or_else(|error| {
            let place = format!("/sys/{}", error.path.display());
            self.gap(place, error.errno.desc());
            T::default()
        })
    }

    /// What was read of a file, or nothing and a gap.
    pub fn file<T: Default>(&self, read: Result<T, FileError>) -> T {
        read.unwrap_or_else(|error| {
            self.gap(error.path.display().to_string(), error.source.to_string());
            T::default()
        })
    }

    /// Notes that the kernel could not be asked.
    pub fn netlink_gap(&self, what: &str, error: &NetlinkError) {
        self.gap(what, error.to_string());
    }

    /// What could not be looked at so far.
    pub fn gaps(&self) -> Vec<Gap> {
        self.gaps.borrow().iter().cloned().collect()
    }
}

#[cfg(test)]
impl Facts<'_> {
    /// Devices of other namespaces, which no fake machine has.
    pub fn set_away(&self, away: Vec<Away>) {
        assert!(self.away.set(away).is_ok());
    }
}

/// The devices of a namespace; `None` when it cannot be entered.
fn inside(host: &Host, namespace: &Namespace) -> Option<Vec<Away>> {
    let netns = namespace.open(host).ok()?;
    let devices = netns
        .within(|| device::list(&mut host.rdma()?))
        .ok()?
        .ok()?;
    if devices.is_empty() {
        return Some(Vec::new());
    }
    let sysfs = NetnsSysfs::of(&netns).ok().and_then(Result::ok);
    let id = |device: &Device| {
        let name = device.name.replace('/', "!");
        let path = format!("class/infiniband/{name}/device");
        sysfs.as_ref()?.tree().link_name(path).ok()?.parse().ok()
    };
    let found = devices.into_iter().map(|device| Away {
        namespace: namespace.clone(),
        id: id(&device),
        device,
    });
    Some(found.collect())
}

/// `6.12.95+deb13-amd64`, `7.3-rc1`.
fn parse(text: &str) -> Option<Release> {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit());
    let mut number = || numbers.next()?.parse().ok();
    Some(Release {
        version: (number()?, number()?),
        text: text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases() {
        for (text, version) in [
            ("6.12.95+deb13-amd64", Some((6, 12))),
            ("7.3-rc1", Some((7, 3))),
            ("5.6", Some((5, 6))),
            ("6", None),
            ("", None),
            ("99999999999.1", None),
        ] {
            assert_eq!(
                parse(text).map(|release| release.version),
                version,
                "{text}"
            );
        }
    }
}
