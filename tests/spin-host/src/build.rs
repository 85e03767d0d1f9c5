//! Runs the build commands of the manifest, as `spin build` does.

use std::path::Path;
use std::process::Command;

use wasmtime::error::Context;
use wasmtime::{Result, ensure};

use crate::manifest::Manifest;

/// Runs each component's commands in its working directory, one after another.
///
/// # Errors
///
/// When a command cannot be started or fails.
pub fn build(manifest: &Manifest, directory: &Path) -> Result<()> {
    for (id, component) in &manifest.component {
        let Some(build) = &component.build else { continue };
        let workdir =
            build.workdir.as_ref().map_or(directory.to_owned(), |workdir| directory.join(workdir));
        for command in build.command.as_slice() {
            eprintln!("building {id}: {command}");
            let status = Command::new("sh")
                .args(["-c", command])
                .current_dir(&workdir)
                .status()
                .with_context(|| format!("cannot run {command:?}"))?;
            ensure!(status.success(), "the build command of {id} failed: {command}");
        }
    }
    Ok(())
}
