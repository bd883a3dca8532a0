//! Waiting until functions have their driver, RDMA device and netdev; uevents say when to look.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::device::rdma_names;
use super::function::{self, folder, netdevs};
use crate::kernel::{Events, Host, NetlinkError, Protocol, Sysfs, SysfsError};
use crate::types::{DeviceId, PciAddr};

/// A look without any sign: uevents are sent to some namespaces only, and can be lost.
const PATROL: Duration = Duration::from_millis(500);

/// Bursts are looked at once, but a storm does not keep anybody from looking.
const SETTLE: Duration = Duration::from_millis(5);
const BURST: usize = 200;

/// What a function has, or is to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Equipment {
    /// A driver.
    pub driver: bool,
    /// An RDMA device, in the namespace that sysfs shows.
    pub rdma: bool,
    /// A network interface, in the namespace that sysfs shows.
    pub netdev: bool,
}

impl Equipment {
    /// What a function has now.
    ///
    /// # Errors
    /// [`SysfsError`]; a function that is not there has nothing.
    pub fn of(sysfs: &Sysfs, address: PciAddr) -> Result<Self, SysfsError> {
        let driver = sysfs.link_name(folder(address).join("driver"));
        Ok(Self {
            driver: function::if_there(driver)?.is_some(),
            rdma: !rdma_names(sysfs, &DeviceId::Pci(address))?.is_empty(),
            netdev: !netdevs(sysfs, address)?.is_empty(),
        })
    }

    /// What of this is not in `there`.
    pub fn without(self, there: Self) -> Self {
        Self {
            driver: self.driver && !there.driver,
            rdma: self.rdma && !there.rdma,
            netdev: self.netdev && !there.netdev,
        }
    }

    /// Whether it is nothing at all.
    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

/// A function that did not get what it should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lack {
    /// The function.
    pub address: PciAddr,
    /// What is missing.
    pub missing: Equipment,
}

/// Ears that were opened before the change, so that nothing falls between.
///
/// Most waits end at the first look, and need no thread to listen.
pub enum Ears {
    /// Nobody listens yet; what comes is kept. Without, looking at intervals has to do.
    Open(Option<Events>),
    /// A thread listens.
    Listening(Receiver<()>),
}

impl Ears {
    /// Begins to listen.
    pub fn open(host: &Host) -> Self {
        Self::Open(host.events(Protocol::Uevents).ok())
    }

    /// Waits until every function has what it is wanted to have; says which do not in time.
    ///
    /// # Errors
    /// [`SysfsError`].
    pub fn wait(
        &mut self,
        sysfs: &Sysfs,
        wanted: &[(PciAddr, Equipment)],
        deadline: Instant,
    ) -> Result<Vec<Lack>, SysfsError> {
        let mut pending = wanted.to_vec();
        loop {
            let mut lacks = Vec::new();
            for (address, wanted) in &pending {
                let missing = wanted.without(Equipment::of(sysfs, *address)?);
                if !missing.is_nothing() {
                    lacks.push(Lack {
                        address: *address,
                        missing,
                    });
                }
            }
            pending.retain(|(address, _)| lacks.iter().any(|lack| lack.address == *address));
            let left = deadline.saturating_duration_since(Instant::now());
            if lacks.is_empty() || left.is_zero() {
                return Ok(lacks);
            }
            self.rest(left.min(PATROL));
        }
    }

    /// Waits for the next sign, or this long.
    pub fn rest(&mut self, limit: Duration) {
        if let Self::Open(events) = self {
            *self = Self::Listening(listen(events.take()));
        }
        let Self::Listening(signs) = self else { return };
        match signs.recv_timeout(limit) {
            Ok(()) => drop((0..BURST).find(|_| signs.recv_timeout(SETTLE).is_err())),
            Err(RecvTimeoutError::Timeout) => {}
            // Nobody listens any more.
            Err(RecvTimeoutError::Disconnected) => thread::sleep(limit.min(SETTLE * 4)),
        }
    }
}

