//! `topology`: what sits on what, and who holds it, as rows, columns, lines and diagrams.

mod columns;
mod dot;
mod graph;
mod lines;
mod map;
mod mermaid;
mod rows;
#[cfg(test)]
mod sample;

pub use columns::tables;
pub use lines::{details, lines};
pub use map::{Guests, Map};
pub use rows::rows;

/// Languages that diagrams are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Diagram {
    /// Graphviz.
    Dot,
    /// Mermaid, which forges and wikis draw.
    Mermaid,
}

/// The map as a diagram; the same map gives the same text.
pub fn diagram(map: &Map<'_>, language: Diagram) -> String {
    let graph = graph::Graph::of(map);
    match language {
        Diagram::Dot => dot::render(&graph),
        Diagram::Mermaid => mermaid::render(&graph),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diagrams_say_who_has_what() {
        sample::with("mlx5_3", |map| {
            let dot = diagram(map, Diagram::Dot);
            assert!(dot.starts_with("digraph topology {\n"), "{dot}");
            for line in [
                "    n0 [shape=box, label=\"PF\\n0000:01:00.0\\nmlx5_core\\nNUMA 1\"];",
                "    n4 [shape=ellipse, label=\"mlx5_3\\nACTIVE\"];",
                "    subgraph cluster_0 {\n        label=\"blue, pid 812 sleep\";\n        n4;\n        n5;\n    }",
                "    n0 -> n3;",
                "    n3 -> n4;",
                "    n4 -> n5;",
            ] {
                assert!(dot.contains(line), "{line}\n{dot}");
            }
            let mermaid = diagram(map, Diagram::Mermaid);
            assert!(mermaid.starts_with("flowchart LR\n    n0[\"PF<br>0000:01:00.0"));
            assert!(
                mermaid.contains(
                    "    subgraph g0[\"blue, pid 812 sleep\"]\n        n4([\"mlx5_3<br>ACTIVE\"])\n"
                ),
                "{mermaid}"
            );
            assert_eq!(mermaid, diagram(map, Diagram::Mermaid));
        });
    }

    /// Quotes are paired, and nothing stands outside of them but what we write.
    #[test]
    fn a_name_cannot_add_a_line() {
        let hostile = "a\"]; evil [label=\"x\\\n}\nend";
        sample::with("mlx5_3", |plain| {
            sample::with(hostile, |map| {
                for language in [Diagram::Dot, Diagram::Mermaid] {
                    let (one, other) = (diagram(plain, language), diagram(map, language));
                    assert_eq!(one.lines().count(), other.lines().count(), "{other}");
                }
                let outside = diagram(map, Diagram::Dot)
                    .replace("\\\\", "")
                    .replace("\\\"", "");
                let outside: String = outside.split('"').step_by(2).collect();
                assert!(!outside.contains("evil"), "{outside}");
                assert!(!diagram(map, Diagram::Mermaid).contains("a\"]"));
                assert_eq!(lines(map).lines().count(), lines(plain).lines().count());
            });
        });
    }
}
