//! `tests/budgets.json`: how large each Worker and each Spin component may be, gzipped. Bytes are
//! counted, not timed: a run fails when a build exceeds its budget, and when it has none.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::platform::Platform;
use crate::project::Project;

/// The suite of these tests.
pub const NAME: &str = "size";

/// The endings of the files that are uploaded. Source maps and notes stay here.
const UPLOADED: [&str; 2] = ["wasm", "js"];

/// The budgets of a platform, in bytes, by the name of the Worker or of the component.
pub struct Budgets(BTreeMap<String, u64>);

impl Budgets {
    pub fn read(project: &Project, platform: Platform) -> Result<Self> {
        let json = fs::read(project.tests().join("budgets.json"))
            .context("cannot read tests/budgets.json")?;
        let mut all: BTreeMap<String, BTreeMap<String, u64>> =
            serde_json::from_slice(&json).context("tests/budgets.json")?;
        Ok(Self(all.remove(&platform.to_string()).unwrap_or_default()))
    }

    /// Prints the size of what is uploaded, and compares it with the budget of this name.
    pub fn check(&self, name: &str, platform: Platform, files: &[PathBuf]) -> Result<()> {
        ensure!(!files.is_empty(), "{name} on {platform}: there is nothing to measure");
        let mut bytes = 0;
        for file in files {
            bytes += gzipped(file)?;
        }
        println!("  size of {name} on {platform}: {bytes} bytes gzipped");
        self.compare(name, platform, bytes)
    }

    fn compare(&self, name: &str, platform: Platform, bytes: u64) -> Result<()> {
        // Room for changes that are not about size.
        let proposed = (bytes + bytes / 33).next_multiple_of(1_000);
        match self.0.get(name) {
            None => bail!(
                "{name} on {platform} has no budget: it has {bytes} bytes gzipped, so write \
                 \"{name}\": {proposed} into \"{platform}\" of tests/budgets.json"
            ),
            Some(&budget) if bytes > budget => bail!(
                "{name} on {platform} has {bytes} bytes gzipped, {} more than its budget of \
                 {budget} in tests/budgets.json: make it smaller, or raise the budget and say why \
                 in the commit",
                bytes - budget
            ),
            Some(_) => Ok(()),
        }
    }
}

/// The files of this folder that are uploaded.
pub fn uploaded(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("no {}", folder.display()))? {
        let path = entry?.path();
        let ending = path.extension().and_then(|ending| ending.to_str());
        if ending.is_some_and(|ending| UPLOADED.contains(&ending)) {
            files.push(path);
        }
    }
    Ok(files)
}

/// The size of a file after `gzip -9`, in bytes.
fn gzipped(file: &Path) -> Result<u64> {
    let output = Command::new("gzip")
        .args(["-9", "--no-name", "--stdout"])
        .arg(file)
        .output()
        .context("cannot run gzip")?;
    ensure!(output.status.success(), "gzip cannot read {}", file.display());
    Ok(output.stdout.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_must_have_a_budget_and_keep_it() {
        let budgets = Budgets(BTreeMap::from([("feed".to_owned(), 500_000)]));
        let compare = |name, bytes| {
            budgets.compare(name, Platform::Spin, bytes).map_err(|error| error.to_string())
        };
        assert_eq!(compare("feed", 500_000), Ok(()));
        let error = compare("feed", 500_001).unwrap_err();
        assert!(error.starts_with("feed on spin has 500001 bytes gzipped, 1 more than"), "{error}");
        let error = compare("chat", 330_000).unwrap_err();
        assert!(error.contains(r#"write "chat": 340000 into "spin""#), "{error}");
    }

    #[test]
    fn only_what_is_uploaded_is_measured_and_gzipped() {
        let folder = std::env::temp_dir().join(format!("tidewire-budget-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for name in ["index.js", "index.js.map", "README.md", "a-index_bg.wasm"] {
            fs::write(folder.join(name), vec![b'a'; 100_000]).unwrap();
        }
        let files = uploaded(&folder).unwrap();
        assert_eq!(files.len(), 2);
        assert!((20..1_000).contains(&gzipped(&files[0]).unwrap()));
        let none = Budgets(BTreeMap::new());
        assert!(none.check("feed", Platform::Workers, &[]).is_err());
        fs::remove_dir_all(folder).unwrap();
    }
}
