//! The slow twin of the index: a list of keys and entries.

use kdp_packet::{Proto, Tuple};
use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, Debug)]
enum Op {
    Insert(u16, bool),
    Remove(u16),
    Steady(u16, u32),
    Pin(u8),
    Release,
}

fn ops() -> impl Strategy<Value = Op> {
    let name = 0u16..400;
    prop_oneof![
        6 => (name.clone(), any::<bool>()).prop_map(|(name, reply)| Op::Insert(name, reply)),
        3 => name.clone().prop_map(Op::Remove),
        2 => (name, 0..Tag::ACTIONS).prop_map(|(name, action)| Op::Steady(name, action)),
        1 => any::<u8>().prop_map(Op::Pin),
        1 => Just(Op::Release),
    ]
}

/// Narrow keys for most names; every fourth is wide, and four names have one key.
fn key(name: u16) -> Key {
    let proto = if name % 4 == 3 { Proto::GRE } else { Proto::TCP };
    let shared = if name % 4 == 3 { name / 16 } else { name };
    Key::of(&Tuple {
        src: [10, 0, 0, 1].into(),
        dst: [10, 0, 0, 2].into(),
        sport: shared,
        dport: 80,
        proto,
        zone: 0,
    })
}

/// What the list knows of a key: the entry, the direction, and the action if it is steady.
type Row = (u16, bool, Option<u32>);

fn check(index: &Index, list: &[Row]) -> Result<(), TestCaseError> {
    prop_assert_eq!(index.len(), list.len());
    for name in 0..400 {
        let wanted = list.iter().find(|(other, ..)| *other == name);
        let found = index.find(key(name), |entry| entry == u32::from(name));
        prop_assert_eq!(found.is_some(), wanted.is_some(), "{}", name);
        let (Some(place), Some((_, reply, action))) = (found, wanted) else { continue };
        let tag = index.tag(place);
        prop_assert_eq!(index.entry(place), u32::from(name));
        prop_assert_eq!(tag.0 & Tag::REPLY != 0, *reply);
        prop_assert_eq!((tag.0 & Tag::STEADY != 0).then(|| tag.action()), *action);
    }
    Ok(())
}

fn run(mut index: Index, ops: &[Op]) -> Result<(), TestCaseError> {
    let mut list: Vec<Row> = Vec::new();
    for op in ops {
        match *op {
            Op::Insert(name, reply) if list.iter().all(|(other, ..)| *other != name) => {
                index.insert(key(name), reply, name.into());
                list.push((name, reply, None));
            }
            Op::Insert(..) => {}
            Op::Remove(name) => {
                let before = list.len();
                list.retain(|(other, ..)| *other != name);
                let removed = index.remove(key(name), |entry| entry == u32::from(name));
                prop_assert_eq!(removed, list.len() < before);
            }
            Op::Steady(name, action) => {
                if let Some(place) = index.find(key(name), |entry| entry == u32::from(name)) {
                    index.set_tag(place, index.tag(place).steady(action));
                    list.iter_mut().filter(|(other, ..)| *other == name).for_each(|row| row.2 = Some(action));
                }
            }
            Op::Pin(keys) => index.make_room(keys.into()),
            Op::Release => index.release(),
        }
    }
    check(&index, &list)?;
    let copy = index.clone();
    check(&copy, &list)?;
    for (name, ..) in list {
        prop_assert!(index.remove(key(name), |entry| entry == u32::from(name)));
    }
    check(&index, &[])?;
    prop_assert!(
        (0..index.level.len()).all(|at| !line::overflows(index.level.line(at))),
        "counts go back to zero"
    );
    Ok(())
}

proptest! {
    #[test]
    fn the_index_agrees_with_a_list(ops in prop::collection::vec(ops(), 0..600)) {
        run(Index::default(), &ops)?;
    }

    #[test]
    fn it_does_so_where_hashes_have_four_bits(ops in prop::collection::vec(ops(), 0..250)) {
        run(Index::colliding(), &ops)?;
    }
}

#[test]
fn a_count_that_was_full_is_never_taken_back() {
    let mut line = [0; 8];
    (0..300).for_each(|_| line::count_overflow(&mut line, true));
    (0..300).for_each(|_| line::count_overflow(&mut line, false));
    assert!(line::overflows(&line));
}

#[test]
fn a_level_is_left_in_small_steps() {
    let mut index = Index::default();
    let mut most = 0;
    for name in 0..60_000u32 {
        let tuple = Tuple {
            src: [10, 0, 0, 1].into(),
            dst: std::net::Ipv4Addr::from(name).into(),
            sport: 7,
            dport: 80,
            proto: Proto::UDP,
            zone: 0,
        };
        let before = index.old.as_ref().map_or(0, |old| old.moved);
        index.insert(Key::of(&tuple), false, name);
        let after = index.old.as_ref().map_or(0, |old| old.moved);
        most = most.max(after.saturating_sub(before));
    }
    assert!(most <= LINES_A_KEY, "{most} lines were moved for one key");
    assert!((0..60_000).all(|name: u32| {
        let dst = std::net::Ipv4Addr::from(name).into();
        let tuple = Tuple { src: [10, 0, 0, 1].into(), dst, sport: 7, dport: 80, proto: Proto::UDP, zone: 0 };
        index.find(Key::of(&tuple), |entry| entry == name).is_some()
    }));
}
