//! `Watch`: wakes at anything that may concern RDMA, looks at what there is, tells what differs.
//!
//! The kernel announces no move, no port state and no mode, and before 6.12 nothing at all. So its
//! announcements, uevents and those of interfaces only say when to look.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use super::scene::{Change, Scene, What, changes, present};
use crate::kernel::namespaces::{Depth, survey};
use crate::kernel::netns::NetnsId;
use crate::kernel::{Events, Host, NetlinkError, Netns, Protocol};
use crate::rdma::RdmaError;
use crate::rdma::system;
use crate::types::NetnsMode;

/// Bursts are looked at once: the last of them, and a little after.
const SETTLE: Duration = Duration::from_millis(20);

/// A look without any sign, for what gives none: another namespace's end, the mode.
const PATROL: Duration = Duration::from_secs(2);

const SOURCES: [Protocol; 3] = [
    Protocol::RdmaEvents,
    Protocol::LinkEvents,
    Protocol::Uevents,
];

enum Sign {
    Look,
    Lost,
}

/// A watch over the caller's namespace, or over all of them.
pub struct Watch<'a> {
    host: &'a Host,
    all_netns: bool,
    scene: Scene,
    heard: BTreeSet<NetnsId>,
    signs: Receiver<Sign>,
    tell: Sender<Sign>,
}

impl<'a> Watch<'a> {
    /// Begins; what is there now comes first.
    ///
    /// # Errors
    /// [`RdmaError`].
    pub fn begin(host: &'a Host, all_netns: bool) -> Result<(Self, Vec<Change>), RdmaError> {
        let (tell, signs) = channel();
        let mut watch = Self {
            host,
            all_netns,
            scene: Scene::default(),
            heard: BTreeSet::new(),
            signs,
            tell,
        };
        // Listening begins before the first look: nothing falls between.
        watch.scene = watch.look()?;
        let there = present(&watch.scene);
        Ok((watch, there))
    }

    /// Waits until something changed.
    ///
    /// # Errors
    /// [`RdmaError`].
    pub fn changed(&mut self) -> Result<Vec<Change>, RdmaError> {
        loop {
            let mut lost = match self.signs.recv_timeout(PATROL) {
                Ok(sign) => matches!(sign, Sign::Lost),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => false,
            };
            while let Ok(sign) = self.signs.recv_timeout(SETTLE) {
                lost |= matches!(sign, Sign::Lost);
            }
            let now = self.look()?;
            let mut found = changes(&self.scene, &now);
            self.scene = now;
            if lost {
                found.insert(0, resync());
            }
            if !found.is_empty() {
                return Ok(found);
            }
        }
    }

    fn look(&mut self) -> Result<Scene, RdmaError> {
        let mut conn = self.host.rdma()?;
        let mode = match system::get(&mut conn) {
            Ok(system) => system.netns_mode(),
            Err(RdmaError::TooOld { .. }) => None,
            Err(error) => return Err(error),
        };
        let mut scene = Scene {
            mode,
            ..Scene::default()
        };
        let here = Netns::current(self.host).ok();
        let mut names = Vec::new();
        if self.all_netns && mode == Some(NetnsMode::Exclusive) {
            let survey = survey(self.host, Depth::Processes).unwrap_or_default();
            names = survey.namespaces;
        }
        let own = names.iter().find(|namespace| namespace.is_current);
        let label = own.map_or_else(String::new, |namespace| namespace.word());
        if let Some(here) = &here {
            self.listen(here.id(), open);
        }
        scene.add(&mut conn, &label)?;
        for namespace in names.iter().filter(|namespace| !namespace.is_current) {
            // One that ends meanwhile has no devices any more.
            let Ok(netns) = namespace.open(self.host) else {
                continue;
            };
            self.listen(netns.id(), |host| {
                netns.within(|| open(host)).unwrap_or_default()
            });
            let host = self.host;
            let scene = &mut scene;
            let word = namespace.word();
            let _ = netns.within(|| scene.add(&mut host.rdma()?, &word));
        }
        Ok(scene)
    }

    /// A thread for each source of a namespace that is not heard yet; they end with the process.
    fn listen(&mut self, id: NetnsId, open: impl FnOnce(&Host) -> Vec<(Protocol, Events)>) {
        if !self.heard.insert(id) {
            return;
        }
        for (protocol, mut events) in open(self.host) {
            let tell = self.tell.clone();
            thread::spawn(move || {
                loop {
                    let sign = match events.wait() {
                        Ok(datagram) if concerns(protocol, datagram) => Sign::Look,
                        Ok(_) => continue,
                        Err(NetlinkError::Overrun) => Sign::Lost,
                        Err(_) => return,
                    };
                    if tell.send(sign).is_err() {
                        return;
                    }
                }
            });
        }
    }
}

/// The sources that this kernel has, in the calling thread's namespace.
fn open(host: &Host) -> Vec<(Protocol, Events)> {
    let sources = SOURCES.into_iter();
    sources
        .filter_map(|protocol| Some((protocol, host.events(protocol).ok()?)))
        .collect()
}

/// Of all uevents only those about RDMA; `ACTION@PATH`, then `KEY=VALUE`, each with a NUL.
fn concerns(protocol: Protocol, datagram: &[u8]) -> bool {
    const WORD: &[u8] = b"infiniband";
    protocol != Protocol::Uevents || datagram.windows(WORD.len()).any(|part| part == WORD)
}

fn resync() -> Change {
    Change {
        what: What::Resync,
        index: None,
        name: String::new(),
        netns: String::new(),
        port: None,
        from: None,
        to: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_uevents_only_those_about_rdma() {
        let rdma = b"add@/devices/pci0000:00/infiniband/mlx5_0\0ACTION=add\0SUBSYSTEM=infiniband\0";
        assert!(concerns(Protocol::Uevents, rdma));
        assert!(!concerns(
            Protocol::Uevents,
            b"add@/devices/virtual/block/loop0\0ACTION=add\0"
        ));
        assert!(concerns(Protocol::LinkEvents, b""));
    }
}
