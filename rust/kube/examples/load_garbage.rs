//! How fast 200 MB of garbage is refused, and with how much memory beyond the garbage itself.
//!
//! `cargo run --release -p kdp-kube --example load_garbage [megabytes]`; or with file names: what each gives.
#![allow(clippy::disallowed_types)] // a measurement reads the clock

use std::time::Instant;

use kdp_kube::complete::{Options, prepare};
use kdp_kube::load::{Source, load};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let size: Option<usize> = arguments.first().map_or(Some(200), |text| text.parse().ok());
    match size {
        Some(megabytes) => garbage(megabytes << 20),
        None => arguments.iter().for_each(|path| file(path)),
    }
}

fn garbage(size: usize) {
    let mut state = 1_u64;
    let noise: Vec<u8> = (0..size).map(|_| next(&mut state)).collect();
    let letters: Vec<u8> = noise.iter().map(|byte| b"abc de:\n-[]{}&*\"#"[usize::from(byte % 17)]).collect();
    run("zeros", &vec![0; size]);
    run("noise", &noise);
    run("noise of YAML's characters", &letters);
    for unit in ["a", "[", "{", "- ", "a: ", "{\"a\":", "\"", "# \n", "---\n", "- a\n", "a: &a [*a, *a]\n"] {
        run(&format!("{unit:?} over and over"), unit.repeat(size / unit.len()).as_bytes());
    }
}

/// A step of a linear congruence; its high bits are noise enough.
fn next(state: &mut u64) -> u8 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    state.to_be_bytes()[0]
}

fn run(what: &str, bytes: &[u8]) {
    let start = Instant::now();
    let outcome = load(&[Source { name: "-", bytes }]);
    let seconds = start.elapsed().as_secs_f64();
    let code =
        outcome.map_or_else(|error| error.code().to_owned(), |it| format!("{} objects", it.objects.len()));
    println!("{what:36} {seconds:7.2} s  {code}");
}

fn file(path: &str) {
    let bytes = std::fs::read(path).expect("a file that can be read");
    match load(&[Source { name: path, bytes: &bytes }]).map(|loaded| prepare(loaded, &Options::default())) {
        Err(error) => println!("{path}: {error}"),
        Ok(Err(errors)) => errors.iter().for_each(|error| println!("{path}: {error}")),
        Ok(Ok((store, notes))) => println!("{path}: {} objects, {} notes", store.len(), notes.len()),
    }
}