/// The thread ends with the first sign that nobody wants, or with the process.
fn listen(events: Option<Events>) -> Receiver<()> {
    let (tell, signs) = channel();
    if let Some(mut events) = events {
        thread::spawn(move || {
            loop {
                match events.wait() {
                    Ok(datagram) if !concerns(datagram) => continue,
                    Ok(_) | Err(NetlinkError::Overrun) => {}
                    Err(_) => return,
                }
                if tell.send(()).is_err() {
                    return;
                }
            }
        });
    }
    signs
}

/// Of all uevents those about functions, their RDMA devices and their interfaces.
fn concerns(datagram: &[u8]) -> bool {
    const KINDS: [&[u8]; 3] = [b"SUBSYSTEM=pci", b"SUBSYSTEM=infiniband", b"SUBSYSTEM=net"];
    let mut lines = datagram.split(|byte| *byte == 0);
    lines.any(|line| KINDS.iter().any(|kind| line.starts_with(kind)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;
    use crate::kernel::{Datagrams, Host};
    use std::io;

    const VF: &str = "sys/bus/pci/devices/0000:01:10.0";
    const WANTED: Equipment = Equipment {
        driver: true,
        rdma: true,
        netdev: true,
    };

    fn vf() -> PciAddr {
        "0000:01:10.0".parse().unwrap()
    }

    fn driven() -> Machine {
        Machine::new()
            .link(&format!("{VF}/driver"), "../../drivers/mlx5_core")
            .file(&format!("{VF}/infiniband/mlx5_2/x"), "")
    }

    #[test]
    fn what_is_there_is_not_waited_for() {
        let machine = driven().file(&format!("{VF}/net/ib3/x"), "");
        let host = machine.host();
        let past = Instant::now();
        let lacking = Ears::open(&host).wait(host.sysfs(), &[(vf(), WANTED)], past);
        assert!(lacking.unwrap().is_empty());
    }

    #[test]
    fn what_never_comes_is_named() {
        let machine = driven();
        let host = machine.host();
        let soon = Instant::now() + Duration::from_millis(50);
        let other: PciAddr = "0000:01:10.2".parse().unwrap();
        let wanted = [(vf(), WANTED), (other, Equipment::default())];
        let lacking = Ears::open(&host).wait(host.sysfs(), &wanted, soon).unwrap();
        assert!(Instant::now() >= soon);
        let missing = Equipment {
            netdev: true,
            ..Equipment::default()
        };
        let address = vf();
        assert_eq!(lacking, [Lack { address, missing }]);
    }

    /// A kernel that makes the netdev and then says so, once.
    struct Announcer(std::path::PathBuf, bool);

    impl Datagrams for Announcer {
        fn send(&mut self, _: &[u8]) -> io::Result<()> {
            Ok(())
        }

        fn receive(&mut self, into: &mut Vec<u8>) -> io::Result<()> {
            if std::mem::replace(&mut self.1, true) {
                thread::sleep(Duration::from_secs(3600));
            }
            std::fs::create_dir_all(self.0.join("net/ib3"))?;
            *into = b"add@/devices/x\0ACTION=add\0SUBSYSTEM=net\0".to_vec();
            Ok(())
        }
    }

    /// How long a wait takes that a sign ends.
    fn waited() -> Duration {
        let machine = driven();
        let folder = machine.path(VF);
        let open = move |_| {
            let announcer: Box<dyn Datagrams> = Box::new(Announcer(folder.clone(), false));
            Ok(announcer)
        };
        let host = Host::new(&machine.path(""), Box::new(open));
        let begun = Instant::now();
        let limit = begun + Duration::from_secs(60);
        let lacking = Ears::open(&host).wait(host.sysfs(), &[(vf(), WANTED)], limit);
        assert!(lacking.unwrap().is_empty());
        begun.elapsed()
    }

    #[test]
    fn a_sign_ends_the_wait() {
        // Without signs no wait is shorter; with them one may be longer on a busy machine.
        assert!((0..10).any(|_| waited() < PATROL));
    }

    #[test]
    fn only_some_uevents_matter() {
        assert!(concerns(b"bind@/x\0ACTION=bind\0SUBSYSTEM=pci\0"));
        assert!(!concerns(b"add@/x\0ACTION=add\0SUBSYSTEM=block\0"));
        assert!(!concerns(b""));
    }
}
