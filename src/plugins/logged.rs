//! What the calls of every plugin have in common: their beginnings and failures in the log.

use super::log::Log;
use super::{fault, netns};
use crate::cni::{Call, Config, Failure};
use crate::kernel::state::Folder;
use crate::kernel::{Host, Netns};

/// A plugin that tells a log what it does.
pub trait Logged<'a>: Sized {
    /// The machine, and the log.
    fn parts(&mut self) -> (&'a Host, &mut Log<'a>);

    /// One call, with its beginning and its failure in the log.
    ///
    /// # Errors
    /// Those of `work`.
    fn logged<T>(
        &mut self,
        call: &Call,
        config: &Config<'_>,
        work: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let (host, log) = self.parts();
        log.begin(host, call, config);
        let result = work(self);
        self.parts().1.end(&result);
        result
    }

    /// The beginning of a DEL, whatever there is to read of its configuration: what killed writers
    /// left among the records goes, and the container's namespace is opened, where it still is.
    fn begin_del(
        &mut self,
        call: &Call,
        debug: bool,
        trouble: Option<Failure>,
        records: &Folder,
    ) -> Option<Netns> {
        let (host, log) = self.parts();
        log.set_debug(debug);
        if let Some(failure) = trouble {
            log.warn(failure.msg);
        }
        let (netns, why_not) = netns::left(host, call);
        if let Some(why_not) = why_not {
            log.warn(why_not);
        }
        if let Err(error) = records.sweep() {
            log.debug(fault::chain(&error));
        }
        netns
    }
}
