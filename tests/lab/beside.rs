//! The same command lines through iproute2's `rdma` and through ours, in one place: same output, same status, same error.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::thread;

use nix::sched::{CloneFlags, setns};

use crate::handle::{FACES, Lab, clean};
use crate::output::{Output, run};

/// What has been compared since the guest began: case, version of iproute2, settings, command line, between tabs.
const COMPARED: &str = "/run/lab/compared";

/// Who asks, and where.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    Root,
    Nobody,
    /// As root, in the named namespace.
    Netns(&'a str),
}

/// What a comparison is about, for the tally.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Setting {
    SoftRoce,
    InfiniBand,
    Ethernet,
    Unprivileged,
    AnotherNamespace,
    Shared,
    Exclusive,
}

impl Setting {
    pub(crate) const ALL: [Self; 7] = [
        Self::SoftRoce,
        Self::InfiniBand,
        Self::Ethernet,
        Self::Unprivileged,
        Self::AnotherNamespace,
        Self::Shared,
        Self::Exclusive,
    ];
}

/// Major and minor number of a release of iproute2.
pub(crate) type Version = (u32, u32);

/// Both programs in one place.
pub(crate) struct Beside<'a> {
    place: Place<'a>,
    settings: Vec<Setting>,
    /// What capital words of a line stand for.
    names: Vec<(&'static str, String)>,
    without: &'a [&'a str],
    only: &'a [&'a str],
    /// The lines that are compared once too.
    all: bool,
    pub(crate) iproute2: Version,
}

/// A line of a table: `COMMAND` or `COMMAND => WHAT UNDOES IT`. `[since 6.7]` and `[once]` are about those behind them,
/// `#` begins a comment.
struct Line<'a> {
    words: &'a str,
    undo: &'a str,
    since: Version,
    once: bool,
}

impl<'a> Beside<'a> {
    /// `settings` are those that the place does not tell.
    pub(crate) fn new(lab: &Lab, place: Place<'a>, settings: &[Setting]) -> Self {
        let placed = match place {
            Place::Root => None,
            Place::Nobody => Some(Setting::Unprivileged),
            Place::Netns(_) => Some(Setting::AnotherNamespace),
        };
        let said = lab.iproute2_rdma(&["-V"]).ok().stdout;
        let number = said.trim().rsplit('-').next().and_then(version);
        Self {
            place,
            settings: settings.iter().copied().chain(placed).collect(),
            names: Vec::new(),
            without: &[],
            only: &[],
            all: false,
            iproute2: number.unwrap_or_else(|| panic!("no version in {said}")),
        }
    }

    /// The capital word `word` stands for `name`.
    pub(crate) fn name(mut self, word: &'static str, name: impl Into<String>) -> Self {
        self.names.retain(|(known, _)| *known != word);
        self.names.push((word, name.into()));
        self
    }

