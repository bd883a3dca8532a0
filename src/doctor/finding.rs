//! `Finding`: what was found, where it was read, and what to do about it.

use super::Id;
use crate::kernel::Namespace;

/// Something that a person should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which one.
    pub id: Id,
    /// The device, file or folder it is about; `None` for the whole host.
    pub about: Option<String>,
    /// What was read, and where.
    pub evidence: Vec<Evidence>,
    /// What to do.
    pub remedy: Remedy,
}

/// Something that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Where: a file, or the command that shows it.
    pub place: String,
    /// What it says.
    pub saw: Saw,
}

/// What was seen in a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saw {
    /// This.
    Text(String),
    /// A network namespace and who is in it.
    Namespace(Box<Namespace>),
}

/// What to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Remedy {
    /// What cannot be said as a command.
    pub advice: Option<String>,
    /// A file to write, and what is to stand in it.
    pub file: Option<(String, String)>,
    /// Namespaces to end first.
    pub end: Vec<Namespace>,
    /// Commands, as a shell takes them.
    pub commands: Vec<String>,
}

impl Finding {
    /// A finding about the whole host.
    pub fn new(id: Id) -> Self {
        Self {
            id,
            about: None,
            evidence: Vec::new(),
            remedy: Remedy::default(),
        }
    }

    /// A finding about one thing.
    pub fn about(id: Id, thing: impl Into<String>) -> Self {
        Self {
            about: Some(thing.into()),
            ..Self::new(id)
        }
    }

    /// The same finding with something that was read.
    pub fn saw(mut self, place: impl Into<String>, text: impl Into<String>) -> Self {
        self.evidence.push(Evidence {
            place: place.into(),
            saw: Saw::Text(text.into()),
        });
        self
    }

    /// The same finding with a namespace that was found.
    pub fn saw_namespace(mut self, namespace: &Namespace) -> Self {
        let way = namespace.paths.first().map(|path| path.display());
        let process = namespace.processes.first();
        let place = match (way, process) {
            (Some(path), _) => path.to_string(),
            (None, Some(process)) => format!("/proc/{}/ns/net", process.pid),
            (None, None) => "/proc".to_owned(),
        };
        self.evidence.push(Evidence {
            place,
            saw: Saw::Namespace(Box::new(namespace.clone())),
        });
        self
    }

    /// The same finding with something to do that is no command.
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.remedy.advice = Some(advice.into());
        self
    }

    /// The same finding with a file to write.
    pub fn write(mut self, path: impl Into<String>, content: impl Into<String>) -> Self {
        self.remedy.file = Some((path.into(), content.into()));
        self
    }

    /// The same finding with a namespace to end.
    pub fn end(mut self, namespace: &Namespace) -> Self {
        self.remedy.end.push(namespace.clone());
        self
    }

    /// The same finding with one command more.
    pub fn run(mut self, command: impl Into<String>) -> Self {
        self.remedy.commands.push(command.into());
        self
    }
}

/// Numbers as people write them: `0-3, 7`.
pub fn ranges(numbers: impl IntoIterator<Item = u16>) -> String {
    let mut numbers: Vec<u16> = numbers.into_iter().collect();
    numbers.sort();
    numbers.dedup();
    let mut ranges: Vec<(u16, u16)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let word = |(first, last): &(u16, u16)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    ranges.iter().map(word).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_write_them() {
        assert_eq!(ranges([7, 0, 1, 3, 2, 2]), "0-3, 7");
        assert_eq!(ranges([65535, 65534]), "65534-65535");
        assert_eq!(ranges([]), "");
    }
}
