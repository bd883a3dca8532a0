//! On the host: which cases are wanted, one guest for all of a kernel's, and their verdicts in the usual form.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};

use libtest_mimic::{Arguments, Failed, Trial};

use crate::boot;
use crate::case::{Case, KERNELS};
use crate::cases;
use crate::report::Report;

/// Cases that share one boot: same kernel, same emulated hardware.
#[derive(Default)]
pub(crate) struct Guest {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    verdicts: BTreeMap<String, Result<(), String>>,
    running: Option<String>,
    /// How long each took, and what those that went well had to say.
    seconds: Vec<(f64, String, String)>,
    /// How the boot ended; from then on, a case without a verdict has failed.
    ended: Option<String>,
}

impl Guest {
    pub(crate) fn hear(&self, report: Report) {
        let mut state = self.state.lock().unwrap();
        match report {
            Report::Started { case } => state.running = Some(case),
            Report::Ended {
                case,
                ok,
                output,
                seconds,
            } => {
                state.running = None;
                let said = if ok { output.clone() } else { String::new() };
                state.seconds.push((seconds, case.clone(), said));
                state
                    .verdicts
                    .insert(case, if ok { Ok(()) } else { Err(output) });
            }
        }
        self.changed.notify_all();
    }

    pub(crate) fn end(&self, how: String) {
        self.state.lock().unwrap().ended = Some(how);
        self.changed.notify_all();
    }

    /// How long each case took, longest first.
    fn times(&self) -> String {
        let mut seconds = self.state.lock().unwrap().seconds.clone();
        seconds.sort_by(|a, b| b.0.total_cmp(&a.0));
        seconds
            .iter()
            .map(|(seconds, case, said)| {
                let said: String = said
                    .lines()
                    .map(|line| format!("           {line}\n"))
                    .collect();
                format!("{seconds:7.2} s  {case}\n{said}")
            })
            .collect()
    }

    fn verdict(&self, case: &str) -> Result<(), Failed> {
        let state = self
            .changed
            .wait_while(self.state.lock().unwrap(), |state| {
                !state.verdicts.contains_key(case) && state.ended.is_none()
            })
            .unwrap();
        match (state.verdicts.get(case), &state.ended) {
            (Some(verdict), _) => verdict.clone().map_err(Failed::from),
            (None, how) => {
                let running = match &state.running {
                    Some(running) if running == case => {
                        "it was running when the guest ended".to_owned()
                    }
                    Some(running) => format!("the guest ended during {running}"),
                    None => "no case was running when the guest ended".to_owned(),
                };
                Err(format!(
                    "no verdict: {running}\n{}",
                    how.as_deref().unwrap_or_default()
                )
                .into())
            }
        }
    }
}

type Shared = (Arc<Guest>, Vec<Case>);

/// What is asked for beyond the test runner's own arguments.
struct Wanted {
    kernels: Vec<String>,
    words: Vec<String>,
    arguments: Arguments,
}

impl Wanted {
    /// `--kernel K` and `--only WORD` may be repeated; the rest is the test runner's.
    fn parse(args: Vec<String>) -> Self {
        let (mut kernels, mut words, mut rest) = (Vec::new(), Vec::new(), Vec::new());
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--kernel" => kernels.extend(args.next()),
                "--only" => words.extend(args.next()),
                _ => rest.push(arg),
            }
        }
        for kernel in &kernels {
            assert!(
                KERNELS.contains(&kernel.as_str()),
                "--kernel {kernel}: the lab has {KERNELS:?}"
            );
        }
        Self {
            kernels,
            words,
            arguments: Arguments::from_iter(rest),
        }
    }

    fn lists(&self, kernel: &str, name: &str) -> bool {
        (self.kernels.is_empty() || self.kernels.iter().any(|k| k == kernel))
            && (self.words.is_empty() || self.words.iter().any(|word| name.contains(word)))
    }

    /// The test runner's own filter, which it applies once more when it runs.
    fn runs(&self, name: &str) -> bool {
        let hit = |word: &String| {
            if self.arguments.exact {
                name == word
            } else {
                name.contains(word)
            }
        };
        self.arguments.filter.as_ref().is_none_or(hit) && !self.arguments.skip.iter().any(hit)
    }
}

pub(crate) fn main(args: Vec<String>) -> ExitCode {
    let wanted = Wanted::parse(args);
    let mut guests: BTreeMap<(usize, &str, &str, bool), Shared> = BTreeMap::new();
    let mut trials = Vec::new();
    for (order, kernel) in KERNELS.iter().enumerate() {
        for case in cases::in_order()
            .into_iter()
            .filter(|case| case.kernels.contains(kernel))
        {
            let title = format!("k{kernel}::{}", case.name);
            if !wanted.lists(kernel, &title) {
                continue;
            }
            let (guest, cases) = guests
                .entry((order, case.root.unwrap_or(kernel), case.pf, case.systemd))
                .or_default();
            let (guest, name) = (guest.clone(), case.name.clone());
            if wanted.runs(&title) {
                cases.push(case);
            }
            trials.push(Trial::test(title, move || guest.verdict(&name)));
        }
    }
    if trials.is_empty() {
        eprintln!("no case of the lab is named so; cargo test --test lab -- --list shows them");
        return ExitCode::from(2);
    }
    // Not a moment of a guest's time for a mere list.
    let boots = guests
        .into_iter()
        .filter(|(_, (_, cases))| !cases.is_empty() && !wanted.arguments.list)
        .map(|((_, root, pf, systemd), (guest, cases))| Boot {
            root,
            pf,
            systemd,
            guest,
            cases,
        })
        .collect();
    let launchers = start(boots, wanted.arguments.test_threads);
    let conclusion = libtest_mimic::run(&wanted.arguments, trials);
    // The last verdict is in, but guests still power off and scratch folders still go.
    for launcher in launchers {
        launcher.join().expect("a launcher does not panic");
    }
    conclusion.exit_code()
}

pub(crate) struct Boot {
    /// A kernel's, by its name, or another.
    pub(crate) root: &'static str,
    pub(crate) pf: &'static str,
    pub(crate) systemd: bool,
    pub(crate) guest: Arc<Guest>,
    pub(crate) cases: Vec<Case>,
}

impl Boot {
    /// What its logs are called.
    pub(crate) fn title(&self) -> String {
        let systemd = if self.systemd { "-systemd" } else { "" };
        format!("{}-{}{systemd}", self.root, self.pf)
    }
}

/// A guest has one CPU, and waits for something a third of the time: one more runs at once than
/// this host has.
fn start(boots: VecDeque<Boot>, threads: Option<usize>) -> Vec<JoinHandle<()>> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let at_once = (cores + 1).min(threads.unwrap_or(usize::MAX)).max(1);
    let queue = Arc::new(Mutex::new(boots));
    (0..at_once)
        .map(|_| {
            let queue = queue.clone();
            thread::spawn(move || while launch_next(&queue) {})
        })
        .collect()
}

fn launch_next(queue: &Mutex<VecDeque<Boot>>) -> bool {
    let Some(next) = queue.lock().unwrap().pop_front() else {
        return false;
    };
    let tree = Path::new(env!("CARGO_MANIFEST_DIR"));
    let how = boot::run(tree, &next);
    let how = how.unwrap_or_else(|error| format!("the guest could not be started: {error}"));
    // For whoever wants to know where the time went; nothing is judged by it.
    let times = tree.join(format!("target/lab/logs/times-{}.log", next.title()));
    if let Err(error) = fs::write(&times, next.guest.times()) {
        eprintln!("cannot write {}: {error}", times.display());
    }
    next.guest.end(how);
    true
}
