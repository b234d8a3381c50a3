//! SCTP (stub).
use super::connection::Direction;
use super::settings::Settings;
use super::track::Step;
use kdp_packet::Sctp;
/// state
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SctpState {
    /// c
    Closed,
}
/// flow
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SctpFlow {
    /// s
    pub state: SctpState,
}
impl SctpState {
    /// n
    pub fn name(self) -> &'static str {
        "CLOSED"
    }
    pub(super) fn is_shutting_down(self) -> bool {
        false
    }
}
pub(super) struct Context {
    pub direction: Direction,
    pub seen_reply: bool,
    pub assured: bool,
}
impl SctpFlow {
    pub(super) fn open(_: &Sctp, _: &Settings) -> Option<(SctpFlow, Step)> {
        None
    }
    pub(super) fn step(&mut self, _: &Sctp, _: Context, _: &Settings) -> Step {
        Step::INVALID
    }
}
