//! What a look at every network namespace could not see.

use super::{AS_ROOT, Explanation};
use crate::view::namespace::{MAX_LISTED, hidden_processes};

/// Joins what is said of namespaces that could not be looked into: one line each, a reason once.
/// `hidden` is the number of processes that could not be looked at.
pub fn gaps(namespaces: Vec<Explanation>, hidden: usize) -> Vec<Explanation> {
    let mut gaps: Vec<(Explanation, usize)> = Vec::new();
    for each in namespaces {
        let same = |(known, _): &&mut (Explanation, usize)| {
            (&known.cause, &known.cure) == (&each.cause, &each.cure)
        };
        match gaps.iter_mut().find(same) {
            Some((known, lines)) => {
                *lines += 1;
                if *lines <= MAX_LISTED {
                    known.headline.push('\n');
                    known.headline.push_str(&each.headline);
                }
            }
            None => gaps.push((each, 1)),
        }
    }
    let mut gaps: Vec<Explanation> = gaps
        .into_iter()
        .map(|(mut gap, lines)| {
            if lines > MAX_LISTED {
                let more = lines - MAX_LISTED;
                gap.headline.push_str(&format!("\nand {more} more"));
            }
            gap
        })
        .collect();
    if hidden > 0 {
        gaps.push(Explanation {
            headline: hidden_processes(hidden),
            cause: Some(
                "network namespaces that only they are in cannot be found, nor what is in them"
                    .to_owned(),
            ),
            cure: Some(AS_ROOT.to_owned()),
        });
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(name: &str, cause: &str) -> Explanation {
        Explanation {
            headline: format!("Cannot enter network namespace \"{name}\""),
            cause: Some(cause.to_owned()),
            cure: None,
        }
    }

    #[test]
    fn a_reason_is_said_once() {
        let many = (0..12).map(|n| said(&format!("pod{n}"), "no right"));
        let all = gaps(many.chain([said("x", "other")]).collect(), 3);
        let [first, second, third] = &all[..] else {
            panic!("{all:?}")
        };
        assert_eq!(first.headline.lines().count(), 11);
        assert!(first.headline.ends_with("\"pod9\"\nand 2 more"));
        assert_eq!(second, &said("x", "other"));
        assert!(third.headline.starts_with("3 processes"));
        assert!(gaps(Vec::new(), 0).is_empty());
    }
}
