//! Why the CNI plugins are not where they are to be, or still there.

use std::io;

use super::Explanation;
use crate::installation::InstallError;

/// Explains an error of an installation.
pub fn installation(error: &InstallError) -> Explanation {
    let (cause, cure) = match error {
        InstallError::Missing(path) => (
            "nothing is there; in a container the host's folder has to be mounted".to_owned(),
            Some(format!(
                "--cni-bin-dir names another folder; on this machine: mkdir -p {}",
                path.display()
            )),
        ),
        InstallError::LeadsNowhere(_) => (
            "in a container a link of the host leads to a path of the container".to_owned(),
            Some("mount the folder itself that the link leads to on the host".to_owned()),
        ),
        InstallError::NotFolder(_) => (
            "plugins are put into a folder".to_owned(),
            Some("rdmactl cni install --cni-bin-dir /opt/cni/bin".to_owned()),
        ),
        InstallError::NotProgram(_) => (
            "a plugin is a program in one file".to_owned(),
            Some("leave the option out: this program serves as both plugins".to_owned()),
        ),
        InstallError::Taken(path) => (
            "a folder is not replaced by a file".to_owned(),
            Some(format!("mv {0} {0}.old", path.display())),
        ),
        InstallError::Unfit { .. } => (
            "what does not answer a runtime would stop every pod; nothing was replaced".to_owned(),
            Some("leave the option out: this program serves as both plugins".to_owned()),
        ),
        InstallError::NotStarted { folder, source, .. } => (
            match source.kind() {
                io::ErrorKind::PermissionDenied => {
                    "its file system is mounted noexec, or a security module forbids it; nothing was replaced".to_owned()
                }
                _ => "it is no program for this machine, or is damaged; nothing was replaced".to_owned(),
            },
            Some(format!("findmnt --target {}", folder.display())),
        ),
        InstallError::File(error) => (
            match error.source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    "what was there before still serves".to_owned()
                }
                io::ErrorKind::ReadOnlyFilesystem => {
                    "the folder is mounted read-only, or the host keeps its plugins elsewhere".to_owned()
                }
                io::ErrorKind::PermissionDenied => {
                    "root of the host writes there; in a container, also SELinux has a say".to_owned()
                }
                _ => "what was there before still serves".to_owned(),
            },
            Some(match error.source.kind() {
                io::ErrorKind::StorageFull => format!("df {}", error.path.display()),
                io::ErrorKind::ReadOnlyFilesystem => {
                    "rdmactl doctor --only plugins says where the runtime looks for plugins".to_owned()
                }
                _ => format!("ls -ldZ {}", error.path.display()),
            }),
        ),
    };
    Explanation {
        headline: format!("error: {error}"),
        cause: Some(cause),
        cure,
    }
}

/// Explains an error of taking the plugins away, for which no folder is made.
pub fn removal(error: &InstallError) -> Explanation {
    let explanation = installation(error);
    match error {
        InstallError::Missing(_) => Explanation {
            cure: Some("--cni-bin-dir names the folder that has the plugins".to_owned()),
            ..explanation
        },
        _ => explanation,
    }
}

/// Explains why the plugins stay while containers have devices from them.
pub fn in_use(attachments: usize) -> Explanation {
    let (many, have) = match attachments {
        1 => ("an attachment".to_owned(), "is"),
        n => (format!("{n} attachments"), "are"),
    };
    Explanation {
        headline: format!("error: {many} {have} on record"),
        cause: Some("without the plugins the runtime cannot end these containers".to_owned()),
        cure: Some(
            "rdmactl cni list shows whose they are; --force removes the plugins all the same"
                .to_owned(),
        ),
    }
}
