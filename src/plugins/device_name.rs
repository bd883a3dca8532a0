//! `rdmaDeviceName`: how both plugins are told what RDMA devices are called in the container.

use crate::cni::config::load_error;
use crate::cni::{Code, Config, Failure};
use crate::types::RdmaNaming;

/// What to do about one name for several devices.
pub const ONE_NAME: &str = "write a pattern as rdmaDeviceName, such as mlx5_%d";

/// `args.cni.rdmaDeviceName`, which a pod may set, goes before `rdmaDeviceName`.
///
/// # Errors
/// Code 7.
pub fn read(config: &Config<'_>) -> Result<RdmaNaming, Failure> {
    const KEY: &str = "rdmaDeviceName";
    let args = config
        .object
        .object("args")
        .and_then(|args| args.object("cni"));
    // Without a name in it, what is wrong with it is not our concern.
    let of_pod = args.map(|args| args.text(KEY)).unwrap_or(Ok(String::new()));
    let word = match of_pod {
        Ok(word) if word.is_empty() => config.object.text(KEY),
        word => word,
    };
    let word = word.map_err(|error| load_error(&error))?;
    if word.is_empty() {
        return Ok(RdmaNaming::Keep);
    }
    word.parse().map_err(|error| {
        Failure::new(
            Code::INVALID_CONFIG,
            format!("failed to load netconf: {KEY}: {error}"),
        )
        .details("write keep, a name such as rocep1, or a pattern such as mlx5_%d")
    })
}
