//! `Attempts`: what was set, and in which boot, so that no card has a machine restart for ever.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::FirmwareError;
use super::outcome::Outcome;
use crate::kernel::Host;
use crate::kernel::state::{Folder, boot_id};
use crate::types::PciAddr;

/// Survives a restart, which is what it is about.
const FOLDER: &str = "/var/lib/rdmactl";
const NAME: &str = "firmware.json";

/// A setting that was changed and waits for a reset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Attempt {
    /// What it was set to.
    to: u64,
    /// The boot in which it was set first, where that could be told.
    #[serde(default)]
    boot_id: Option<String>,
    /// The tool says that a restart will not do.
    #[serde(default)]
    power_cycle: bool,
    /// How many restarts have not brought it.
    #[serde(default)]
    restarts: u32,
    /// The last boot in which it was seen pending.
    #[serde(default)]
    seen: Option<String>,
}

/// By card, then by setting.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts(BTreeMap<String, BTreeMap<String, Attempt>>);

/// What a pending setting waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitsFor {
    /// A restart of the machine.
    Reboot,
    /// The machine was restarted so many times, or a restart will not do: its power has to go.
    PowerCycle {
        /// How many restarts have not brought it.
        restarts: u32,
    },
}

impl Attempts {
    /// What is on record. A file that is none, or of another shape, is as good as none: what it
    /// protects from is asking for one restart too many.
    ///
    /// # Errors
    /// [`FirmwareError::File`] when there is a file and it cannot be read.
    pub fn read(host: &Host) -> Result<Self, FirmwareError> {
        let bytes = Folder::new(host, FOLDER).read(NAME)?.unwrap_or_default();
        Ok(serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// Records a change before it is made.
    ///
    /// # Errors
    /// [`FirmwareError::File`]; nothing must be changed then.
    pub fn begin(
        &mut self,
        host: &Host,
        card: PciAddr,
        changes: &[(&str, u64)],
    ) -> Result<(), FirmwareError> {
        let boot = boot_id(host)?;
        let settings = self.0.entry(card.to_string()).or_default();
        for (key, to) in changes {
            // Set again to the same: the first time counts.
            if settings.get(*key).is_none_or(|attempt| attempt.to != *to) {
                settings.insert(
                    (*key).to_owned(),
                    Attempt {
                        to: *to,
                        boot_id: boot.clone(),
                        power_cycle: false,
                        restarts: 0,
                        seen: boot.clone(),
                    },
                );
            }
        }
        self.write(host)
    }

    /// Records what the tool said afterwards.
    ///
    /// # Errors
    /// [`FirmwareError::File`].
    pub fn end(
        &mut self,
        host: &Host,
        card: PciAddr,
        outcome: Outcome,
    ) -> Result<(), FirmwareError> {
        if outcome == Outcome::PowerCycle {
            let settings = self.0.entry(card.to_string()).or_default();
            settings
                .values_mut()
                .for_each(|attempt| attempt.power_cycle = true);
        }
        self.write(host)
    }

    /// The settings of a card that are on record.
    pub fn of(&self, card: PciAddr) -> Vec<String> {
        let settings = self.0.get(&card.to_string());
        settings
            .into_iter()
            .flat_map(|each| each.keys().cloned())
            .collect()
    }

    /// Counts the restart that has not brought a pending setting; one that somebody else made goes on record, so that
    /// it, too, has the machine restart once.
    ///
    /// # Errors
    /// [`FirmwareError::File`].
    pub fn note(
        &mut self,
        host: &Host,
        card: PciAddr,
        pending: &[(&str, u64)],
    ) -> Result<(), FirmwareError> {
        let boot = boot_id(host)?;
        let before = self.0.get(&card.to_string()).cloned();
        let settings = self.0.entry(card.to_string()).or_default();
        for (key, to) in pending {
            let known = settings.get_mut(*key).filter(|attempt| attempt.to == *to);
            match known {
                Some(attempt) if attempt.seen == boot || boot.is_none() => {}
                Some(attempt) => {
                    let earlier = attempt.seen.is_some() || attempt.boot_id.is_some();
                    attempt.restarts = attempt.restarts.saturating_add(u32::from(earlier));
                    attempt.seen.clone_from(&boot);
                }
                None => {
                    let attempt = Attempt {
                        to: *to,
                        boot_id: boot.clone(),
                        power_cycle: false,
                        restarts: 0,
                        seen: boot.clone(),
                    };
                    settings.insert((*key).to_owned(), attempt);
                }
            }
        }
        if before.unwrap_or_default() == *settings {
            self.0.retain(|_, settings| !settings.is_empty());
            return Ok(());
        }
        self.write(host)
    }

    /// Forgets settings that have taken effect.
    ///
    /// # Errors
    /// [`FirmwareError::File`].
    pub fn settle(
        &mut self,
        host: &Host,
        card: PciAddr,
        keys: &[&str],
    ) -> Result<(), FirmwareError> {
        let name = card.to_string();
        let Some(settings) = self.0.get_mut(&name) else {
            return Ok(());
        };
        let before = settings.len();
        settings.retain(|key, _| !keys.contains(&key.as_str()));
        if settings.len() == before {
            return Ok(());
        }
        if settings.is_empty() {
            self.0.remove(&name);
        }
        self.write(host)
    }

    /// What a setting waits for that is pending with this value. Set in an earlier boot and still
    /// pending, it has not come with a restart, and will not with the next.
    pub fn waits_for(&self, card: PciAddr, key: &str, to: u64, boot: Option<&str>) -> WaitsFor {
        let settings = self.0.get(&card.to_string());
        let attempt = settings.and_then(|settings| settings.get(key));
        let was_restarted = |attempt: &Attempt| match (&attempt.boot_id, boot) {
            (Some(then), Some(now)) => then != now,
            _ => false,
        };
        match attempt.filter(|attempt| attempt.to == to) {
            Some(attempt) if was_restarted(attempt) => {
                let is_counted = attempt.seen.as_deref() == boot;
                let restarts = attempt.restarts.saturating_add(u32::from(!is_counted));
                WaitsFor::PowerCycle { restarts }
            }
            Some(attempt) if attempt.power_cycle => WaitsFor::PowerCycle {
                restarts: attempt.restarts,
            },
            _ => WaitsFor::Reboot,
        }
    }

    fn write(&self, host: &Host) -> Result<(), FirmwareError> {
        let folder = Folder::new(host, FOLDER);
        if self.0.is_empty() {
            return Ok(folder.remove(NAME)?);
        }
        // A map of texts and numbers always is a document.
        let bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        Ok(folder.replace(NAME, &bytes)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;

    const CARD: &str = "0000:3b:00.0";
    const BOOT: &str = "proc/sys/kernel/random/boot_id";

    #[test]
    fn one_restart_is_asked_for_and_no_second() {
        let card = CARD.parse().unwrap();
        let machine = Machine::new().file(BOOT, "first\n");
        let host = machine.host();
        let mut attempts = Attempts::read(&host).unwrap();
        let waits = |attempts: &Attempts, boot| attempts.waits_for(card, "NUM_OF_VFS", 16, boot);
        // Somebody else has set it: one restart is due.
        assert_eq!(waits(&attempts, Some("first")), WaitsFor::Reboot);
        attempts.begin(&host, card, &[("NUM_OF_VFS", 16)]).unwrap();
        attempts.end(&host, card, Outcome::Reboot).unwrap();
        assert_eq!(waits(&attempts, Some("first")), WaitsFor::Reboot);
        let machine = machine.file(BOOT, "second\n");
        let host = machine.host();
        let mut attempts = Attempts::read(&host).unwrap();
        let once = WaitsFor::PowerCycle { restarts: 1 };
        assert_eq!(waits(&attempts, Some("second")), once);
        // Set again: it is still the second time.
        attempts.begin(&host, card, &[("NUM_OF_VFS", 16)]).unwrap();
        assert_eq!(waits(&attempts, Some("second")), once);
        // Counted once a boot.
        for _ in 0..2 {
            attempts.note(&host, card, &[("NUM_OF_VFS", 16)]).unwrap();
            assert_eq!(waits(&attempts, Some("second")), once);
        }
        let machine = machine.file(BOOT, "third\n");
        let host = machine.host();
        let twice = WaitsFor::PowerCycle { restarts: 2 };
        assert_eq!(waits(&attempts, Some("third")), twice);
        attempts.note(&host, card, &[("NUM_OF_VFS", 16)]).unwrap();
        let mut attempts = Attempts::read(&machine.host()).unwrap();
        assert_eq!(waits(&attempts, Some("third")), twice);
        // Another number is another matter.
        attempts.begin(&host, card, &[("NUM_OF_VFS", 32)]).unwrap();
        assert_eq!(
            attempts.waits_for(card, "NUM_OF_VFS", 32, Some("third")),
            WaitsFor::Reboot
        );
        attempts.settle(&host, card, &["NUM_OF_VFS"]).unwrap();
        assert_eq!(Attempts::read(&host).unwrap(), Attempts::default());
        assert!(!machine.path("var/lib/rdmactl/firmware.json").exists());
    }

    #[test]
    fn a_boot_that_cannot_be_told_is_no_other_one() {
        let card = CARD.parse().unwrap();
        let machine = Machine::new();
        let mut attempts = Attempts::default();
        let host = machine.host();
        attempts.begin(&host, card, &[("NUM_OF_VFS", 16)]).unwrap();
        let attempts = Attempts::read(&host).unwrap();
        for boot in [None, Some("second")] {
            let waits = attempts.waits_for(card, "NUM_OF_VFS", 16, boot);
            assert_eq!(waits, WaitsFor::Reboot);
        }
    }

    #[test]
    fn the_tool_may_say_so_at_once() {
        let card = CARD.parse().unwrap();
        let machine = Machine::new().file(BOOT, "first\n");
        let host = machine.host();
        let mut attempts = Attempts::default();
        attempts.begin(&host, card, &[("SRIOV_EN", 1)]).unwrap();
        attempts.end(&host, card, Outcome::PowerCycle).unwrap();
        let attempts = Attempts::read(&host).unwrap();
        assert_eq!(
            attempts.waits_for(card, "SRIOV_EN", 1, Some("first")),
            WaitsFor::PowerCycle { restarts: 0 }
        );
    }

    /// Somebody else has set it, and the restart does not bring it: no second one is asked for.
    #[test]
    fn what_others_set_is_noted_too() {
        let card = CARD.parse().unwrap();
        let machine = Machine::new().file(BOOT, "first\n");
        let host = machine.host();
        let mut attempts = Attempts::default();
        attempts.note(&host, card, &[]).unwrap();
        assert!(!machine.path("var/lib/rdmactl/firmware.json").exists());
        attempts.note(&host, card, &[("NUM_OF_VFS", 16)]).unwrap();
        let attempts = Attempts::read(&host).unwrap();
        let waits = |boot| attempts.waits_for(card, "NUM_OF_VFS", 16, Some(boot));
        assert_eq!(waits("first"), WaitsFor::Reboot);
        assert_eq!(waits("second"), WaitsFor::PowerCycle { restarts: 1 });
    }

    #[test]
    fn a_file_that_is_none() {
        for text in ["", "{", "[]", "{\"x\":7}", "{\"x\":{\"K\":{}}}"] {
            let machine = Machine::new().file("var/lib/rdmactl/firmware.json", text);
            assert_eq!(
                Attempts::read(&machine.host()).unwrap(),
                Attempts::default()
            );
        }
    }
}
