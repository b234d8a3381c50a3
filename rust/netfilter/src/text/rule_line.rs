//! A rule as it stands behind `-A CHAIN`.

use std::sync::Arc;

use kdp_packet::{Cidr, Family, Proto};

use super::Problem;
use super::arguments::{Arguments, Opt};
use super::matches::{Module, implied, module};
use super::targets::Aim;
use super::values::{network, protocol};
use crate::{DevicePattern, Hook, Match, Rule, Target, Test};

/// A rule on its way.
#[derive(Default)]
struct Draft {
    /// `-s` may name several networks: each makes a rule.
    src: Option<(bool, Vec<Cidr>)>,
    dst: Option<(bool, Vec<Cidr>)>,
    input: Option<Test<DevicePattern>>,
    output: Option<Test<DevicePattern>>,
    proto: Option<Test<Proto>>,
    modules: Vec<Box<dyn Module>>,
    aim: Option<Aim>,
}

/// Reads what is left of the line; a rule for each pair of a source and a destination.
pub(super) fn rules(chain: &str, arguments: &mut Arguments<'_>) -> Result<Vec<Rule>, Problem> {
    let mut draft = Draft::default();
    while let Some(option) = arguments.option()? {
        if !draft.take(&option, arguments)? {
            return Err(Problem::syntax(format!("unknown option {:?}", option.name)));
        }
    }
    draft.check_devices(chain)?;
    draft.finish()
}

impl Draft {
    fn take(&mut self, option: &Opt<'_>, arguments: &mut Arguments<'_>) -> Result<bool, Problem> {
        match option.name {
            "-m" | "--match" => {
                option.plain()?;
                let name = arguments.value(option.name)?;
                let module =
                    module(name, arguments.family).ok_or_else(|| Problem::Match(name.to_string()))?;
                self.modules.push(module);
                Ok(true)
            }
            "-j" | "--jump" | "-g" | "--goto" => {
                option.plain()?;
                let name = arguments.value(option.name)?;
                let goto = matches!(option.name, "-g" | "--goto");
                let aim = if goto { Aim::goto(name, arguments) } else { Aim::jump(name, arguments)? };
                once(&mut self.aim, option.name, aim)
            }
            // Behind `-m policy` it is that match's.
            "--proto" if self.take_extension(option, arguments)? => Ok(true),
            _ => Ok(self.take_header(option, arguments)? || self.take_extension(option, arguments)?),
        }
    }

    fn take_header(&mut self, option: &Opt<'_>, arguments: &mut Arguments<'_>) -> Result<bool, Problem> {
        let invert = option.invert;
        match option.name {
            "-s" | "--source" | "--src" => {
                let networks = networks(option, arguments)?;
                once(&mut self.src, "-s", (invert, networks))
            }
            "-d" | "--destination" | "--dst" => {
                let networks = networks(option, arguments)?;
                once(&mut self.dst, "-d", (invert, networks))
            }
            "-i" | "--in-interface" => {
                let value = device(option, arguments)?;
                once(&mut self.input, "-i", Test { invert, value })
            }
            "-o" | "--out-interface" => {
                let value = device(option, arguments)?;
                once(&mut self.output, "-o", Test { invert, value })
            }
            "-p" | "--protocol" | "--proto" => match protocol(arguments.value(option.name)?)? {
                Some(value) => once(&mut self.proto, "-p", Test { invert, value }),
                None if invert => Err(Problem::syntax("! -p all: no packet would pass")),
                None => Ok(true),
            },
            "-4" | "--ipv4" if arguments.family == Family::V4 => option.plain().map(|()| true),
            "-6" | "--ipv6" if arguments.family == Family::V6 => option.plain().map(|()| true),
            "-f" | "--fragment" | "-c" | "--set-counters" => Err(Problem::option(option.name, "a rule")),
            "-t" | "--table" => Err(Problem::syntax("-t may not stand here: \"*TABLE\" names the table")),
            _ => Ok(false),
        }
    }

    /// Asks the target, then the matches, the last first; then what `-p` implies.
    fn take_extension(&mut self, option: &Opt<'_>, arguments: &mut Arguments<'_>) -> Result<bool, Problem> {
        if let Some(aim) = &mut self.aim
            && aim.take(option, arguments)?
        {
            return Ok(true);
        }
        for module in self.modules.iter_mut().rev() {
            if module.take(option, arguments)? {
                return Ok(true);
            }
        }
        let Some(mut module) = self.proto.filter(|test| !test.invert).and_then(|test| implied(test.value))
        else {
            return Ok(false);
        };
        let taken = module.take(option, arguments)?;
        if taken {
            self.modules.push(module);
        }
        Ok(taken)
    }

