//! Matches that depend on what is not known. Their options are read, and kept as they stand.

use std::fmt::Write;

use super::Problem;
use super::arguments::{Arguments, Opt};
use super::matches::{Module, missing};
use super::words::quote;
use crate::{Match, Unknown};

/// An option, how many values it has, and whether "!" may stand before it.
type Known = (&'static str, usize, bool);

/// Modules, and their options in the order in which iptables-save prints them.
/// Source: iptables 1.8.9, the `_save` functions of extensions/libxt_*.c.
const MODULES: &[(&str, &[Known])] = &[
    (
        "owner",
        &[
            ("--socket-exists", 0, true),
            ("--uid-owner", 1, true),
            ("--gid-owner", 1, true),
            ("--suppl-groups", 0, false),
        ],
    ),
    (
        "physdev",
        &[
            ("--physdev-is-in", 0, true),
            ("--physdev-in", 1, true),
            ("--physdev-is-out", 0, true),
            ("--physdev-out", 1, true),
            ("--physdev-is-bridged", 0, true),
        ],
    ),
    ("socket", &[("--transparent", 0, false), ("--nowildcard", 0, false), ("--restore-skmark", 0, false)]),
    (
        "time",
        &[
            ("--timestart", 1, false),
            ("--timestop", 1, false),
            ("--monthdays", 1, true),
            ("--weekdays", 1, true),
            ("--datestart", 1, false),
            ("--datestop", 1, false),
            ("--kerneltz", 0, false),
            ("--contiguous", 0, false),
        ],
    ),
    (
        "string",
        &[
            ("--string", 1, true),
            ("--hex-string", 1, true),
            ("--algo", 1, false),
            ("--from", 1, false),
            ("--to", 1, false),
            ("--icase", 0, false),
        ],
    ),
    ("mac", &[("--mac-source", 1, true)]),
    ("pkttype", &[("--pkt-type", 1, true)]),
    ("cpu", &[("--cpu", 1, true)]),
    ("cgroup", &[("--path", 1, true), ("--cgroup", 1, true)]),
    (
        "policy",
        &[
            ("--dir", 1, false),
            ("--pol", 1, false),
            ("--strict", 0, false),
            ("--reqid", 1, true),
            ("--spi", 1, true),
            ("--proto", 1, true),
            ("--mode", 1, true),
            ("--tunnel-dst", 1, true),
            ("--tunnel-src", 1, true),
            ("--next", 0, false),
        ],
    ),
    ("realm", &[("--realm", 1, true)]),
    ("devgroup", &[("--src-group", 1, true), ("--dst-group", 1, true)]),
    ("u32", &[("--u32", 1, true)]),
    ("bpf", &[("--bytecode", 1, false)]),
    ("osf", &[("--genre", 1, true), ("--ttl", 1, false), ("--log", 1, false)]),
];

/// A match on its way.
pub(super) struct Unknowns {
    module: &'static str,
    known: &'static [Known],
    /// Places in `known`, whether turned round, and values, as they came.
    taken: Vec<(usize, bool, Vec<String>)>,
}

impl Unknowns {
    /// The match of that name, if its answer is one that is not known.
    pub(super) fn of(module: &str) -> Option<Unknowns> {
        let (module, known) = MODULES.iter().find(|(name, _)| *name == module)?;
        Some(Unknowns { module, known, taken: Vec::new() })
    }
}

impl Module for Unknowns {
    fn take(&mut self, option: &Opt<'_>, arguments: &mut Arguments<'_>) -> Result<bool, Problem> {
        let Some(place) = self.known.iter().position(|(name, ..)| *name == option.name) else {
            return Ok(false);
        };
        let (_, values, inverts) = self.known[place];
        if !inverts {
            option.plain()?;
        }
        let values: Result<Vec<String>, Problem> =
            (0..values).map(|_| arguments.value(option.name).map(str::to_string)).collect();
        self.taken.push((place, option.invert, values?));
        Ok(true)
    }

    fn finish(mut self: Box<Self>) -> Result<Match, Problem> {
        let lone = ["socket", "policy"].contains(&self.module);
        if self.taken.is_empty() && !lone {
            return Err(missing(self.module, self.known[0].0));
        }
        // Options of a policy's elements repeat, and their order counts.
        if self.module != "policy" {
            self.taken.sort_by_key(|(place, ..)| *place);
        }
        let mut text = self.module.to_string();
        for (place, invert, values) in &self.taken {
            let _ = write!(text, "{} {}", if *invert { " !" } else { "" }, self.known[*place].0);
            for value in values {
                let _ = write!(text, " {}", shown(self.module, value));
            }
        }
        let forwarded = (self.module == "owner").then(|| {
            let asked = self.taken.iter().filter(|(place, ..)| self.known[*place].0 != "--suppl-groups");
            asked.into_iter().all(|(_, invert, _)| *invert)
        });
        Ok(Match::Unknown(Unknown { text: text.into(), forwarded }))
    }
}

/// Texts stand in quotes, other values as they are.
fn shown(module: &str, value: &str) -> String {
    match module {
        "string" | "u32" | "bpf" if value.contains([' ', '|', '"', '&', '=', ',', ';']) => {
            let plain = quote(value);
            if plain.starts_with('"') { plain } else { format!("\"{value}\"") }
        }
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use kdp_packet::Family;

    use crate::{Match, Ruleset, Table, text};

    /// The rule as it is listed, and what is known of it for a forwarded packet.
    fn listed(rule: &str) -> (String, Option<bool>) {
        let mut ruleset = Ruleset::new(Family::V4);
        text::load(&mut ruleset, &format!("*filter\n-A OUTPUT {rule}\nCOMMIT\n"), "-", false)
            .unwrap_or_else(|error| panic!("{error}"));
        let printed = text::print(&ruleset);
        let line = printed.lines().find_map(|line| line.strip_prefix("-A OUTPUT ")).unwrap().to_string();
        let chain = ruleset.base_chain(Table::Filter, crate::Hook::Output).unwrap();
        let known = ruleset.chain(chain).rules()[0].rule().matches.iter().find_map(|test| match test {
            Match::Unknown(unknown) => unknown.forwarded,
            _ => None,
        });
        (line, known)
    }

    #[test]
    fn what_is_not_known_is_kept_as_the_kernel_lists_it() {
        for rule in [
            "-m owner --uid-owner 1000 -j DROP",
            "-m owner --socket-exists ! --uid-owner 0 --gid-owner 5-10 -j DROP",
            "-m physdev ! --physdev-is-in -j ACCEPT",
            "-m socket --transparent -j ACCEPT",
            "-m time --timestart 10:00:00 --timestop 12:00:00 --weekdays Mon,Tue --datestop 2038-01-19T03:14:07 -j ACCEPT",
            "-m string --string \"abc d\" --algo bm -j DROP",
            "-m string --hex-string \"|0a0b|\" --algo kmp --from 10 --to 20 --icase -j DROP",
            "-m mac --mac-source 00:11:22:33:44:55 -j DROP",
            "-m pkttype --pkt-type broadcast -j DROP",
            "-m policy --dir in --pol ipsec --proto esp -j ACCEPT",
            "-m u32 --u32 \"0x6&0xff=0x1\" -j DROP",
            "-m bpf --bytecode \"1,6 0 0 1\" -j DROP",
        ] {
            assert_eq!(listed(rule).0, rule);
        }
        let other = "-m owner ! --uid-owner 0 --gid-owner 5-10 --socket-exists -j DROP";
        assert_eq!(listed(other).0, "-m owner --socket-exists ! --uid-owner 0 --gid-owner 5-10 -j DROP");
    }

    #[test]
    fn a_packet_without_a_socket_passes_what_is_asked_for_with_a_contrary_alone() {
        assert_eq!(listed("-m owner --uid-owner 1000").1, Some(false));
        assert_eq!(listed("-m owner ! --uid-owner 1000 ! --gid-owner 5").1, Some(true));
        assert_eq!(listed("-m owner ! --uid-owner 1000 --gid-owner 5").1, Some(false));
        assert_eq!(listed("-m cpu --cpu 0").1, None);
    }
}
