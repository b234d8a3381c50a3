//! nft's text: what `nft -f` reads and what `nft list ruleset` prints.
//!
//! Source: nftables 1.0.6. What it accepts and this crate does not model is refused with file and line.

mod block;
mod cursor;
mod expression;
mod lex;
mod log;
mod print;
mod print_rule;
mod script;
mod statement;
mod symbols;
#[cfg(test)]
mod tests;
mod values;

pub(crate) use self::expression::kinds;
pub use self::print::print;
pub(crate) use self::print_rule::key_text;
pub use self::print_rule::print_rule;
pub(crate) use self::script::survey;
pub use self::script::{load, parse};
