//! Where documents are: the files of a host, a file that was named, or standard input.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::top::{self, Language, Part};
use super::{Document, Fault, shared};
use crate::kernel::{FileError, Host, file};

/// The main file.
pub const MAIN: &str = "/etc/rdmactl/provision.toml";
/// The folder of files that add PFs, `*.toml` and `*.json`, in the order of their names.
pub const FOLDER: &str = "/etc/rdmactl/provision.d";

/// A document longer than this is none.
const MAX_FILE: u64 = 1024 * 1024;

/// Where to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// [`MAIN`] and [`FOLDER`].
    Host,
    /// This file alone; `-` is standard input.
    File(PathBuf),
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is none.
    #[error("there is no {}", .path.display())]
    Absent {
        /// The file.
        path: PathBuf,
    },
    /// Standard input cannot be read.
    #[error("cannot read standard input: {0}")]
    Input(#[source] std::io::Error),
    /// It is no text, or longer than a document is.
    #[error("{} is {why}", .path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// Why.
        why: &'static str,
    },
    /// It has mistakes: all of them.
    #[error("the document has {} mistakes", .0.len())]
    Faults(Vec<Fault>),
}

/// Reads the document of an origin.
///
/// # Errors
/// [`DocumentError`].
pub fn read(host: &Host, origin: &Origin, input: &mut dyn Read) -> Result<Document, DocumentError> {
    let mut parts = Vec::new();
    match origin {
        Origin::File(path) if path == Path::new("-") => {
            let mut bytes = Vec::new();
            let read = input.take(MAX_FILE + 1).read_to_end(&mut bytes);
            read.map_err(DocumentError::Input)?;
            let text = text(path, bytes)?;
            let language = Language::of_text(&text);
            parts.push((path.clone(), text, language));
        }
        // A named file may be a pipe.
        Origin::File(path) => {
            let bytes = file::read(path, MAX_FILE + 1)?;
            parts.push(part(path, bytes)?);
        }
        Origin::Host => {
            let main = Path::new(MAIN);
            let bytes = file::read_regular(&host.path(MAIN), MAX_FILE + 1)?;
            let names = file::list(&host.path(FOLDER))?;
            let added: Vec<PathBuf> = names
                .iter()
                .map(|name| Path::new(FOLDER).join(name))
                .filter(|path| Language::of_path(path).is_some())
                .collect();
            if bytes.is_some() || added.is_empty() {
                parts.push(part(main, bytes)?);
            }
            for path in added {
                let place = host.path(&path.to_string_lossy());
                parts.push(part(&path, file::read_regular(&place, MAX_FILE + 1)?)?);
            }
        }
    }
    let parts: Vec<Part<'_>> = parts
        .iter()
        .map(|(path, text, language)| Part {
            path,
            text,
            language: *language,
        })
        .collect();
    let mut document = top::parse(&parts).map_err(DocumentError::Faults)?;
    let faults = shared::resolve(host, &mut document);
    match faults.is_empty() {
        true => Ok(document),
        false => Err(DocumentError::Faults(faults)),
    }
}

/// The text of a file that is no document; `-` is standard input.
///
/// # Errors
/// [`DocumentError`].
pub fn text_of(path: &Path, input: &mut dyn Read) -> Result<String, DocumentError> {
    let bytes = match path == Path::new("-") {
        true => {
            let mut bytes = Vec::new();
            let read = input.take(MAX_FILE + 1).read_to_end(&mut bytes);
            read.map_err(DocumentError::Input)?;
            bytes
        }
        false => file::read(path, MAX_FILE + 1)?.ok_or_else(|| DocumentError::Absent {
            path: path.to_owned(),
        })?,
    };
    text(path, bytes)
}

fn part(path: &Path, bytes: Option<Vec<u8>>) -> Result<(PathBuf, String, Language), DocumentError> {
    let path = path.to_owned();
    let Some(bytes) = bytes else {
        return Err(DocumentError::Absent { path });
    };
    let text = text(&path, bytes)?;
    let language = Language::of_path(&path).unwrap_or_else(|| Language::of_text(&text));
    Ok((path, text, language))
}

fn text(path: &Path, bytes: Vec<u8>) -> Result<String, DocumentError> {
    let unfit = |why| DocumentError::Unfit {
        path: path.to_owned(),
        why,
    };
    if bytes.len() as u64 > MAX_FILE {
        return Err(unfit("larger than 1 MiB"));
    }
    String::from_utf8(bytes).map_err(|_| unfit("no UTF-8 text"))
}
