//! The documents agree with the code, and each link has a target.

use std::fs;
use std::path::{Path, PathBuf};

use tidewire_core::{Error, LIMITS, Offset, SETTINGS, Setting, Settings};
use tidewire_harness::project::Project;

const README: &str = include_str!("../../../README.md");
const OPERATING: &str = include_str!("../../../functions/OPERATING.md");
const TABLES: &str = include_str!("../../../shared/core/SETTINGS.md");

fn default(setting: &Setting) -> String {
    if setting.default.is_empty() { "none".to_owned() } else { format!("`{}`", setting.default) }
}

/// The table has a row for each item, and no other row.
fn assert_table(header: &str, rows: &[String]) {
    for row in rows {
        assert!(TABLES.contains(row), "SETTINGS.md lacks the row\n{row}");
    }
    let table = format!("{header}\n{}\n\n", rows.join("\n"));
    assert!(TABLES.contains(&table), "SETTINGS.md has other rows, or another order, than\n{table}");
}

#[test]
fn every_setting_stands_in_the_table() {
    let row = |setting: &Setting| {
        format!(
            "| `{}` | {} | {} | {} |",
            setting.name,
            default(setting),
            setting.unit,
            setting.reason
        )
    };
    assert_table(
        "| variable | default | unit | what it does, and why this default |\n|---|---|---|---|",
        &SETTINGS.iter().map(row).collect::<Vec<_>>(),
    );
}

#[test]
fn every_limit_stands_in_the_table() {
    let rows = LIMITS.iter().map(|limit| {
        format!(
            "| {} | {} | {} | {} | {} |",
            limit.what,
            limit.default(),
            limit.unit(),
            limit.answer,
            limit.reason()
        )
    });
    assert_table(
        "| what | default | unit | the answer | why, or the setting |\n|---|---|---|---|---|",
        &rows.collect::<Vec<_>>(),
    );
}

#[test]
fn the_settings_of_the_readme_have_their_defaults() {
    let (_, table) = README.split_once("\n| variable | default | what it does |\n").unwrap();
    let rows: Vec<&str> = table.lines().skip(1).take_while(|line| line.starts_with('|')).collect();
    assert_eq!(rows.len(), 6);
    for row in rows {
        let is_right = |setting: &Setting| {
            row.starts_with(&format!("| `{}` | {} | ", setting.name, default(setting)))
        };
        assert!(SETTINGS.iter().any(is_right), "no setting has this name and default: {row}");
    }
}

#[test]
fn the_errors_that_are_quoted_are_those_of_the_core() {
    let offset = |text: &str| text.parse::<Offset>().unwrap();
    for error in [
        Error::gone(offset("01a205938468_00000000000001"), offset("01a205938468_00000000000002")),
        Settings::read(|name| (name == "LONG_POLL_MS").then(|| "25s".into())).unwrap_err(),
    ] {
        let quoted = format!("`{}`", error.kind().code());
        assert!(
            OPERATING.contains(&quoted) && OPERATING.contains(&format!("\"{}\"", error.detail())),
            "OPERATING.md does not quote\n{}",
            error.detail()
        );
    }
}

/// All Markdown files that people write.
fn documents(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if entry.file_type().unwrap().is_dir() {
            if !name.starts_with('.')
                && !["target", "node_modules", "build"].contains(&name.as_str())
            {
                documents(&path, found);
            }
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
}

/// The text without its blocks of code.
fn prose(text: &str) -> String {
    text.split("\n```").step_by(2).collect()
}

/// The anchor that GitHub makes for a heading.
fn anchor(heading: &str) -> String {
    let kept = heading
        .to_lowercase()
        .chars()
        .filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter))
        .collect::<String>();
    kept.replace(' ', "-")
}

/// The links of this document that have no target.
fn broken(document: &Path, text: &str) -> Vec<String> {
    let prose = prose(text);
    let links = prose
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter(|link| !link.contains("://"));
    let leads_nowhere = |link: &&str| {
        let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
        let target = if path.is_empty() {
            document.to_owned()
        } else {
            document.with_file_name("").join(path)
        };
        if fragment.is_empty() {
            return !target.exists();
        }
        let Ok(text) = fs::read_to_string(target) else { return true };
        !self::prose(&text)
            .lines()
            .filter(|line| line.starts_with('#'))
            .any(|line| anchor(line.trim_start_matches('#').trim()) == fragment)
    };
    links.filter(leads_nowhere).map(|link| format!("{}: {link}", document.display())).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let root = Project::here().root().to_owned();
    let mut found = Vec::new();
    documents(&root, &mut found);
    // This file belongs to `vendor/` of a copy; tests/copy.rs follows its links there.
    found.retain(|document| !document.ends_with("tests/copy/vendor.md"));
    assert!(found.len() > 10);
    let problems: Vec<_> = found
        .iter()
        .flat_map(|document| broken(document, &fs::read_to_string(document).unwrap()))
        .collect();
    assert_eq!(problems, Vec::<String>::new());
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let readme = Project::here().root().join("README.md");
    let right = "[a](SECURITY.md) [b](README.md#i-need-) [c](#where-it-runs) [d](https://example.com) [e](functions/gateway)";
    assert_eq!(broken(&readme, right), Vec::<String>::new());
    for link in ["NOTHING.md", "SECURITY.md#nothing", "#nothing", "functions/gateway#nothing"] {
        assert_eq!(broken(&readme, &format!("[a]({link})")).len(), 1, "{link}");
    }
    assert_eq!(broken(&readme, "text\n```sh\n[a](NOTHING.md)\n```\n"), Vec::<String>::new());
}

/// The text of all sources below a folder.
fn sources(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| if path.is_dir() { sources(&path) } else { fs::read_to_string(path).unwrap() })
        .collect()
}

#[test]
fn the_table_of_adapters_names_functions_and_files_that_exist() {
    let shared = Project::here().root().join("shared");
    let text = fs::read_to_string(shared.join("README.md")).unwrap();
    let core = sources(&shared.join("core/src")) + &sources(&shared.join("access/src"));
    let mut checked = 0;
    for row in text.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let cells: Vec<_> = row.split('|').collect();
        for (column, folder) in [(2, ""), (3, "workers/src"), (4, "spin/src")] {
            for name in cells[column].split('`').skip(1).step_by(2) {
                let item = name.rsplit("::").next().unwrap();
                let exists = match folder {
                    "" if item == "access" => true,
                    "" => ["fn", "struct", "enum", "trait"]
                        .iter()
                        .any(|kind| core.contains(&format!("pub {kind} {item}"))),
                    _ => shared.join(folder).join(name).is_file(),
                };
                assert!(exists, "shared/README.md names {name}, which is gone");
                checked += 1;
            }
        }
    }
    assert!(checked > 50, "{checked}");
}

#[test]
fn every_statement_of_a_store_is_in_one_file() {
    let shared = Project::here().root().join("shared");
    for (adapter, statements) in [("workers", "store/sql.rs"), ("spin", "store/sqlite/sql.rs")] {
        let src = shared.join(adapter).join("src");
        assert!(src.join(statements).is_file(), "{adapter} has no {statements}");
        let mut folders = vec![src.clone()];
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    folders.push(path);
                } else if path != src.join(statements) {
                    let text = fs::read_to_string(&path).unwrap();
                    let sql = text.lines().find(|line| {
                        !line.trim_start().starts_with("//")
                            && ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "CREATE ", "DROP "]
                                .iter()
                                .any(|verb| line.contains(verb))
                    });
                    assert_eq!(sql, None, "of {}, must be in {statements}", path.display());
                }
            }
        }
    }
}
