//! `cargo harness doctor`: what is installed, and how to install what is missing.

use anyhow::Result;

use crate::lock::Lock;
use crate::node::{self, Packages};
use crate::project::Project;
use crate::spin::Runtime;
use crate::tool::TOOLS;
use crate::{program, rust, setup, spin};

const SETUP: &str = "run `cargo harness setup`";

struct Finding {
    name: String,
    version: Option<String>,
    advice: String,
}

/// Prints the table. Returns whether nothing is missing.
pub fn print(project: &Project) -> Result<bool> {
    let findings = examine(project)?;
    for Finding { name, version, advice } in &findings {
        match version {
            Some(version) => println!("{name:<24} {version}"),
            None => println!("{name:<24} missing: {advice}"),
        }
    }
    Ok(findings.iter().all(|finding| finding.version.is_some()))
}

fn examine(project: &Project) -> Result<Vec<Finding>> {
    let packages = Packages::of(project);
    let lock = Lock::read(project)?;
    let targets = rust::installed_targets().unwrap_or_default();
    let mut findings = Vec::new();
    let mut add = |name: &str, version: Option<String>, advice: &str| {
        findings.push(Finding { name: name.to_owned(), version, advice: advice.to_owned() });
    };

    add("cargo", program::version("cargo"), "install rustup from https://rustup.rs");
    add("rustup", program::version("rustup"), "install it from https://rustup.rs");
    for target in rust::TARGETS {
        let is_there = targets.iter().any(|name| name == target);
        add(target, is_there.then(|| "installed".to_owned()), SETUP);
    }
    add("npm", program::version("npm"), "`apt-get install npm`");
    let is_there = node::are_installed(project)?;
    add("packages of tests/", is_there.then(|| "installed".to_owned()), SETUP);
    add("node", program::version(packages.node()), SETUP);
    add("wrangler", packages.version("wrangler"), SETUP);
    add("wasm-opt (binaryen)", packages.version("binaryen"), SETUP);
    add("esbuild", packages.version("esbuild"), SETUP);
    for tool in TOOLS {
        // A tool of another version than the lock file's counts as missing.
        let wanted = tool.wanted(&lock)?;
        let version = tool.installed(project).filter(|version| *version == wanted);
        add(tool.binary, version, &format!("{wanted} is needed; {SETUP}"));
    }
    match Runtime::here() {
        Runtime::Spin(_, version) => add("spin", Some(version), ""),
        Runtime::OurHost => {
            add("tests/spin-host", spin::host(project).is_file().then(|| "built".to_owned()), SETUP)
        }
    }
    let chromium = program::find(&setup::CHROMIUM).and_then(program::version);
    add("chromium", chromium, "`apt-get install chromium`");
    add(setup::REDIS, program::version(setup::REDIS), "`apt-get install redis-server`");
    Ok(findings)
}
