//! Virtual time, events in order, and seeded chance.
//!
//! Nothing in kdp reads a clock or rolls dice: time and chance come in as arguments, so the same input and
//! the same seed give the same bytes, on any machine and in any order of threads.

mod chance;
mod queue;
mod time;

pub use chance::{Chance, Draw};
pub use queue::EventQueue;
pub use time::Time;
