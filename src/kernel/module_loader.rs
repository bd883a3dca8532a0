//! Loading a kernel module, by the program that the kernel itself calls for it.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::Host;
use super::file;

/// Where the kernel is told which program loads modules (`Documentation/admin-guide/sysctl`).
const HELPER_SETTING: &str = "/proc/sys/kernel/modprobe";
/// What it is when the kernel does not say.
const USUAL_HELPER: &str = "/sbin/modprobe";

/// A module that brings up ports can take seconds; one that takes longer will not come back.
const LIMIT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(5);

/// What a failing program says of it is shown, not its whole history.
const MAX_SAID: u64 = 4096;

/// Why a module was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The program could not be started.
    #[error("cannot run {}: {source}", .helper.display())]
    NoHelper {
        /// The program.
        helper: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The program failed.
    #[error("{said}")]
    Failed {
        /// The last line of what it said, or how it ended.
        said: String,
    },
    /// The program has not come back, and still runs.
    #[error("{} {module} has not come back after {} s; it is process {pid}", .helper.display(), LIMIT.as_secs())]
    Stuck {
        /// The program.
        helper: PathBuf,
        /// The module.
        module: &'static str,
        /// The process.
        pid: u32,
    },
}

/// Loads `module` with what it needs; done if it is loaded.
///
/// # Errors
/// [`LoadError`].
pub fn load(host: &Host, module: &'static str) -> Result<(), LoadError> {
    let helper = helper(host);
    let failed = |source| LoadError::NoHelper {
        helper: helper.clone(),
        source,
    };
    let mut child = Command::new(&helper)
        .args(["--", module])
        .env_clear()
        .env("PATH", "/sbin:/usr/sbin:/bin:/usr/bin")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let begun = Instant::now();
    while begun.elapsed() < LIMIT {
        match child.try_wait().map_err(failed)? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => {
                let said = said(&mut child, status);
                return Err(LoadError::Failed { said });
            }
            None => thread::sleep(PAUSE),
        }
    }
    Err(LoadError::Stuck {
        helper,
        module,
        pid: child.id(),
    })
}

fn helper(host: &Host) -> PathBuf {
    let told = file::read(&host.path(HELPER_SETTING), 4096).ok().flatten();
    let told = told.and_then(|bytes| String::from_utf8(bytes).ok());
    let told = told.map(|text| text.trim().to_owned());
    // An empty setting forbids the kernel to load modules, not the administrator.
    let told = told.filter(|path| path.starts_with('/'));
    host.path(told.as_deref().unwrap_or(USUAL_HELPER))
}

fn said(child: &mut Child, status: ExitStatus) -> String {
    let mut bytes = Vec::new();
    if let Some(stream) = child.stderr.take() {
        // Nothing to say is said below.
        let _ = stream.take(MAX_SAID).read_to_end(&mut bytes);
    }
    let text = String::from_utf8_lossy(&bytes);
    let last = text.lines().map(str::trim).rfind(|line| !line.is_empty());
    let last = last.map(|line| line.chars().filter(|c| !c.is_control()).collect());
    last.unwrap_or_else(|| format!("modprobe ended with {status}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn machine(script: &str) -> Machine {
        let machine = Machine::new()
            .file("proc/sys/kernel/modprobe", "/opt/modprobe\n")
            .file("opt/modprobe", format!("#!/bin/sh\n{script}\n"));
        let path = machine.path("opt/modprobe");
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        machine
    }

    /// A child of another test may hold the script open for writing until it has become itself.
    fn try_load(machine: &Machine) -> Result<(), LoadError> {
        loop {
            match load(&machine.host(), "ib_ipoib") {
                Err(LoadError::NoHelper { source, .. })
                    if source.kind() == std::io::ErrorKind::ExecutableFileBusy => {}
                other => return other,
            }
        }
    }

    #[test]
    fn the_helper_is_called_with_the_module_alone() {
        let machine = machine("echo \"$# $1 $2\" > ${0%/*}/said");
        try_load(&machine).unwrap();
        assert_eq!(machine.read("opt/said"), "2 -- ib_ipoib\n");
    }

    #[test]
    fn what_it_says_last_is_why() {
        let failing = machine("echo one >&2; printf 'FATAL: not\\033found\\n\\n' >&2; exit 1");
        let error = try_load(&failing).unwrap_err();
        assert_eq!(error.to_string(), "FATAL: notfound");
        let silent = machine("exit 3");
        let error = try_load(&silent).unwrap_err();
        assert_eq!(error.to_string(), "modprobe ended with exit status: 3");
        let error = try_load(&Machine::new()).unwrap_err();
        assert!(matches!(error, LoadError::NoHelper { .. }), "{error}");
        assert!(error.to_string().contains("/sbin/modprobe"), "{error}");
    }
}
