//! `cargo harness new`: makes a project of a template, and upgrades such a project.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::copy::name::Name;
use crate::copy::template::Template;
use crate::copy::{Copy, source, vendor};
use crate::lock::Lock;
use crate::platform::{Choice, Platform};
use crate::project::Project;

#[derive(Args)]
pub struct New {
    /// Folder of functions/ to copy, such as `feed`.
    #[arg(required_unless_present_any = ["upgrade", "templates"])]
    pub template: Option<String>,
    /// Folder to make, outside this repository.
    #[arg(required_unless_present_any = ["upgrade", "templates"])]
    pub path: Option<PathBuf>,
    /// Name of the crate, the Worker and the Spin application [default: the folder's].
    #[arg(long)]
    pub name: Option<String>,
    /// Platforms that the copy supports.
    #[arg(long, value_enum, default_value_t = Choice::Both)]
    pub platform: Choice,
    /// Replace the vendor/ of this copy by the shared crates of this repository, and nothing else.
    #[arg(long, value_name = "PATH", conflicts_with_all = ["template", "path", "name", "platform"])]
    pub upgrade: Option<PathBuf>,
    /// Write all templates as a source for `spin templates install` (`spin new`, `spin add`) and
    /// `cargo generate`: an archive if PATH ends in .tar.gz, else a folder.
    #[arg(long, value_name = "PATH", conflicts_with_all = ["template", "path", "name", "upgrade"])]
    pub templates: Option<PathBuf>,
}

/// Makes the copy, or upgrades one.
pub fn run(project: &Project, new: &New) -> Result<()> {
    match new {
        New { upgrade: Some(path), .. } => upgrade(project, path),
        New { templates: Some(path), .. } => offer(project, new.platform, path),
        New { template: Some(template), path: Some(path), .. } => {
            make(project, new, template, path)
        }
        _ => bail!(
            "name a template and the folder to make, such as `cargo harness new feed ../my-feed`"
        ),
    }
}

fn make(project: &Project, new: &New, template: &str, path: &Path) -> Result<()> {
    let template = Template::find(project, template)?;
    let folder = place(project, path)?;
    let own =
        folder.file_name().context("PATH must end with the name of a folder")?.to_string_lossy();
    let name = Name::parse(new.name.as_deref().unwrap_or(&own), &Lock::read(project)?)?;
    println!("{name} in {}, from the template {}", path.display(), template.name);
    let function = template.name.clone();
    Copy { project, template, name, choice: new.platform }.write(&folder)?;
    let install = if new.platform.has(Platform::Workers) { " && npm install" } else { "" };
    println!("next: cd {}{install} && npm run dev", path.display());
    println!(
        "channels under demo- are open; a ticket for another: node vendor/client/bin/tidewire token --function {function} --channel room-1 --rights read,publish"
    );
    Ok(())
}

/// The folder of the copy.
///
/// # Errors
/// When the folder exists already, or lies in this repository, which would list it among its
/// templates and tests.
fn place(project: &Project, path: &Path) -> Result<PathBuf> {
    let folder = std::path::absolute(path)?;
    if folder.symlink_metadata().is_ok() {
        bail!(
            "{} exists already: choose another folder, or replace the vendor/ of a copy with --upgrade",
            path.display()
        );
    }
    // The nearest folder that exists shows where the path really leads, across `..` and links.
    let nearest =
        folder.ancestors().find_map(|folder| folder.canonicalize().ok()).unwrap_or_default();
    let root = project.root().canonicalize()?;
    // The tests make their copies in `target`, which git ignores.
    if nearest.starts_with(&root) && !nearest.starts_with(root.join("target")) {
        bail!("{} lies inside this repository: choose a folder outside of it", path.display());
    }
    Ok(folder)
}

fn offer(project: &Project, choice: Choice, path: &Path) -> Result<()> {
    source::write(project, choice, &place(project, path)?)?;
    let place = path.display();
    let is_archive = source::is_archive(path);
    if choice.has(Platform::Spin) {
        let from = if is_archive { "--tar URL".to_owned() } else { format!("--dir {place}") };
        println!("spin templates install {from} && spin new -t tidewire-feed my-feed");
        println!(
            "spin add -t tidewire-status live-status    # into the application of this folder"
        );
    }
    if !is_archive {
        println!("cargo generate --path {place} templates/feed/content --name my-feed");
    }
    Ok(())
}

fn upgrade(project: &Project, path: &Path) -> Result<()> {
    let changes = vendor::upgrade(project, path)?;
    if changes.is_empty() {
        println!("vendor/ of {} is up to date", path.display());
        return Ok(());
    }
    println!("{}", changes.join("\n"));
    println!(
        "next: build, which updates Cargo.lock, and read in our CHANGELOG.md what else a copy must change"
    );
    Ok(())
}
