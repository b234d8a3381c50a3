//! What is wrong with rules that somebody wants to load.

use thiserror::Error;

use crate::Table;

/// Bad input to this crate. Nothing of it was loaded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    /// A rule or a step names a chain that is not there.
    #[error("table {table}: chain {chain} does not exist")]
    UnknownChain {
        /// The table.
        table: Table,
        /// The chain that is missing.
        chain: String,
    },
    /// A rule jumps to a chain that is not there.
    #[error("table {table}, chain {chain}: -j {target}: no chain of that name")]
    UnknownJump {
        /// The table.
        table: Table,
        /// The chain of the rule.
        chain: String,
        /// What it jumps to.
        target: String,
    },
    /// A rule jumps to a chain that the kernel calls from a hook.
    #[error("table {table}, chain {chain}: -j {target}: a base chain cannot be jumped to")]
    JumpToBase {
        /// The table.
        table: Table,
        /// The chain of the rule.
        chain: String,
        /// What it jumps to.
        target: String,
    },
    /// A base chain was to be made or deleted like a user's.
    #[error("table {table}: {chain} is a base chain: it has a policy, and cannot be made or deleted")]
    BaseChain {
        /// The table.
        table: Table,
        /// The chain.
        chain: String,
    },
    /// A policy for a chain that has none.
    #[error("table {table}: {chain} is not a base chain, so it has no policy")]
    PolicyOfUserChain {
        /// The table.
        table: Table,
        /// The chain.
        chain: String,
    },
    /// A chain is to be deleted while rules jump to it.
    #[error("table {table}: chain {chain} cannot be deleted: {references} rule(s) jump to it")]
    ChainInUse {
        /// The table.
        table: Table,
        /// The chain.
        chain: String,
        /// How many rules jump to it.
        references: u32,
    },
    /// A chain is to be deleted while it has rules.
    #[error("table {table}: chain {chain} cannot be deleted: it has {rules} rule(s)")]
    ChainNotEmpty {
        /// The table.
        table: Table,
        /// The chain.
        chain: String,
        /// How many rules it has.
        rules: usize,
    },
    /// A chain's name is too long, empty, or begins with a character that options begin with.
    #[error("table {table}: chain name {chain:?} is not valid: {allowed}")]
    ChainName {
        /// The table.
        table: Table,
        /// The name.
        chain: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// A rule to be deleted is not there.
    #[error("table {table}, chain {chain}: no rule equal to `{rule}`")]
    NoSuchRule {
        /// The table.
        table: Table,
        /// The chain.
        chain: String,
        /// The rule, as iptables-save prints it.
        rule: String,
    },
    /// A number that no rule of the chain has.
    #[error("table {table}, chain {chain}: there is no rule {found}; the chain has {rules} rule(s)")]
    RuleNumber {
        /// The table.
        table: Table,
        /// The chain.
        chain: String,
        /// The number, from 1.
        found: usize,
        /// How many rules the chain has.
        rules: usize,
    },
    /// A chain that is to be made is there.
    #[error("table {table}: chain {chain} is there already")]
    ChainExists {
        /// The table.
        table: Table,
        /// The chain.
        chain: String,
    },
    /// A base chain reaches a loop of jumps.
    #[error("table {table}: jumps form a loop through chain {chain}")]
    JumpLoop {
        /// The table.
        table: Table,
        /// A chain of the loop.
        chain: String,
    },
    /// A base chain reaches a row of more user chains than the kernel walks.
    #[error(
        "table {table}: chain {chain} lies {found} jumps below a base chain; at most {allowed} are allowed"
    )]
    TooDeep {
        /// The table.
        table: Table,
        /// The deepest chain.
        chain: String,
        /// Its depth.
        found: usize,
        /// The greatest depth.
        allowed: usize,
    },
    /// A base chain reaches a rule whose target its hook does not have.
    #[error(
        "table {table}, chain {chain}: target {target} is reached from {found}; it is valid from {allowed} alone"
    )]
    TargetNotAtHook {
        /// The table.
        table: Table,
        /// The chain.
        chain: String,
        /// The target.
        target: &'static str,
        /// The hook that reaches it.
        found: &'static str,
        /// The hooks that have it.
        allowed: String,
    },
    /// A target that its table does not have.
    #[error("table {table}, chain {chain}: target {target} is valid only in table {allowed}")]
    TargetNotInTable {
        /// The table.
        table: Table,
        /// The chain.
        chain: String,
        /// The target.
        target: &'static str,
        /// The tables that have it.
        allowed: &'static str,
    },
    /// A transaction or address of the other family.
    #[error("{object}: {found} does not belong to a rule set of {allowed}")]
    Family {
        /// What is of the wrong family.
        object: String,
        /// The family found.
        found: &'static str,
        /// The family of the rule set.
        allowed: &'static str,
    },
    /// A rule, or a line of ipset's, names a set that is not there.
    #[error("{by}: set {set} does not exist")]
    UnknownSet {
        /// Who names it.
        by: String,
        /// The set.
        set: String,
    },
    /// What a set does not take.
    #[error("{why}")]
    SetRefused {
        /// Set, element, and what keeps it out.
        why: String,
    },
    /// What the rule set says of a line.
    #[error("{place}: {error}")]
    AtLine {
        /// File and line.
        place: Place,
        /// What it says.
        error: Box<Error>,
    },
    /// A change of nftables' rules.
    #[error(transparent)]
    Nft(Box<crate::nft::Error>),
    /// Text that is not of the form that iptables-restore or nft reads.
    #[error("{place}: {problem}")]
    Syntax {
        /// File and line.
        place: Place,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// A table that this crate does not have.
    #[error("{place}: table \"{table}\" is not modelled")]
    TableNotModelled {
        /// File and line.
        place: Place,
        /// Its name.
        table: String,
    },
    /// A match that this crate does not have.
    #[error("{place}: match \"{name}\" is not modelled")]
    MatchNotModelled {
        /// File and line.
        place: Place,
        /// Its name.
        name: String,
    },
    /// A target that this crate does not have.
    #[error("{place}: target \"{name}\" is not modelled")]
    TargetNotModelled {
        /// File and line.
        place: Place,
        /// Its name.
        name: String,
    },
    /// An option that this crate does not have.
    #[error("{place}: option \"{name}\" of {owner} is not modelled")]
    OptionNotModelled {
        /// File and line.
        place: Place,
        /// The option.
        name: String,
        /// The match or target, or the command.
        owner: String,
    },
}

