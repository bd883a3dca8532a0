//! Graphviz: a directed graph whose clusters are network namespaces.

use super::graph::{Graph, Shape};

/// The whole document.
pub fn render(graph: &Graph) -> String {
    let mut out =
        String::from("digraph topology {\n    rankdir=LR;\n    node [fontname=\"monospace\"];\n");
    for (number, node) in graph.nodes.iter().enumerate() {
        let shape = match node.shape {
            Shape::Function => "box",
            Shape::Device => "ellipse",
            Shape::Interface => "note",
        };
        let label: Vec<String> = node.label.iter().map(|line| escaped(line)).collect();
        let label = label.join("\\n");
        out.push_str(&format!(
            "    n{number} [shape={shape}, label=\"{label}\"];\n"
        ));
    }
    for (group, label) in graph.groups.iter().enumerate() {
        let label = escaped(label);
        out.push_str(&format!(
            "    subgraph cluster_{group} {{\n        label=\"{label}\";\n"
        ));
        for (number, node) in graph.nodes.iter().enumerate() {
            if node.group == Some(group) {
                out.push_str(&format!("        n{number};\n"));
            }
        }
        out.push_str("    }\n");
    }
    for (from, to) in &graph.edges {
        out.push_str(&format!("    n{from} -> n{to};\n"));
    }
    out.push_str("}\n");
    out
}

/// Inside quotes a backslash begins an escape such as `\N`, and a quote ends the string.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push('\u{fffd}'),
            // Graphviz reads entities as HTML does.
            '&' => out.push_str("&amp;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leaves_its_quotes() {
        assert_eq!(
            escaped("a\"];\nx\\N &lt; \u{1b}"),
            "a\\\"];\u{fffd}x\\\\N &amp;lt; \u{fffd}"
        );
    }
}
