//! What this machine can do at best, and what kdp takes beside it.
//!
//! Established flows stand beside the limit that memory sets (a hash and one prefetched cache line) and beside hashbrown doing
//! the same work; a chain of rules beside one hash lookup. `--quick` runs small sizes once, as a smoke test, `--large` adds 4
//! million connections. Rounds of all rivals are interleaved, since the clock of a shared machine drifts; each figure is the
//! median.

mod chain;
mod flows;
mod memory;
mod rows;
mod stopwatch;
mod table;

use rows::{Draw, Rows};
use stopwatch::{Figure, median_ns};

fn main() {
    if cfg!(debug_assertions) {
        eprintln!("a debug build gives no figure: cargo run --release -p kdp-limits");
        std::process::exit(2);
    }
    let has = |name: &str| std::env::args().any(|argument| argument == name);
    let rounds = if has("--quick") { 1 } else { 7 };
    let mut sizes = if has("--quick") { vec![4_096] } else { vec![4_096, 65_536, 1_000_000] };
    if has("--large") {
        sizes.push(4_000_000);
    }
    println!("{:<34} {:>10} {:>12} {:>9}", "job", "size", "ns each", "x limit1");
    for connections in sizes {
        for draw in [Draw::Uniform, Draw::Zipf] {
            flows(rounds, connections, draw);
        }
    }
    for services in if has("--quick") { vec![10] } else { vec![10, 100, 1_000, 10_000] } {
        let chain = chain::Chain::new(services);
        print_all(rounds, services, &mut [&mut || vec![chain.walk_all()], &mut || vec![chain.look_up_all()]]);
    }
}

/// One size: the limit, kdp and hashbrown, in turn.
fn flows(rounds: usize, connections: u32, draw: Draw) {
    let mut flows = flows::Flows::new(connections);
    let mut table = table::Table::new(connections);
    let mut lines = memory::Lines::new(flows.lines());
    let rows = Rows::drawn(connections, draw);
    println!(
        "{connections} connections, {draw:?}, {} bytes each",
        flows.table_bytes() / connections as usize
    );
    print_all(
        rounds,
        connections as usize,
        &mut [
            &mut || vec![lines.read_all(&rows)],
            &mut || vec![flows.decide(&rows), flows.settle()],
            &mut || vec![table.probe(&rows), table.decide(&rows)],
        ],
    );
    assert_eq!(flows.destinations(), table.destinations(), "both decide alike");
}

/// Runs the jobs in turn, `rounds` times, and prints each one's median.
fn print_all(rounds: usize, size: usize, jobs: &mut [&mut dyn FnMut() -> Vec<Figure>]) {
    let mut figures: Vec<Vec<Figure>> = Vec::new();
    for _ in 0..rounds {
        for (place, figure) in jobs.iter_mut().flat_map(|job| job()).enumerate() {
            if place == figures.len() {
                figures.push(Vec::new());
            }
            figures[place].push(figure);
        }
    }
    let limit = figures.first().map_or(1.0, |seen| median_ns(seen));
    for seen in figures {
        let ns = median_ns(&seen);
        println!("{:<34} {size:>10} {ns:>12.2} {:>8.2}x", seen[0].job, ns / limit);
    }
}
