//! How long work is done: with how many threads, who is told, and who may stop it.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use crate::error::VerifyError;

/// What the caller of a long computation is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// So many participations of all have been read into equations.
    Read {
        /// Done so far.
        done: usize,
        /// To do in all.
        of: usize,
    },
    /// The equations are about to be checked, all together or, when that fails, by parts.
    Checking,
}

/// More threads than this share no more work.
const MAX_THREADS: usize = 64;

type Hook<'a> = &'a mut dyn FnMut(Progress) -> ControlFlow<()>;

/// The number of threads, and a hook which is told of progress and can cancel. The default is one thread without a hook.
///
/// The threads live only as long as the call. Never make such a call on an asynchronous runtime.
#[derive(Default)]
pub struct Work<'a> {
    threads: Option<NonZeroUsize>,
    hook: Option<Hook<'a>>,
}

/// The hook asked to stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cancelled;

impl From<Cancelled> for VerifyError {
    fn from(Cancelled: Cancelled) -> Self {
        Self::Cancelled
    }
}

impl<'a> Work<'a> {
    /// Work on so many threads, of which at most 64 are used.
    pub fn threads(threads: NonZeroUsize) -> Self {
        Self { threads: Some(threads), hook: None }
    }

    /// Sets the hook. It runs on the calling thread; `Break` cancels.
    #[must_use]
    pub fn on_progress(mut self, hook: Hook<'a>) -> Self {
        self.hook = Some(hook);
        self
    }

    pub(crate) fn thread_count(&self) -> usize {
        self.threads.map_or(1, NonZeroUsize::get).min(MAX_THREADS)
    }

    pub(crate) fn report(&mut self, progress: Progress) -> Result<(), Cancelled> {
        match self.hook.as_mut().map_or(ControlFlow::Continue(()), |hook| hook(progress)) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Cancelled),
        }
    }
}
