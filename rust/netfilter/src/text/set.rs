//! `-m set`.

use super::Problem;
use super::arguments::{Arguments, Opt};
use super::matches::{Module, missing, once};
use crate::{Match, SetSides, SetTest};

/// The test on its way.
#[derive(Default)]
pub(super) struct SetMatch(Option<SetTest>);

impl Module for SetMatch {
    /// Source: iptables 1.8.9, `set_parse_v4` in extensions/libxt_set.c.
    fn take(&mut self, option: &Opt<'_>, arguments: &mut Arguments<'_>) -> Result<bool, Problem> {
        match option.name {
            "--match-set" => {
                let name = arguments.value(option.name)?;
                let set = arguments.interner.text(name);
                let sides = sides(option.name, arguments.value(option.name)?)?;
                once(&mut self.0, option, SetTest { set, sides, invert: option.invert })
            }
            "--return-nomatch"
            | "--update-counters"
            | "--update-subcounters"
            | "--packets-eq"
            | "--packets-lt"
            | "--packets-gt"
            | "--bytes-eq"
            | "--bytes-lt"
            | "--bytes-gt" => Err(Problem::option(option.name, "match \"set\"")),
            _ => Ok(false),
        }
    }

    fn finish(self: Box<Self>) -> Result<Match, Problem> {
        self.0.map(Match::Set).ok_or_else(|| missing("set", "--match-set"))
    }
}

fn sides(option: &str, text: &str) -> Result<SetSides, Problem> {
    let side = |word: &str| match word {
        "src" => Ok(true),
        "dst" => Ok(false),
        _ => Err(Problem::syntax(format!("{option}: {word:?} is not src or dst"))),
    };
    let sides: SetSides = text.split(',').map(side).collect::<Result<_, _>>()?;
    if sides.len() > SetTest::SIDES_MAX {
        let found = sides.len();
        return Err(Problem::syntax(format!("{option}: {found} of src and dst; at most 6 are allowed")));
    }
    Ok(sides)
}

/// ` ! --match-set NAME src,dst`, with `dashes` before the option.
pub(super) fn print_set(dashes: &str, test: &SetTest) -> String {
    let sides: Vec<&str> = test.sides.iter().map(|source| if *source { "src" } else { "dst" }).collect();
    let not = if test.invert { " !" } else { "" };
    format!("{not} {dashes}match-set {} {}", test.set, sides.join(","))
}