impl From<crate::nft::Error> for Error {
    fn from(error: crate::nft::Error) -> Error {
        Error::Nft(Box::new(error))
    }
}

/// A line of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// What the text is called: a file, `-`.
    pub source: String,
    /// The line, from 1.
    pub line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.source, self.line)
    }
}

/// Every code that [`Error::code`] gives.
pub const CODES: &[&str] = &[
    "ipset-refused",
    "ipset-unknown-set",
    "nft-element-exists",
    "nft-no-such-element",
    "nft-set-exists",
    "nft-set-in-use",
    "nft-type-mismatch",
    "nft-unknown-object",
    "nft-unknown-set",
    "nft-unknown-table",
    "rule-expression-not-modelled",
    "rule-match-not-modelled",
    "rule-option-not-modelled",
    "rule-syntax",
    "rule-target-not-modelled",
    "ruleset-base-chain",
    "ruleset-chain-exists",
    "ruleset-chain-in-use",
    "ruleset-chain-name",
    "ruleset-chain-not-empty",
    "ruleset-family",
    "ruleset-jump-loop",
    "ruleset-jump-to-base-chain",
    "ruleset-no-policy",
    "ruleset-no-such-rule",
    "ruleset-rule-number",
    "ruleset-table-not-modelled",
    "ruleset-target-not-at-hook",
    "ruleset-target-not-in-table",
    "ruleset-too-deep",
    "ruleset-unknown-chain",
];

impl Error {
    /// The line of a text that it is about, from 1; `None` for a change that came from no text.
    pub fn line(&self) -> Option<usize> {
        match self {
            Error::AtLine { place, .. }
            | Error::Syntax { place, .. }
            | Error::TableNotModelled { place, .. }
            | Error::MatchNotModelled { place, .. }
            | Error::TargetNotModelled { place, .. }
            | Error::OptionNotModelled { place, .. } => Some(place.line),
            Error::Nft(error) => match &**error {
                crate::nft::Error::NotModelled { place, .. } => Some(place.line),
                _ => None,
            },
            _ => None,
        }
    }

    /// The stable code, by which programs tell errors apart.
    pub fn code(&self) -> &'static str {
        match self {
            Error::UnknownChain { .. } | Error::UnknownJump { .. } => "ruleset-unknown-chain",
            Error::JumpToBase { .. } => "ruleset-jump-to-base-chain",
            Error::BaseChain { .. } => "ruleset-base-chain",
            Error::PolicyOfUserChain { .. } => "ruleset-no-policy",
            Error::ChainInUse { .. } => "ruleset-chain-in-use",
            Error::ChainNotEmpty { .. } => "ruleset-chain-not-empty",
            Error::ChainName { .. } => "ruleset-chain-name",
            Error::NoSuchRule { .. } => "ruleset-no-such-rule",
            Error::JumpLoop { .. } => "ruleset-jump-loop",
            Error::TooDeep { .. } => "ruleset-too-deep",
            Error::TargetNotInTable { .. } => "ruleset-target-not-in-table",
            Error::Family { .. } => "ruleset-family",
            Error::RuleNumber { .. } => "ruleset-rule-number",
            Error::ChainExists { .. } => "ruleset-chain-exists",
            Error::TargetNotAtHook { .. } => "ruleset-target-not-at-hook",
            Error::UnknownSet { .. } => "ipset-unknown-set",
            Error::SetRefused { .. } => "ipset-refused",
            Error::AtLine { error, .. } => error.code(),
            Error::Nft(error) => error.code(),
            Error::Syntax { .. } => "rule-syntax",
            Error::TableNotModelled { .. } => "ruleset-table-not-modelled",
            Error::MatchNotModelled { .. } => "rule-match-not-modelled",
            Error::TargetNotModelled { .. } => "rule-target-not-modelled",
            Error::OptionNotModelled { .. } => "rule-option-not-modelled",
        }
    }
}
