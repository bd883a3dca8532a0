//! The namespace mode of every boot to come, written into the configuration of modprobe.

use std::path::{Path, PathBuf};

use super::boot::{MODULE, PARAMETER};
use crate::kernel::modprobe::text::{self, Setting};
use crate::kernel::modprobe::{self, Conf, OWN_FOLDER};
use crate::kernel::{FileError, Host};
use crate::types::NetnsMode;

/// The file that is made when none sets the mode yet.
const OWN_FILE: &str = "rdmactl.conf";

const USUAL_MODE: u32 = 0o644;

/// Why nothing was written; every file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum PersistError {
    /// A link in the administrator's folder sets another mode; what it leads to is not ours.
    #[error("{} is a link and sets {MODULE} {PARAMETER} to another value; change it where it leads to", .path.display())]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// What becomes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// It sets the mode already, and gets another value in the same place.
    Value,
    /// It gets a line more.
    Line,
    /// It is made.
    New,
    /// It is made as a copy with another value, and hides this one of the same name.
    Hides(PathBuf),
}

/// One file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The file, in `/etc/modprobe.d`.
    pub path: PathBuf,
    /// What becomes of it.
    pub edit: Edit,
    /// What it says now, if it is there.
    before: Option<Vec<u8>>,
    /// What it will say.
    after: Vec<u8>,
    mode: u32,
}

/// What has to be written so that modprobe gives ib_core `mode`; nothing when it does already.
///
/// Files below `/etc/modprobe.d` that set it get the value; where a file elsewhere counts more
/// than they do, it is hidden by a copy of its name there, never changed.
///
/// # Errors
/// [`PersistError`].
pub fn plan(host: &Host, mode: NetnsMode) -> Result<Vec<Step>, PersistError> {
    let wanted = mode == NetnsMode::Shared;
    let own_path = Path::new(OWN_FOLDER).join(OWN_FILE);
    let mut steps = Vec::new();
    let mut own = None;
    // The last file that sets it counts: a foreign one with another value has to be outdone.
    let mut foreign = None;
    let mut is_set = false;
    for conf in modprobe::files(host)? {
        let file = File::new(conf)?;
        let settings = text::settings(&file.text, MODULE, PARAMETER);
        let is_right = |setting: &Setting| setting.value == Some(wanted);
        let Some(last) = settings.last() else {
            if file.path == own_path {
                own = Some(file);
            }
            continue;
        };
        is_set = true;
        if !file.path.starts_with(OWN_FOLDER) {
            foreign = (!is_right(last)).then_some(file);
            continue;
        }
        foreign = None;
        if !settings.iter().all(is_right) {
            steps.push(file.with_value(wanted)?);
        }
    }
    match foreign {
        Some(file) if file.path.file_name() > own_path.file_name() => {
            steps.push(file.hidden(wanted));
        }
        None if is_set => {}
        _ => steps.push(match own {
            Some(file) => file.with_line(wanted)?,
            None => Step {
                edit: Edit::New,
                before: None,
                after: text::with_line(b"", MODULE, PARAMETER, wanted),
                path: own_path,
                mode: USUAL_MODE,
            },
        }),
    }
    Ok(steps)
}

/// Removes the file that [`plan`] makes where none sets the mode, unless it says more than that.
///
/// # Errors
/// [`PersistError::File`].
pub fn unmake(host: &Host) -> Result<(), PersistError> {
    let path = Path::new(OWN_FOLDER).join(OWN_FILE);
    for conf in modprobe::files(host)? {
        let file = File::new(conf)?;
        let says = |mode| text::with_line(b"", MODULE, PARAMETER, mode) == file.text;
        if file.path == path && !file.is_link && (says(true) || says(false)) {
            modprobe::remove(host, &path)?;
        }
    }
    Ok(())
}

/// Writes the files of a plan: all of them, or none.
///
/// # Errors
/// [`PersistError::File`], the first; what was written before it is as it was.
pub fn write(host: &Host, steps: &[Step]) -> Result<(), PersistError> {
    for (done, step) in steps.iter().enumerate() {
        if let Err(error) = modprobe::replace(host, &step.path, &step.after, step.mode) {
            for step in &steps[..done] {
                // The first error is the one to report.
                let _ = match &step.before {
                    Some(before) => modprobe::replace(host, &step.path, before, step.mode),
                    None => modprobe::remove(host, &step.path),
                };
            }
            return Err(error.into());
        }
    }
    Ok(())
}

/// A file of modprobe that could be read.
struct File {
    path: PathBuf,
    text: Vec<u8>,
    is_link: bool,
    mode: u32,
}

impl File {
    fn new(conf: Conf) -> Result<Self, FileError> {
        Ok(Self {
            text: conf.text?,
            path: conf.path,
            is_link: conf.is_link,
            mode: conf.mode,
        })
    }

    fn with_value(self, wanted: bool) -> Result<Step, PersistError> {
        let after = text::with_all_set(&self.text, MODULE, PARAMETER, wanted);
        self.changed(Edit::Value, after)
    }

    fn with_line(self, wanted: bool) -> Result<Step, PersistError> {
        let after = text::with_line(&self.text, MODULE, PARAMETER, wanted);
        self.changed(Edit::Line, after)
    }

    fn changed(self, edit: Edit, after: Vec<u8>) -> Result<Step, PersistError> {
        if self.is_link {
            return Err(PersistError::Link { path: self.path });
        }
        Ok(Step {
            path: self.path,
            edit,
            before: Some(self.text),
            after,
            mode: self.mode,
        })
    }

