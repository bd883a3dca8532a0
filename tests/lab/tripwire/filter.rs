//! The seccomp filter that picks the calls at which a program stops.

use std::mem::offset_of;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::libc::{
    self, BPF_ABS, BPF_JEQ, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W, SECCOMP_RET_ALLOW,
    SECCOMP_RET_TRACE, c_long, seccomp_data, sock_filter, sock_fprog,
};
use nix::sys::ptrace;

use super::Grain;

/// Calls that change something whatever their arguments, or whose arguments the filter cannot see.
const ALWAYS: [c_long; 31] = [
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_write,
    libc::SYS_pwrite64,
    libc::SYS_writev,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_unlinkat,
    libc::SYS_mkdirat,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_ftruncate,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_flock,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_finit_module,
    libc::SYS_utimensat,
];

/// As they were called before they were given a folder.
#[cfg(target_arch = "x86_64")]
const OLD: [c_long; 9] = [
    libc::SYS_rename,
    libc::SYS_unlink,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_link,
    libc::SYS_symlink,
    libc::SYS_chmod,
    libc::SYS_fork,
    libc::SYS_vfork,
];
#[cfg(not(target_arch = "x86_64"))]
const OLD: [c_long; 0] = [];

/// Has the program begin under the filter, and with its parent told of it.
pub(super) fn install(command: &mut Command, grain: Grain) {
    let program = program(grain);
    let prepare = move || {
        ptrace::traceme()?;
        let filter = sock_fprog {
            len: program.len() as u16,
            filter: program.as_ptr().cast_mut(),
        };
        #[expect(unsafe_code, reason = "nix has no filters")]
        // SAFETY: `filter` and what it points to live until the call is back, which copies them.
        let done = unsafe {
            libc::prctl(
                libc::PR_SET_SECCOMP,
                libc::SECCOMP_MODE_FILTER,
                &raw const filter,
            )
        };
        nix::errno::Errno::result(done).map(drop)?;
        Ok(())
    };
    #[expect(unsafe_code, reason = "a filter is a process's own to install")]
    // SAFETY: after the fork there are two bare system calls, and nothing is allocated.
    unsafe {
        command.pre_exec(prepare);
    }
}

fn program(grain: Grain) -> Vec<sock_filter> {
    let mut calls = [&ALWAYS[..], &OLD[..]].concat();
    if grain == Grain::Calls {
        calls.extend([libc::SYS_recvfrom, libc::SYS_openat2]);
    }
    // The jump of the n-th comparison, when it is equal, goes over the others to the last line.
    let changing = (libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC).cast_unsigned();
    let flags = offset_of!(seccomp_data, args) as u32 + 2 * 8;
    let mut lines = vec![line(
        BPF_LD | BPF_W | BPF_ABS,
        0,
        0,
        offset_of!(seccomp_data, nr) as u32,
    )];
    let count = calls.len();
    for (n, call) in calls.into_iter().enumerate() {
        lines.push(line(
            BPF_JMP | BPF_JEQ | BPF_K,
            (count - n + 3) as u8,
            0,
            call as u32,
        ));
    }
    lines.push(line(
        BPF_JMP | BPF_JEQ | BPF_K,
        0,
        2,
        libc::SYS_openat as u32,
    ));
    lines.push(line(BPF_LD | BPF_W | BPF_ABS, 0, 0, flags));
    lines.push(line(BPF_JMP | BPF_JSET | BPF_K, 1, 0, changing));
    lines.push(line(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW));
    lines.push(line(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_TRACE));
    lines
}

const fn line(code: u32, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    }
}
