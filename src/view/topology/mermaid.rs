//! Mermaid: a flowchart whose subgraphs are network namespaces.

use super::graph::{Graph, Shape};

/// The whole document.
pub fn render(graph: &Graph) -> String {
    let mut out = String::from("flowchart LR\n");
    let node = |number: usize| {
        let node = &graph.nodes[number];
        let label: Vec<String> = node.label.iter().map(|line| escaped(line)).collect();
        let label = label.join("<br>");
        match node.shape {
            Shape::Function => format!("n{number}[\"{label}\"]\n"),
            Shape::Device => format!("n{number}([\"{label}\"])\n"),
            Shape::Interface => format!("n{number}>\"{label}\"]\n"),
        }
    };
    for (number, each) in graph.nodes.iter().enumerate() {
        if each.group.is_none() {
            out.push_str(&format!("    {}", node(number)));
        }
    }
    for (group, label) in graph.groups.iter().enumerate() {
        let label = escaped(label);
        out.push_str(&format!("    subgraph g{group}[\"{label}\"]\n"));
        for (number, each) in graph.nodes.iter().enumerate() {
            if each.group == Some(group) {
                out.push_str(&format!("        {}", node(number)));
            }
        }
        out.push_str("    end\n");
    }
    for (from, to) in &graph.edges {
        out.push_str(&format!("    n{from} --> n{to}\n"));
    }
    out
}

/// Mermaid's own entities for what means something in a label, in Markdown or in HTML.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '"' | '#' | '&' | '<' | '>' | '`' | '\\' | '*' | '%' | ';' | '{' | '}' => {
                out.push_str(&format!("#{};", u32::from(c)))
            }
            c if c.is_control() => out.push('\u{fffd}'),
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
            escaped("a\"]\nend #quot; <b>`x`"),
            "a#34;]\u{fffd}end #35;quot#59; #60;b#62;#96;x#96;"
        );
        assert_eq!(escaped("mlx5_0 0000:01:00.0"), "mlx5_0 0000:01:00.0");
    }
}
