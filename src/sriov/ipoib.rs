//! The IPoIB interface of a PF, made by loading the module that makes them.

use std::thread;
use std::time::{Duration, Instant};

use super::uplink::{self, Uplink, UplinkError};
use crate::kernel::Host;
use crate::kernel::module_loader::{self, LoadError};
use crate::kernel::modules::{self, Availability};
use crate::types::PciAddr;

/// The module.
pub const MODULE: &str = "ib_ipoib";

/// The module makes its interfaces while it is loaded; what renames or moves them comes after.
const PATIENCE: Duration = Duration::from_secs(2);
/// Where there is a second way, it is not worth waiting for.
const LITTLE_PATIENCE: Duration = Duration::from_millis(500);

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// Whether loading the module may bring an interface that is not there.
pub fn may_help(host: &Host) -> bool {
    match modules::availability(host, MODULE) {
        Availability::Installed | Availability::Unknown => true,
        Availability::Present | Availability::Missing => false,
    }
}

/// Loads the module.
///
/// # Errors
/// [`LoadError`].
pub fn load(host: &Host) -> Result<(), LoadError> {
    module_loader::load(host, MODULE)
}

/// Waits for the interface of a PF; less long where there is another way to its VFs.
///
/// # Errors
/// [`UplinkError`]; an interface that does not come is `None`.
pub fn appearance(
    host: &Host,
    pf: PciAddr,
    has_second_way: bool,
) -> Result<Option<Uplink>, UplinkError> {
    let patience = if has_second_way {
        LITTLE_PATIENCE
    } else {
        PATIENCE
    };
    let begun = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        let found = uplink::find(host, pf)?;
        let left = patience.saturating_sub(begun.elapsed());
        if found.is_some() || left.is_zero() {
            return Ok(found);
        }
        thread::sleep(pause.min(left));
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
