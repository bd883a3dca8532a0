//! The namespace mode of boots to come: what is configured, and what was written.

use super::explain::Explanation;
use super::{Field, Row};
use crate::rdma::boot::{BootSettings, Initramfs};
use crate::rdma::persist::{Edit, PersistError, Step};
use crate::types::NetnsMode;

/// What `system show -d` sets beside the running mode.
pub fn fields(settings: &BootSettings) -> Row {
    let configured = settings
        .configured
        .as_ref()
        .map(|configured| word(configured.mode, "invalid"));
    let shown = configured.clone().unwrap_or_else(|| "-".to_owned());
    let text = format!("    configured {shown} ");
    let field = Field::with_text("configured_netns", "CONFIGURED", text, shown).broken();
    // In JSON what is not configured is not there.
    let mut row = vec![if configured.is_some() {
        field
    } else {
        field.not_in_json()
    }];
    if let Some(configured) = &settings.configured {
        let place = format!("{}:{}", configured.file.display(), configured.line);
        row.push(Field::with_text(
            "configured_in",
            "",
            format!("({place}) "),
            place,
        ));
    }
    if let Some(mode) = settings.command_line {
        row.push(Field::with_text(
            "command_line_netns",
            "COMMAND LINE",
            format!("command line {mode} "),
            mode.as_str(),
        ));
    }
    let boot = word(settings.at_boot(), "unknown");
    row.push(Field::with_text(
        "boot_netns",
        "AT BOOT",
        format!("at boot {boot} "),
        boot,
    ));
    let (state, image) = match &settings.initramfs {
        Initramfs::Absent => ("absent", None),
        Initramfs::Current(image) => ("current", Some(image)),
        Initramfs::Stale(image) => ("stale", Some(image)),
        Initramfs::Unknown => ("unknown", None),
    };
    let mut text = format!("initramfs {state}");
    if let Some(image) = image {
        text.push_str(&format!(" ({})", image.display()));
    }
    if let (true, Some(command)) = (settings.needs_rebuild(), settings.rebuild) {
        text.push_str(&format!(", make it anew: {command}"));
    }
    row.push(Field::with_text("initramfs", "INITRAMFS", text, state));
    row
}

fn word(mode: Option<NetnsMode>, otherwise: &'static str) -> String {
    mode.map_or(otherwise, NetnsMode::as_str).to_owned()
}

/// A file to be written, as a dry run says it.
pub fn step(step: &Step) -> String {
    let path = step.path.display();
    match &step.edit {
        Edit::Value => format!("change the value of ib_core netns_mode in {path}"),
        Edit::Line => format!("add a line that sets ib_core netns_mode to {path}"),
        Edit::New => format!("create {path}, which sets ib_core netns_mode"),
        Edit::Hides(other) => format!(
            "create {path}, a copy of {} with another value, which hides it",
            other.display()
        ),
    }
}

/// What was written, and what is left to do before it counts.
pub fn persisted(steps: &[Step], settings: &BootSettings, mode: NetnsMode) -> Vec<Row> {
    let mut lines: Vec<String> = steps
        .iter()
        .map(|each| {
            let path = each.path.display();
            match &each.edit {
                Edit::Value => format!("changed the value of ib_core netns_mode in {path}"),
                Edit::Line => format!("added a line that sets ib_core netns_mode to {path}"),
                Edit::New => format!("created {path}, which sets ib_core netns_mode"),
                Edit::Hides(other) => format!("created {path}, which hides {}", other.display()),
            }
        })
        .collect();
    if steps.is_empty() {
        lines.push(format!(
            "the files of modprobe set the mode to {mode} already"
        ));
    }
    if settings.needs_rebuild() {
        let command = settings
            .rebuild
            .unwrap_or("the initramfs command of your distribution");
        lines.push(format!(
            "the initramfs is older than the file: make it anew with {command}"
        ));
    }
    if let Some(fixed) = settings.command_line.filter(|fixed| *fixed != mode) {
        lines.push(format!("the kernel command line says {fixed} and counts more: remove ib_core.netns_mode= from it"));
    }
    if settings.is_built_in {
        lines.push(format!(
            "ib_core is built into this kernel, which reads no file: add ib_core.netns_mode={} to its command line",
            u8::from(mode == NetnsMode::Shared)
        ));
    }
    let row = |line: String| vec![Field::with_text("done", "DONE", line.clone(), line)];
    lines.into_iter().map(row).collect()
}

/// Why nothing was written.
pub fn explain(error: &PersistError) -> Explanation {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    let (cause, cure) = match error {
        PersistError::Link { path } => (
            cause,
            Some(format!(
                "readlink -f {}",
                super::namespace::quoted(&path.to_string_lossy())
            )),
        ),
        PersistError::File(file) => (
            Some(file.source.to_string()),
            Some("run it as root, on a file system that can be written".to_owned()),
        ),
    };
    Explanation {
        headline: format!("error: {error}"),
        cause,
        cure,
    }
}
