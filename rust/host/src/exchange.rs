//! Bytes in, bytes out: one packet through the box, told as a packet case tells it.

use kdp_netfilter::CtState;
use kdp_sim::Time;

use crate::Error;
use crate::device::DeviceId;
use crate::fate::{Fate, Walk};
use crate::host::Host;
use crate::packet::Packet;
use crate::trace::{Note, Step, Steps};
use crate::walk::Held;

/// What became of bytes that came into a box.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// `forward`, `local`, `drop`, `reject`, `local+out`, or `error:` and the errno's text.
    pub verdict: String,
    /// Packets that left, with the names of their devices.
    pub outs: Vec<(String, Vec<u8>)>,
    /// Packets that the box itself received.
    pub local: Vec<Vec<u8>>,
    /// The conntrack state at each pass of PREROUTING or OUTPUT.
    pub ct_states: Vec<&'static str>,
    /// The packet, where `NFQUEUE` holds it: the verdict is `queued`.
    pub held: Option<Box<Held>>,
    /// What became of it, with the reason; `None` for bytes that no host takes for a packet.
    pub fate: Option<Fate>,
    /// Every step.
    pub steps: Vec<Step>,
    /// Rules that were looked at.
    pub rules_walked: u64,
    /// Whether the packet was one of IPv6.
    pub is_v6: bool,
}

impl Host {
    /// Takes bytes in by a device, or from the box itself, and tells what became of them.
    pub fn exchange(&mut self, device: Option<&str>, bytes: &[u8], now: Time) -> Result<Exchange, Error> {
        self.exchange_marked(device, bytes, 0, now)
    }

    /// The same for a packet that has a mark when it enters.
    pub fn exchange_marked(
        &mut self,
        device: Option<&str>,
        bytes: &[u8],
        mark: u32,
        now: Time,
    ) -> Result<Exchange, Error> {
        let device = device.map(|name| self.device(name)).transpose()?;
        let mut steps = Steps::default();
        let Some(mut packet) = Packet::parse(bytes.to_vec()) else {
            return Ok(Exchange::silent("drop"));
        };
        packet.mark = mark;
        let (is_v6, is_icmp) = (packet.headers.dst.is_ipv6(), packet.headers.proto.is_icmp());
        let walk = if let Some(device) = device {
            self.receive_recorded(device, packet, now, &mut steps)?
        } else {
            let mut run = kdp_netfilter::vm::Run(self.draw(&packet, now));
            self.send_local_choosing(packet, now, &mut run, &mut steps)?
        };
        let mut exchange = Exchange { is_v6, ..self.tell(&walk, steps)? };
        if let Fate::Answered { answer: Some(answer), .. } = &walk.fate {
            answered(answer, device, is_icmp, &exchange).clone_into(&mut exchange.verdict);
        }
        Ok(exchange)
    }

    /// Lets a held packet go on, and tells what became of it.
    pub fn exchange_held(&mut self, held: Held, now: Time) -> Result<Exchange, Error> {
        let is_v6 = held.packet().headers.dst.is_ipv6();
        let mut steps = Steps::default();
        let walk = self.release(held, now, &mut steps)?;
        let mut exchange = Exchange { is_v6, ..self.tell(&walk, steps)? };
        if exchange.verdict == "reject" {
            let seen = if exchange.outs.is_empty() { "local" } else { "forward" };
            seen.clone_into(&mut exchange.verdict);
        }
        Ok(exchange)
    }

    fn tell(&self, walk: &Walk, steps: Steps) -> Result<Exchange, Error> {
        let mut exchange = Exchange::silent("drop");
        exchange.rules_walked = walk.rules_walked;
        exchange.fate = Some(walk.fate.clone());
        exchange.ct_states = steps.0.iter().filter_map(ct_state).collect();
        exchange.steps = steps.0;
        if let Fate::Queued(held) = &walk.fate {
            exchange.held = Some(held.clone());
        }
        exchange.verdict = self.put(&mut exchange.outs, &mut exchange.local, &walk.fate)?;
        if let Some(copy) = &walk.copy {
            self.put(&mut exchange.outs, &mut exchange.local, copy)?;
            if !exchange.local.is_empty() {
                "local+out".clone_into(&mut exchange.verdict);
            }
        }
        Ok(exchange)
    }

    /// Puts what is left of a packet where it arrived; gives the verdict.
    fn put(
        &self,
        outs: &mut Vec<(String, Vec<u8>)>,
        local: &mut Vec<Vec<u8>>,
        fate: &Fate,
    ) -> Result<String, Error> {
        Ok(match fate {
            Fate::Sent { device, packet, .. } => {
                let device = self.devices.get(*device);
                let left = packet.leaving(device.mtu)?;
                outs.extend(left.into_iter().map(|bytes| (device.name.to_string(), bytes)));
                "forward".to_owned()
            }
            Fate::Delivered(packet) => {
                local.push(packet.bytes()?);
                "local".to_owned()
            }
            Fate::Queued(_) => "queued".to_owned(),
            Fate::Unknown { .. } => "unknown".to_owned(),
            Fate::Dropped(_) => "drop".to_owned(),
            Fate::SendError(error) => format!("error:{error}"),
            Fate::Answered { answer, .. } => {
                let answered = answer.as_ref().map(|answer| self.put(outs, local, answer)).transpose()?;
                if answered.as_deref().is_none_or(|verdict| verdict == "drop") { "drop" } else { "reject" }
                    .to_owned()
            }
        })
    }
}

impl Exchange {
    fn silent(verdict: &str) -> Exchange {
        Exchange {
            verdict: verdict.to_owned(),
            outs: Vec::new(),
            local: Vec::new(),
            ct_states: Vec::new(),
            held: None,
            fate: None,
            steps: Vec::new(),
            rules_walked: 0,
            is_v6: false,
        }
    }
}

/// What an answered packet's verdict is by what is seen of it from outside. A rejection goes back to where the packet came
/// from: an answer that leaves by another device looks forwarded, and a reset that a process on the box gets looks
/// delivered, as does an error about its own ICMP.
fn answered(answer: &Fate, device: Option<DeviceId>, is_icmp: bool, seen: &Exchange) -> &'static str {
    match answer {
        Fate::Sent { device: out, .. }
            if device.is_none_or(|device| device == *out) && seen.outs.len() == 1 =>
        {
            "reject"
        }
        Fate::Sent { .. } => "forward",
        Fate::Delivered(answer) if answer.headers.proto.is_icmp() && !is_icmp => "reject",
        Fate::Delivered(_) => "local",
        Fate::Unknown { .. } => "unknown",
        Fate::Dropped(_) | Fate::Queued(_) | Fate::Answered { .. } | Fate::SendError(_) => "drop",
    }
}

fn ct_state(step: &Step) -> Option<&'static str> {
    let Step::Note(Note::Passed { state }) = step else { return None };
    let name = CtState::ALL.iter().find(|(each, _)| each == state).map(|(_, name)| *name);
    Some(name.expect("every state has a name"))
}
