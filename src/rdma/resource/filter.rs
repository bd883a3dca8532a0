//! `Filter`: which objects of a listing are wanted.

use std::ops::RangeInclusive;

use super::keys::{Key, Takes, id_key};
use super::words;
use crate::types::{Invalid, NumberList};
use crate::wire::nldev::resource::srq::Run;
use crate::wire::nldev::resource::{CmId, FrmrPool, Kind, Object, Qp, What};

/// What every wanted object passes: all of the tests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    tests: Vec<Test>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Test {
    key: &'static str,
    wanted: Wanted,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted {
    Numbers(NumberList),
    Words(Vec<String>),
}

/// A property of an object, as a filter sees it.
enum Cell {
    Number(u64),
    Word(String),
}

impl Filter {
    /// Adds a test: the comma list `word` for the property `key`.
    ///
    /// # Errors
    /// [`Invalid`] when the word is no list of what the key takes.
    pub fn add(&mut self, key: &Key, word: &str) -> Result<(), Invalid> {
        let wanted = match key.takes {
            Takes::Numbers => Wanted::Numbers(word.parse()?),
            Takes::Words => Wanted::Words(word.split(',').map(str::to_owned).collect()),
            Takes::Anything => return Ok(()),
        };
        self.tests.push(Test {
            key: key.name,
            wanted,
        });
        Ok(())
    }

    /// The number of the one object that is wanted, if the kernel can find it by that.
    pub(super) fn id(&self, kind: Kind) -> Option<u32> {
        let key = id_key(kind)?;
        let test = self.tests.iter().find(|test| test.key == key)?;
        match &test.wanted {
            Wanted::Numbers(list) => u32::try_from(list.only()?).ok(),
            Wanted::Words(_) => None,
        }
    }

    /// Whether the object is wanted. Of the queue pairs of an SRQ, only the wanted ones stay.
    pub(super) fn keeps(&self, object: &mut Object) -> bool {
        self.tests.iter().all(|test| {
            if let (What::Srq(srq), "lqpn", Wanted::Numbers(list)) =
                (&mut object.what, test.key, &test.wanted)
            {
                srq.qps = trimmed(&srq.qps, list.ranges());
                return !srq.qps.is_empty();
            }
            cell(object, test.key).is_some_and(|cell| test.wanted.has(&cell))
        })
    }
}

impl Wanted {
    fn has(&self, cell: &Cell) -> bool {
        match (self, cell) {
            (Self::Numbers(list), Cell::Number(number)) => list.has(*number),
            (Self::Words(words), Cell::Word(word)) => {
                words.iter().any(|each| each.eq_ignore_ascii_case(word))
            }
            (Self::Numbers(_), Cell::Word(_)) | (Self::Words(_), Cell::Number(_)) => false,
        }
    }
}

/// The parts of the runs that lie in the ranges.
fn trimmed(runs: &[Run], ranges: &[RangeInclusive<u64>]) -> Vec<Run> {
    let mut kept: Vec<Run> = runs
        .iter()
        .flat_map(|run| {
            ranges.iter().filter_map(|range| {
                let first = u64::from(run.first).max(*range.start());
                let last = u64::from(run.last).min(*range.end());
                let (first, last) = (u32::try_from(first).ok()?, u32::try_from(last).ok()?);
                (first <= last).then_some(Run { first, last })
            })
        })
        .collect();
    kept.sort_by_key(|run| (run.first, run.last));
    kept.dedup();
    kept
}

fn number(value: impl Into<u64>) -> Option<Cell> {
    Some(Cell::Number(value.into()))
}

fn word(value: impl Into<String>) -> Option<Cell> {
    Some(Cell::Word(value.into()))
}

