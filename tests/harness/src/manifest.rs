//! The lint of `wrangler.toml`. It refuses mistakes that wrangler accepts and that fail only after
//! a deploy.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;
use toml::{Table, Value};

use crate::project::Project;

/// Settings that open what is closed by default. Tests pass them at the start of a server; no file
/// may set them.
const OPENING: [&str; 1] = ["OPEN_ACCESS"];

/// The part of a build command that distinguishes `wrangler dev` from `wrangler deploy`. Without the
/// list of features, wasm-bindgen would warn, and write glue with more calls.
const BUILD: &str = "\
features=-Clink-arg=--keep-section=target_features
if [ \"$WRANGLER_COMMAND\" = dev ]; then worker-build --dev; \
else RUSTFLAGS=\"$RUSTFLAGS $features\" worker-build --release; fi";
/// The folders into which builds and installations write, in this tree and in a copy made by hand.
const OUTPUTS: [&str; 8] = [
    "target",
    ".wrangler",
    ".spin",
    "functions/*/build",
    "functions/*/.wrangler",
    "functions/*/.spin",
    "shared/client/build",
    "tests/node_modules",
];

/// One `wrangler.toml`.
pub struct Manifest {
    /// Its path, for messages.
    pub place: String,
    wrangler: Wrangler,
    /// The whole file, for settings that may stand in any table.
    table: Table,
}

#[derive(Deserialize)]
struct Wrangler {
    name: String,
    compatibility_date: String,
    #[serde(default)]
    compatibility_flags: Vec<String>,
    #[serde(default)]
    durable_objects: DurableObjects,
    #[serde(default)]
    migrations: Vec<Migration>,
    build: Option<Build>,
}

#[derive(Deserialize)]
struct Build {
    command: String,
    watch_dir: Vec<String>,
}

#[derive(Default, Deserialize)]
struct DurableObjects {
    bindings: Vec<Binding>,
}

#[derive(Deserialize)]
struct Binding {
    name: String,
    class_name: String,
}

#[derive(Deserialize)]
struct Migration {
    tag: String,
    #[serde(default)]
    new_sqlite_classes: Vec<String>,
}

/// The folders with a manifest: the root first, then each function.
pub fn folders(project: &Project) -> Result<Vec<PathBuf>> {
    let mut functions = Vec::new();
    for entry in fs::read_dir(project.root().join("functions"))? {
        let folder = entry?.path();
        if folder.join("wrangler.toml").is_file() {
            functions.push(folder);
        }
    }
    functions.sort();
    functions.insert(0, project.root().to_path_buf());
    Ok(functions)
}

impl Manifest {
    pub fn parse(place: &str, text: &str) -> Result<Self> {
        let table: Table = toml::from_str(text).with_context(|| place.to_owned())?;
        let wrangler = table.clone().try_into().with_context(|| place.to_owned())?;
        Ok(Self { place: place.to_owned(), wrangler, table })
    }

    /// The manifest of the root, and those of the functions.
    pub fn read_all(project: &Project) -> Result<(Self, Vec<Self>)> {
        let mut manifests = Vec::new();
        for folder in folders(project)? {
            let file = folder.join("wrangler.toml");
            let place = file.strip_prefix(project.root())?.display().to_string();
            let text = fs::read_to_string(&file).with_context(|| place.clone())?;
            manifests.push(Self::parse(&place, &text)?);
        }
        let root = manifests.remove(0);
        Ok((root, manifests))
    }

    /// The command that wrangler runs before it bundles.
    pub fn build_command(&self) -> Option<&str> {
        Some(&self.wrangler.build.as_ref()?.command)
    }

    /// The version of worker-build that the build command installs if none is installed.
    pub fn pinned_worker_build(&self) -> Option<&str> {
        let (_, rest) = self.build_command()?.split_once("worker-build@")?;
        rest.split_whitespace().next()
    }

    fn bindings(&self) -> BTreeMap<&str, &str> {
        let bindings = &self.wrangler.durable_objects.bindings;
        bindings
            .iter()
            .map(|binding| (binding.class_name.as_str(), binding.name.as_str()))
            .collect()
    }
}

/// Returns a sentence for each mistake.
pub fn lint(root: &Manifest, functions: &[Manifest]) -> Vec<String> {
    let mut problems = Vec::new();
    for manifest in [root].into_iter().chain(functions) {
        problems.extend(migrations(manifest));
        problems.extend(settings(manifest));
        problems.extend(build(manifest));
    }
    for function in functions {
        problems.extend(agreement(root, function));
    }
    problems
}

/// A class without a migration can be deployed, and fails at its first use.
fn migrations(manifest: &Manifest) -> Vec<String> {
    let Manifest { place, wrangler, .. } = manifest;
    let mut problems = Vec::new();
    let mut migrated: BTreeMap<&str, usize> = BTreeMap::new();
    let mut tags: BTreeMap<&str, usize> = BTreeMap::new();
    for migration in &wrangler.migrations {
        *tags.entry(&migration.tag).or_default() += 1;
        for class in &migration.new_sqlite_classes {
            *migrated.entry(class).or_default() += 1;
        }
    }
    for class in manifest.bindings().into_keys() {
        match migrated.remove(class).unwrap_or(0) {
            1 => {}
            0 => problems.push(format!(
                "{place}: {class} is in no new_sqlite_classes: add it to a migration"
            )),
            _ => problems.push(format!("{place}: {class} is in two migrations: remove one")),
        }
    }
    for class in migrated.into_keys() {
        problems.push(format!("{place}: {class} has a migration but no binding"));
    }
    for (tag, _) in tags.into_iter().filter(|(_, times)| *times > 1) {
        problems.push(format!("{place}: two migrations have the tag {tag}"));
    }
    problems
}

/// The build for deployment must be optimised. No build may write into a folder that `wrangler dev`
/// watches: each build would start the next one, for ever.
fn build(manifest: &Manifest) -> Vec<String> {
    let Manifest { place, wrangler, .. } = manifest;
    let Some(Build { command, watch_dir }) = &wrangler.build else {
        return vec![format!("{place}: it has no [build]: add the build command")];
    };
    let mut problems = Vec::new();
    if !command.contains(BUILD) {
        problems.push(format!("{place}: the build command must contain `{BUILD}`"));
    }
    let folder = Path::new(place).parent().unwrap_or(Path::new(""));
    for watched in watch_dir {
        problems.extend(
            written_below(&folder.join(watched))
                .map(|output| format!("{place}: {watched} is watched, and builds write {output}")),
        );
    }
    problems
}

/// The first output of a build in this folder or below it; both paths are relative to the root.
pub fn written_below(watched: &Path) -> Option<String> {
    let mut folder = PathBuf::new();
    for part in watched.components() {
        match part {
            Component::ParentDir => {
                folder.pop();
            }
            part => folder.push(part),
        }
    }
    let folder = folder
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect::<Vec<_>>();
    OUTPUTS
        .into_iter()
        .find(|output| {
            output.split('/').zip(&folder).all(|(output, part)| output == "*" || output == part)
        })
        .map(str::to_owned)
}

/// No file may open what is closed by default, not even for one environment.
fn settings(manifest: &Manifest) -> Vec<String> {
    let place = &manifest.place;
    let is_opening = |name: &&String| OPENING.contains(&name.to_uppercase().as_str());
    tables_named("vars", &manifest.table)
        .iter()
        .flat_map(|vars| vars.keys().filter(is_opening))
        .map(|name| format!("{place}: [vars] sets {name}, which only tests may set: remove it"))
        .collect()
}

fn tables_named<'a>(name: &str, table: &'a Table) -> Vec<&'a Table> {
    let mut found = Vec::new();
    for (key, value) in table {
        if let Value::Table(inner) = value {
            if key == name {
                found.push(inner);
            }
            found.extend(tables_named(name, inner));
        }
    }
    found
}

/// The root serves every function, so it must behave as each of them does alone.
fn agreement(root: &Manifest, function: &Manifest) -> Vec<String> {
    let place = &function.place;
    let (ours, its) = (&root.wrangler, &function.wrangler);
    let mut problems = Vec::new();
    if its.compatibility_date != ours.compatibility_date {
        problems.push(format!("{place}: compatibility_date differs from the root's"));
    }
    if its.compatibility_flags != ours.compatibility_flags {
        problems.push(format!("{place}: compatibility_flags differ from the root's"));
    }
    let folder = place.split('/').rev().nth(1).unwrap_or_default();
    let name = format!("{}-{folder}", ours.name);
    if its.name != name {
        problems.push(format!("{place}: the name is {}, not {name}", its.name));
    }
    let bound = root.bindings();
    for (class, binding) in function.bindings() {
        if bound.get(class) != Some(&binding) {
            problems.push(format!("{place}: {class} is not bound as {binding} in the root"));
        }
    }
    problems
}
