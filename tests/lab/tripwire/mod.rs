//! Runs a program under ptrace and disturbs it at one of the calls with which it changes something.
//!
//! The calls are counted over all threads and children of the program, so each of them is reached. Only they stop it:
//! a seccomp filter picks them, and everything else runs at full speed.

mod filter;
mod step;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::output::Output;
pub(crate) use step::{Grain, Step};

/// What happens at the call that was chosen; the call itself is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The program and its children are killed, as a container's end does.
    Kill,
    /// The program is killed, as a runtime does that has waited enough; its children go on.
    KillLeader,
    /// The call answers so.
    Error(Errno),
}

/// What a run was like.
pub(crate) struct Run {
    pub(crate) output: Output,
    /// Up to the disturbance every call counts, after it none.
    pub(crate) steps: Vec<Step>,
    /// Where it was disturbed.
    pub(crate) hit: Option<Step>,
}

/// The steps of a run that nobody disturbs.
pub(crate) fn record(command: &mut Command, input: &str, grain: Grain) -> Run {
    Wire::lay(command, input, grain, None)
}

/// Disturbs the n-th step that begins with a word, the first being 1; with an empty word all of them count.
pub(crate) fn disturb(
    command: &mut Command,
    input: &str,
    grain: Grain,
    (word, nth): (&'static str, usize),
    fault: Fault,
) -> Run {
    Wire::lay(
        command,
        input,
        grain,
        Some(Trap {
            word,
            left: nth,
            fault,
        }),
    )
}

/// Where the wire is, and what it does.
struct Trap {
    word: &'static str,
    /// How many steps to go.
    left: usize,
    fault: Fault,
}

/// What is known of a thread that is followed.
#[derive(Clone, Copy, Default)]
struct Thread {
    /// The program under test, in the program's own process or in a child of it.
    own: Option<Whose>,
    /// It has sent a change and not yet read the answer.
    awaits: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Program,
    Child,
    /// Another program that it started, such as an IPAM plugin.
    Stranger,
}

struct Wire {
    leader: Pid,
    image: std::path::PathBuf,
    threads: BTreeMap<Pid, Thread>,
    /// The news that one has begun may come after the news that it has ended.
    gone: BTreeSet<Pid>,
    grain: Grain,
    trap: Option<Trap>,
    steps: Vec<Step>,
    hit: Option<Step>,
    all_die: bool,
    status: i32,
}

impl Wire {
    fn lay(command: &mut Command, input: &str, grain: Grain, trap: Option<Trap>) -> Run {
        let shown = command.get_program().to_string_lossy().into_owned();
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        filter::install(command, grain);
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {shown}: {error}"));
        // A pipe holds it: nobody reads before the program goes on.
        let written = child
            .stdin
            .take()
            .expect("piped")
            .write_all(input.as_bytes());
        written.expect("the configuration fits into a pipe");
        let leader = Pid::from_raw(child.id().cast_signed());
        let mut wire = Self {
            leader,
            image: std::fs::canonicalize(&shown).expect("the program is there"),
            threads: BTreeMap::from([(leader, Thread::default())]),
            gone: BTreeSet::new(),
            grain,
            trap,
            steps: Vec::new(),
            hit: None,
            all_die: false,
            status: -1,
        };
        wire.begin();
        while !wire.threads.is_empty() {
            let status = waitpid(None, Some(WaitPidFlag::__WALL)).expect("there are children");
            wire.heed(status);
        }
        let (stdout, stderr) = said(&mut child);
        Run {
            output: Output {
                command: shown,
                status: wire.status,
                stdout,
                stderr,
            },
            steps: wire.steps,
            hit: wire.hit,
        }
    }

    /// The program stops when it has been loaded.
    fn begin(&self) {
        let status = waitpid(self.leader, Some(WaitPidFlag::__WALL)).expect("it is our child");
        assert!(
            matches!(status, WaitStatus::Stopped(_, Signal::SIGTRAP)),
            "it was not loaded: {status:?}"
        );
        let options = Options::PTRACE_O_TRACESECCOMP
            | Options::PTRACE_O_TRACECLONE
            | Options::PTRACE_O_TRACEFORK
            | Options::PTRACE_O_TRACEVFORK
            | Options::PTRACE_O_TRACEEXEC
            | Options::PTRACE_O_EXITKILL;
        ptrace::setoptions(self.leader, options).expect("it is stopped");
        go_on(self.leader, None);
    }

    fn heed(&mut self, status: WaitStatus) {
        match status {
            WaitStatus::Exited(pid, code) => self.ended(pid, code),
            WaitStatus::Signaled(pid, signal, _) => self.ended(pid, 128 + signal as i32),
            WaitStatus::PtraceEvent(pid, _, event) => {
                self.event(pid, event);
                go_on(pid, None);
            }
            // A new thread or child begins so; the event that tells of it may come later.
            WaitStatus::Stopped(pid, Signal::SIGSTOP | Signal::SIGTRAP) => {
                self.know(pid);
                go_on(pid, None);
            }
            WaitStatus::Stopped(pid, signal) => go_on(pid, Some(signal)),
            other => panic!("unexpected news of a program: {other:?}"),
        }
    }

    fn know(&mut self, pid: Pid) {
        if self.gone.contains(&pid) {
            return;
        }
        self.threads.entry(pid).or_default();
        if self.all_die {
            let _ = kill(pid, Signal::SIGKILL);
        }
    }

    fn ended(&mut self, pid: Pid, status: i32) {
        self.threads.remove(&pid);
        self.gone.insert(pid);
        if pid == self.leader {
            self.status = status;
        }
    }

    fn event(&mut self, pid: Pid, event: i32) {
        use nix::libc::{
            PTRACE_EVENT_CLONE, PTRACE_EVENT_EXEC, PTRACE_EVENT_FORK, PTRACE_EVENT_SECCOMP,
            PTRACE_EVENT_VFORK,
        };
        self.know(pid);
        match event {
            PTRACE_EVENT_SECCOMP => self.call(pid),
            PTRACE_EVENT_EXEC => {
                self.threads.insert(pid, Thread::default());
            }
            PTRACE_EVENT_CLONE | PTRACE_EVENT_FORK | PTRACE_EVENT_VFORK => {
                // ESRCH: it was killed meanwhile.
                if let Ok(number) = ptrace::getevent(pid)
                    && let Ok(number) = i32::try_from(number)
                {
                    self.know(Pid::from_raw(number));
                }
            }
            _ => {}
        }
    }

    /// A call that the filter picked is about to be made.
    fn call(&mut self, pid: Pid) {
        let whose = self.whose(pid);
        if whose == Whose::Stranger || self.hit.is_some() || self.all_die {
            return;
        }
        let Some(call) = step::Call::of(pid) else {
            return;
        };
        let thread = self.threads.entry(pid).or_default();
        let Some(what) = call.change(pid, self.grain, thread.awaits) else {
            return;
        };
        thread.awaits = call.is_answered();
        let step = Step {
            what,
            by_child: whose == Whose::Child,
        };
        self.steps.push(step.clone());
        let Some(trap) = self
            .trap
            .as_mut()
            .filter(|trap| step.what.starts_with(trap.word))
        else {
            return;
        };
        trap.left -= 1;
        if trap.left > 0 {
            return;
        }
        self.hit = Some(step);
        match trap.fault {
            Fault::Kill => {
                self.all_die = true;
                for pid in self.threads.keys() {
                    let _ = kill(*pid, Signal::SIGKILL);
                }
            }
            Fault::KillLeader => {
                let _ = kill(self.leader, Signal::SIGKILL);
            }
            Fault::Error(errno) => call.answer(pid, errno),
        }
    }

    fn whose(&mut self, pid: Pid) -> Whose {
        if let Some(whose) = self.threads.get(&pid).and_then(|thread| thread.own) {
            return whose;
        }
        let image = std::fs::read_link(format!("/proc/{pid}/exe"));
        let whose = if image.ok().as_ref() != Some(&self.image) {
            Whose::Stranger
        } else if step::process(pid) == Some(self.leader) {
            Whose::Program
        } else {
            Whose::Child
        };
        self.threads.entry(pid).or_default().own = Some(whose);
        whose
    }
}

fn go_on(pid: Pid, signal: Option<Signal>) {
    // ESRCH: it was killed meanwhile.
    let _ = ptrace::cont(pid, signal);
}

fn said(child: &mut Child) -> (String, String) {
    let mut text = (String::new(), String::new());
    let out = child
        .stdout
        .take()
        .expect("piped")
        .read_to_string(&mut text.0);
    let err = child
        .stderr
        .take()
        .expect("piped")
        .read_to_string(&mut text.1);
    out.and(err).expect("what it says is text");
    text
}
