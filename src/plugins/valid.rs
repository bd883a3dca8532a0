//! The attachments that a runtime still knows, as it lists them for GC.

use crate::cni::config::load_error;
use crate::cni::object::{Object, ObjectError};
use crate::cni::{Code, Config, Failure};
use crate::rdma::lease::Attachment;

/// The list of this network.
///
/// # Errors
/// Code 7 without a list, or when it is none.
pub fn attachments(config: &Config<'_>) -> Result<Vec<Attachment>, Failure> {
    valid(config).map_err(|error| load_error(&error))?.ok_or_else(|| {
        Failure::new(Code::INVALID_CONFIG, "no list of valid attachments")
            .details("the runtime must send cni.dev/valid-attachments, if only an empty one; without it every device would be taken away")
    })
}

/// Both spellings: libcni also sends the wrong one.
fn valid(config: &Config<'_>) -> Result<Option<Vec<Attachment>>, ObjectError> {
    let mut valid = None;
    for key in ["cni.dev/valid-attachments", "cni.dev/attachments"] {
        if config.object.get(key)?.is_none() {
            continue;
        }
        let list = valid.get_or_insert_with(Vec::new);
        for raw in config.object.list(key)? {
            let attachment = Object::parse(raw.get())?;
            list.push(Attachment {
                network: config.name.clone(),
                container: attachment.text("containerID")?,
                ifname: attachment.text("ifname")?,
            });
        }
    }
    Ok(valid)
}

/// The end of a GC: one failure that tells of all.
///
/// # Errors
/// The first one's code, and what could not be freed.
pub fn freed(failures: Vec<(String, Failure)>) -> Result<(), Failure> {
    let Some((_, first)) = failures.first() else {
        return Ok(());
    };
    let texts: Vec<String> = failures
        .iter()
        .map(|(name, failure)| format!("{name}: {}", failure.msg))
        .collect();
    Err(Failure::new(
        first.code,
        format!(
            "{} of the stale attachments could not be freed",
            texts.len()
        ),
    )
    .details(texts.join("; ")))
}
