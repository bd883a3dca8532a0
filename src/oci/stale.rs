//! Records of containers that ended without their hook: what they had comes home first.

use super::error::HookError;
use crate::kernel::namespaces::{Depth, survey};
use crate::kernel::{Conn, Host};
use crate::rdma::lease::locate::Search;
use crate::rdma::lease::{Attachment, Record, Store, give_back, of_hook};
use crate::types::DeviceId;

/// Ends what other containers have on record of `id` whose namespaces have no process any more;
/// what was done, in words. The caller holds the lock of the device.
///
/// # Errors
/// [`HookError`]: a device is still away.
pub fn end(
    host: &Host,
    home: &mut Conn,
    id: &DeviceId,
    own: &Attachment,
) -> Result<Vec<String>, HookError> {
    let store = Store::new(host);
    let mut done = Vec::new();
    let mut seen = None;
    for entry in store.all()? {
        let Some(record) = &entry.record else {
            continue;
        };
        let theirs = match &record.attachment {
            Some(theirs) if of_hook::is_of_hook(theirs) && theirs != own => theirs,
            _ => continue,
        };
        if record.device_id.as_ref() != Some(id) {
            continue;
        }
        let survey = match &seen {
            Some(survey) => survey,
            None => seen.insert(survey(host, Depth::Files)?),
        };
        if lives(host, survey, record) {
            continue;
        }
        let search = Search {
            host,
            attachment: theirs,
            device_id: Some(id),
            record: Some(record),
            netns: None,
        };
        give_back::end_each(&search, home)?;
        store.folder().remove(&entry.name)?;
        let container = &theirs.container;
        done.push(format!(
            "container {container} ended without its poststop hook; {id} was brought home from it first"
        ));
    }
    Ok(done)
}

fn lives(host: &Host, survey: &crate::kernel::Survey, record: &Record) -> bool {
    let Some(lodging) = &record.lodging else {
        return true;
    };
    let mut namespaces = survey.namespaces.iter();
    let found =
        namespaces.find(|namespace| namespace.is(host, lodging.netns.id, lodging.netns.cookie));
    let lives = found.is_some_and(|namespace| !of_hook::is_over(host, survey, namespace));
    lives && !of_hook::is_home(host, lodging)
}
