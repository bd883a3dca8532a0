//! GUIDs that `vf set` must not give: an ADD is giving them, or a VF of a container gets them back.

use crate::attachment::{AttachError, reserved_guid};
use crate::cli::{Context, Failure};
use crate::kernel::Lock;
use crate::sriov::pf::Vf;
use crate::sriov::wish::Wish;
use crate::types::Guid;
use crate::view::explain::Explanation;

/// Those that somebody else may want too.
fn wanted(wish: &Wish) -> Vec<Guid> {
    let mut guids: Vec<Guid> = [wish.node_guid, wish.port_guid]
        .into_iter()
        .flatten()
        .filter(|guid| guid.is_assignable())
        .collect();
    // Whoever wants both takes them in the same order.
    guids.sort();
    guids.dedup();
    guids
}

/// Keeps every ADD from giving the same GUID meanwhile, until the locks are dropped.
///
/// # Errors
/// Somebody is giving it, for longer than we wait.
pub(super) fn claim(cx: &Context<'_>, wish: &Wish) -> Result<Vec<Lock>, Failure> {
    let mut locks = Vec::new();
    for guid in wanted(wish) {
        match reserved_guid::claim(cx.host, guid) {
            Ok(lock) => locks.push(lock),
            // Who may not lock may not set one either, and is told so by the kernel.
            Err(AttachError::Lock(_)) => {}
            Err(error) => return Err(told(&error)),
        }
    }
    Ok(locks)
}

/// Refuses a GUID that another VF had before a container got it; `--force` gives it all the same.
///
/// # Errors
/// The VF, and the record that says so.
pub(super) fn require_free(cx: &Context<'_>, vf: Vf, wish: &Wish) -> Result<(), Failure> {
    if cx.force {
        return Ok(());
    }
    for guid in wanted(wish) {
        let free = reserved_guid::require_free(cx.host, vf.address, guid);
        // Who may not read the records knows of none.
        if let Err(error @ AttachError::GuidReserved { .. }) = free {
            return Err(told(&error));
        }
    }
    Ok(())
}

fn told(error: &AttachError) -> Failure {
    let cure = match error {
        AttachError::GuidReserved { .. } => {
            "choose another; rdmactl cni list shows whose it is; --force gives it all the same"
        }
        _ => "choose another, or try again; rdmactl cni list shows what has been given",
    };
    Explanation {
        headline: format!("error: {error}"),
        cause: Some("two with one GUID take each other off the subnet".to_owned()),
        cure: Some(cure.to_owned()),
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_guid_once_and_none_that_is_none() {
        let wish = |node, port| Wish {
            node_guid: Some(Guid::new(node)),
            port_guid: Some(Guid::new(port)),
            ..Wish::default()
        };
        assert_eq!(wanted(&wish(5, 5)), [Guid::new(5)]);
        assert_eq!(wanted(&wish(7, 5)), [Guid::new(5), Guid::new(7)]);
        assert_eq!(wanted(&wish(0, 5)), [Guid::new(5)]);
        assert!(wanted(&wish(0, 0)).is_empty());
        assert!(wanted(&Wish::default()).is_empty());
    }
}
