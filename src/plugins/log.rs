//! `Log`: short lines on stderr, which runtimes keep; never a word on stdout.

use std::io::Write;

/// Writes lines that begin with the plugin's name.
pub struct Log<'a> {
    plugin: &'static str,
    err: &'a mut dyn Write,
    debug: bool,
}

impl<'a> Log<'a> {
    /// A log without debug lines.
    pub fn new(plugin: &'static str, err: &'a mut dyn Write) -> Self {
        Self {
            plugin,
            err,
            debug: false,
        }
    }

    /// Shows debug lines, or not.
    pub fn set_debug(&mut self, debug: bool) {
        self.debug = debug;
    }

    /// Something the operator should know though the call goes on.
    pub fn warn(&mut self, text: impl AsRef<str>) {
        self.line("warning: ", text.as_ref());
    }

    /// What was done.
    pub fn info(&mut self, text: impl AsRef<str>) {
        self.line("", text.as_ref());
    }

    /// What is looked at, when asked for.
    pub fn debug(&mut self, text: impl AsRef<str>) {
        if self.debug {
            self.line("debug: ", text.as_ref());
        }
    }

    fn line(&mut self, level: &str, text: &str) {
        // Names come from anywhere: they must not move a terminal's cursor or begin a line.
        let text: String = text
            .chars()
            .map(|c| if c.is_control() { '?' } else { c })
            .collect();
        // In one write: others write there too. When it fails, nowhere is left to complain.
        let line = format!("{}: {level}{text}\n", self.plugin);
        let _ = self.err.write_all(line.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_each() {
        let mut bytes = Vec::new();
        let mut log = Log::new("rdma", &mut bytes);
        log.debug("unseen");
        log.warn("a\nb\x1b");
        log.set_debug(true);
        log.debug("seen");
        assert_eq!(bytes, b"rdma: warning: a?b?\nrdma: debug: seen\n");
    }
}
