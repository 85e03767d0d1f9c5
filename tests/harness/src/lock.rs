//! `Cargo.lock`: the versions that the build tools must match.

use std::fs;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::project::Project;

#[derive(Deserialize)]
pub struct Lock {
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
}

impl Lock {
    pub fn read(project: &Project) -> Result<Self> {
        let path = project.root().join("Cargo.lock");
        let text = fs::read_to_string(&path).context("cannot read Cargo.lock")?;
        toml::from_str(&text).context(
            "cannot parse Cargo.lock: write it again with `cargo update --workspace --offline`",
        )
    }

    /// The names of all crates.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.package.iter().map(|package| package.name.as_str())
    }

    /// Whether the file lists any version of this crate.
    pub fn has(&self, name: &str) -> bool {
        self.names().any(|crate_name| crate_name == name)
    }

    /// The only version of this crate.
    ///
    /// # Errors
    /// When the file lists no version of it, or several: a tool can match only one.
    pub fn version(&self, name: &str) -> Result<&str> {
        let mut versions = self.package.iter().filter(|package| package.name == name);
        match (versions.next(), versions.next()) {
            (Some(package), None) => Ok(&package.version),
            (None, _) => bail!("Cargo.lock does not list {name}"),
            _ => bail!(
                "Cargo.lock lists more than one version of {name}: one tool can match only one"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
        [[package]]
        name = \"one\"
        version = \"1.0.0\"
        [[package]]
        name = \"two\"
        version = \"2.0.0\"
        [[package]]
        name = \"two\"
        version = \"2.1.0\"";

    #[test]
    fn finds_the_one_version_and_refuses_none_or_two() {
        let lock: Lock = toml::from_str(TEXT).unwrap();
        assert_eq!(lock.version("one").unwrap(), "1.0.0");
        assert!(lock.version("two").is_err());
        assert!(lock.version("three").is_err());
    }
}