fn cell(object: &Object, key: &str) -> Option<Cell> {
    if key == "pid" {
        return number(object.task.pid?);
    }
    match (&object.what, key) {
        (What::Qp(qp), _) => of_qp(qp, key),
        (What::CmId(cm_id), _) => of_cm_id(cm_id, key),
        (What::Cq(cq), "users") => number(cq.users),
        (What::Cq(cq), "poll-ctx") => word(words::poll_ctx(cq.poll_ctx?)),
        (What::Cq(cq), "cqn") => number(cq.cqn?),
        (What::Cq(cq), "ctxn") => number(cq.ctxn?),
        (What::Mr(mr), "rkey") => number(mr.rkey?),
        (What::Mr(mr), "lkey") => number(mr.lkey?),
        (What::Mr(mr), "mrlen") => number(mr.mrlen),
        (What::Mr(mr), "mrn") => number(mr.mrn?),
        (What::Mr(mr), "pdn") => number(mr.pdn?),
        (What::Pd(pd), "users") => number(pd.users),
        (What::Pd(pd), "ctxn") => number(pd.ctxn?),
        (What::Pd(pd), "pdn") => number(pd.pdn?),
        (What::Ctx(ctx), "ctxn") => number(ctx.ctxn),
        (What::Srq(srq), "srqn") => number(srq.srqn),
        (What::Srq(srq), "type") => word(words::srq_type(srq.srq_type?)),
        (What::Srq(srq), "pdn") => number(srq.pdn?),
        (What::Srq(srq), "cqn") => number(srq.cqn?),
        (What::FrmrPool(pool), _) => of_pool(pool, key),
        _ => None,
    }
}

fn of_qp(qp: &Qp, key: &str) -> Option<Cell> {
    match key {
        "lqpn" => number(qp.lqpn),
        "rqpn" => number(qp.rqpn?),
        "sq-psn" => number(qp.sq_psn),
        "rq-psn" => number(qp.rq_psn?),
        "type" => word(words::qp_type(qp.qp_type)),
        "path-mig-state" => word(words::path_mig_state(qp.path_mig_state?)),
        "state" => word(words::qp_state(qp.state)),
        "pdn" => number(qp.pdn?),
        _ => None,
    }
}

fn of_cm_id(cm_id: &CmId, key: &str) -> Option<Cell> {
    match key {
        "lqpn" => number(cm_id.lqpn?),
        "qp-type" => word(words::qp_type(cm_id.qp_type?)),
        "state" => word(words::cm_state(cm_id.state)),
        "ps" => word(words::port_space(cm_id.port_space)),
        "src-addr" => word(cm_id.source?.address.to_string()),
        "src-port" => number(cm_id.source?.port),
        "dst-addr" => word(cm_id.destination?.address.to_string()),
        "dst-port" => number(cm_id.destination?.port),
        "cm-idn" => number(cm_id.cm_idn?),
        _ => None,
    }
}

fn of_pool(pool: &FrmrPool, key: &str) -> Option<Cell> {
    match key {
        "ats" => number(u8::from(pool.key.ats)),
        "access_flags" => number(pool.key.access_flags),
        "vendor_key" => number(pool.key.vendor),
        "num_dma_blocks" => number(pool.key.dma_blocks),
        "queue" => number(pool.queue?),
        "in_use" => number(pool.in_use?),
        "max_in_use" => number(pool.max_in_use?),
        "pinned" => number(pool.pinned?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn runs_are_trimmed_to_what_is_wanted() {
        let run = |first, last| Run { first, last };
        let runs = [run(19, 22), run(30, 30)];
        assert_eq!(trimmed(&runs, &[18..=20]), [run(19, 20)]);
        assert_eq!(
            trimmed(&runs, &[22..=22, 30..=99]),
            [run(22, 22), run(30, 30)]
        );
        assert!(trimmed(&runs, &[1..=5, 1 << 40..=1 << 41]).is_empty());
    }

    proptest! {
        #[test]
        fn no_word_panics(word in "[0-9x,-]{0,24}", first: u32, last: u32) {
            if let Ok(list) = word.parse::<NumberList>() {
                trimmed(&[Run { first, last }], list.ranges());
            }
        }
    }
}
