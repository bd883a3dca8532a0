//! `--format` and its kin: the form of the output that the words ask for.

use clap::ValueEnum;

use super::{Common, Dialect, Object};
use crate::view::topology::Diagram;
use crate::view::{Format, Style};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum FormatWord {
    /// A table on a terminal, else text
    #[default]
    Auto,
    /// iproute2's lines
    Text,
    /// Columns
    Table,
    /// The same as --json
    Json,
    /// A diagram for Graphviz
    Dot,
    /// A diagram for Mermaid
    Mermaid,
}

impl FormatWord {
    /// The language of a diagram, if it is one.
    pub(super) fn diagram(self) -> Option<Diagram> {
        match self {
            Self::Dot => Some(Diagram::Dot),
            Self::Mermaid => Some(Diagram::Mermaid),
            Self::Auto | Self::Text | Self::Table | Self::Json => None,
        }
    }
}

/// How the output of a command is to look.
pub(super) fn style(common: &Common, dialect: Dialect, terminal: Option<u16>) -> Style {
    let width = terminal.unwrap_or(80);
    let format = match (common.format, dialect) {
        _ if common.json => Format::Json,
        (FormatWord::Json, _) => Format::Json,
        (FormatWord::Dot | FormatWord::Mermaid, _) => Format::Text,
        (FormatWord::Table, _) => Format::Table { width },
        (FormatWord::Auto, Dialect::Own) if terminal.is_some() => Format::Table { width },
        (FormatWord::Auto | FormatWord::Text, _) => Format::Text,
    };
    Style {
        format,
        pretty: common.pretty,
        oneline: common.oneline,
    }
}

/// Whether a command has something that can be drawn.
pub(super) fn drawable(object: &Object, diagram: Option<Diagram>) -> Result<(), &'static str> {
    match (object, diagram) {
        (Object::Topology(_), _) | (_, None) => Ok(()),
        (_, Some(_)) => Err("--format dot and --format mermaid are for topology"),
    }
}
