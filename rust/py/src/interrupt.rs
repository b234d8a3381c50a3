//! Ctrl-C while the GIL is released: asked for now and then, carried out when the call is over.

use std::cell::Cell;
use std::cell::RefCell;

use pyo3::prelude::*;

/// Asks Python whether a signal waits. What it raises is kept until [`Interrupt::check`].
pub(crate) struct Interrupt {
    raised: RefCell<Option<PyErr>>,
    asked: Cell<u32>,
}

/// How many blocks of rows pass between two questions: a question takes the GIL.
const BLOCKS_BETWEEN_QUESTIONS: u32 = 16;

impl Interrupt {
    pub(crate) fn new() -> Interrupt {
        Interrupt { raised: RefCell::new(None), asked: Cell::new(0) }
    }

    /// Whether to go on.
    pub(crate) fn go_on(&self) -> bool {
        self.asked.set(self.asked.get() + 1);
        if !self.asked.get().is_multiple_of(BLOCKS_BETWEEN_QUESTIONS) {
            return true;
        }
        #[expect(
            clippy::redundant_closure_for_method_calls,
            reason = "the method alone is not general enough over lifetimes"
        )]
        let signal = Python::attach(|py| py.check_signals());
        let calm = signal.is_ok();
        *self.raised.borrow_mut() = signal.err();
        calm
    }

    /// Raises what came in between.
    pub(crate) fn check(self) -> PyResult<()> {
        self.raised.into_inner().map_or(Ok(()), Err)
    }
}
