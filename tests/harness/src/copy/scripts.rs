//! `package.json` of a copy: its scripts, and the wrangler that they run.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::name::Name;
use crate::platform::{Choice, Platform};
use crate::project::Project;

/// The oldest Node that runs the TypeScript of the client, which the command `tidewire` imports.
/// Wrangler alone would run on older versions.
const NODE: &str = ">=22.18.0";
const WRANGLER: &str = "wrangler";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Package {
    name: String,
    private: bool,
    r#type: &'static str,
    scripts: BTreeMap<&'static str, &'static str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    dev_dependencies: BTreeMap<&'static str, String>,
    engines: BTreeMap<&'static str, &'static str>,
}

/// The text of `package.json`, formatted as npm does.
pub fn package(project: &Project, name: &Name, choice: Choice) -> Result<String> {
    let mut dev_dependencies = BTreeMap::new();
    if choice.has(Platform::Workers) {
        dev_dependencies.insert(WRANGLER, wrangler_version(project)?);
    }
    let package = Package {
        name: name.to_string(),
        private: true,
        r#type: "module",
        scripts: scripts(choice),
        dev_dependencies,
        engines: [("node", NODE)].into(),
    };
    Ok(serde_json::to_string_pretty(&package)? + "\n")
}

/// In a copy for both platforms, the names without a suffix are for Workers.
fn scripts(choice: Choice) -> BTreeMap<&'static str, &'static str> {
    let keys = match choice {
        Choice::Workers => "node vendor/client/bin/tidewire keys --into .dev.vars",
        Choice::Spin => "node vendor/client/bin/tidewire keys --into .env",
        Choice::Both => "node vendor/client/bin/tidewire keys --into .dev.vars,.env",
    };
    let mut scripts = BTreeMap::from([("keys", keys)]);
    if choice.has(Platform::Workers) {
        scripts.extend([
            ("dev", "wrangler dev"),
            ("deploy", "wrangler deploy"),
            ("test", "node tests/server.mjs wrangler dev"),
        ]);
    }
    let spin = [
        ("dev", "spin up --build --profile debug"),
        ("deploy", "spin registry push --build"),
        ("test", "node tests/server.mjs spin up --build --profile debug"),
    ];
    match choice {
        Choice::Workers => {}
        Choice::Spin => scripts.extend(spin),
        Choice::Both => scripts.extend([
            ("dev:spin", spin[0].1),
            ("deploy:spin", spin[1].1),
            ("test:spin", spin[2].1),
        ]),
    }
    scripts
}

/// The version of wrangler with which our suites run.
fn wrangler_version(project: &Project) -> Result<String> {
    #[derive(Deserialize)]
    struct Tests {
        dependencies: BTreeMap<String, String>,
    }
    let json =
        fs::read(project.tests().join("package.json")).context("cannot read tests/package.json")?;
    let mut tests: Tests = serde_json::from_slice(&json).context("tests/package.json")?;
    tests.dependencies.remove(WRANGLER).context("tests/package.json names no wrangler")
}
