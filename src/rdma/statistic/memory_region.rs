//! Counters of memory regions.

use nix::errno::Errno;

use crate::kernel::Conn;
use crate::rdma::device;
use crate::rdma::error::RdmaError;
use crate::types::NumberList;
use crate::wire::nldev::device::Device;
use crate::wire::nldev::statistic::memory_region::{self as wire, MrCounters};

/// The memory regions of one device that its driver counts for, or those with these numbers;
/// empty when the device is gone.
///
/// # Errors
/// [`RdmaError::Refused`], [`RdmaError::Netlink`].
pub fn list(
    conn: &mut Conn,
    device: &Device,
    wanted: Option<&NumberList>,
    driver_details: bool,
) -> Result<Vec<MrCounters>, RdmaError> {
    let is_wanted =
        |region: &MrCounters| wanted.is_none_or(|wanted| wanted.has(region.mrn.map(u64::from)));
    // The kernel looks a single one up. Where it does not find it, a listing says why.
    let only = wanted.and_then(|wanted| u32::try_from(wanted.only()?).ok());
    if let Some(mrn) = only {
        let request = wire::get(device.index, mrn, driver_details);
        if let Ok(found) = conn.get(&request, MrCounters::decode) {
            return Ok(Some(found).filter(is_wanted).into_iter().collect());
        }
    }
    let request = wire::dump(device.index, driver_details);
    match conn.list(&request, MrCounters::decode_all) {
        Ok(found) => Ok(found.into_iter().flatten().filter(is_wanted).collect()),
        Err(error)
            if error.errno() == Some(Errno::EINVAL)
                && device::with_index(conn, device.index)?.is_none() =>
        {
            Ok(Vec::new())
        }
        Err(error) => Err(RdmaError::refused(
            error,
            format!("read the counters of memory regions of {}", device.name),
        )),
    }
}
