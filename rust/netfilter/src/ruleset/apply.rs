//! Transactions: all of one or nothing, at a cost that follows from the transaction alone.

use kdp_packet::{Cidr, Family};
use smallvec::SmallVec;

use super::names::DIGEST_LEN;
use super::reach::{allowed_hooks, allows};
use super::{Chain, ChainId, Installed, Ruleset};
use crate::text::print_rule;
use crate::vm::Heads;
use crate::{Error, Match, Name, Op, Policy, Rule, Statistic, Table, Target, Transaction};

/// The longest chain name. Source: iptables, `XT_EXTENSION_MAXNAMELEN` (29, with the closing zero).
const NAME_MAX: usize = 28;

/// What a transaction did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Rules put in and taken out.
    pub rules_touched: usize,
    /// Chains made, deleted, or with other rules or another policy than before. Each counts once.
    pub chains_touched: usize,
}

impl Ruleset {
    /// Carries `transaction` out; on an error the rule set is as it was before.
    ///
    /// Errors: those that iptables-restore and the kernel have for the same steps, with the codes `ruleset-…`.
    pub fn apply(&mut self, transaction: &Transaction) -> Result<Applied, Error> {
        self.apply_steps(transaction).map_err(|(_, error)| error)
    }

    /// As [`Ruleset::apply`]; an error comes with the place of its step, if it is one step's.
    pub(crate) fn apply_steps(
        &mut self,
        transaction: &Transaction,
    ) -> Result<Applied, (Option<usize>, Error)> {
        if transaction.family != self.family {
            return Err((None, family_error("transaction".into(), transaction.family, self.family)));
        }
        let mut work = Work::new(self);
        match work.run(transaction) {
            Ok(()) => Ok(work.commit()),
            Err(error) => {
                work.roll_back();
                Err(error)
            }
        }
    }
}

/// A transaction on its way.
struct Work<'a> {
    set: &'a mut Ruleset,
    undo: Vec<Undo>,
    applied: Applied,
    touched: Vec<ChainId>,
    /// Tables in which a chain may lie too deep now.
    doubtful: [bool; Table::ALL.len()],
}

/// How one step is taken back.
enum Undo {
    List(Table, bool),
    Unmake(ChainId),
    Restore(ChainId, Box<Chain>),
    Refill(ChainId, Vec<Installed>, Heads),
    Policy(ChainId, Policy),
    Counts(ChainId, bool),
    Remove(ChainId, usize),
    Insert(ChainId, usize, Box<Installed>),
}

/// A rule that was taken out and came back: where it is, where it leads, and the hooks that may reach it.
struct Returned {
    from: ChainId,
    to: Option<ChainId>,
    hooks: u8,
}

impl Returned {
    fn of(from: ChainId, rule: &Installed) -> Returned {
        Returned { from, to: rule.jump, hooks: allowed_hooks(&rule.rule) }
    }
}

