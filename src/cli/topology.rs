//! `topology`: PFs, VFs, RDMA devices, interfaces, and who holds them.

use std::collections::BTreeSet;

use clap::Args;

use super::words::unmarked;
use super::{Context, Failure};
use crate::kernel::Conn;
use crate::kernel::netns_sysfs::NetnsSysfs;
use crate::rdma::{topology, whereabouts};
use crate::sriov::{pf, seat, vfio};
use crate::types::near::near;
use crate::view::Format;
use crate::view::explain::Explanation;
use crate::view::topology::{self as view, Map};

/// What sits on what: functions, RDMA devices, interfaces, and who holds them
#[derive(Debug, Clone, Args)]
pub(super) struct Topology {
    /// Only this PF and what is on it, this VF (PF/INDEX), function, RDMA device or interface
    #[arg(value_name = "PF|DEV", value_parser = plain)]
    only: Option<String>,
}

fn plain(word: &str) -> Result<String, std::convert::Infallible> {
    Ok(unmarked(word).to_owned())
}

impl Topology {
    pub(super) fn run(self, cx: &mut Context<'_>, conn: &mut Conn) -> Result<(), Failure> {
        let own = NetnsSysfs::of_caller(cx.host);
        let sysfs = own.as_ref().map_or(cx.host.sysfs(), NetnsSysfs::tree);
        let unread = |error: crate::kernel::SysfsError| Explanation::of(format!("error: {error}"));
        let pfs = pf::list(sysfs).map_err(unread)?.into_iter();
        let pfs: Vec<_> = pfs
            .filter(|pf| !pf.vfs.is_empty())
            .map(|pf| pf.address)
            .collect();
        let survey = whereabouts::everywhere(cx.host, sysfs);
        let survey = survey.map_err(|error| Explanation::of(format!("error: {error}")))?;
        let census = topology::take(cx.host, conn, sysfs, survey, &pfs)
            .map_err(|error| cx.explain_plain(conn, error))?;
        let residents = census.presences.iter().flat_map(|each| &each.residents);
        let residents = residents.filter_map(|resident| resident.id.clone());
        let missing = census.missing.iter().filter_map(|each| each.id.clone());
        let taken: BTreeSet<_> = residents.chain(missing).collect();
        let seats = seat::list(sysfs, &taken).map_err(unread)?;
        let lent = seats
            .iter()
            .filter(|seat| vfio::hands_out(seat.driver.as_deref()));
        let lent: BTreeSet<_> = lent.map(|seat| seat.address).collect();
        let guests = vfio::guests(cx.host, lent.iter().copied());
        let (guests, hidden) =
            guests.map_err(|error| Explanation::of(format!("error: {error}")))?;
        // A guest that nobody is seen to have may be that of a hidden process.
        let told = hidden == 0 || lent.iter().all(|address| guests.contains_key(address));
        let whole = Map::of(&seats, &census, &guests);
        let map = match &self.only {
            None => whole,
            Some(word) => {
                let map = whole.selected(word);
                if map.entries.is_empty() {
                    cx.view.nothing()?;
                    return Err(unknown(word, &whole).into());
                }
                map
            }
        };
        print(cx, &map)?;
        if census.is_whole() && told {
            return Ok(());
        }
        let hidden = census.hidden.max(hidden);
        Err(Failure::Several(cx.gaps(&census.unseen, hidden)))
    }
}

fn print(cx: &mut Context<'_>, map: &Map<'_>) -> Result<(), Failure> {
    let details = cx.details > 0;
    let style = cx.view.style();
    match (style.format, cx.diagram) {
        (Format::Json, _) => cx.view.rows(&view::rows(map))?,
        (_, Some(language)) => cx.view.raw(&view::diagram(map, language))?,
        _ if style.oneline && details => cx.view.raw(&view::details(map))?,
        _ if style.oneline => cx.view.raw(&view::lines(map))?,
        (Format::Table { width }, None) => {
            for (at, table) in view::tables(map, width, details).iter().enumerate() {
                if at > 0 {
                    cx.view.raw("\n")?;
                }
                cx.view.rows(table)?;
            }
        }
        (Format::Text, None) => cx.view.rows(&view::rows(map))?,
    }
    Ok(())
}

fn unknown(word: &str, map: &Map<'_>) -> Explanation {
    let near = near(word, map.names());
    let cause = if near.is_empty() {
        "no PF, VF, RDMA device or interface of one has this name or address".to_owned()
    } else {
        format!("near to it: {}", near.join(", "))
    };
    Explanation {
        headline: format!("there is no \"{word}\" in the topology"),
        cause: Some(cause),
        cure: Some("rdmactl topology".to_owned()),
    }
}
