//! What is wrong with a change of nftables' rules.

use thiserror::Error;

use crate::Place;

/// Something that a table has by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noun {
    /// A table.
    Table,
    /// A chain.
    Chain,
    /// A set or map.
    Set,
    /// A counter, quota or limit.
    Object,
    /// A rule, by its handle.
    Rule,
}

impl std::fmt::Display for Noun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Noun::Table => "table",
            Noun::Chain => "chain",
            Noun::Set => "set or map",
            Noun::Object => "object",
            Noun::Rule => "rule",
        })
    }
}

/// Bad input to nftables. Nothing of the transaction was done.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    /// A name that nothing has.
    #[error("table {table}: {noun} {name} does not exist")]
    Unknown {
        /// The table.
        table: String,
        /// What was looked for.
        noun: Noun,
        /// The name.
        name: String,
    },
    /// A name that something else has.
    #[error("table {table}: {noun} {name} is there already, declared otherwise")]
    Exists {
        /// The table.
        table: String,
        /// What is there.
        noun: Noun,
        /// The name.
        name: String,
    },
    /// Something is to be deleted while rules or elements refer to it.
    #[error("table {table}: {noun} {name} cannot be deleted: {uses} rule(s) or element(s) refer to it")]
    InUse {
        /// The table.
        table: String,
        /// What is to be deleted.
        noun: Noun,
        /// The name.
        name: String,
        /// How many refer to it.
        uses: u32,
    },
    /// An element that is there, gives something else, or overlaps with one that is there.
    #[error("table {table}, set {set}: element {element} is there already, or overlaps with one that is")]
    ElementExists {
        /// The table.
        table: String,
        /// The set or map.
        set: String,
        /// The element.
        element: String,
    },
    /// An element to be deleted is not there.
    #[error("table {table}, set {set}: there is no element {element}")]
    NoSuchElement {
        /// The table.
        table: String,
        /// The set or map.
        set: String,
        /// The element.
        element: String,
    },
    /// Something of another shape than its place asks for.
    #[error("table {table}: {object}: found {found}; {allowed} is allowed")]
    Mismatch {
        /// The table.
        table: String,
        /// What is of the wrong shape.
        object: String,
        /// What it is.
        found: String,
        /// What it should be.
        allowed: String,
    },
    /// A rule or element leads to a base chain.
    #[error("table {table}: chain {chain} is a base chain: nothing can jump to it")]
    JumpToBase {
        /// The table.
        table: String,
        /// The chain.
        chain: String,
    },
    /// A base chain reaches a loop.
    #[error("table {table}: jumps form a loop through chain {chain}")]
    JumpLoop {
        /// The table.
        table: String,
        /// A chain of the loop.
        chain: String,
    },
    /// A base chain reaches a row of more chains than the kernel walks.
    #[error("table {table}: chain {chain} lies more than {allowed} jumps below a base chain")]
    TooDeep {
        /// The table.
        table: String,
        /// The chain.
        chain: String,
        /// The greatest depth.
        allowed: u8,
    },
    /// A statement is reached from a base chain that does not allow it.
    #[error("table {table}, chain {chain}: {statement} is valid only in {allowed}")]
    NotAtHook {
        /// The table.
        table: String,
        /// The chain of the rule.
        chain: String,
        /// The statement.
        statement: &'static str,
        /// Where it is allowed.
        allowed: &'static str,
    },
    /// An expression, statement or command that this crate does not have.
    #[error("{place}: expression \"{name}\" is not modelled")]
    NotModelled {
        /// File and line.
        place: Place,
        /// The word.
        name: String,
    },
}

impl Error {
    /// The stable code. What iptables knows too has the same code there.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Unknown { noun: Noun::Chain, .. } => "ruleset-unknown-chain",
            Error::Unknown { noun: Noun::Table, .. } => "nft-unknown-table",
            Error::Unknown { noun: Noun::Set, .. } => "nft-unknown-set",
            Error::Unknown { noun: Noun::Object, .. } => "nft-unknown-object",
            Error::Unknown { noun: Noun::Rule, .. } => "ruleset-no-such-rule",
            Error::Exists { noun: Noun::Chain, .. } => "ruleset-chain-exists",
            Error::Exists { .. } => "nft-set-exists",
            Error::InUse { noun: Noun::Chain, .. } => "ruleset-chain-in-use",
            Error::InUse { .. } => "nft-set-in-use",
            Error::ElementExists { .. } => "nft-element-exists",
            Error::NoSuchElement { .. } => "nft-no-such-element",
            Error::Mismatch { .. } => "nft-type-mismatch",
            Error::JumpToBase { .. } => "ruleset-jump-to-base-chain",
            Error::JumpLoop { .. } => "ruleset-jump-loop",
            Error::TooDeep { .. } => "ruleset-too-deep",
            Error::NotAtHook { .. } => "ruleset-target-not-at-hook",
            Error::NotModelled { .. } => "rule-expression-not-modelled",
        }
    }
}
