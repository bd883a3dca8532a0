//! A pseudoterminal with a program on it, and what a person would see on its screen.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use nix::pty::{Winsize, openpty};

use crate::output::run;

/// How long a person waits.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Terminal {
    keyboard: File,
    /// Kept open, so that the screen is there after the program.
    line: OwnedFd,
    screen: Arc<Mutex<Screen>>,
    child: Child,
}

impl Terminal {
    /// Runs `command`, which has a program and words already, on a terminal of its own.
    pub(crate) fn new(mut command: Command, columns: u16, lines: u16) -> Self {
        let size = Winsize {
            ws_row: lines,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let pty = openpty(&size, None).expect("a pseudoterminal");
        let end = || pty.slave.try_clone().expect("a descriptor");
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn();
        let keyboard = File::from(pty.master);
        let mut shown = keyboard.try_clone().expect("a descriptor");
        let screen = Arc::new(Mutex::new(Screen::new(columns.into(), lines.into())));
        let painted = screen.clone();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read) = shown.read(&mut bytes) {
                painted.lock().unwrap().take(&bytes[..read]);
            }
        });
        Self {
            keyboard,
            line: pty.slave,
            screen,
            child: child.expect("the program starts"),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn screen(&self) -> Screen {
        self.screen.lock().unwrap().clone()
    }

    /// Waits until the screen shows what is expected.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, shows: impl Fn(&Screen) -> bool) -> Screen {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen();
            if shows(&screen) {
                return screen;
            }
            assert!(Instant::now() < deadline, "never {what}:\n{screen:?}");
            sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("a line");
    }

    pub(crate) fn resize(&self, columns: u16, lines: u16) {
        let line = self.line.as_fd().try_clone_to_owned();
        let mut stty = Command::new("stty");
        stty.args(["cols", &columns.to_string(), "rows", &lines.to_string()]);
        let done = stty.stdin(line.expect("a descriptor")).status();
        assert!(done.expect("stty runs").success());
        let mut screen = self.screen.lock().unwrap();
        screen.resize(columns.into(), lines.into());
    }

    /// How `stty` describes the terminal.
    pub(crate) fn modes(&self) -> String {
        let line = self.line.as_fd().try_clone_to_owned();
        let mut stty = Command::new("stty");
        let said = stty.arg("-g").stdin(line.expect("a descriptor")).output();
        String::from_utf8_lossy(&said.expect("stty runs").stdout).into_owned()
    }

    /// Waits for the end of the program; what it wrote last is on the screen then.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().expect("it is ours") {
                sleep(Duration::from_millis(50));
                return status;
            }
            sleep(Duration::from_millis(10));
        }
        panic!("it never ends:\n{:?}", self.screen());
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let pid = self.child.id().to_string();
            run(Command::new("kill").args(["-KILL", &pid]), "");
            let _ = self.child.wait();
        }
    }
}

/// The few things that every terminal can; whatever else it is sent is remembered as such.
#[derive(Clone, Debug)]
pub(crate) struct Screen {
    rows: Vec<Vec<char>>,
    columns: usize,
    row: usize,
    column: usize,
    /// What has gone out at the top.
    pub(crate) above: Vec<String>,
    /// Escape sequences other than to the top left, erase line, erase below.
    pub(crate) strange: Vec<String>,
    bytes: Vec<u8>,
}

impl Screen {
    fn new(columns: usize, lines: usize) -> Self {
        Self {
            rows: vec![Vec::new(); lines],
            columns,
            row: 0,
            column: 0,
            above: Vec::new(),
            strange: Vec::new(),
            bytes: Vec::new(),
        }
    }

    /// The rows, without the blanks at their ends.
    pub(crate) fn rows(&self) -> Vec<String> {
        let text = |row: &Vec<char>| row.iter().collect::<String>().trim_end().to_owned();
        self.rows.iter().map(text).collect()
    }

    pub(crate) fn has(&self, text: &str) -> bool {
        self.rows().iter().any(|row| row.contains(text))
    }

    /// Row and column of the cursor, from 0.
    pub(crate) fn cursor(&self) -> (usize, usize) {
        (self.row, self.column)
    }

    fn resize(&mut self, columns: usize, lines: usize) {
        self.columns = columns;
        self.rows.resize(lines, Vec::new());
        self.rows.iter_mut().for_each(|row| row.truncate(columns));
        self.row = self.row.min(lines - 1);
        self.column = self.column.min(columns);
    }

    fn take(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        let text = String::from_utf8_lossy(&self.bytes).into_owned();
        // A character or a sequence may come in parts.
        let whole = match text.rfind('\u{1b}') {
            Some(at) if !text[at..].contains(|c: char| c.is_ascii_alphabetic()) => at,
            _ if text.ends_with('\u{fffd}') => return,
            _ => text.len(),
        };
        self.bytes = text.as_bytes()[whole..].to_vec();
        let mut chars = text[..whole].chars();
        while let Some(c) = chars.next() {
            match c {
                '\u{1b}' => {
                    let mut sequence = String::new();
                    for c in chars.by_ref() {
                        sequence.push(c);
                        if c.is_ascii_alphabetic() {
                            break;
                        }
                    }
                    self.obey(sequence);
                }
                '\r' => self.column = 0,
                '\n' => self.down(),
                c => self.put(c),
            }
        }
    }

    fn obey(&mut self, sequence: String) {
        match sequence.as_str() {
            "[H" => (self.row, self.column) = (0, 0),
            "[2K" => self.rows[self.row].clear(),
            "[K" => self.rows[self.row].truncate(self.column),
            "[J" => {
                self.rows[self.row].truncate(self.column);
                self.rows[self.row + 1..].iter_mut().for_each(Vec::clear);
            }
            _ => self.strange.push(sequence),
        }
    }

    fn put(&mut self, c: char) {
        if self.column >= self.columns {
            self.column = 0;
            self.down();
        }
        let row = &mut self.rows[self.row];
        if row.len() <= self.column {
            row.resize(self.column + 1, ' ');
        }
        row[self.column] = c;
        self.column += 1;
    }

    fn down(&mut self) {
        if self.row + 1 < self.rows.len() {
            self.row += 1;
            return;
        }
        let gone = self.rows.remove(0);
        self.above.push(gone.into_iter().collect());
        self.rows.push(Vec::new());
    }
}
