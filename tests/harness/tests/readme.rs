//! The README says what the code does.

use tidewire_core::{LIMITS, SETTINGS, Setting};

const README: &str = include_str!("../../../README.md");

#[test]
fn every_setting_stands_in_the_readme() {
    for Setting { name, unit, default, reason } in SETTINGS {
        let default = if default.is_empty() { "none".to_owned() } else { format!("`{default}`") };
        let row = format!("| `{name}` | {default} | {unit} | {reason} |");
        assert!(README.contains(&row), "README.md lacks the row\n{row}");
    }
}

#[test]
fn every_limit_stands_in_the_readme() {
    let rows = LIMITS.iter().map(|limit| format!("| {} | {} | {} | {} | {} |\n", limit.what, limit.default(), limit.unit(), limit.answer, limit.reason()));
    let table: String = rows.collect();
    assert!(README.contains(&table), "README.md lacks the table\n{table}");
}
