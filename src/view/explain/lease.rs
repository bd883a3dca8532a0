//! Why a device could not be lent or brought home, where neither kernel nor namespace says it.

use std::io::ErrorKind;

use super::Explanation;
use crate::kernel::{FileError, LockError};
use crate::rdma::lease::LeaseError;

/// Explains an error of a lease.
pub fn lease(error: &LeaseError) -> Explanation {
    let (cause, cure) = match error {
        LeaseError::NotHome { .. } => (
            Some(
                "it is being torn down, or nothing but a socket keeps it; the kernel brings the device home when it ends",
            ),
            Some("rdmactl dev reclaim, a little later"),
        ),
        LeaseError::Lock(LockError::Busy { .. }) => (
            Some("a CNI plugin or another reclaim works on the device"),
            Some("rdmactl dev reclaim, when it has ended"),
        ),
        LeaseError::Lost { .. } => (
            Some("somebody else moved it at the same time, or its driver was unbound"),
            Some("rdmactl dev show --all-netns"),
        ),
        LeaseError::Lock(LockError::File(error)) | LeaseError::File(error) => return file(error),
        _ => (None, None),
    };
    Explanation {
        headline: format!("error: {error}"),
        cause: cause.map(str::to_owned),
        cure: cure.map(str::to_owned),
    }
}

/// Records, locks and documents are root's files.
pub(super) fn file(error: &FileError) -> Explanation {
    let (cause, cure) = match error.source.kind() {
        ErrorKind::PermissionDenied => (
            Some("only root may write there"),
            Some("run the command as root on the host".to_owned()),
        ),
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => (
            Some("something that is no folder is in its way"),
            Some(format!("namei {}    # shows what", error.path.display())),
        ),
        ErrorKind::StorageFull | ErrorKind::ReadOnlyFilesystem => (
            None,
            Some("findmnt /run /var/lib; df /run /var/lib".to_owned()),
        ),
        _ => (None, None),
    };
    Explanation {
        headline: format!("error: {error}: {}", error.source),
        cause: cause.map(str::to_owned),
        cure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_a_file_is_not_written() {
        let told = |kind: ErrorKind| {
            let error = FileError {
                verb: "create folder",
                path: "/run/rdmactl/device".into(),
                source: kind.into(),
            };
            lease(&LeaseError::Lock(LockError::File(error)))
        };
        let refused = told(ErrorKind::PermissionDenied);
        assert_eq!(
            refused.headline,
            "error: cannot create folder /run/rdmactl/device: permission denied"
        );
        assert_eq!(
            refused.cure.as_deref(),
            Some("run the command as root on the host")
        );
        let taken = told(ErrorKind::NotADirectory);
        assert_eq!(
            taken.cure.as_deref(),
            Some("namei /run/rdmactl/device    # shows what")
        );
        // No cause is better than a wrong one.
        assert_eq!(told(ErrorKind::Interrupted).cause, None);
    }
}
