//! The Debian root in which shells, readers and builders run.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Once;

pub(crate) const TREE: &str = env!("CARGO_MANIFEST_DIR");
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_rdmactl");

/// What a command in the root said, and whether it succeeded.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) ok: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Self {
            ok: output.status.success(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert!(self.ok, "{}\n{}", self.stdout, self.stderr);
        self
    }
}

fn in_root() -> Command {
    // Before any command runs there: what building and waiting say is not what that command says.
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        let built = Command::new(format!("{TREE}/tests/lab/roots"))
            .args(["--no-adapter", "shipping"])
            .status()
            .unwrap();
        assert!(built.success(), "the root could not be built: {built}");
    });
    Command::new(format!("{TREE}/tests/shipping/in-root"))
}

/// Runs a command in the root, this tree being where it is outside.
pub(crate) fn run(words: &[&str]) -> Said {
    Said::of(in_root().args(words).output().unwrap())
}

/// The same on a machine whose /sys is `sysfs`.
#[allow(dead_code, reason = "not every part needs a machine")]
pub(crate) fn run_on(sysfs: &Path, words: &[&str]) -> Said {
    Said::of(in_root().env("SYSFS", sysfs).args(words).output().unwrap())
}

/// A folder below target/ that only this test has; it is the same path in the root.
pub(crate) fn scratch() -> tempfile::TempDir {
    let folder = format!("{TREE}/target/shipping");
    std::fs::create_dir_all(&folder).unwrap();
    tempfile::tempdir_in(folder).unwrap()
}
