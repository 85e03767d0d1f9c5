//! A source of templates for `spin templates install` and `cargo generate`: a copy of each template
//! with a placeholder for its name.
//!
//! Both insert the name by Liquid, which parses every file. Therefore text of ours that looks like
//! Liquid is marked as raw. `spin add` reads the same files; only in `spin add` `http-path` has a
//! value.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::component::{self, FOLDER, PARENT, ROUTE};
use super::name::Name;
use super::template::Template;
use super::tree::{self, Tree};
use super::{Copy, cut_lock};
use crate::lock::Lock;
use crate::platform::{Choice, Platform};
use crate::project::Project;

/// Each placeholder, and the Liquid that replaces it: the name as cargo spells it and as Rust
/// spells it, and the place of a component.
const OPEN: [(&str, &str); 8] = [
    ("name-left-open", r#"{{ project-name | downcase | replace: " ", "-" | replace: "_", "-" }}"#),
    ("name_left_open", r#"{{ project-name | downcase | replace: " ", "_" | replace: "-", "_" }}"#),
    (IS_ADDED, "{% if http-path %}"),
    (IS_NEW, "{% else %}"),
    (END, "{% endif %}"),
    (FOLDER, "{{ output-path }}"),
    (
        PARENT,
        r#"{% assign folders = output-path | split: "/" %}{% for folder in folders %}{% unless folder == "." or folder == "" %}../{% endunless %}{% endfor %}"#,
    ),
    (
        ROUTE,
        r#"{% if http-path == "" %}/{{ project-name | downcase | replace: " ", "-" | replace: "_", "-" }}{% else %}{{ http-path | remove: "/..." }}{% endif %}"#,
    ),
];
/// Begins text that only a component has.
const IS_ADDED: &str = "left-open-if-added";
/// Ends that text, and begins text that only a new project has.
const IS_NEW: &str = "left-open-if-new";
const END: &str = "left-open-end";
/// Makes the rendering fail, before Spin writes anything: Liquid has no other way to refuse a name.
const REFUSE: &str = "{% if taken contains name %}{% assign problem = name | append: \" is a reserved word or a crate that components are built with: choose another name\" %}{% include problem %}{% endif %}";
/// The parameter that only `spin add` asks for.
const PATH: &str = "http-path";
/// A variable that every application with a Tidewire component has.
const SETTING: &str = "variables.ticket_keys";
/// Each file with secrets of a copy, and the example that stands for it in a template.
const SECRETS: [(&str, &str); 2] = [(".dev.vars", ".dev.vars.example"), (".env", ".env.example")];

/// `metadata/spin-template.toml`.
#[derive(Serialize)]
struct Metadata {
    manifest_version: &'static str,
    id: String,
    description: String,
    tags: [&'static str; 2],
    new_application: Variant,
    add_component: Variant,
    parameters: BTreeMap<&'static str, Parameter>,
}

/// How one of Spin's commands uses the template.
#[derive(Default, Serialize)]
struct Variant {
    skip_files: Vec<PathBuf>,
    skip_parameters: Vec<&'static str>,
    snippets: BTreeMap<&'static str, &'static str>,
    conditions: BTreeMap<&'static str, Conditional>,
}

#[derive(Serialize)]
struct Conditional {
    condition: Condition,
    skip_files: Vec<PathBuf>,
    skip_snippets: Vec<&'static str>,
}

#[derive(Serialize)]
struct Condition {
    manifest_entry_exists: &'static str,
}

#[derive(Serialize)]
struct Parameter {
    r#type: &'static str,
    prompt: &'static str,
    default: &'static str,
    pattern: &'static str,
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

/// Writes the source to this path, which must not exist: an archive if the path ends in `.tar.gz`,
/// else a folder.
pub fn write(project: &Project, choice: Choice, path: &Path) -> Result<()> {
    let is_archive = is_archive(path);
    let folder = if is_archive { path.with_extension("part") } else { path.to_owned() };
    let outcome = fill(project, choice, &folder)
        .and_then(|()| if is_archive { pack(&folder, path) } else { Ok(()) });
    if is_archive || outcome.is_err() {
        // The first error is the cause; this one would hide it.
        let _ = fs::remove_dir_all(&folder);
    }
    outcome
}

/// Whether the path names an archive, as `spin templates install --tar` reads it.
pub fn is_archive(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path.ends_with(".tar.gz"))
}

fn fill(project: &Project, choice: Choice, folder: &Path) -> Result<()> {
    let mut sub_templates = Vec::new();
    for template in Template::all(project)? {
        let place = format!("templates/{}", template.name);
        let content = format!("{place}/content");
        let mut files = files(project, &template, choice, &folder.join(&content))?;
        if choice.has(Platform::Spin) {
            let metadata = join(&mut files, project, &template)?;
            tree::write(&metadata, &folder.join(&place).join("metadata"))?;
        }
        let files = files.into_iter().map(|(path, contents)| (path, opened(contents))).collect();
        tree::write(&files, &folder.join(&content))?;
        sub_templates.push(content);
    }
    let generate = toml::to_string(&Generate { template: SubTemplates { sub_templates } })?;
    Ok(fs::write(folder.join("cargo-generate.toml"), generate)?)
}

/// Adds to the files of a copy the variants that a component needs, and returns the metadata that
/// Spin reads.
fn join(files: &mut Tree, project: &Project, template: &Template) -> Result<Tree> {
    let lock = Lock::read(project)?;
    let name = open_name(&lock)?;
    let template = Template::find(project, &template.name)?;
    let copy = Copy { project, template, name, choice: Choice::Spin };
    let alone = copy.files()?;
    let joined = component::files(&alone, &copy.name)?;
    let skip_files = files.keys().filter(|path| !joined.contains_key(*path)).cloned().collect();
    let vendored = joined.keys().filter(|path| path.starts_with("vendor")).cloned().collect();
    let metadata = toml::to_string(&metadata(&copy.template, skip_files, vendored)?)?;
    for (path, contents) in joined {
        // The lock file is cut already, and cargo removes from it what a component does not need.
        if path != Path::new("Cargo.lock") {
            let own = files
                .insert(path.clone(), contents.clone())
                .with_context(|| format!("a copy has no {}", path.display()))?;
            if own != contents {
                files.insert(
                    path,
                    [IS_ADDED.as_bytes(), &contents, IS_NEW.as_bytes(), &own, END.as_bytes()]
                        .concat(),
                );
            }
        }
    }
    let taken = component::taken(&lock);
    let refusal = format!(
        "{{% assign name = {} %}}{{% assign taken = \"{taken}\" | split: \",\" %}}{REFUSE}",
        OPEN[0].1.trim_matches(['{', '}', ' '])
    );
    let snippet = [refusal.into_bytes(), opened(component::component(&alone)?.into())].concat();
    Ok(Tree::from([
        ("spin-template.toml".into(), metadata.into()),
        ("snippets/component.txt".into(), snippet),
        ("snippets/variables.txt".into(), component::variables(&alone)?.into()),
    ]))
}

fn metadata(
    template: &Template,
    skip_files: Vec<PathBuf>,
    vendored: Vec<PathBuf>,
) -> Result<Metadata> {
    #[derive(Deserialize)]
    struct Manifest {
        package: Package,
    }
    #[derive(Deserialize)]
    struct Package {
        description: String,
    }
    let manifest: Manifest =
        toml::from_str(&fs::read_to_string(template.folder.join("Cargo.toml"))?)?;
    // A second component changes no setting, and finds `vendor/` where the first component put it.
    let is_second = Conditional {
        condition: Condition { manifest_entry_exists: SETTING },
        skip_files: vendored,
        skip_snippets: vec!["variables"],
    };
    let add_component = Variant {
        skip_files,
        snippets: [("component", "component.txt"), ("variables", "variables.txt")].into(),
        conditions: [("second", is_second)].into(),
        ..Variant::default()
    };
    let path = Parameter {
        r#type: "string",
        prompt: "HTTP path (empty: /NAME/...)",
        default: "",
        pattern: r"^((/\S+)?/\.\.\.)?$",
    };
    Ok(Metadata {
        manifest_version: "1",
        id: template.package(),
        description: manifest.package.description,
        tags: ["tidewire", "realtime"],
        new_application: Variant { skip_parameters: vec![PATH], ..Variant::default() },
        add_component,
        parameters: [(PATH, path)].into(),
    })
}

/// The files of a copy with the placeholder as its name. Cargo cuts the lock file in `folder`, as
/// it does for a copy.
fn files(project: &Project, template: &Template, choice: Choice, folder: &Path) -> Result<Tree> {
    let name = open_name(&Lock::read(project)?)?;
    let mut files =
        Copy { project, template: Template::find(project, &template.name)?, name, choice }
            .files()?;
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
    Ok(files)
}

fn open_name(lock: &Lock) -> Result<Name> {
    Name::parse(OPEN[0].0, lock)
}

/// Replaces the placeholders by Liquid. Files that are not UTF-8 text stay unchanged; Liquid does
/// not touch them either.
fn opened(contents: Vec<u8>) -> Vec<u8> {
    let text = match String::from_utf8(contents) {
        Ok(text) => text,
        Err(error) => return error.into_bytes(),
    };
    let mut opened = String::new();
    let mut rest = text.as_str();
    while let Some((at, open, liquid)) =
        OPEN.iter().filter_map(|(open, liquid)| Some((rest.find(open)?, open, liquid))).min()
    {
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

/// Packs the folder, with `templates/` at the top, where Spin looks for it.
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
        bail!(
            "tar cannot write {}: {}",
            archive.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}
