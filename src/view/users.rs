//! The users of a device in words.

use super::namespace::{hidden_processes, list_of, process};
use crate::rdma::users::Users;

/// Who they are, and what is not known about them.
pub fn describe(users: &Users) -> String {
    let mut parts = Vec::new();
    if !users.processes.is_empty() {
        parts.push(list_of(users.processes.iter().map(process)));
    }
    let modules = users.modules.iter();
    parts.extend(modules.map(|module| format!("the kernel module {}", printable(module))));
    match users.unseen {
        0 => {}
        1 => parts.push("a process that cannot be seen from here".to_owned()),
        many => parts.push(format!(
            "processes with {many} contexts that cannot be seen from here"
        )),
    }
    if users.hidden > 0 {
        parts.push(hidden_processes(users.hidden));
    }
    parts.join("; ")
}

fn printable(name: &str) -> String {
    name.replace(char::is_control, "?")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::kernel::namespace::Process;
    use crate::kernel::owner::Owner;

    pub(in crate::view) fn used_by(pids: &[(u32, &str, &str)]) -> Users {
        let process = |(pid, comm, cgroup): &(u32, &str, &str)| Process {
            pid: *pid,
            comm: (*comm).to_owned(),
            owner: Owner::read(cgroup),
        };
        Users {
            processes: pids.iter().map(process).collect(),
            ..Users::default()
        }
    }

    #[test]
    fn everybody_and_the_gaps() {
        let mut users = used_by(&[
            (9, "rping", "0::/"),
            (812, "ibd", "0::/system.slice/ibd.service"),
        ]);
        assert_eq!(describe(&users), "pid 9 rping; pid 812 ibd of ibd.service");
        users.modules.insert("nvmet_rdma".to_owned());
        users.unseen = 1;
        assert_eq!(
            describe(&users),
            "pid 9 rping; pid 812 ibd of ibd.service; the kernel module nvmet_rdma; a process that cannot be seen from here"
        );
        let users = Users {
            unseen: 3,
            hidden: 1,
            ..Users::default()
        };
        assert_eq!(
            describe(&users),
            "processes with 3 contexts that cannot be seen from here; 1 process of another user cannot be looked at"
        );
    }
}
