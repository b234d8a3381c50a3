//! Loads an iptables-save text and prints it again: `restore FILE [6] [list]`.

use kdp_netfilter::{Ruleset, Table, text};
use kdp_packet::Family;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| arguments.iter().any(|argument| argument == word);
    let family = if has("6") { Family::V6 } else { Family::V4 };
    let source = arguments.first().expect("the first argument is a file");
    let input = std::fs::read_to_string(source).expect("the file can be read");
    let mut ruleset = Ruleset::new(family);
    if let Err(error) = text::load(&mut ruleset, &input, source, has("noflush")) {
        eprintln!("{}: {error}", error.code());
        std::process::exit(1);
    }
    if !has("list") {
        print!("{}", text::print(&ruleset));
        return;
    }
    for table in Table::LISTING.into_iter().filter(|table| ruleset.is_listed(*table)) {
        let lists: Vec<String> =
            ruleset.chains(table).iter().map(|id| text::list_chain(&ruleset, ruleset.chain(*id))).collect();
        print!("{}", lists.join("\n"));
    }
}
