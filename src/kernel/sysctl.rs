//! Settings below `/proc/sys` of the calling thread's network namespace.

use std::fs;

use super::Host;
use super::file::FileError;

/// Writes one; `name` is a relative path such as `net/ipv6/conf/lo/disable_ipv6`.
///
/// # Errors
/// [`FileError`]; ENOENT where the kernel has no such setting.
pub fn write(host: &Host, name: &str, value: &str) -> Result<(), FileError> {
    let path = host.path("/proc/sys").join(name);
    let outcome = match name.split('/').any(|part| part == "..") {
        true => Err(std::io::ErrorKind::InvalidFilename.into()),
        false => fs::write(&path, value),
    };
    outcome.map_err(|source| FileError {
        verb: "write",
        path,
        source,
    })
}