    /// Source: iptables 1.8.9, `generic_opt_check` and the checks of `-i` and `-o` in iptables/xshared.c.
    fn check_devices(&self, chain: &str) -> Result<(), Problem> {
        let no_output = [Hook::Prerouting, Hook::Input];
        let no_input = [Hook::Output, Hook::Postrouting];
        match Hook::of(chain) {
            Some(hook) if self.output.is_some() && no_output.contains(&hook) => {
                Err(Problem::syntax(format!("-o cannot be used in {chain}: the device is not known there")))
            }
            Some(hook) if self.input.is_some() && no_input.contains(&hook) => Err(Problem::syntax(format!(
                "-i cannot be used in {chain}: the packet did not come in by a device"
            ))),
            _ => Ok(()),
        }
    }

    fn finish(self) -> Result<Vec<Rule>, Problem> {
        let proto = self.proto.filter(|test| !test.invert).map(|test| test.value);
        let target = self.aim.map_or(Ok(Target::Continue), |aim| aim.finish(proto))?;
        let mut rest = Vec::new();
        rest.extend(self.input.filter(|test| !is_any(&test.value)).map(Match::In));
        rest.extend(self.output.filter(|test| !is_any(&test.value)).map(Match::Out));
        rest.extend(self.proto.map(Match::Proto));
        for module in self.modules {
            module.check(self.proto)?;
            rest.push(module.finish()?);
        }
        let (sources, destinations) = (each(self.src, Match::Src)?, each(self.dst, Match::Dst)?);
        let rule = |src: &Option<Match>, dst: &Option<Match>| Rule {
            matches: src.iter().chain(dst).chain(&rest).cloned().collect(),
            target: target.clone(),
        };
        Ok(sources
            .iter()
            .flat_map(|src| destinations.iter().map(move |dst| (src, dst)))
            .map(|(s, d)| rule(s, d))
            .collect())
    }
}

fn once<T>(place: &mut Option<T>, option: &str, value: T) -> Result<bool, Problem> {
    if place.is_some() {
        return Err(Problem::syntax(format!("{option} may be given once")));
    }
    *place = Some(value);
    Ok(true)
}

fn networks(option: &Opt<'_>, arguments: &mut Arguments<'_>) -> Result<Vec<Cidr>, Problem> {
    let text = arguments.value(option.name)?;
    let networks: Result<Vec<Cidr>, Problem> =
        text.split(',').map(|one| network(option.name, one, arguments.family)).collect();
    let networks = networks?;
    if option.invert && networks.len() > 1 {
        return Err(Problem::syntax(format!("{}: no \"!\" may stand before several addresses", option.name)));
    }
    Ok(networks)
}

/// The tests of the networks, of which the network of all addresses needs none.
fn each(
    networks: Option<(bool, Vec<Cidr>)>,
    test: fn(Test<Cidr>) -> Match,
) -> Result<Vec<Option<Match>>, Problem> {
    let Some((invert, networks)) = networks else { return Ok(vec![None]) };
    if invert && networks[0].prefix_len() == 0 {
        return Err(Problem::syntax(format!("! {}: no packet would pass", networks[0])));
    }
    let one = |value: Cidr| (value.prefix_len() > 0).then(|| test(Test { invert, value }));
    Ok(networks.into_iter().map(one).collect())
}

fn device(option: &Opt<'_>, arguments: &mut Arguments<'_>) -> Result<DevicePattern, Problem> {
    let text = arguments.value(option.name)?;
    if text.is_empty() || text.len() > 15 {
        return Err(Problem::syntax(format!("{}: {text:?}: a device's name has 1 to 15 bytes", option.name)));
    }
    let (name, prefix) = text.strip_suffix('+').map_or((text, false), |name| (name, true));
    if option.invert && name.is_empty() {
        return Err(Problem::syntax(format!("! {} +: no packet would pass", option.name)));
    }
    let name: Arc<str> = arguments.interner.text(name);
    Ok(DevicePattern { name, prefix })
}

fn is_any(device: &DevicePattern) -> bool {
    device.prefix && device.name.is_empty()
}
