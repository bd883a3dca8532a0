//! Records turned into what a person or a program reads: text, JSON, tables.

use std::borrow::Borrow;
use std::io::{self, Write};

pub mod attachment;
pub mod boot;
pub mod device;
pub mod event;
pub mod explain;
pub mod field;
pub mod finding;
pub mod frame;
pub mod held;
pub mod installation;
pub mod json;
pub mod link;
pub mod names;
pub mod namespace;
pub mod provision;
pub mod reclaim;
pub mod repair;
pub mod resource;
pub mod statistic;
pub mod system;
pub mod table;
pub mod text;
pub mod time;
pub mod topology;
pub mod users;
pub mod vf;

pub use field::{Field, Row, Text, Value};

/// The form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One line a record, as iproute2 prints it.
    Text,
    /// One JSON array a command.
    Json,
    /// Columns for a terminal, this many characters wide.
    Table {
        /// Characters in a line.
        width: u16,
    },
}

/// How much of a record is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// What a look needs.
    Usual,
    /// What iproute2 shows with `-d`.
    Full,
    /// Besides, at the end, what iproute2 has no words for.
    Own,
}

/// How the output is to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Text, JSON or table.
    pub format: Format,
    /// JSON with line breaks and indentation.
    pub pretty: bool,
    /// Breaks inside a record become backslashes.
    pub oneline: bool,
}

/// Where the rows of a command go; everything is written at once at the end.
pub struct View<'a> {
    out: &'a mut (dyn Write + Send),
    style: Style,
    /// Documents are parts of one array: what stands before the next.
    joint: Option<&'static str>,
    /// Several commands print at once: what they have printed so far.
    gathered: Option<String>,
    /// Rows are kept back.
    held: Option<Vec<Row>>,
}

/// This much is printed, whatever is to come.
const ENOUGH: usize = 64 * 1024;

impl<'a> View<'a> {
    /// Writes to `out`.
    pub fn new(out: &'a mut (dyn Write + Send), style: Style) -> Self {
        Self {
            out,
            style,
            joint: None,
            gathered: None,
            held: None,
        }
    }

    /// The style asked for.
    pub fn style(&self) -> Style {
        self.style
    }

    /// Prints the records of one command.
    ///
    /// # Errors
    /// Those of the stream; a broken pipe is the caller's success.
    pub fn rows(&mut self, rows: &[Row]) -> io::Result<()> {
        self.list(rows)
    }

    /// As [`Self::rows`], for records that are made while they are printed: a long listing then
    /// takes no more memory than its text.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub fn list(&mut self, rows: impl IntoIterator<Item = impl Borrow<Row>>) -> io::Result<()> {
        if let Some(held) = &mut self.held {
            held.extend(rows.into_iter().map(|row| row.borrow().clone()));
            return Ok(());
        }
        if let (Format::Text, Some(gathered)) = (self.style.format, &mut self.gathered) {
            text::put(rows, self.style.oneline, gathered);
            return self.print_enough();
        }
        let output = match self.style.format {
            Format::Text => text::render(rows, self.style.oneline),
            Format::Json => {
                let mut array = json::render(rows, self.style.pretty);
                if let Some(joint) = &mut self.joint {
                    array.insert_str(0, std::mem::replace(joint, ","));
                }
                array
            }
            Format::Table { width } => {
                let rows: Vec<_> = rows.into_iter().collect();
                table::render(&rows, width)
            }
        };
        self.raw(&output)
    }

    /// Prints records as text, in a place where others would be a table.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub fn text(&mut self, rows: &[Row]) -> io::Result<()> {
        let text = text::render(rows, self.style.oneline);
        self.raw(&text)
    }

    /// Keeps the rows of the commands that follow back.
    pub fn hold(&mut self) {
        self.held = Some(Vec::new());
    }

    /// The rows kept back since they were last asked for.
    pub fn held(&mut self) -> Vec<Row> {
        self.held.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Prints rows again; those still kept back are dropped.
    pub fn release(&mut self) {
        self.held = None;
    }

    /// Makes the documents that follow the elements of one array.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub fn join(&mut self) -> io::Result<()> {
        self.joint = Some("");
        self.raw("[")
    }

    /// Ends the array that [`Self::join`] began.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub fn end(&mut self) -> io::Result<()> {
        self.joint = None;
        self.raw("]\n")
    }

    /// Prints one record of a stream at once: a line of text, or a JSON object on a line of its own.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub fn streamed(&mut self, row: &Row) -> io::Result<()> {
        let line = match self.style.format {
            Format::Json => json::line(row),
            Format::Text | Format::Table { .. } => {
                text::render(std::slice::from_ref(row), self.style.oneline)
            }
        };
        self.raw(&line)
    }

    /// Keeps what the commands to come print, for one write instead of one each.
    pub fn gather(&mut self) {
        self.gathered.get_or_insert_default();
    }

    /// Prints what has been gathered.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub fn print_gathered(&mut self) -> io::Result<()> {
        let Some(gathered) = &mut self.gathered else {
            return Ok(());
        };
        self.out.write_all(gathered.as_bytes())?;
        gathered.clear();
        self.out.flush()
    }

    /// Prints characters as they are, at once unless they are gathered.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub fn raw(&mut self, text: &str) -> io::Result<()> {
        if let Some(gathered) = &mut self.gathered {
            gathered.push_str(text);
            return self.print_enough();
        }
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }

    /// Prints what has been gathered when that has become long.
    fn print_enough(&mut self) -> io::Result<()> {
        match &self.gathered {
            Some(gathered) if gathered.len() >= ENOUGH => self.print_gathered(),
            _ => Ok(()),
        }
    }

    /// Says that there was nothing to do, and why; to programs, an empty array.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub fn remark(&mut self, text: &str) -> io::Result<()> {
        match self.style.format {
            Format::Json => self.rows(&[]),
            Format::Text | Format::Table { .. } => self.raw(&format!("{text}\n")),
        }
    }

    /// What a command prints that has nothing to show: an empty array for programs.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub fn nothing(&mut self) -> io::Result<()> {
        match self.style.format {
            Format::Json => self.rows(&[]),
            Format::Text | Format::Table { .. } => Ok(()),
        }
    }
}
