//! `World`: all the outside there is, collected once by `main`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};

use crate::kernel::Host;

/// argv, environment, streams and the machine.
pub struct World<'a> {
    /// The words of the command line, the program's name first.
    pub argv: Vec<OsString>,
    /// The environment.
    pub env: BTreeMap<OsString, OsString>,
    /// Standard input.
    pub input: &'a mut (dyn Read + Send),
    /// Standard output.
    pub out: &'a mut (dyn Write + Send),
    /// Standard error.
    pub err: &'a mut (dyn Write + Send),
    /// Characters in a line, when standard output is a terminal.
    pub terminal: Option<u16>,
    /// The machine.
    pub host: Host,
}

impl World<'_> {
    /// The last part of the name the program was called by.
    pub fn name(&self) -> &OsStr {
        let argv0 = self
            .argv
            .first()
            .map(OsString::as_os_str)
            .unwrap_or_default();
        std::path::Path::new(argv0).file_name().unwrap_or(argv0)
    }
}
