//! `vendor/` of a copy: the shared crates that it needs, and the client, unchanged.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::tree::{self, Tree};
use crate::platform::{Choice, Platform};
use crate::project::Project;

/// Folders that only the tests of this repository need.
const LEFT_OUT: [&str; 2] = ["tests", "vectors"];

/// The files below `vendor/`.
pub fn tree(project: &Project, choice: Choice) -> Result<Tree> {
    let mut vendor = Tree::new();
    for name in ["core", "access", "workers", "spin", "push", "client", "yjs"] {
        let is_needed = match name {
            "workers" => choice.has(Platform::Workers),
            "spin" => choice.has(Platform::Spin),
            _ => true,
        };
        if is_needed {
            let files = tree::read(&project.root().join("shared").join(name), &LEFT_OUT)?;
            vendor.extend(
                files.into_iter().map(|(path, contents)| (Path::new(name).join(path), contents)),
            );
        }
    }
    for name in ["LICENSE-APACHE", "LICENSE-MIT"] {
        vendor.insert(
            name.into(),
            fs::read(project.root().join(name)).with_context(|| format!("cannot read {name}"))?,
        );
    }
    vendor.insert(
        "README.md".into(),
        fs::read(project.tests().join("copy/vendor.md"))
            .context("cannot read tests/copy/vendor.md")?,
    );
    Ok(vendor)
}

/// The lines that say what an upgrade changed.
pub type Changes = Vec<String>;

/// Replaces the `vendor/` of the copy in this folder, and nothing else.
///
/// # Errors
/// When the folder is not a copy; then the upgrade changes nothing.
pub fn upgrade(project: &Project, copy: &Path) -> Result<Changes> {
    let folder = vendored(copy)?;
    let old = tree::read(&folder, &[])?;
    let has = |name: &str| old.keys().any(|path| path.starts_with(name));
    let choice = match (has("workers"), has("spin")) {
        (true, false) => Choice::Workers,
        (false, true) => Choice::Spin,
        _ => Choice::Both,
    };
    let new = tree(project, choice)?;
    let changes = changes(&old, &new)?;
    if !changes.is_empty() {
        // Write the new folder completely before the old one goes: an interrupted upgrade leaves
        // one of the two.
        let part = copy.join("vendor.part");
        if part.exists() {
            fs::remove_dir_all(&part)?;
        }
        tree::write(&new, &part)?;
        fs::remove_dir_all(&folder)?;
        fs::rename(&part, &folder)?;
    }
    Ok(changes)
}

/// The `vendor/` of a copy, or of an application with Tidewire components. It is recognised by
/// `vendor/core`.
fn vendored(copy: &Path) -> Result<PathBuf> {
    #[derive(Deserialize)]
    struct Manifest {
        package: Package,
    }
    #[derive(Deserialize)]
    struct Package {
        name: String,
    }
    let folder = copy.join("vendor");
    let core = fs::read_to_string(folder.join("core/Cargo.toml"))
        .ok()
        .and_then(|manifest| toml::from_str::<Manifest>(&manifest).ok());
    if core.is_none_or(|core| core.package.name != "tidewire-core") {
        bail!(
            "{} is not a copy of a template, and not an application with one: its vendor/core is not tidewire-core",
            copy.display()
        );
    }
    Ok(folder)
}

fn changes(old: &Tree, new: &Tree) -> Result<Changes> {
    let mut changes = Changes::new();
    let paths: BTreeSet<&PathBuf> = old.keys().chain(new.keys()).collect();
    for path in paths {
        let (before, after) = (old.get(path), new.get(path));
        let place = Path::new("vendor").join(path);
        let change = match (before, after) {
            (Some(before), Some(after)) if before == after => continue,
            (Some(before), Some(after)) if path.ends_with("Cargo.toml") => {
                let (from, to) = (version(before)?, version(after)?);
                format!(
                    "changed {}{}",
                    place.display(),
                    if from == to { String::new() } else { format!(" ({from} -> {to})") }
                )
            }
            (Some(_), Some(_)) => format!("changed {}", place.display()),
            (None, _) => format!("new     {}", place.display()),
            (_, None) => format!("gone    {}", place.display()),
        };
        changes.push(change);
    }
    Ok(changes)
}

fn version(manifest: &[u8]) -> Result<String> {
    #[derive(Deserialize)]
    struct Manifest {
        package: Package,
    }
    #[derive(Deserialize)]
    struct Package {
        version: String,
    }
    Ok(toml::from_str::<Manifest>(std::str::from_utf8(manifest)?)?.package.version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upgrade_tells_each_file_and_the_versions() {
        let manifest = |version: &str| format!("[package]\nversion = \"{version}\"").into_bytes();
        let tree = |files: Vec<(&str, Vec<u8>)>| {
            files.into_iter().map(|(path, contents)| (path.into(), contents)).collect::<Tree>()
        };
        let old = tree(vec![
            ("core/Cargo.toml", manifest("0.1.0")),
            ("core/a.rs", vec![1]),
            ("core/b.rs", vec![1]),
            ("core/c.rs", vec![1]),
        ]);
        let new = tree(vec![
            ("core/Cargo.toml", manifest("0.2.0")),
            ("core/a.rs", vec![1]),
            ("core/b.rs", vec![2]),
            ("core/d.rs", vec![1]),
        ]);
        let lines = [
            "changed vendor/core/Cargo.toml (0.1.0 -> 0.2.0)",
            "changed vendor/core/b.rs",
            "gone    vendor/core/c.rs",
            "new     vendor/core/d.rs",
        ];
        assert_eq!(changes(&old, &new).unwrap(), lines);
        assert!(changes(&new, &new).unwrap().is_empty());
    }
}
