//! The README says what the code does.

use tidewire_core::{SETTINGS, Setting};

#[test]
fn every_setting_stands_in_the_readme() {
    let readme = include_str!("../../../README.md");
    for Setting { name, unit, default, reason } in SETTINGS {
        let row = format!("| `{name}` | `{default}` | {unit} | {reason} |");
        assert!(readme.contains(&row), "README.md lacks the row\n{row}");
    }
}
