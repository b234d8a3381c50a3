//! Facts for explanations: what was asked for, what is there, what is nearest, and how they differ.
//!
//! Pure functions over the store; they count and compare, and state no opinion. Which fact is the cause, and what to do
//! about it, is said elsewhere. The forms are part of the package, not of its public output.

mod addresses;
mod difference;
mod monitor;
mod pod;
mod service;
mod spread;
#[cfg(test)]
mod tests;

pub use monitor::monitor_facts;
pub use service::service_facts;

/// How many near misses are handed over.
const NEAREST_MAX: usize = 3;
/// How many objects of one list are handed over; their number is always exact.
const LISTED_MAX: usize = 1000;
