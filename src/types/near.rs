//! Names near to one that does not exist: what a person may have meant.

/// More are no help.
const MAX_NEAR: usize = 3;

/// Words longer than this are not compared: the cost grows with the product of the lengths.
const MAX_COMPARED: usize = 128;

/// The candidates that differ from `word` by a slip or two, or only in how it goes on, best first.
pub fn near<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let allowed = (word.chars().count() / 3).max(1);
    let mut ranked: Vec<(usize, &str)> = candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= MAX_COMPARED && word.len() <= MAX_COMPARED)
        .filter_map(|candidate| {
            let far = distance(word, candidate);
            let goes_on = word.len() > 1 && candidate.starts_with(word);
            (far <= allowed || goes_on).then_some((far, candidate))
        })
        .collect();
    ranked.sort();
    ranked.dedup();
    let best = ranked.into_iter().take(MAX_NEAR);
    best.map(|(_, candidate)| candidate.to_owned()).collect()
}

/// Insertions, removals, replacements and swaps of neighbours that make one word the other
/// (optimal string alignment); upper and lower case count as the same.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().collect();
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn slips_are_near_and_strangers_are_not() {
        let all = ["mlx5_0", "mlx5_1", "mlx5_10", "rxe0", "pod-blue", "pod-red"];
        assert_eq!(near("mlx5_", all), ["mlx5_0", "mlx5_1", "mlx5_10"]);
        assert_eq!(near("mxl5_0", all)[0], "mlx5_0");
        assert_eq!(near("MLX5_1", all)[0], "mlx5_1");
        assert_eq!(near("pod-bleu", all), ["pod-blue"]);
        assert_eq!(near("rx0", all), ["rxe0"]);
        assert!(near("eth0", all).is_empty());
        assert!(near("", all).is_empty());
    }

    proptest! {
        #[test]
        fn distance_is_one(a in ".{0,12}", b in ".{0,12}") {
            prop_assert_eq!(distance(&a, &b), distance(&b, &a));
            prop_assert_eq!(distance(&a, &a), 0);
            near(&a, [b.as_str()]);
        }
    }
}
