//! The README says what the code does.

use tidewire_core::{SETTINGS, Setting};

#[test]
fn every_setting_stands_in_the_readme() {
    let readme = include_str!("../../../README.md");
    for Setting { name, unit, default, reason } in SETTINGS {
        let default = if default.is_empty() { "none".to_owned() } else { format!("`{default}`") };
        let row = format!("| `{name}` | {default} | {unit} | {reason} |");
        assert!(readme.contains(&row), "README.md lacks the row\n{row}");
    }
}