impl<'a> Work<'a> {
    fn new(set: &'a mut Ruleset) -> Work<'a> {
        Work {
            set,
            undo: Vec::new(),
            applied: Applied::default(),
            touched: Vec::new(),
            doubtful: [false; Table::ALL.len()],
        }
    }

    fn run(&mut self, transaction: &Transaction) -> Result<(), (Option<usize>, Error)> {
        for (place, (table, op)) in transaction.ops.iter().enumerate() {
            // A table that is emptied is gone, and one that anything else is done to is there.
            self.list(*table, *op != Op::FlushTable);
            self.step(*table, op).map_err(|error| (Some(place), error))?;
        }
        for table in Table::ALL.into_iter().filter(|table| self.doubtful[*table as usize]) {
            self.set.check_reach(table).map_err(|error| (None, error))?;
        }
        Ok(())
    }

    fn list(&mut self, table: Table, is: bool) {
        let listed = &mut self.set.tables[table as usize].listed;
        if *listed != is {
            *listed = is;
            self.undo.push(Undo::List(table, !is));
        }
    }

    fn step(&mut self, table: Table, op: &Op) -> Result<(), Error> {
        match op {
            Op::FlushTable => self.flush_table(table),
            Op::Chain(name) => self.chain(table, name),
            Op::NewChain(name) => self.new_chain(table, name),
            Op::Policy(name, policy) => self.policy(table, name, *policy),
            Op::Append(name, rule) => {
                let id = self.need(table, name)?;
                self.insert(id, self.set.chain(id).rules.len(), rule)
            }
            Op::Prepend(name, rule) => self.insert(self.need(table, name)?, 0, rule),
            Op::Insert(name, number, rule) => {
                let id = self.need(table, name)?;
                self.insert(id, self.place(id, *number, 1)?, rule)
            }
            Op::EnsureTop(name, rule) => self.ensure_top(self.need(table, name)?, rule),
            Op::Delete(name, rule) => self.delete(table, name, rule),
            Op::DeleteAt(name, number) => {
                let id = self.need(table, name)?;
                self.delete_at(id, self.place(id, *number, 0)?);
                Ok(())
            }
            Op::Flush(Some(name)) => {
                let id = self.need(table, name)?;
                self.flush(id);
                Ok(())
            }
            Op::Flush(None) => self.flush_chains(table),
            Op::DeleteChain(name) => self.delete_chain(self.need(table, name)?),
            Op::DeleteChains => self.delete_chains(table),
        }
    }

    fn need(&self, table: Table, name: &Name) -> Result<ChainId, Error> {
        self.set.find(table, name).ok_or_else(|| Error::UnknownChain { table, chain: name.to_string() })
    }

    fn touch(&mut self, id: ChainId) {
        let version = self.set.tick();
        self.set.chain_mut(id).version = version;
        self.touched.push(id);
    }

    fn flush_table(&mut self, table: Table) -> Result<(), Error> {
        self.flush_chains(table)?;
        for id in self.set.tables[table as usize].members.clone() {
            match self.set.chain(id).base {
                Some(_) => {
                    self.set_policy(id, Policy::Accept);
                    self.set_counts(id, false);
                }
                None => self.unmake(id),
            }
        }
        Ok(())
    }

    #[expect(clippy::unnecessary_wraps, reason = "a step like the others")]
    fn flush_chains(&mut self, table: Table) -> Result<(), Error> {
        for id in self.set.tables[table as usize].members.clone() {
            self.flush(id);
        }
        Ok(())
    }

    fn delete_chains(&mut self, table: Table) -> Result<(), Error> {
        let mut user: Vec<ChainId> = self.set.tables[table as usize].members.clone();
        user.retain(|id| self.set.chain(*id).base.is_none());
        user.sort_unstable();
        user.into_iter().try_for_each(|id| self.delete_chain(id))
    }

    fn chain(&mut self, table: Table, name: &Name) -> Result<(), Error> {
        match self.set.find(table, name) {
            Some(id) if self.set.chain(id).base.is_some() => {
                return Err(Error::BaseChain { table, chain: name.to_string() });
            }
            Some(id) => self.flush(id),
            None => return self.new_chain(table, name),
        }
        Ok(())
    }

    fn new_chain(&mut self, table: Table, name: &Name) -> Result<(), Error> {
        if self.set.find(table, name).is_some() {
            return Err(Error::ChainExists { table, chain: name.to_string() });
        }
        check_name(table, name)?;
        let id = self.set.put_chain(name.clone(), table, None);
        self.undo.push(Undo::Unmake(id));
        self.touched.push(id);
        Ok(())
    }

    fn policy(&mut self, table: Table, name: &Name, policy: Policy) -> Result<(), Error> {
        let id = self.need(table, name)?;
        if self.set.chain(id).base.is_none() {
            return Err(Error::PolicyOfUserChain { table, chain: name.to_string() });
        }
        self.set_policy(id, policy);
        self.set_counts(id, true);
        Ok(())
    }

    /// A base chain that was named with its policy counts what the policy decides.
    fn set_counts(&mut self, id: ChainId, counts: bool) {
        let old = std::mem::replace(&mut self.set.chain_mut(id).counts, counts);
        if old != counts {
            self.undo.push(Undo::Counts(id, old));
        }
    }

    fn set_policy(&mut self, id: ChainId, policy: Policy) {
        let (_, old) = self.set.chain_mut(id).base.as_mut().expect("only a base chain gets a policy");
        let old = std::mem::replace(old, policy);
        if old != policy {
            self.undo.push(Undo::Policy(id, old));
            self.touch(id);
        }
    }

    /// Takes every rule out of a chain.
    fn flush(&mut self, id: ChainId) {
        if self.set.chain(id).rules.is_empty() {
            return;
        }
        let empty = Heads::new(self.set.family);
        let chain = self.set.chain_mut(id);
        let rules = std::mem::take(&mut chain.rules);
        let heads = std::mem::replace(&mut chain.heads, empty);
        for jump in rules.iter().filter_map(|rule| rule.jump) {
            self.set.chain_mut(jump).references -= 1;
        }
        self.applied.rules_touched += rules.len();
        self.undo.push(Undo::Refill(id, rules, heads));
        self.touch(id);
    }

    /// The place of the rule with this number; `more` numbers behind the last rule count too.
    fn place(&self, id: ChainId, number: usize, more: usize) -> Result<usize, Error> {
        let chain = self.set.chain(id);
        match number {
            1.. if number <= chain.rules.len() + more => Ok(number - 1),
            found => {
                let (table, rules, chain) = (chain.table, chain.rules.len(), chain.name.to_string());
                Err(Error::RuleNumber { table, chain, found, rules })
            }
        }
    }

    fn ensure_top(&mut self, id: ChainId, rule: &Rule) -> Result<(), Error> {
        if self.set.chain(id).rules.iter().any(|installed| installed.rule == *rule) {
            return Ok(());
        }
        self.insert(id, 0, rule)
    }

    fn insert(&mut self, id: ChainId, place: usize, rule: &Rule) -> Result<(), Error> {
        let installed = self.install(id, rule)?;
        let jump = installed.jump;
        self.put_rule(id, place, installed);
        self.undo.push(Undo::Remove(id, place));
        self.applied.rules_touched += 1;
        self.touch(id);
        let chain = self.set.chain(id);
        let (table, mut sound) = (chain.table, allows(chain.hooks, rule));
        if let Some(to) = jump {
            sound &= self.set.raise(id, to);
        }
        self.doubtful[table as usize] |= !sound;
        Ok(())
    }

    /// A rule that may stand in the chain, with places for its state.
    fn install(&mut self, id: ChainId, rule: &Rule) -> Result<Installed, Error> {
        let chain = self.set.chain(id);
        check_rule(self.set.family, chain, rule)?;
        let jump = match &rule.target {
            Target::Jump(name) | Target::Goto(name) => Some(self.jump_to(chain, name)?),
            _ => None,
        };
        let mut cells = SmallVec::new();
        for test in &rule.matches {
            match test {
                Match::Statistic(Statistic::Nth { .. }) | Match::Limit(_) | Match::Quota(_) => {
                    cells.push(self.set.slots.take());
                }
                Match::Recent(recent) => cells.push(self.set.lists.hold(&recent.name)),
                _ => {}
            }
        }
        Ok(Installed { rule: rule.clone(), jump, slot: self.set.slots.take(), cells })
    }

    fn jump_to(&self, chain: &Chain, name: &Name) -> Result<ChainId, Error> {
        let table = chain.table;
        let Some(to) = self.set.find(table, name) else {
            let (chain, target) = (chain.name.to_string(), name.to_string());
            return Err(Error::UnknownJump { table, chain, target });
        };
        if self.set.chain(to).base.is_some() {
            let (chain, target) = (chain.name.to_string(), name.to_string());
            return Err(Error::JumpToBase { table, chain, target });
        }
        Ok(to)
    }

    fn put_rule(&mut self, id: ChainId, place: usize, installed: Installed) {
        if let Some(to) = installed.jump {
            self.set.chain_mut(to).references += 1;
        }
        let chain = self.set.chain_mut(id);
        chain.heads.insert(place, &installed.rule);
        chain.rules.insert(place, installed);
    }

    fn take_rule(&mut self, id: ChainId, place: usize) -> Installed {
        let chain = self.set.chain_mut(id);
        chain.heads.remove(place);
        let installed = chain.rules.remove(place);
        if let Some(to) = installed.jump {
            self.set.chain_mut(to).references -= 1;
        }
        installed
    }

    fn delete(&mut self, table: Table, name: &Name, rule: &Rule) -> Result<(), Error> {
        let id = self.need(table, name)?;
        let place = self.set.chain(id).rules.iter().position(|installed| installed.rule == *rule);
        let Some(place) = place else {
            let rule = print_rule(self.set.family, name.as_str(), rule);
            return Err(Error::NoSuchRule { table, chain: name.to_string(), rule });
        };
        self.delete_at(id, place);
        Ok(())
    }

    fn delete_at(&mut self, id: ChainId, place: usize) {
        let installed = self.take_rule(id, place);
        self.undo.push(Undo::Insert(id, place, Box::new(installed)));
        self.applied.rules_touched += 1;
        self.touch(id);
    }

    fn delete_chain(&mut self, id: ChainId) -> Result<(), Error> {
        let chain = self.set.chain(id);
        let (table, name) = (chain.table, &chain.name);
        if chain.base.is_some() {
            return Err(Error::BaseChain { table, chain: name.to_string() });
        }
        if chain.references > 0 {
            let references = chain.references;
            return Err(Error::ChainInUse { table, chain: name.to_string(), references });
        }
        if !chain.rules.is_empty() {
            let rules = chain.rules.len();
            return Err(Error::ChainNotEmpty { table, chain: name.to_string(), rules });
        }
        self.unmake(id);
        Ok(())
    }

    fn unmake(&mut self, id: ChainId) {
        let chain = self.set.unseat_chain(id);
        self.set.tick();
        self.undo.push(Undo::Restore(id, Box::new(chain)));
        self.touched.push(id);
    }

    /// Lets go of what the steps kept for taking them back.
    fn commit(mut self) -> Applied {
        for step in std::mem::take(&mut self.undo) {
            match step {
                Undo::Refill(_, rules, _) => rules.iter().for_each(|rule| self.set.let_go(rule)),
                Undo::Insert(_, _, rule) => self.set.let_go(&rule),
                Undo::Restore(id, _) => self.set.free.push(id),
                Undo::List(..) | Undo::Unmake(_) | Undo::Policy(..) | Undo::Counts(..) | Undo::Remove(..) => {
                }
            }
        }
        self.set.lists.settle();
        self.touched.sort_unstable();
        self.touched.dedup();
        Applied { chains_touched: self.touched.len(), ..self.applied }
    }

    fn roll_back(mut self) {
        let mut returned = Vec::new();
        while let Some(step) = self.undo.pop() {
            match &step {
                Undo::Refill(id, rules, _) => {
                    returned.extend(rules.iter().map(|rule| Returned::of(*id, rule)));
                }
                Undo::Insert(id, _, rule) => returned.push(Returned::of(*id, rule)),
                _ => {}
            }
            self.take_back(step);
        }
        // While these rules were away, what is above them may have grown.
        for Returned { from, to, hooks } in returned {
            // A chain that the transaction made is gone again, with its rules.
            let Some(chain) = &self.set.chains[from.index()] else { continue };
            let (table, reached) = (chain.table, chain.hooks);
            let to = to.filter(|to| self.set.chains[to.index()].is_some());
            let sound = reached & !hooks == 0 && to.is_none_or(|to| self.set.raise(from, to));
            self.doubtful[table as usize] |= !sound;
        }
        self.set.lists.settle();
        for table in Table::ALL.into_iter().filter(|table| self.doubtful[*table as usize]) {
            self.set.check_reach(table).expect("the rules before a transaction were sound");
        }
    }

    fn take_back(&mut self, step: Undo) {
        match step {
            Undo::List(table, was) => self.set.tables[table as usize].listed = was,
            Undo::Unmake(id) => {
                self.set.unseat_chain(id);
                self.set.free.push(id);
            }
            Undo::Restore(id, chain) => self.set.seat_chain(id, *chain),
            Undo::Refill(id, rules, heads) => {
                for jump in rules.iter().filter_map(|rule| rule.jump) {
                    self.set.chain_mut(jump).references += 1;
                }
                let chain = self.set.chain_mut(id);
                (chain.rules, chain.heads) = (rules, heads);
                self.touch(id);
            }
            Undo::Policy(id, policy) => {
                self.set.chain_mut(id).base.as_mut().expect("a base chain stays one").1 = policy;
                self.touch(id);
            }
            Undo::Counts(id, counts) => self.set.chain_mut(id).counts = counts,
            Undo::Remove(id, place) => {
                let rule = self.take_rule(id, place);
                self.set.let_go(&rule);
                self.touch(id);
            }
            Undo::Insert(id, place, rule) => {
                self.put_rule(id, place, *rule);
                self.touch(id);
            }
        }
    }
}

impl Ruleset {
    /// Gives back the places of a rule that is gone.
    fn let_go(&mut self, rule: &Installed) {
        self.slots.release(rule.slot);
        let with_state = |test: &&Match| {
            matches!(
                test,
                Match::Statistic(Statistic::Nth { .. })
                    | Match::Limit(_)
                    | Match::Quota(_)
                    | Match::Recent(_)
            )
        };
        for (test, cell) in rule.rule.matches.iter().filter(with_state).zip(&rule.cells) {
            match test {
                Match::Recent(_) => self.lists.let_go(*cell),
                _ => self.slots.release(*cell),
            }
        }
    }
}

/// Source: iptables 1.8.9, `parse_chain` in iptables/xshared.c.
fn check_name(table: Table, name: &Name) -> Result<(), Error> {
    let allowed = match name.recipe() {
        Some((prefix, _)) => (prefix.len() + DIGEST_LEN > NAME_MAX).then_some("at most 28 bytes"),
        None => name_problem(name.as_str()),
    };
    match allowed {
        None => Ok(()),
        Some(allowed) => Err(Error::ChainName { table, chain: name.to_string(), allowed }),
    }
}

fn name_problem(name: &str) -> Option<&'static str> {
    const TARGETS: [&str; 4] = ["ACCEPT", "DROP", "QUEUE", "RETURN"];
    match name {
        "" => Some("at least one byte"),
        _ if name.len() > NAME_MAX => Some("at most 28 bytes"),
        _ if name.starts_with(['-', '!']) => Some("no `-` or `!` at the beginning"),
        _ if name.contains(|c: char| c.is_ascii_whitespace() || c.is_control()) => Some("no blanks"),
        _ if TARGETS.contains(&name) => Some("not the name of a target"),
        _ => None,
    }
}

fn check_rule(family: Family, chain: &Chain, rule: &Rule) -> Result<(), Error> {
    let mut others = rule.matches.iter().filter_map(|test| match test {
        Match::Src(test) | Match::Dst(test) => Some(test.value).filter(|cidr: &Cidr| cidr.family() != family),
        _ => None,
    });
    if let Some(cidr) = others.next() {
        return Err(family_error(cidr.to_string(), cidr.family(), family));
    }
    let target = &rule.target;
    if let Some((name, allowed)) = target.table()
        && allowed != chain.table
    {
        let (table, chain) = (chain.table, chain.name.to_string());
        return Err(Error::TargetNotInTable { table, chain, target: name, allowed: allowed.as_str() });
    }
    let (Target::Dnat(range) | Target::Snat(range)) = target else { return Ok(()) };
    match range.addrs.map(|(first, _)| Family::of(first)) {
        Some(found) if found != family => Err(family_error("NAT target".into(), found, family)),
        _ => Ok(()),
    }
}

fn family_error(object: String, found: Family, allowed: Family) -> Error {
    Error::Family { object, found: found.as_str(), allowed: allowed.as_str() }
}
