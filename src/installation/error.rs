//! `InstallError`: why the plugins are not in the CNI folder, or not gone from it.

use std::io;
use std::path::{Path, PathBuf};

use crate::kernel::FileError;

/// Why an installation did not happen.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The folder, or a program that was named.
    #[error("Location {} does not exist", .0.display())]
    Missing(PathBuf),
    /// The folder is a link that leads to nothing here.
    #[error("{} is a link that leads to nothing", .0.display())]
    LeadsNowhere(PathBuf),
    /// Something else stands in the place of the folder.
    #[error("{} is not a folder", .0.display())]
    NotFolder(PathBuf),
    /// What should be a program is a folder, a pipe or a device.
    #[error("{} is not a file", .0.display())]
    NotProgram(PathBuf),
    /// A folder has the name of a plugin.
    #[error("{} is a folder", .0.display())]
    Taken(PathBuf),
    /// The program does not serve as this plugin.
    #[error("the program for {name} does not answer VERSION: {why}")]
    Unfit {
        /// The plugin.
        name: &'static str,
        /// What it did instead.
        why: String,
    },
    /// The program cannot be started where it is to be.
    #[error("the program for {name} cannot be run in {}: {source}", .folder.display())]
    NotStarted {
        /// The plugin.
        name: &'static str,
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// An access failed.
    #[error("{}: {}", .0, .0.source)]
    File(#[from] FileError),
}

impl InstallError {
    pub(super) fn not_started(name: &'static str, program: &Path, source: io::Error) -> Self {
        Self::NotStarted {
            name,
            folder: program.parent().unwrap_or(program).to_owned(),
            source,
        }
    }
}