    /// Leaves out the lines with one of these words.
    pub(crate) fn without(self, without: &'a [&'a str]) -> Self {
        Self { without, ..self }
    }

    /// Leaves out the lines without one of these words.
    pub(crate) fn only(self, only: &'a [&'a str]) -> Self {
        Self { only, ..self }
    }

    /// The lines that are for one place are for this one.
    pub(crate) fn all(self) -> Self {
        Self { all: true, ..self }
    }

    pub(crate) fn theirs(&self, line: &str) -> Output {
        self.run("rdma", line)
    }

    pub(crate) fn ours(&self, line: &str) -> Output {
        self.run(&format!("{FACES}/rdma"), line)
    }

    /// In another namespace this is for a thread that [`Self::inside`] made.
    fn run(&self, program: &str, line: &str) -> Output {
        let named = self
            .names
            .iter()
            .fold(line.to_owned(), |line, (word, name)| {
                line.replace(word, name)
            });
        let words = named.split(' ').filter(|word| !word.is_empty());
        let mut command = clean(program);
        command.args(words.map(|word| if word == "''" { "" } else { word }));
        if self.place == Place::Nobody {
            command.uid(65534).gid(65534);
        }
        run(&mut command, "")
    }

    /// Runs `work` in the place: a process that a thread starts is where the thread is.
    pub(crate) fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let Place::Netns(name) = self.place else {
            return work();
        };
        let netns = fs::File::open(format!("/run/netns/{name}")).expect("the namespace is there");
        let there = || {
            setns(&netns, CloneFlags::CLONE_NEWNET).expect("root may enter it");
            work()
        };
        let done = thread::scope(|scope| scope.spawn(there).join());
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Runs the lines of a table through both; the number compared.
    #[track_caller]
    pub(crate) fn compare(&self, table: &str) -> usize {
        let lines: Vec<Line<'_>> = read(table).filter(|line| self.wants(line)).collect();
        let differences: Vec<String> = self.inside(|| {
            let compared = lines.iter().filter_map(|line| self.difference(line));
            compared.collect()
        });
        assert!(
            differences.is_empty(),
            "{} of {} lines differ\n{}",
            differences.len(),
            lines.len(),
            differences.join("\n\n")
        );
        self.note(lines.iter().map(|line| line.words));
        lines.len()
    }

    fn wants(&self, line: &Line<'_>) -> bool {
        let has = |words: &[&str]| words.iter().any(|word| line.words.contains(word));
        line.since <= self.iproute2
            && (self.all || !line.once)
            && !has(self.without)
            && (self.only.is_empty() || has(self.only))
    }

    fn difference(&self, line: &Line<'_>) -> Option<String> {
        let theirs = self.theirs(line.words);
        self.undo(&theirs, line.undo);
        let ours = self.ours(line.words);
        self.undo(&ours, line.undo);
        let same_error = says(&ours.stderr, &theirs.stderr);
        let same = theirs.status == ours.status
            && theirs.stdout == self.aged(line.words, &ours.stdout)
            && same_error
            && (ours.status == 0) == ours.stderr.is_empty();
        (!same).then(|| format!("`rdma {}`\niproute2: {theirs}\nours: {ours}", line.words))
    }

    fn undo(&self, done: &Output, undo: &str) {
        if done.status == 0 && !undo.is_empty() {
            let undone = self.theirs(undo);
            assert!(undone.status == 0, "of\n{done}\n{undone}");
        }
    }

    /// Lines on which both differ on purpose: `THEIR STATUS, OUR STATUS, COMMAND`. Ours says why, if it fails.
    #[track_caller]
    pub(crate) fn differ(&self, table: &str) {
        let lines: Vec<Line<'_>> = read(table).filter(|line| self.wants(line)).collect();
        let wrong = |line: &Line<'_>| {
            let mut columns = line.words.splitn(3, ' ');
            let mut status = || columns.next().and_then(|word| word.parse::<i32>().ok());
            let (Some(their), Some(our)) = (status(), status()) else {
                panic!("no two statuses: {}", line.words);
            };
            let words = columns.next().unwrap_or_default();
            let (theirs, ours) = (self.theirs(words), self.ours(words));
            let as_said = (theirs.status, ours.status) == (their, our)
                && (our == 0) == ours.stderr.is_empty();
            (!as_said).then(|| format!("`rdma {words}`\niproute2: {theirs}\nours: {ours}"))
        };
        let wrong: Vec<String> = self.inside(|| lines.iter().filter_map(wrong).collect());
        assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    }

    /// Our output as the iproute2 beside us would have it: only what README lists.
    pub(crate) fn aged(&self, line: &str, ours: &str) -> String {
        let object = line.split(' ').find(|word| !word.starts_with('-'));
        let counters = object.is_some_and(|word| word.starts_with("st"));
        let regions = counters && line.split(' ').any(|word| matches!(word, "mr" | "m"));
        let mut text = ours.to_owned();
        if self.iproute2 < (6, 5) {
            for protocol in ["ib", "roce", "iw"] {
                text = text.replace(&format!("protocol {protocol} "), "");
                text = text.replace(&format!("\"protocol\":\"{protocol}\","), "");
                text = text.replace(&format!("        \"protocol\": \"{protocol}\",\n"), "");
            }
        }
        if self.iproute2 < (6, 7) || regions {
            text = text
                .replace("}\n,", "},")
                .replace("}\n]", "}]")
                .replace("}\n ]", "} ]");
        }
        if self.iproute2 < (6, 7) {
            text = text.replace("\n    drv_", "drv_");
            if counters && !text.starts_with('[') {
                text = text.replace("\n    ", "").replace("LQPN: ", "\n    LQPN: ");
            }
            for switch in ["monitor", "privileged-qkey"] {
                for value in ["on", "off"] {
                    text = text.replace(&format!(" {switch} {value}"), "");
                }
            }
        }
        if self.iproute2 < (6, 15) {
            text = text.replace(" on optional-counters off", " on");
        }
        text
    }

    /// Counts command lines as compared.
    pub(crate) fn note<'l>(&self, lines: impl IntoIterator<Item = &'l str>) {
        let case = std::env::args().nth(2).unwrap_or_default();
        let (major, minor) = self.iproute2;
        let settings: Vec<String> = self
            .settings
            .iter()
            .map(|each| format!("{each:?}"))
            .collect();
        let settings = settings.join(" ");
        let lines: String = lines
            .into_iter()
            .map(|line| format!("{case}\t{major}.{minor}\t{settings}\t{line}\n"))
            .collect();
        let file = OpenOptions::new().create(true).append(true).open(COMPARED);
        file.and_then(|mut file| file.write_all(lines.as_bytes()))
            .expect("the guest's /run can be written");
    }
}

