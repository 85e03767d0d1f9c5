//! A source of templates for `spin templates install` and `cargo generate`: a copy of each template whose name is left open.
//!
//! Both fill the name in by Liquid, which reads every file, so what would pass for Liquid in ours is marked as raw.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::name::Name;
use super::template::Template;
use super::tree::{self, Tree};
use super::{Copy, cut_lock};
use crate::lock::Lock;
use crate::platform::{Choice, Platform};
use crate::project::Project;

/// Stands in a copy where its name is to stand, as cargo and as Rust spells it.
const OPEN: [(&str, &str); 2] = [
    ("name-left-open", r#"{{ project-name | downcase | replace: " ", "-" | replace: "_", "-" }}"#),
    ("name_left_open", r#"{{ project-name | downcase | replace: " ", "_" | replace: "-", "_" }}"#),
];
/// What a copy holds of its own, by the example that all may have.
const SECRETS: [(&str, &str); 2] = [(".dev.vars", ".dev.vars.example"), (".env", ".env.example")];

/// `metadata/spin-template.toml`.
#[derive(Serialize)]
struct Metadata {
    manifest_version: &'static str,
    id: String,
    description: String,
    tags: [&'static str; 2],
}

/// `cargo-generate.toml` beside `templates/`.
#[derive(Serialize)]
struct Generate {
    template: SubTemplates,
}

#[derive(Serialize)]
struct SubTemplates {
    sub_templates: Vec<String>,
}

/// Writes the source to this path, which must not exist: a folder, or an archive where it ends in `.tar.gz`.
pub fn write(project: &Project, choice: Choice, path: &Path) -> Result<()> {
    let is_archive = is_archive(path);
    let folder = if is_archive { path.with_extension("part") } else { path.to_owned() };
    let outcome = fill(project, choice, &folder).and_then(|()| if is_archive { pack(&folder, path) } else { Ok(()) });
    if is_archive || outcome.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_dir_all(&folder);
    }
    outcome
}

/// Whether an archive is wanted there, as `spin templates install --tar` takes it.
pub fn is_archive(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path.ends_with(".tar.gz"))
}

fn fill(project: &Project, choice: Choice, folder: &Path) -> Result<()> {
    let mut sub_templates = Vec::new();
    for template in Template::all(project)? {
        let place = format!("templates/{}", template.name);
        let content = format!("{place}/content");
        if choice.has(Platform::Spin) {
            let metadata = toml::to_string(&metadata(&template)?)?;
            tree::write(&Tree::from([("metadata/spin-template.toml".into(), metadata.into())]), &folder.join(place))?;
        }
        tree::write(&files(project, template, choice, &folder.join(&content))?, &folder.join(&content))?;
        sub_templates.push(content);
    }
    let generate = toml::to_string(&Generate { template: SubTemplates { sub_templates } })?;
    Ok(fs::write(folder.join("cargo-generate.toml"), generate)?)
}

fn metadata(template: &Template) -> Result<Metadata> {
    #[derive(Deserialize)]
    struct Manifest {
        package: Package,
    }
    #[derive(Deserialize)]
    struct Package {
        description: String,
    }
    let manifest: Manifest = toml::from_str(&fs::read_to_string(template.folder.join("Cargo.toml"))?)?;
    Ok(Metadata { manifest_version: "1", id: template.package(), description: manifest.package.description, tags: ["tidewire", "realtime"] })
}

/// The files of a copy whose name is open. Cargo cuts the lock file in `folder`, as it does for a copy.
fn files(project: &Project, template: Template, choice: Choice, folder: &Path) -> Result<Tree> {
    let name = Name::parse(OPEN[0].0, &Lock::read(project)?)?;
    let mut files = Copy { project, template, name, choice }.files()?;
    for (secret, example) in SECRETS {
        if let Some(example) = files.get(Path::new(example)).cloned() {
            files.insert(secret.into(), example);
        }
    }
    tree::write(&files, folder)?;
    cut_lock(folder)?;
    let lock = PathBuf::from("Cargo.lock");
    let cut = fs::read(folder.join(&lock))?;
    files.insert(lock, cut);
    Ok(files.into_iter().map(|(path, contents)| (path, opened(contents))).collect())
}

/// With the name as Liquid fills it in. Bytes that are no text are left as they are, by Liquid too.
fn opened(contents: Vec<u8>) -> Vec<u8> {
    let text = match String::from_utf8(contents) {
        Ok(text) => text,
        Err(error) => return error.into_bytes(),
    };
    let mut opened = String::new();
    let mut rest = text.as_str();
    while let Some((at, open, liquid)) = OPEN.iter().filter_map(|(open, liquid)| Some((rest.find(open)?, open, liquid))).min() {
        opened += &raw(&rest[..at]);
        opened += liquid;
        rest = &rest[at + open.len()..];
    }
    (opened + &raw(rest)).into()
}

fn raw(text: &str) -> String {
    let is_liquid = ["{{", "{%"].iter().any(|mark| text.contains(mark)) || text.ends_with('{');
    if is_liquid { format!("{{% raw %}}{text}{{% endraw %}}") } else { text.to_owned() }
}

/// With `templates/` at its top, where Spin looks for it.
fn pack(folder: &Path, archive: &Path) -> Result<()> {
    let output = Command::new("tar")
        .arg("-czf")
        .arg(std::path::absolute(archive)?)
        .args(["templates", "cargo-generate.toml"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .context("tar is missing")?;
    if !output.status.success() {
        bail!("tar cannot write {}: {}", archive.display(), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
