//! The arrows between the folders and the modules of this crate go one way.
//!
//! An import names a folder (`crate::channel::Event`) or, within a folder, a file
//! (`super::offset::Offset`): names of the crate's root would hide a circle.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The text of each module, by its name: `error`, `channel/offset`; the `mod.rs` of a folder by the
/// folder's.
type Modules = BTreeMap<String, String>;
/// Which modules a module names.
type Arrows = BTreeMap<String, BTreeSet<String>>;

fn modules() -> Modules {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut modules = Modules::new();
    let mut folders = vec![src.clone()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path
                .strip_prefix(&src)
                .unwrap()
                .with_extension("")
                .to_str()
                .unwrap()
                .replace('\\', "/");
            let name = name.strip_suffix("/mod").unwrap_or(&name).to_owned();
            // The root shows names to other crates; the types for TypeScript are a test.
            if name != "lib" && name != "typescript" {
                modules.insert(name, fs::read_to_string(path).unwrap());
            }
        }
    }
    modules
}

/// The code without comments and unit tests, which may look anywhere.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// The paths that begin with `crate::` or `super::`, each name in braces as a path of its own.
fn paths(code: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for root in ["crate::", "super::"] {
        for (at, _) in code.match_indices(root) {
            if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let mut depth = 0;
            let end = code[at..].find(|c: char| {
                depth += i32::from(c == '{') - i32::from(c == '}');
                !(c.is_alphanumeric() || "_:{}".contains(c) || depth > 0) || depth < 0
            });
            expand(
                "",
                code[at..end.map_or(code.len(), |end| at + end)].trim_end_matches(':'),
                &mut paths,
            );
        }
    }
    paths
}

fn expand(before: &str, tree: &str, paths: &mut Vec<String>) {
    let Some((head, rest)) = tree.split_once('{') else {
        return paths
            .push(format!("{before}{}", tree.trim()).trim_end_matches("::self").to_owned());
    };
    let (mut depth, mut name) = (0, String::new());
    for c in rest[..rest.rfind('}').unwrap_or(rest.len())].chars().chain([',']) {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if c == ',' && depth == 0 {
            if !name.trim().is_empty() {
                expand(&format!("{before}{}", head.trim()), name.trim(), paths);
            }
            name.clear();
        } else {
            name.push(c);
        }
    }
}

/// What the `mod.rs` of a folder shows: each name, and the file that has it.
fn shown(folder: &str, text: &str) -> BTreeMap<String, String> {
    let mut shown = BTreeMap::new();
    for statement in code(text).split(';') {
        let Some((_, tree)) = statement.split_once("use ") else { continue };
        let mut paths = Vec::new();
        expand("", tree.trim(), &mut paths);
        for (file, name) in paths.iter().filter_map(|path| path.split_once("::")) {
            shown.insert(name.to_owned(), format!("{folder}/{file}"));
        }
    }
    shown
}

/// Where a path of a module leads.
fn target(from: &str, path: &str, modules: &Modules) -> Result<String, String> {
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let (root, rest) = path.split_once("::").unwrap_or((path, ""));
    let parts: Vec<_> = rest.split("::").collect();
    let module = |name: &str| modules.contains_key(name).then(|| name.to_owned());
    let found = match (root, parts.as_slice()) {
        ("super", [file, ..]) => module(&format!("{folder}/{file}")),
        ("crate", [first, second, ..]) => {
            let in_folder =
                || modules.get(*first).and_then(|text| shown(first, text).remove(*second));
            module(&format!("{first}/{second}")).or_else(in_folder).or_else(|| module(first))
        }
        ("crate", [first]) => module(first),
        _ => None,
    };
    found.ok_or_else(|| format!("{from}: `{path}` names neither a folder nor a file"))
}

fn arrows(modules: &Modules) -> Result<Arrows, String> {
    let mut arrows = Arrows::new();
    for (from, text) in modules {
        for path in paths(&code(text)) {
            let to = target(from, &path, modules)?;
            if to != *from {
                arrows.entry(from.clone()).or_default().insert(to);
            }
        }
    }
    Ok(arrows)
}

/// The same between the folders; a file beside them is one of its own.
fn between_folders(arrows: &Arrows) -> Arrows {
    let folder = |module: &str| module.split('/').next().unwrap_or_default().to_owned();
    let mut folders = Arrows::new();
    for (from, targets) in arrows {
        folders
            .entry(folder(from))
            .or_default()
            .extend(targets.iter().map(|to| folder(to)).filter(|to| *to != folder(from)));
    }
    folders
}

/// What is left when all that lead nowhere are taken away, again and again: the circles, and what
/// leads to one.
fn circles(arrows: &Arrows) -> Arrows {
    let mut left = arrows.clone();
    loop {
        let names: BTreeSet<_> = left.keys().cloned().collect();
        left.values_mut().for_each(|targets| targets.retain(|to| names.contains(to)));
        let before = left.len();
        left.retain(|_, targets| !targets.is_empty());
        if left.len() == before {
            return left;
        }
    }
}

#[test]
fn no_arrows_make_a_circle() {
    let arrows = arrows(&modules()).unwrap();
    assert!(
        arrows.len() > 40,
        "only {} modules name another: the paths are not found",
        arrows.len()
    );
    assert_eq!(circles(&arrows), Arrows::new());
    assert_eq!(circles(&between_folders(&arrows)), Arrows::new());
}

#[test]
fn a_folders_own_file_only_lists_what_it_shows() {
    for (name, text) in modules() {
        if modules().keys().any(|other| other.starts_with(&format!("{name}/"))) {
            let other: Vec<_> = code(&text)
                .lines()
                .map(str::to_owned)
                .filter(|line| {
                    line.starts_with("fn ") || line.contains(" fn ") || line.contains("struct ")
                })
                .collect();
            assert_eq!(other, Vec::<String>::new(), "{name}");
        }
    }
}

fn of(files: &[(&str, &str)]) -> Modules {
    files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn a_circle_is_found_however_it_is_written() {
    let folders =
        "pub(crate) mod page;\nmod state;\n\npub use page::{Page, Limit};\npub use state::State;\n";
    let found = |page: &str, state: &str, other: &str| {
        let modules = of(&[
            ("channel", folders),
            ("channel/page", page),
            ("channel/state", state),
            ("other", other),
        ]);
        arrows(&modules)
            .map(|arrows| (circles(&arrows).len(), circles(&between_folders(&arrows)).len()))
    };
    assert_eq!(found("use super::state::State;", "", "use crate::channel::Page;"), Ok((0, 0)));
    assert_eq!(
        found("use super::state::State;", "use super::page::{Limit, Page};", ""),
        Ok((2, 0))
    );
    assert_eq!(found("use super::{state};", "fn f() { super::page::g() }", ""), Ok((2, 0)));
    assert_eq!(
        found("use crate::other::{self, A};", "", "use crate::channel::{Limit,\n    State};"),
        Ok((2, 2))
    );
    // Between files none, between folders one.
    assert_eq!(found("use crate::other;", "", "use crate::channel::State;"), Ok((0, 2)));
    assert_eq!(
        found(
            "// use crate::other;",
            "",
            "use crate::channel::Page;\n#[cfg(test)]\nmod tests { use crate::channel::State; }"
        ),
        Ok((0, 0))
    );
    assert!(found("use crate::{State, other};", "", "").unwrap_err().contains("`crate::State`"));
}
