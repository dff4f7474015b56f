//! Questions of members, from their arrival until the step that takes them is performed.
//!
//! An answer is up to a block and more, a question a few bytes: so few are taken into one step, and of one member
//! fewer. Who asks more is refused at once and costs nothing; nobody's question is given up for another's.

use processor_messages::Validator;

/// The most questions of one step.
pub(crate) const MAX_QUESTIONS: usize = 32;
/// The most of these by one member.
pub(crate) const MAX_QUESTIONS_OF_ONE: usize = 2;

/// Open questions with the means to answer them, `R`; dropping one refuses.
#[derive(Debug)]
pub(crate) struct Questions<R> {
    open: Vec<(u64, Validator, R)>,
    next: u64,
}

impl<R> Default for Questions<R> {
    fn default() -> Self {
        Self { open: Vec::new(), next: 0 }
    }
}

impl<R> Questions<R> {
    /// The name of a question, unless it is one too many.
    pub(crate) fn open(&mut self, from: Validator, responder: R) -> Option<u64> {
        let of_one = self.open.iter().filter(|(_, asker, _)| *asker == from).count();
        if (of_one >= MAX_QUESTIONS_OF_ONE) || (self.open.len() >= MAX_QUESTIONS) {
            return None;
        }
        let id = self.next;
        self.next = id.wrapping_add(1);
        self.open.push((id, from, responder));
        Some(id)
    }

    /// The means to answer a question.
    pub(crate) fn take(&mut self, id: u64) -> Option<R> {
        let at = self.open.iter().position(|(open, _, _)| *open == id)?;
        Some(self.open.swap_remove(at).2)
    }

    /// Refuses what is left.
    pub(crate) fn refuse(&mut self) {
        self.open.clear();
    }
}
