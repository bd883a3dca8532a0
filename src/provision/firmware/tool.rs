//! `Tool`: `mstconfig` or `mlxconfig`, which read and write the settings of a card.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use super::card::Card;
use super::error::FirmwareError;
use super::outcome::Outcome;
use super::setting::is_key;
use super::{json, table};
use crate::kernel::program::{self, Answer, Asked, Ended};
use crate::kernel::{Host, entry};
use crate::types::PciAddr;

/// mstflint's own name first: the other comes with a driver package that may be of another age.
const NAMES: [&str; 2] = ["mstconfig", "mlxconfig"];

/// Where root's programs are. A `PATH` from elsewhere is not searched for what runs as root.
const FOLDERS: &str = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin";

/// A query of all settings takes some seconds on a card that is busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// One of the tools.
pub struct Tool {
    program: PathBuf,
    name: &'static str,
    patience: Duration,
}

impl Tool {
    /// Finds one.
    ///
    /// # Errors
    /// [`FirmwareError::NoTool`].
    pub fn find(host: &Host) -> Result<Self, FirmwareError> {
        for name in NAMES {
            for folder in FOLDERS.split(':') {
                let program = host.path(&format!("{folder}/{name}"));
                let entry = entry::look(&program)?;
                if entry.is_some_and(|entry| entry.kind == entry::Kind::File && entry.is_executable)
                {
                    return Ok(Self {
                        program,
                        name,
                        patience: PATIENCE,
                    });
                }
            }
        }
        Err(FirmwareError::NoTool {
            path: FOLDERS.to_owned(),
        })
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// All settings of the card with this function. Single ones are not asked for: one that the card
    /// does not have fails the whole question.
    ///
    /// # Errors
    /// [`FirmwareError`].
    pub fn query(&self, device: PciAddr) -> Result<Card, FirmwareError> {
        if let Some(card) = self.query_json(device)? {
            return Ok(card);
        }
        let ended = self.run(&["-d", &device.to_string(), "-e", "q"])?;
        let text = String::from_utf8_lossy(&ended.stdout);
        match (ended.status.success(), table::read(&text)) {
            (true, Some(card)) => Ok(card),
            (true, None) => Err(FirmwareError::NoSettings {
                program: self.name.to_owned(),
                device,
            }),
            (false, _) => Err(self.refused(device, &ended)),
        }
    }

    /// What a tool tells that knows JSON; `None` from an older one, or one that failed. It writes to
    /// a file that it opens twice, so that a pipe will not do; one in memory does, and changes nothing.
    fn query_json(&self, device: PciAddr) -> Result<Option<Card>, FirmwareError> {
        let no_memory = |source| FirmwareError::CannotRun {
            program: self.program.clone(),
            source,
        };
        let answer = Answer::new().map_err(no_memory)?;
        let ended = self.run(&["-d", &device.to_string(), "-j", &answer.path(), "-e", "q"])?;
        if !ended.status.success() {
            return Ok(None);
        }
        Ok(json::read(&answer.read().map_err(no_memory)?))
    }

    /// Changes settings, all or none of them, and says what has to happen then.
    ///
    /// # Errors
    /// [`FirmwareError`].
    pub fn set(&self, device: PciAddr, changes: &[(&str, u64)]) -> Result<Outcome, FirmwareError> {
        let mut words = vec![
            "-d".to_owned(),
            device.to_string(),
            "-y".to_owned(),
            "set".to_owned(),
        ];
        for (key, to) in changes {
            if !is_key(key) {
                return Err(FirmwareError::NotAKey {
                    word: (*key).to_owned(),
                });
            }
            words.push(format!("{key}={to}"));
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let ended = self.run(&words)?;
        match ended.status.success() {
            true => Ok(Outcome::read(&String::from_utf8_lossy(&ended.stdout))),
            false => Err(self.refused(device, &ended)),
        }
    }

    /// The command that a person would type for it.
    pub fn command(&self, device: PciAddr, changes: &[(&str, u64)]) -> String {
        let changes: Vec<String> = changes
            .iter()
            .map(|(key, to)| format!(" {key}={to}"))
            .collect();
        format!("{} -d {device} set{}", self.name, changes.concat())
    }

    fn run(&self, words: &[&str]) -> Result<Ended, FirmwareError> {
        let words: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
        // The tools load their tables by their own place, and look for helpers in PATH.
        let env = [
            ("PATH".into(), FOLDERS.into()),
            ("LC_ALL".into(), "C".into()),
        ]
        .into();
        let program = self.program.clone();
        match program::ask(&self.program, &words, &env, self.patience) {
            Ok(Asked::Ended(ended)) => Ok(ended),
            Ok(Asked::Slow(pid)) => Err(FirmwareError::Slow {
                program,
                pid,
                limit: self.patience,
            }),
            Err(source) => Err(FirmwareError::CannotRun { program, source }),
        }
    }

    /// The tool's last complaint: `-E- ` begins one, on either stream.
    fn refused(&self, device: PciAddr, ended: &Ended) -> FirmwareError {
        let (out, err) = (
            String::from_utf8_lossy(&ended.stdout),
            String::from_utf8_lossy(&ended.stderr),
        );
        let mut lines = out.lines().chain(err.lines()).map(str::trim);
        let mut last = None;
        let complaint = lines.find_map(|line| {
            last = Some(line).filter(|line| !line.is_empty()).or(last);
            line.strip_prefix("-E- ")
        });
        let said: String = match complaint.or(last) {
            Some(line) => line.chars().filter(|c| !c.is_control()).take(400).collect(),
            None => format!("nothing, and ends with {}", ended.status),
        };
        FirmwareError::Refused {
            program: self.name.to_owned(),
            device,
            said,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;
    use crate::provision::firmware::Setting;

    const DEVICE: &str = "0000:3b:00.0";

    /// A tool that knows JSON when `json`, and answers `-e q` with the table.
    fn machine(json: bool, table: &str) -> Machine {
        let begin = match json {
            true => "if [ \"$3\" = -j ]; then cp \"${0%/*}/../../card.json\" \"$4\"; exit; fi",
            false => "if [ \"$3\" = -j ]; then echo '-E- Unknown option: -j'; exit 1; fi",
        };
        Machine::new()
            .program(
                "usr/bin/mstconfig",
                &format!("echo \"$@\" >> \"${{0%/*}}/../../words\"\n{begin}\n{table}"),
            )
            .file(
                "card.json",
                include_bytes!("../../../tests/fixtures/firmware/query.json"),
            )
            .file(
                "card.txt",
                include_bytes!("../../../tests/fixtures/firmware/three-columns.txt"),
            )
    }

    const PRINT: &str = "cat \"${0%/*}/../../card.txt\"";

    fn vfs(card: &Card) -> Option<u64> {
        card.find("NUM_OF_VFS").and_then(Setting::working)
    }

    #[test]
    fn json_first_and_nothing_stays() {
        let machine = machine(true, PRINT);
        let host = machine.host();
        let card = Tool::find(&host)
            .unwrap()
            .query(DEVICE.parse().unwrap())
            .unwrap();
        assert_eq!(vfs(&card), Some(16));
        assert_eq!(machine.read("words").lines().count(), 1);
        assert!(!machine.path("run").exists());
    }

    #[test]
    fn an_older_tool_prints_a_table() {
        let machine = machine(false, PRINT);
        let host = machine.host();
        let card = Tool::find(&host)
            .unwrap()
            .query(DEVICE.parse().unwrap())
            .unwrap();
        assert_eq!(vfs(&card), Some(8));
        assert!(machine.read("words").ends_with("-d 0000:3b:00.0 -e q\n"));
        assert!(!machine.path("run").exists());
    }

    #[test]
    fn its_own_words_when_it_fails() {
        let device = DEVICE.parse().unwrap();
        let said = |table: &str| {
            let machine = machine(false, table);
            let host = machine.host();
            Tool::find(&host)
                .unwrap()
                .query(device)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            said(
                "echo; echo '-E- Failed to open device: 0000:3b:00.0. Operation not permitted'; exit 3"
            ),
            "mstconfig says of 0000:3b:00.0: Failed to open device: 0000:3b:00.0. Operation not permitted"
        );
        assert_eq!(
            said("exit 3"),
            "mstconfig says of 0000:3b:00.0: nothing, and ends with exit status: 3"
        );
        assert_eq!(
            said("echo hello"),
            "mstconfig printed no settings of 0000:3b:00.0"
        );
    }

    #[test]
    fn changes_are_words_of_their_own() {
        let machine = machine(
            false,
            "echo 'Applying... Done!'; echo '-I- Please power cycle machine to load new configurations.'",
        );
        let host = machine.host();
        let tool = Tool::find(&host).unwrap();
        let device = DEVICE.parse().unwrap();
        let changes = [("SRIOV_EN", 1), ("NUM_OF_VFS", 16)];
        assert_eq!(tool.set(device, &changes).unwrap(), Outcome::PowerCycle);
        assert_eq!(
            machine.read("words"),
            "-d 0000:3b:00.0 -y set SRIOV_EN=1 NUM_OF_VFS=16\n"
        );
        assert_eq!(
            tool.command(device, &changes),
            "mstconfig -d 0000:3b:00.0 set SRIOV_EN=1 NUM_OF_VFS=16"
        );
        assert!(matches!(
            tool.set(device, &[("-h", 1)]),
            Err(FirmwareError::NotAKey { .. })
        ));
    }

    #[test]
    fn a_slow_one_is_left_alone() {
        let machine = machine(false, "exec sleep 60");
        let host = machine.host();
        let mut tool = Tool::find(&host).unwrap();
        tool.patience = Duration::from_millis(300);
        let Err(FirmwareError::Slow { pid, .. }) = tool.query(DEVICE.parse().unwrap()) else {
            panic!("it sleeps");
        };
        let pid = nix::unistd::Pid::from_raw(pid as i32);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
        nix::sys::wait::waitpid(pid, None).unwrap();
    }

    #[test]
    fn no_tool() {
        let machine = Machine::new().file("usr/bin/mstconfig", "nobody may run it");
        let host = machine.host();
        assert!(matches!(
            Tool::find(&host),
            Err(FirmwareError::NoTool { .. })
        ));
        let machine = machine.program("usr/bin/mlxconfig", "exit 0");
        let host = machine.host();
        assert_eq!(Tool::find(&host).unwrap().name(), "mlxconfig");
    }
}
