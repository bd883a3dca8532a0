//! The plugins in a CNI folder: put there whole, tried before they serve, and taken away again.

use std::path::{Path, PathBuf};

use crate::kernel::entry::{self, Entry, Kind};
use crate::kernel::staged::{self, Staged};
use crate::kernel::{Host, file};
use crate::types::build_mark;

mod error;
mod trial;

pub use error::InstallError;

/// This program.
const OWN: &str = "/proc/self/exe";

/// Programs written in Go, which may be replaced, have 4 to 40 MB.
const MAX_PROGRAM: u64 = 256 * 1024 * 1024;

/// Everybody may run it, as every plugin there.
const MODE: u32 = 0o755;

/// One plugin to be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its name in the folder, one part of a path.
    pub name: &'static str,
    /// The program that is to serve under it; `None`: this one.
    pub program: Option<PathBuf>,
}

/// What became of a name, or would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The name.
    pub name: &'static str,
    /// Its path.
    pub path: PathBuf,
    /// What became of it.
    pub outcome: Outcome,
}

/// What becomes of a name in the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing had it.
    Installed,
    /// Something else had it: a build of this program, of this version, or something foreign.
    Replaced(Option<String>),
    /// It was so already.
    Already,
    /// It was a build of this program and is gone.
    Removed,
    /// It is none, or leads to none, and stays.
    Left,
    /// Nothing has it.
    Absent,
}

/// Puts programs under the names of plugins into `folder`.
///
/// Each is written beside its place, made lasting and run with VERSION there; when all of them
/// answer, they take the places of what was there, each at once. A program that is running goes
/// on as it was.
///
/// # Errors
/// [`InstallError`]; unless it is one of taking a place, all names are as they were.
pub fn install(host: &Host, folder: &Path, wanted: &[Wanted]) -> Result<Vec<Step>, InstallError> {
    let mut steps = Vec::new();
    let mut ready = Vec::new();
    for (step, content) in look(host, folder, wanted)? {
        if step.outcome != Outcome::Already {
            let staged = Staged::write(&step.path, &content, MODE)?;
            trial::answers(staged.path(), step.name)?;
            ready.push(staged);
        }
        steps.push(step);
    }
    ready.into_iter().try_for_each(Staged::put)?;
    // What a killed installer left is in nobody's way.
    let _ = staged::sweep(folder);
    Ok(steps)
}

/// What [`install`] would do.
///
/// # Errors
/// As [`install`], as far as looking tells.
pub fn foresee(host: &Host, folder: &Path, wanted: &[Wanted]) -> Result<Vec<Step>, InstallError> {
    let steps = look(host, folder, wanted)?;
    Ok(steps.into_iter().map(|(step, _)| step).collect())
}

fn look(
    host: &Host,
    folder: &Path,
    wanted: &[Wanted],
) -> Result<Vec<(Step, Vec<u8>)>, InstallError> {
    check_folder(folder)?;
    let looked = wanted.iter().map(|wanted| {
        let program = match &wanted.program {
            Some(program) => program.clone(),
            None => host.path(OWN),
        };
        let content = match entry::look(&program)?.map(|entry| entry.kind) {
            Some(Kind::File) => file::read_regular(&program, MAX_PROGRAM)?,
            Some(Kind::Folder | Kind::Special) => {
                return Err(InstallError::NotProgram(program));
            }
            None | Some(Kind::Dangling) => None,
        };
        let content = content.ok_or(InstallError::Missing(program))?;
        let path = folder.join(wanted.name);
        let outcome = place(&path, &content)?;
        let name = wanted.name;
        Ok((
            Step {
                name,
                path,
                outcome,
            },
            content,
        ))
    });
    looked.collect()
}

fn check_folder(folder: &Path) -> Result<(), InstallError> {
    match entry::look(folder)?.map(|entry| entry.kind) {
        Some(Kind::Folder) => Ok(()),
        None => Err(InstallError::Missing(folder.to_owned())),
        Some(Kind::Dangling) => Err(InstallError::LeadsNowhere(folder.to_owned())),
        Some(Kind::File | Kind::Special) => Err(InstallError::NotFolder(folder.to_owned())),
    }
}

/// What stands where the program is to go.
fn place(path: &Path, content: &[u8]) -> Result<Outcome, InstallError> {
    let Some(there) = entry::look(path)? else {
        return Ok(Outcome::Installed);
    };
    match (&there.target, there.kind) {
        (None, Kind::Folder) => Err(InstallError::Taken(path.to_owned())),
        // A link gives way itself, whatever it leads to.
        (None, Kind::File) => {
            let old = file::read_regular(path, MAX_PROGRAM)?.unwrap_or_default();
            if old == content && there.is_executable {
                return Ok(Outcome::Already);
            }
            Ok(Outcome::Replaced(build_mark::version(&old)))
        }
        _ => Ok(Outcome::Replaced(None)),
    }
}

/// Takes these names out of `folder` where they are builds of this program, or links to one.
///
/// # Errors
/// [`InstallError`].
pub fn remove(folder: &Path, names: &[&'static str]) -> Result<Vec<Step>, InstallError> {
    let steps = foresee_removal(folder, names)?;
    for step in &steps {
        if step.outcome == Outcome::Removed {
            file::remove(&step.path)?;
        }
    }
    Ok(steps)
}

/// What [`remove`] would do.
///
/// # Errors
/// As [`remove`], as far as looking tells.
pub fn foresee_removal(folder: &Path, names: &[&'static str]) -> Result<Vec<Step>, InstallError> {
    check_folder(folder)?;
    let looked = names.iter().map(|name| {
        let path = folder.join(name);
        let outcome = match entry::look(&path)? {
            None => Outcome::Absent,
            Some(there) if is_ours(&path, &there)? => Outcome::Removed,
            Some(_) => Outcome::Left,
        };
        Ok(Step {
            name,
            path,
            outcome,
        })
    });
    looked.collect()
}

fn is_ours(path: &Path, there: &Entry) -> Result<bool, InstallError> {
    if there.kind != Kind::File {
        return Ok(false);
    }
    let program = file::read_regular(path, MAX_PROGRAM)?.unwrap_or_default();
    Ok(build_mark::version(&program).is_some())
}

#[cfg(test)]
mod tests;
