//! Why a software device is still there, and how to get rid of it.

use super::{Explanation, blockers};
use crate::rdma::users::Users;
use crate::view::namespace::{MAX_LISTED, quoted};
use crate::view::users::describe;

/// It was left alone, for others use it.
pub fn in_use(headline: String, device: &str, users: &Users) -> Explanation {
    let again = format!("rdmactl link delete {}", quoted(device));
    let cause = format!(
        "in use by {}; a deletion takes it from them, or hangs in the kernel until they end (soft-RoCE before Linux 7.3, soft-iWARP)",
        describe(users)
    );
    let waiting = format!("to wait for them: {again} --wait 60");
    let forced = format!("all the same: {again} --force");
    let cure = match ends(users) {
        Some(ends) => format!("{ends}; {again}; or, {waiting}; or, {forced}"),
        None => format!("{waiting}; or, {forced}"),
    };
    Explanation {
        headline,
        cause: Some(cause),
        cure: Some(cure),
    }
}

/// The kernel waits for its users; process `pid` has to be there until it is over.
pub fn stuck(headline: String, pid: u32, users: Option<&Users>) -> Explanation {
    let who = users.map_or_else(
        || "who has, cannot be seen from here".to_owned(),
        |users| format!("in use by {}", describe(users)),
    );
    let cause = format!(
        "the kernel waits until nobody has it open, in process {pid}, which cannot be stopped: {who}; it is deleted as soon as its users have ended, and is hidden until then, with its name and interface taken"
    );
    Explanation {
        headline,
        cause: Some(cause),
        cure: users.and_then(ends),
    }
}

/// The commands that end the users; not for more than anybody reads, and not for the kernel.
fn ends(users: &Users) -> Option<String> {
    let mut ends: Vec<String> = users.processes.iter().map(blockers::end_process).collect();
    ends.sort();
    ends.dedup();
    let told = !ends.is_empty()
        && ends.len() <= MAX_LISTED
        && users.modules.is_empty()
        && users.unseen == 0;
    told.then(|| ends.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::users::tests::used_by;

    fn said(explanation: Explanation) -> (String, String) {
        (
            explanation.cause.unwrap(),
            explanation.cure.unwrap_or_default(),
        )
    }

    #[test]
    fn who_is_to_be_ended() {
        let users = used_by(&[
            (9, "rping", "0::/"),
            (812, "ibd", "0::/system.slice/ibd.service"),
            (813, "ibd", "0::/system.slice/ibd.service"),
        ]);
        let (cause, cure) = said(in_use(String::new(), "rxe0", &users));
        assert!(
            cause.starts_with("in use by pid 9 rping; pid 812 ibd of ibd.service; pid 813 ibd"),
            "{cause}"
        );
        assert_eq!(
            cure,
            "kill 9; systemctl stop ibd.service; rdmactl link delete rxe0; or, to wait for them: rdmactl link delete rxe0 --wait 60; or, all the same: rdmactl link delete rxe0 --force"
        );
        let (cause, cure) = said(stuck(String::new(), 77, Some(&users)));
        assert!(cause.contains("in process 77, which cannot be stopped: in use by pid 9 rping"));
        assert_eq!(cure, "kill 9; systemctl stop ibd.service");
    }

    #[test]
    fn what_cannot_be_ended_is_waited_for() {
        let mut kernel = Users::default();
        kernel.modules.insert("nvmet_rdma".to_owned());
        let (cause, cure) = said(in_use(String::new(), "rx e", &kernel));
        assert!(cause.starts_with("in use by the kernel module nvmet_rdma; a deletion"));
        assert!(cure.starts_with("to wait for them: rdmactl link delete 'rx e' --wait 60; or, "));
        let (cause, cure) = said(stuck(String::new(), 77, None));
        assert!(
            cause.contains("who has, cannot be seen from here"),
            "{cause}"
        );
        assert_eq!(cure, "");
    }
}