    fn hidden(self, wanted: bool) -> Step {
        let name = self.path.file_name().unwrap_or_default();
        Step {
            path: Path::new(OWN_FOLDER).join(name),
            before: None,
            after: text::with_all_set(&self.text, MODULE, PARAMETER, wanted),
            mode: USUAL_MODE,
            edit: Edit::Hides(self.path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    const OWN: &str = "etc/modprobe.d/rdmactl.conf";

    fn persist(machine: &Machine) -> Vec<(String, Edit)> {
        let host = machine.host();
        let steps = plan(&host, NetnsMode::Exclusive).unwrap();
        write(&host, &steps).unwrap();
        assert!(
            plan(&host, NetnsMode::Exclusive).unwrap().is_empty(),
            "idempotent"
        );
        let boot = crate::rdma::boot::settings(&host);
        assert_eq!(boot.configured.unwrap().mode, Some(NetnsMode::Exclusive));
        let told = steps.into_iter();
        told.map(|step| (step.path.display().to_string(), step.edit))
            .collect()
    }

    #[test]
    fn a_file_of_our_own() {
        let machine = Machine::new();
        let told = persist(&machine);
        assert_eq!(
            told,
            [("/etc/modprobe.d/rdmactl.conf".to_owned(), Edit::New)]
        );
        assert_eq!(machine.read(OWN), "options ib_core netns_mode=0\n");
        let mode = fs::metadata(machine.path(OWN))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, USUAL_MODE);
        let back = plan(&machine.host(), NetnsMode::Shared).unwrap();
        write(&machine.host(), &back).unwrap();
        assert_eq!(machine.read(OWN), "options ib_core netns_mode=1\n");
    }

    #[test]
    fn our_file_keeps_its_other_lines() {
        let machine = Machine::new().file(OWN, "# by hand\noptions mlx5_core x=1");
        assert_eq!(persist(&machine)[0].1, Edit::Line);
        assert_eq!(
            machine.read(OWN),
            "# by hand\noptions mlx5_core x=1\noptions ib_core netns_mode=0\n"
        );
    }

    #[test]
    fn every_file_of_the_administrator_that_sets_it() {
        let machine = Machine::new()
            .file(
                "etc/modprobe.d/a.conf",
                b"options ib_core netns_mode=1 x=1 # \xff\n",
            )
            .file("etc/modprobe.d/b.conf", "options mlx5_core y=1\n")
            .file("etc/modprobe.d/z.conf", "options ib-core netns-mode=Y\n");
        fs::set_permissions(
            machine.path("etc/modprobe.d/z.conf"),
            fs::Permissions::from_mode(0o600),
        )
        .unwrap();
        let told = persist(&machine);
        assert_eq!(told.len(), 2);
        assert!(told.iter().all(|(_, edit)| *edit == Edit::Value));
        let text = machine.bytes("etc/modprobe.d/a.conf");
        assert_eq!(text, b"options ib_core netns_mode=0 x=1 # \xff\n");
        assert_eq!(
            machine.read("etc/modprobe.d/z.conf"),
            "options ib-core netns-mode=0\n"
        );
        let mode = fs::metadata(machine.path("etc/modprobe.d/z.conf"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!machine.path(OWN).exists());
    }

    #[test]
    fn files_elsewhere_are_outdone_never_changed() {
        let vendor = "# vendor\noptions ib_core netns_mode=1\n";
        // A name before ours: our file counts more.
        let machine = Machine::new().file("usr/lib/modprobe.d/mlnx.conf", vendor);
        assert_eq!(persist(&machine)[0].1, Edit::New);
        // A name behind ours: hidden by a copy.
        let machine = Machine::new().file("usr/lib/modprobe.d/vendor.conf", vendor);
        let hides = Edit::Hides("/usr/lib/modprobe.d/vendor.conf".into());
        assert_eq!(
            persist(&machine),
            [("/etc/modprobe.d/vendor.conf".to_owned(), hides)]
        );
        assert_eq!(machine.read("usr/lib/modprobe.d/vendor.conf"), vendor);
        assert_eq!(
            machine.read("etc/modprobe.d/vendor.conf"),
            "# vendor\noptions ib_core netns_mode=0\n"
        );
        // One that says it already needs nothing.
        let machine = Machine::new().file(
            "usr/lib/modprobe.d/vendor.conf",
            "options ib_core netns_mode=0\n",
        );
        assert!(persist(&machine).is_empty());
    }

    #[test]
    fn links_and_giants_are_refused() {
        let linked = Machine::new()
            .file("opt/x.conf", "options ib_core netns_mode=1\n")
            .link("etc/modprobe.d/x.conf", "../../opt/x.conf");
        let error = plan(&linked.host(), NetnsMode::Exclusive).unwrap_err();
        assert!(matches!(error, PersistError::Link { .. }), "{error}");
        assert!(plan(&linked.host(), NetnsMode::Shared).unwrap().is_empty());
        let giant = Machine::new().file("etc/modprobe.d/x.conf", vec![b'x'; 2 << 20]);
        let error = plan(&giant.host(), NetnsMode::Exclusive).unwrap_err();
        assert!(matches!(error, PersistError::File(_)), "{error}");
    }

    #[test]
    fn all_or_nothing() {
        let text = "options ib_core netns_mode=1\n";
        let machine = Machine::new()
            .file("etc/modprobe.d/a.conf", text)
            .file("etc/modprobe.d/b.conf", text);
        let steps = plan(&machine.host(), NetnsMode::Exclusive).unwrap();
        // A folder in its place makes the second write fail.
        fs::remove_file(machine.path("etc/modprobe.d/b.conf")).unwrap();
        fs::create_dir(machine.path("etc/modprobe.d/b.conf")).unwrap();
        assert!(write(&machine.host(), &steps).is_err());
        assert_eq!(machine.read("etc/modprobe.d/a.conf"), text);
        assert_eq!(modprobe::files(&machine.host()).unwrap().len(), 1);
    }
}
