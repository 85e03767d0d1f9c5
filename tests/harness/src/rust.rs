//! The targets of rustup for which functions are compiled.

use std::env;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::platform::{Choice, Platform};
use crate::project::Project;
use crate::step;

/// The target for Spin.
pub const WASI: &str = "wasm32-wasip2";

/// The target for Workers.
pub const WORKERS: &str = "wasm32-unknown-unknown";

/// The targets for which functions are compiled.
pub const TARGETS: [&str; 2] = [WORKERS, WASI];

/// CI sets this variable: then a build for this machine or for development lints our crates as
/// well, and a warning fails the build.
const LINT: &str = "TIDEWIRE_LINT";

/// Replaces the compiler by clippy for our own crates, if [`LINT`] is set: a separate lint would
/// check all dependencies once more.
pub fn lint(command: &mut Command) -> &mut Command {
    if env::var_os(LINT).is_some() {
        command
            .env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver")
            .env("CLIPPY_ARGS", "-D__CLIPPY_HACKERY__warnings");
    }
    command
}

/// Adds the targets of these platforms that are missing.
pub fn ensure_targets(project: &Project, choice: Choice) -> Result<()> {
    let installed = installed_targets()?;
    for &platform in choice.platforms() {
        let target = match platform {
            Platform::Workers => WORKERS,
            Platform::Spin => WASI,
        };
        if !installed.iter().any(|name| name == target) {
            let mut command = Command::new("rustup");
            command.args(["target", "add", target]).current_dir(project.root());
            step::run(&format!("rustup target add {target}"), &mut command, &project.log(target))?;
        }
    }
    Ok(())
}

pub fn installed_targets() -> Result<Vec<String>> {
    let output = Command::new("rustup")
        .args(["target", "list", "--installed"])
        .stderr(Stdio::inherit())
        .output()
        .context("rustup is missing: install it from https://rustup.rs")?;
    if !output.status.success() {
        bail!("`rustup target list --installed` failed ({})", output.status);
    }
    Ok(String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect())
}
