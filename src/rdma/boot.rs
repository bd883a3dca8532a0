//! `BootSettings`: the namespace mode as it runs, as it is configured, and as it is after a boot.

use std::path::PathBuf;
use std::time::SystemTime;

use crate::kernel::modprobe::{self, text};
use crate::kernel::{Host, initramfs, modules};
use crate::types::NetnsMode;

/// `module_param_named(netns_mode, ...)` (`drivers/infiniband/core/device.c`).
pub(super) const MODULE: &str = "ib_core";
pub(super) const PARAMETER: &str = "netns_mode";

/// The namespace mode now and from the next boot on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootSettings {
    /// What runs; `None` while ib_core is not loaded.
    pub running: Option<NetnsMode>,
    /// What the files of modprobe say.
    pub configured: Option<Configured>,
    /// What the command line of this boot says; it counts more than any file.
    pub command_line: Option<NetnsMode>,
    /// ib_core is part of the kernel itself, which reads no file.
    pub is_built_in: bool,
    /// The initramfs, from which ib_core is often loaded, with the files as they were back then.
    pub initramfs: Initramfs,
    /// The command of this distribution that makes the initramfs anew.
    pub rebuild: Option<&'static str>,
}

/// Where a file sets the mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configured {
    /// The mode; `None` when the kernel would refuse the value, and ib_core with it.
    pub mode: Option<NetnsMode>,
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
}

/// The initramfs of the running kernel, beside the file that sets the mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Initramfs {
    /// There is none.
    Absent,
    /// It was made after the file was last written, or no file sets the mode.
    Current(PathBuf),
    /// It was made before: it may hold another mode, or none, until it is made anew.
    Stale(PathBuf),
    /// It cannot be told.
    Unknown,
}

impl BootSettings {
    /// The mode after the next boot, with the command line of this one; `None` when that depends
    /// on what an older initramfs holds.
    pub fn at_boot(&self) -> Option<NetnsMode> {
        let configured = self.configured.as_ref();
        match (self.command_line, configured) {
            (Some(mode), _) => Some(mode),
            _ if self.is_built_in => Some(NetnsMode::Shared),
            (None, None) => Some(NetnsMode::Shared),
            (None, Some(_)) if self.needs_rebuild() => None,
            (None, Some(configured)) => configured.mode,
        }
    }

    /// Whether the initramfs has to be made anew for the configured mode to count from the start.
    pub fn needs_rebuild(&self) -> bool {
        let counts = !self.is_built_in && self.command_line.is_none();
        counts && self.configured.is_some() && matches!(self.initramfs, Initramfs::Stale(_))
    }
}

/// Reads them; what cannot be read is left out.
pub fn settings(host: &Host) -> BootSettings {
    let (configured, written) = match configured(host) {
        Some((configured, written)) => (Some(configured), written),
        None => (None, None),
    };
    BootSettings {
        running: running(host),
        command_line: modprobe::command_line(host, MODULE, PARAMETER).map(mode_of),
        is_built_in: modules::is_built_in(host, MODULE),
        initramfs: beside(initramfs::find(host), configured.is_some(), written),
        rebuild: initramfs::rebuild_command(host),
        configured,
    }
}

/// What runs alone, for those who ask for no mode: of the rest nothing is said.
pub fn running_alone(host: &Host) -> BootSettings {
    BootSettings {
        running: running(host),
        configured: None,
        command_line: None,
        is_built_in: false,
        initramfs: Initramfs::Unknown,
        rebuild: None,
    }
}

fn running(host: &Host) -> Option<NetnsMode> {
    let path = format!("module/{MODULE}/parameters/{PARAMETER}");
    match host.sysfs().read(path).ok()?.as_str() {
        "Y" => Some(NetnsMode::Shared),
        "N" => Some(NetnsMode::Exclusive),
        _ => None,
    }
}

/// The place that counts: the last one of the last file that has any.
fn configured(host: &Host) -> Option<(Configured, Option<SystemTime>)> {
    let files = modprobe::files(host).ok()?.into_iter().rev();
    files.into_iter().find_map(|conf| {
        let text = conf.text.ok()?;
        let last = text::settings(&text, MODULE, PARAMETER).pop()?;
        let configured = Configured {
            mode: last.value.map(mode_of),
            file: conf.path,
            line: last.line,
        };
        Some((configured, conf.written))
    })
}

