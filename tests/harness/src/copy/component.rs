//! The component that `spin add` makes of a template. It joins an application and shares the
//! manifest, the settings and `vendor/`.
//!
//! `spin add` writes files only into the folder of the component. Therefore the first component
//! contains `vendor/`, and its first build moves that folder beside `spin.toml`.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::name::{Name, RESERVED};
use super::readme;
use super::tree::Tree;
use crate::lock::Lock;

/// Placeholder for the folder of the component, relative to that of `spin.toml`.
pub const FOLDER: &str = "folder-left-open";
/// Placeholder for the path from the component back to `spin.toml`.
pub const PARENT: &str = "parent-left-open/";
/// Placeholder for the path at which the component answers.
pub const ROUTE: &str = "/route-left-open";

/// Files that an application has once, or that start a new application.
const LEFT_OUT: [&str; 6] =
    [".env", ".env.example", ".github", "package.json", "spin.toml", "tests/server.mjs"];
/// Part of the build: moves `vendor/` to the application. It fails if the application has another
/// `vendor/`.
const MOVE: &str = "[ -d parent-left-open/vendor/core ] || mv vendor ./parent-left-open/ && ";

/// Makes the files of a component of the files of a copy for Spin.
pub fn files(copy: &Tree, name: &Name) -> Result<Tree> {
    let mut files = copy.clone();
    files.retain(|path, _| !LEFT_OUT.iter().any(|left_out| path.starts_with(left_out)));
    let manifest = text(copy, "Cargo.toml")?.replace("\"vendor/", &format!("\"{PARENT}vendor/"));
    files.insert("Cargo.toml".into(), manifest.into());
    let prefix = prefix(text(copy, "spin.toml")?)?;
    let own_test = copy
        .keys()
        .filter_map(|path| path.to_str())
        .find(|path| path.ends_with(".test.mjs"))
        .context("the copy has no test")?;
    files.insert(
        "README.md".into(),
        readme::component(text(copy, "README.md")?, name, prefix, own_test)?.into(),
    );
    if !prefix.is_empty() {
        files.insert(
            own_test.into(),
            text(copy, own_test)?.replace(prefix, ROUTE).replace(&prefix[1..], ROUTE).into(),
        );
    }
    Ok(files)
}

/// The trigger and the component, which `spin add` appends to the application's manifest.
pub fn component(copy: &Tree) -> Result<String> {
    let spin = text(copy, "spin.toml")?;
    let (_, component) =
        spin.split_once("[[trigger.http]]\n").context("spin.toml has no trigger")?;
    let mut component = format!("[[trigger.http]]\n{component}");
    for (old, new) in [
        (format!("route = \"{}/...\"", prefix(spin)?), format!("route = \"{ROUTE}/...\"")),
        ("source = \"".to_owned(), format!("source = \"{FOLDER}/")),
        ("\ncommand = \"".to_owned(), format!("\nworkdir = \"{FOLDER}\"\ncommand = \"")),
        ("command = \"".to_owned(), format!("command = \"{MOVE}")),
        ("\"vendor/".to_owned(), format!("\"{PARENT}vendor/")),
    ] {
        if !component.contains(&old) {
            bail!("spin.toml does not hold `{}`", old.trim());
        }
        component = component.replace(&old, &new);
    }
    Ok(component)
}

/// The lines that `spin add` merges into `[variables]` of the application's manifest.
pub fn variables(copy: &Tree) -> Result<String> {
    let (_, rest) = text(copy, "spin.toml")?
        .split_once("[variables]\n")
        .context("spin.toml has no variables")?;
    let lines = rest
        .lines()
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.map(|line| format!("{line}\n")).collect())
}

/// Names that no component may have. Without this list only cargo would refuse them, at the first
/// build.
pub fn taken(lock: &Lock) -> String {
    RESERVED.into_iter().chain(lock.names()).collect::<Vec<_>>().join(",")
}

/// The path before `/...`.
fn prefix(spin: &str) -> Result<&str> {
    spin.split_once("route = \"")
        .and_then(|(_, rest)| rest.split_once("/...\""))
        .map(|(prefix, _)| prefix)
        .context("spin.toml has no route")
}

fn text<'a>(files: &'a Tree, path: &str) -> Result<&'a str> {
    let contents = files.get(Path::new(path)).with_context(|| format!("the copy has no {path}"))?;
    str::from_utf8(contents).with_context(|| format!("{path} is not UTF-8 text"))
}
