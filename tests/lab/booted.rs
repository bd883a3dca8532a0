//! Cases that boot for real: told in chapters, one a boot, on a disk that outlasts it.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use crate::handle::Lab;

/// Where what outlasts a boot is kept.
const KEPT: &str = "/var/lib/lab";

/// How often this case has had the guest reboot.
pub(crate) fn chapter() -> usize {
    let text = fs::read_to_string(kept("chapter")).unwrap_or_default();
    text.lines().count()
}

/// Reboots as an administrator does; the case is run again behind it, in its next chapter.
pub(crate) fn reboot(lab: &Lab) -> ! {
    keep("chapter", &"boot\n".repeat(chapter() + 1));
    // The session that runs this is stopped, and has not failed.
    fs::write("/run/lab/reboot.wanted", "").expect("/run can be written");
    lab.exec("systemctl reboot").ok();
    loop {
        sleep(Duration::from_secs(1));
    }
}

/// Keeps a text for later chapters.
pub(crate) fn keep(name: &str, text: &str) {
    fs::create_dir_all(KEPT)
        .and_then(|()| fs::write(kept(name), text))
        .unwrap_or_else(|error| panic!("{name}: {error}"));
}

/// What [`keep`] kept, or a unit wrote.
pub(crate) fn read(name: &str) -> String {
    fs::read_to_string(kept(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub(crate) fn kept(name: &str) -> PathBuf {
    Path::new(KEPT).join(name)
}

/// A case whose verdict is told; a boot later the list of cases begins anew.
pub(crate) fn has_ended(case: &str) -> bool {
    kept(&format!("ended.{case}")).exists()
}

pub(crate) fn ended(case: &str) {
    keep(&format!("ended.{case}"), "");
    // The next case has chapters of its own.
    let _ = fs::remove_file(kept("chapter"));
}
