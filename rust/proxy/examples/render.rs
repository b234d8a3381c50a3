//! Reads `{"objects": […], "proxy": {…}, "after": […]}` from standard input and prints the rules as JSON.

use std::io::Read;

use kdp_proxy::conformance::{render_rules, render_rules_after};
use serde_json::Value;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let mut case: Value = serde_json::from_str(&text)?;
    let mut list = |key: &str| match case[key].take() {
        Value::Array(list) => Some(list),
        _ => None,
    };
    let (objects, after) = (list("objects").unwrap_or_default(), list("after"));
    let rendered = match after {
        Some(after) => render_rules_after(&objects, &after, &case["proxy"])?,
        None => render_rules(&objects, &case["proxy"])?,
    };
    println!("{rendered}");
    Ok(())
}
