//! `-m statistic` and `-m recent`: matches that remember, or roll dice.

use super::Problem;
use super::arguments::{Arguments, Opt};
use super::matches::{Module, missing, once, positive};
use super::values::need_number;
use crate::vm::CERTAIN;
use crate::{Match, Name, Recent, RecentOp, Statistic, Test};

/// `-m statistic`.
#[derive(Default)]
pub(super) struct Statistics {
    random: Option<bool>,
    probability: Option<Test<u32>>,
    every: Option<(bool, u32)>,
    packet: Option<u32>,
}

impl Module for Statistics {
    fn take(&mut self, option: &Opt<'_>, arguments: &mut Arguments<'_>) -> Result<bool, Problem> {
        match option.name {
            "--mode" => {
                option.plain()?;
                let random = match arguments.value(option.name)? {
                    "random" => true,
                    "nth" => false,
                    other => {
                        return Err(Problem::syntax(format!("--mode: {other:?} is neither random nor nth")));
                    }
                };
                once(&mut self.random, option, random)
            }
            "--probability" => {
                let value = probability(arguments.value(option.name)?)?;
                once(&mut self.probability, option, Test { invert: option.invert, value })
            }
            "--every" => {
                let every = positive(option, arguments)?;
                once(&mut self.every, option, (option.invert, every))
            }
            "--packet" => {
                option.plain()?;
                let packet = need_number(option.name, arguments.value(option.name)?)?;
                once(&mut self.packet, option, packet)
            }
            _ => Ok(false),
        }
    }

    fn finish(self: Box<Self>) -> Result<Match, Problem> {
        let Statistics { random, probability, every, packet } = *self;
        if random.ok_or_else(|| missing("statistic", "--mode"))? {
            let probability = probability.ok_or_else(|| missing("statistic", "--probability"))?;
            return Ok(Match::Statistic(Statistic::Random(probability)));
        }
        let (invert, every) = every.ok_or_else(|| missing("statistic", "--every"))?;
        let packet = packet.ok_or_else(|| missing("statistic", "--packet"))?;
        if packet >= every {
            return Err(Problem::syntax(format!("--packet: {packet} is not below --every {every}")));
        }
        Ok(Match::Statistic(Statistic::Nth { invert, every, packet }))
    }
}

/// A probability in units of 2^-31. Source: iptables 1.8.9, `statistic_parse`: `lround(0x80000000 * prob)`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number from 0 to 2^31")]
fn probability(text: &str) -> Result<u32, Problem> {
    let probability: Option<f64> = text.parse().ok().filter(|p| (0.0..=1.0).contains(p));
    let probability = probability
        .ok_or_else(|| Problem::syntax(format!("--probability: {text:?} is not between 0 and 1")))?;
    Ok((probability * f64::from(CERTAIN)).round() as u32)
}

/// `-m recent`.
#[derive(Default)]
pub(super) struct Recents {
    name: Option<Name>,
    op: Option<(RecentOp, bool)>,
    seconds: Option<u32>,
    hitcount: Option<u32>,
    reap: bool,
}

impl Module for Recents {
    fn take(&mut self, option: &Opt<'_>, arguments: &mut Arguments<'_>) -> Result<bool, Problem> {
        let op = match option.name {
            "--set" => RecentOp::Set,
            "--rcheck" => RecentOp::Rcheck,
            "--update" => RecentOp::Update,
            "--remove" => RecentOp::Remove,
            _ => {
                option.plain()?;
                return self.take_more(option, arguments);
            }
        };
        once(&mut self.op, option, (op, option.invert))
    }

    fn finish(self: Box<Self>) -> Result<Match, Problem> {
        let (op, invert) =
            self.op.ok_or_else(|| missing("recent", "--set, --rcheck, --update or --remove"))?;
        let timed = matches!(op, RecentOp::Rcheck | RecentOp::Update);
        if !timed && (self.seconds.is_some() || self.hitcount.is_some() || self.reap) {
            return Err(Problem::syntax(
                "match recent: --seconds, --hitcount and --reap need --rcheck or --update",
            ));
        }
        if self.reap && self.seconds.is_none() {
            return Err(Problem::syntax("match recent: --reap needs --seconds"));
        }
        let Recents { name, seconds, hitcount, reap, .. } = *self;
        let name = name.unwrap_or_else(|| Name::text("DEFAULT"));
        Ok(Match::Recent(Recent { name, op, seconds, hitcount, reap, invert }))
    }
}

impl Recents {
    fn take_more(&mut self, option: &Opt<'_>, arguments: &mut Arguments<'_>) -> Result<bool, Problem> {
        match option.name {
            "--name" => {
                let name = arguments.value(option.name)?;
                let name = arguments.interner.name(name);
                return once(&mut self.name, option, name);
            }
            "--seconds" => {
                let seconds = positive(option, arguments)?;
                return once(&mut self.seconds, option, seconds);
            }
            "--hitcount" => {
                let hits = positive(option, arguments)?;
                return once(&mut self.hitcount, option, hits);
            }
            "--reap" => self.reap = true,
            "--rsource" => {}
            "--mask" => {
                let mask = arguments.value(option.name)?;
                if mask != super::full_mask(arguments.family) {
                    return Err(Problem::option(&format!("--mask {mask}"), "match \"recent\""));
                }
            }
            "--rdest" | "--rttl" => return Err(Problem::option(option.name, "match \"recent\"")),
            _ => return Ok(false),
        }
        Ok(true)
    }
}
