//! A copy of a template: a project that stands alone.

pub mod component;
pub mod manifest;
pub mod name;
pub mod readme;
pub mod scripts;
pub mod source;
pub mod template;
pub mod tree;
pub mod vendor;

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::platform::{Choice, Platform};
use crate::project::Project;
use name::Name;
use template::Template;
use tree::Tree;

/// A copy to be made.
pub struct Copy<'a> {
    pub project: &'a Project,
    pub template: Template,
    pub name: Name,
    pub choice: Choice,
}

impl Copy<'_> {
    /// Writes the copy into this folder, which must not exist. After a failure the folder does not
    /// exist.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let files = self.files()?;
        let outcome = tree::write(&files, folder).and_then(|()| cut_lock(folder));
        if outcome.is_err() {
            // The first error is the cause; this one would hide it.
            let _ = fs::remove_dir_all(folder);
        }
        outcome
    }

    /// All files. `Cargo.lock` is still ours here; [`cut_lock`] cuts it.
    pub fn files(&self) -> Result<Tree> {
        let Self { project, template, name, choice } = self;
        let ours = |path: &str| {
            fs::read(project.root().join(path)).with_context(|| format!("cannot read {path}"))
        };
        let mut files = Tree::new();
        for (path, contents) in tree::read(&template.folder, &[])? {
            let text = || {
                String::from_utf8(contents.clone())
                    .with_context(|| format!("{} is not UTF-8 text", path.display()))
            };
            // A copy for one platform must not contain the other's files: cargo and npm would need
            // its crates and tools.
            let contents = match path.to_str() {
                Some("wrangler.toml" | "src/workers.rs") if !choice.has(Platform::Workers) => {
                    continue;
                }
                Some("spin.toml" | "src/spin.rs") if !choice.has(Platform::Spin) => continue,
                Some("Cargo.toml") => manifest::cargo(
                    &text()?,
                    &String::from_utf8(ours("Cargo.toml")?)?,
                    template,
                    name,
                    *choice,
                )?
                .into(),
                Some("wrangler.toml") => manifest::wrangler(&text()?, template, name).into(),
                Some("spin.toml") => manifest::spin(&text()?, template, name)?.into(),
                Some("src/lib.rs") => manifest::modules(&text()?, *choice)?.into(),
                Some("README.md") => readme::readme(&text()?, template, name, *choice)?.into(),
                _ => contents,
            };
            files.insert(path, contents);
        }
        let vendored = vendor::tree(project, *choice)?;
        files.extend(
            vendored.into_iter().map(|(path, contents)| (Path::new("vendor").join(path), contents)),
        );

        let mut add = |path: &str, contents: Vec<u8>| files.insert(PathBuf::from(path), contents);
        add("Cargo.lock", ours("Cargo.lock")?);
        // The license without conditions: users need not keep our notice in their own code.
        add("LICENSE", ours("LICENSE-MIT-0")?);
        add("package.json", scripts::package(project, name, *choice)?.into());
        add(".gitignore", ours("tests/copy/gitignore")?);
        add("tests/server.mjs", ours("tests/copy/server.mjs")?);
        let mut workflow = ours("tests/copy/ci.yml")?;
        let key = fresh_key()?;
        for platform in choice.platforms() {
            workflow.extend(ours(&format!("tests/copy/ci-{platform}.yml"))?);
            let (place, file) = match platform {
                Platform::Workers => (".dev.vars", "tests/copy/dev.vars.example"),
                Platform::Spin => (".env", "tests/copy/env.example"),
            };
            let example = String::from_utf8(ours(file)?)?;
            add(
                place,
                example.replace("TICKET_KEYS=\"\"", &format!("TICKET_KEYS=\"{key}\"")).into(),
            );
            add(&format!("{place}.example"), example.into());
        }
        add(".github/workflows/ci.yml", workflow);
        Ok(files)
    }
}

/// A new random key for tickets. Its 32 bytes are written as hexadecimal digits, which are valid
/// base64url as well.
fn fresh_key() -> Result<String> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")
        .and_then(|mut chance| chance.read_exact(&mut bytes))
        .context("cannot read /dev/urandom")?;
    Ok(bytes.iter().fold("k1:".to_owned(), |key, byte| format!("{key}{byte:02x}")))
}

/// Removes from our lock file the crates that the copy does not need; the versions stay.
fn cut_lock(folder: &Path) -> Result<()> {
    let output = Command::new("cargo")
        // `--workspace` changes only what the workspace itself needs. Offline, so that no version
        // is newer than ours.
        .args(["update", "--workspace", "--offline", "--quiet"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .context("cargo is missing: install rustup from https://rustup.rs")?;
    if !output.status.success() {
        bail!(
            "cargo cannot cut the lock file of the copy: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}