fn beside(image: initramfs::Image, is_configured: bool, written: Option<SystemTime>) -> Initramfs {
    match (image, written) {
        (initramfs::Image::Absent, _) => Initramfs::Absent,
        (initramfs::Image::Unknown, _) => Initramfs::Unknown,
        (initramfs::Image::At(path, made), Some(written)) if made < written => {
            Initramfs::Stale(path)
        }
        (initramfs::Image::At(_, _), None) if is_configured => Initramfs::Unknown,
        (initramfs::Image::At(path, _), _) => Initramfs::Current(path),
    }
}

/// 1 is shared (`ib_devices_shared_netns`).
fn mode_of(value: bool) -> NetnsMode {
    if value {
        NetnsMode::Shared
    } else {
        NetnsMode::Exclusive
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;
    use std::fs;
    use std::time::Duration;

    const CONF: &str = "etc/modprobe.d/rdmactl.conf";
    const IMAGE: &str = "boot/initrd.img-6.1.0";

    fn machine() -> Machine {
        Machine::new()
            .file("proc/sys/kernel/osrelease", "6.1.0\n")
            .file("proc/cmdline", "quiet\n")
            .file("sys/module/ib_core/parameters/netns_mode", "Y\n")
            .file(CONF, "\noptions ib_core netns_mode=0\n")
            .file("usr/sbin/update-initramfs", "")
    }

    fn made(machine: &Machine, ago: u64) {
        let written = fs::metadata(machine.path(CONF)).and_then(|file| file.modified());
        let image = fs::OpenOptions::new().write(true).open(machine.path(IMAGE));
        let made = written.unwrap() - Duration::from_secs(ago);
        image.unwrap().set_modified(made).unwrap();
    }

    #[test]
    fn running_configured_and_at_boot() {
        let machine = machine().file(IMAGE, "");
        let now = settings(&machine.host());
        assert_eq!(now.running, Some(NetnsMode::Shared));
        let configured = now.configured.clone().unwrap();
        assert_eq!(configured.file.to_str().unwrap(), format!("/{CONF}"));
        assert_eq!(
            (configured.mode, configured.line),
            (Some(NetnsMode::Exclusive), 2)
        );
        assert_eq!(now.rebuild, Some("update-initramfs -u"));
        made(&machine, 0);
        let now = settings(&machine.host());
        assert!(matches!(now.initramfs, Initramfs::Current(_)) && !now.needs_rebuild());
        assert_eq!(now.at_boot(), Some(NetnsMode::Exclusive));
        made(&machine, 60);
        let now = settings(&machine.host());
        assert!(now.needs_rebuild());
        assert_eq!(now.at_boot(), None);
    }

    #[test]
    fn the_command_line_counts_more() {
        let machine = machine().file("proc/cmdline", "ib_core.netns_mode=1\n");
        let now = settings(&machine.host());
        assert_eq!(now.at_boot(), Some(NetnsMode::Shared));
        assert_eq!(now.initramfs, Initramfs::Absent);
    }

    #[test]
    fn built_in_reads_no_file() {
        let machine = machine()
            .file("boot/vmlinuz", "")
            .file("lib/modules/6.1.0/modules.builtin", "kernel/x/ib_core.ko\n");
        let now = settings(&machine.host());
        assert!(now.is_built_in);
        assert_eq!(now.initramfs, Initramfs::Absent);
        assert_eq!(now.at_boot(), Some(NetnsMode::Shared));
    }

    #[test]
    fn the_last_file_counts_and_nonsense_is_said() {
        let machine = machine().file(
            "run/modprobe.d/z.conf",
            "options ib_core netns_mode=maybe\n",
        );
        let now = settings(&machine.host());
        let configured = now.configured.clone().unwrap();
        assert_eq!(configured.file.to_str().unwrap(), "/run/modprobe.d/z.conf");
        assert_eq!((configured.mode, now.at_boot()), (None, None));
        let bare = settings(&Machine::new().host());
        assert_eq!(
            (bare.running, bare.at_boot()),
            (None, Some(NetnsMode::Shared))
        );
    }
}
