//! What this machine can do at best: the limits that kdp's figures stand beside.
//!
//! Three plain loops, without any of kdp's own structures: a read of a random cache line, a lookup in hashbrown, and a
//! walk down a chain of rules that test destination, protocol and port. `--quick` runs small sizes once, as a smoke
//! test. Rounds of all three are interleaved, since the clock of a shared machine drifts; each figure is the median.

mod chain;
mod memory;
mod stopwatch;
mod table;

use stopwatch::{Figure, median_ns};

fn main() {
    if cfg!(debug_assertions) {
        eprintln!("a debug build gives no figure: cargo run --release -p kdp-limits");
        std::process::exit(2);
    }
    let quick = std::env::args().any(|argument| argument == "--quick");
    let (rounds, sizes): (usize, &[usize]) =
        if quick { (1, &[10, 1_000]) } else { (7, &[10, 100, 1_000, 10_000]) };
    println!("{:<34} {:>10} {:>12}", "job", "size", "ns each");
    for entries in sizes.iter().map(|size| size * 100) {
        let line = memory::Lines::new(entries);
        let table = table::Table::new(entries);
        print_all(rounds, entries, &mut [&mut || line.read_all(), &mut || table.look_up_all()]);
    }
    for &services in sizes {
        let chain = chain::Chain::new(services);
        print_all(rounds, services, &mut [&mut || chain.walk_all(), &mut || chain.look_up_all()]);
    }
}

/// Runs the jobs in turn, `rounds` times, and prints each one's median.
fn print_all(rounds: usize, size: usize, jobs: &mut [&mut dyn FnMut() -> Figure]) {
    let mut figures = vec![Vec::new(); jobs.len()];
    for _ in 0..rounds {
        for (job, seen) in jobs.iter_mut().zip(&mut figures) {
            seen.push(job());
        }
    }
    for seen in figures {
        println!("{:<34} {size:>10} {:>12.2}", seen[0].job, median_ns(&seen));
    }
}