/// What the cases of this guest have compared so far.
#[derive(Default)]
pub(crate) struct Tally {
    iproute2: String,
    comparisons: usize,
    lines: BTreeSet<String>,
    by_setting: BTreeMap<String, BTreeSet<String>>,
    pub(crate) cases: BTreeSet<String>,
}

impl Tally {
    pub(crate) fn take() -> Self {
        let mut tally = Self::default();
        for noted in fs::read_to_string(COMPARED).unwrap_or_default().lines() {
            let [case, iproute2, settings, line] = noted.splitn(4, '\t').collect::<Vec<_>>()[..]
            else {
                continue;
            };
            tally.iproute2 = iproute2.to_owned();
            tally.comparisons += 1;
            tally.lines.insert(line.to_owned());
            tally.cases.insert(case.to_owned());
            for setting in settings.split(' ').filter(|word| !word.is_empty()) {
                let lines = tally.by_setting.entry(setting.to_owned()).or_default();
                lines.insert(line.to_owned());
            }
        }
        tally
    }

    /// Different command lines that were compared.
    pub(crate) fn lines(&self) -> usize {
        self.lines.len()
    }

    /// Those that were in this setting.
    pub(crate) fn lines_in(&self, setting: Setting) -> usize {
        self.by_setting
            .get(&format!("{setting:?}"))
            .map_or(0, BTreeSet::len)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} different command lines beside iproute2 {}, {} comparisons in {} cases",
            self.lines.len(),
            self.iproute2,
            self.comparisons,
            self.cases.len()
        )?;
        for (setting, lines) in &self.by_setting {
            write!(f, ", {setting} {}", lines.len())?;
        }
        Ok(())
    }
}

/// Ours says what iproute2 says, and then more: which device, the cause, and what to do.
fn says(ours: &str, theirs: &str) -> bool {
    let lines: Vec<&str> = theirs.lines().collect();
    match lines[..] {
        // Of a counter that is not known (README).
        ["error: Success"] => true,
        // Its second error is that of going on after the first.
        [first, second] if first.starts_with("error: ") && second.starts_with("error: ") => {
            ours.starts_with(first)
        }
        _ => ours.starts_with(theirs.trim_end()),
    }
}

fn version(text: &str) -> Option<Version> {
    let mut numbers = text.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

fn read(table: &str) -> impl Iterator<Item = Line<'_>> {
    let (mut since, mut once) = ((0, 0), false);
    let lines = table.lines().map(str::trim);
    lines.filter_map(move |line| {
        let release = line
            .strip_prefix("[since ")
            .and_then(|rest| rest.strip_suffix(']'));
        if let Some(release) = release {
            since = version(release).unwrap_or_else(|| panic!("no release: {line}"));
            return None;
        }
        if line == "[once]" {
            once = true;
            return None;
        }
        let (words, undo) = line.split_once(" => ").unwrap_or((line, ""));
        let is_command = !line.is_empty() && !line.starts_with('#');
        is_command.then_some(Line {
            words,
            undo,
            since,
            once,
        })
    })
}
