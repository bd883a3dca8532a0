//! The namespace mode: what runs, what the next boot brings, and what is in the way of a change.

use super::{Facts, Finding, Id};
use crate::kernel::Namespace;
use crate::rdma::boot::{BootSettings, Configured, Initramfs};
use crate::types::NetnsMode;

const RUNNING: &str = "/sys/module/ib_core/parameters/netns_mode";
const COMMAND_LINE: &str = "/proc/cmdline";

/// A host with more containers than this is not emptied by hand.
const MAX_ENDED: usize = 10;

pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let boot = facts.boot();
    let mut found = Vec::new();
    found.extend(running(boot));
    found.extend(command_line(boot));
    found.extend(initramfs(boot));
    found.extend(invalid(boot));
    found.extend(blocked(facts, boot));
    found
}

fn set(mode: NetnsMode, persist: bool) -> String {
    let persist = if persist { " --persist" } else { "" };
    format!("rdmactl system set netns {mode}{persist}")
}

fn place(configured: &Configured) -> String {
    format!("{}:{}", configured.file.display(), configured.line)
}

/// The mode that files or the command line ask for.
fn asked_for(boot: &BootSettings) -> Option<NetnsMode> {
    let file = boot.configured.as_ref().and_then(|found| found.mode);
    boot.command_line.or(file.filter(|_| !boot.is_built_in))
}

fn running(boot: &BootSettings) -> Option<Finding> {
    let running = boot.running?;
    let seen = |id| Finding::new(id).saw(RUNNING, running.to_string());
    match (running, asked_for(boot)) {
        (running, Some(wanted)) if running != wanted => {
            let finding = seen(Id::NetnsNotRunning);
            let finding = match (&boot.configured, boot.command_line) {
                (_, Some(_)) => finding.saw(COMMAND_LINE, wanted.to_string()),
                (Some(configured), None) => finding.saw(place(configured), wanted.to_string()),
                (None, None) => finding,
            };
            Some(
                finding
                    .advise(format!(
                        "set the mode that is configured; or, if {running} is what you want, that for every boot: {}",
                        set(running, true)
                    ))
                    .run(set(wanted, false)),
            )
        }
        (NetnsMode::Exclusive, None) if boot.is_built_in => Some(
            seen(Id::NetnsNotPersistent)
                .saw(COMMAND_LINE, "does not set ib_core.netns_mode")
                .advise("ib_core is built into this kernel and reads no file: add ib_core.netns_mode=0 to the kernel command line"),
        ),
        // A file that the kernel refuses is a finding of its own.
        (NetnsMode::Exclusive, None) if boot.configured.is_none() => Some(
            seen(Id::NetnsNotPersistent)
                .saw("/etc/modprobe.d", "no file sets netns_mode of ib_core")
                .run(set(NetnsMode::Exclusive, true)),
        ),
        (NetnsMode::Shared, None) => {
            Some(seen(Id::NetnsShared).run(set(NetnsMode::Exclusive, true)))
        }
        _ => None,
    }
}

fn command_line(boot: &BootSettings) -> Option<Finding> {
    let fixed = boot.command_line?;
    let configured = boot.configured.as_ref()?;
    let file = configured.mode.filter(|mode| *mode != fixed)?;
    Some(
        Finding::new(Id::NetnsCommandLine)
            .saw(COMMAND_LINE, format!("ib_core.netns_mode says {fixed}"))
            .saw(place(configured), format!("says {file}"))
            .advise("take ib_core.netns_mode= out of the kernel command line, in the configuration of the boot loader"),
    )
}

fn initramfs(boot: &BootSettings) -> Option<Finding> {
    let Initramfs::Stale(image) = &boot.initramfs else {
        return None;
    };
    let configured = boot.configured.as_ref().filter(|_| boot.needs_rebuild())?;
    let finding = Finding::about(Id::NetnsInitramfs, image.display().to_string()).saw(
        configured.file.display().to_string(),
        "was written after the image was made",
    );
    Some(match boot.rebuild {
        Some(command) => finding.run(command),
        None => finding.advise("make the initramfs anew with the command of your distribution"),
    })
}

fn invalid(boot: &BootSettings) -> Option<Finding> {
    let configured = boot.configured.as_ref()?;
    configured.mode.is_none().then(|| {
        let mode = boot.running.unwrap_or(NetnsMode::Exclusive);
        Finding::about(Id::NetnsInvalid, place(configured))
            .saw(place(configured), "netns_mode is neither 0 nor 1")
            .run(set(mode, true))
    })
}

/// While the mode is as it should be, nothing is in the way.
fn blocked(facts: &Facts<'_>, boot: &BootSettings) -> Option<Finding> {
    let running = boot.running?;
    let wanted = match asked_for(boot) {
        Some(mode) if mode == running => return None,
        Some(mode) => mode,
        None if running == NetnsMode::Shared => NetnsMode::Exclusive,
        None => return None,
    };
    let all = &facts.survey().namespaces;
    // Without the first one none can be told from it.
    if !all.iter().any(|namespace| namespace.is_initial) {
        return None;
    }
    let others: Vec<_> = all.iter().filter(|each| !each.is_initial).collect();
    if others.is_empty() {
        return None;
    }
    let saw = |finding: Finding, namespace: &&Namespace| finding.saw_namespace(namespace);
    let finding = others.iter().fold(Finding::new(Id::NetnsBlocked), saw);
    if others.len() > MAX_ENDED {
        return Some(
            finding
                .advise("these are too many to end: let the next boot bring the mode")
                .run(set(wanted, true)),
        );
    }
    let end = |finding: Finding, namespace: &&Namespace| finding.end(namespace);
    let finding = others.iter().fold(finding, end);
    let advice = format!(
        "let the next boot bring the mode ({}), or end the namespaces first",
        set(wanted, true)
    );
    Some(finding.advise(advice).run(set(wanted, false)))
}
