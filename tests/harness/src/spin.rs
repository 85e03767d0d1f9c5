//! The commands of the Spin platform: they build the components and serve them.
//!
//! No package registry has `spin`. Therefore a machine without `spin` serves the same manifest by
//! tests/spin-host.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result};
use toml::{Table, Value};

use crate::project::Project;
use crate::rust::{self, WASI};
use crate::{program, step};

/// The first release of Spin that runs components of spin-sdk 7.
const OLDEST: (u64, u64) = (4, 1);

/// The program that serves a Spin application on this machine.
pub enum Runtime {
    /// The `spin` on PATH, with its version.
    Spin(PathBuf, String),
    /// tests/spin-host.
    OurHost,
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spin(program, version) => write!(f, "{} {version}", program.display()),
            Self::OurHost => f.write_str("tests/spin-host, since no spin 4.1 or newer is on PATH"),
        }
    }
}

impl Runtime {
    pub fn here() -> Self {
        Self::real().map_or(Self::OurHost, |(program, version)| Self::Spin(program, version))
    }

    /// The real Spin and its version.
    ///
    /// # Errors
    /// When PATH has no `spin` that runs our components.
    pub fn real() -> Result<(PathBuf, String)> {
        let program =
            program::find(&["spin"]).context("PATH has no spin: install Spin 4.1 or newer")?;
        let version = program::version(&program)
            .filter(|version| is_new_enough(version))
            .context("the spin on PATH is older than 4.1: install Spin 4.1 or newer")?;
        Ok((program, version))
    }

    /// Builds our host; there is nothing to build for the real Spin.
    pub fn ensure(&self, project: &Project) -> Result<()> {
        match self {
            Self::Spin(..) => Ok(()),
            Self::OurHost => step::run(
                "build the Spin host",
                &mut build_host(project),
                &project.log("build-spin-host"),
            ),
        }
    }

    /// Serves this manifest, built for development, on this port of the loopback address.
    pub fn serve(
        &self,
        project: &Project,
        manifest: &Path,
        port: u16,
        state: &Path,
        variables: &[String],
    ) -> Result<Command> {
        let variables: Vec<_> =
            variables.iter().map(|variable| lower_case_name(variable)).collect();
        let mut command = self.up(project, &declaring(manifest, &variables, state)?, port, state);
        for variable in &variables {
            command.args(["--variable", variable]);
        }
        Ok(command)
    }

    /// Builds the application of this manifest for development first.
    pub fn develop(&self, project: &Project, manifest: &Path, port: u16, state: &Path) -> Command {
        let mut command = self.up(project, manifest, port, state);
        command.arg("--build");
        command
    }

    fn up(&self, project: &Project, manifest: &Path, port: u16, state: &Path) -> Command {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port)).to_string();
        let mut command = match self {
            Self::Spin(program, _) => {
                let mut command = Command::new(program);
                command.args(["up", "--from"]).arg(manifest).arg("--state-dir").arg(state);
                command
            }
            Self::OurHost => {
                let mut command = Command::new(host(project));
                command
                    .arg("--manifest")
                    .arg(manifest)
                    .arg("--state")
                    .arg(state)
                    .arg("--cache")
                    .arg(compiled(project));
                command
            }
        };
        command.args(["--listen", &address, "--profile", "debug"]).current_dir(project.root());
        command
    }
}

/// Returns the manifest if it declares all these variables (`name=value`). Otherwise writes a copy
/// into `state` that declares them and gives them to its components.
///
/// # Errors
/// When the manifest cannot be read, or the copy cannot be written.
pub fn declaring(manifest: &Path, variables: &[String], state: &Path) -> Result<PathBuf> {
    let place = || manifest.display().to_string();
    let mut table: Table =
        toml::from_str(&fs::read_to_string(manifest).with_context(place)?).with_context(place)?;
    let declared = table.get_mut("variables").and_then(Value::as_table_mut).with_context(place)?;
    let names =
        variables.iter().map(|variable| variable.split('=').next().unwrap_or_default().to_owned());
    let absent: Vec<String> = names.filter(|name| !declared.contains_key(name)).collect();
    if absent.is_empty() {
        return Ok(manifest.to_owned());
    }
    declared.extend(
        absent.iter().map(|name| {
            (name.clone(), Table::from_iter([("default".to_owned(), "".into())]).into())
        }),
    );
    let folder = manifest.parent().with_context(place)?;
    for component in tables(table.get_mut("component")) {
        if let Some(given) = component.get_mut("variables").and_then(Value::as_table_mut) {
            given.extend(
                absent.iter().map(|name| (name.clone(), format!("{{{{ {name} }}}}").into())),
            );
        }
        absolute(component, folder);
        tables(component.get_mut("profile")).for_each(|profile| absolute(profile, folder));
    }
    let copy = state.join("spin.toml");
    fs::write(&copy, toml::to_string(&table)?).with_context(|| copy.display().to_string())?;
    Ok(copy)
}

/// The tables in a table.
fn tables(of: Option<&mut Value>) -> impl Iterator<Item = &mut Table> {
    of.and_then(Value::as_table_mut)
        .into_iter()
        .flat_map(|table| table.iter_mut())
        .filter_map(|(_, value)| value.as_table_mut())
}

/// The paths of built files are relative to the original manifest.
fn absolute(component: &mut Table, folder: &Path) {
    if let Some(source) = component.get_mut("source")
        && let Some(path) = source.as_str().map(|path| folder.join(path))
    {
        *source = path.display().to_string().into();
    }
}

/// The program of tests/spin-host.
pub fn host(project: &Project) -> PathBuf {
    host_target(project).join("debug/tidewire-spin-host")
}

/// A cargo command for tests/spin-host. It is a workspace of its own, so that no other lock file
/// and no other build contains wasmtime.
pub fn host_cargo(project: &Project, subcommand: &str) -> Command {
    let mut command = Command::new("cargo");
    command
        .args([
            subcommand,
            "--locked",
            "--manifest-path",
            "tests/spin-host/Cargo.toml",
            "--target-dir",
        ])
        .arg(host_target(project))
        .current_dir(project.root());
    // cargo sets these variables for the harness. The build script of ring would see a change and
    // build again.
    for (name, _) in env::vars_os() {
        if ["CARGO_MANIFEST_", "CARGO_PKG_"]
            .iter()
            .any(|prefix| name.to_string_lossy().starts_with(prefix))
        {
            command.env_remove(name);
        }
    }
    rust::lint(&mut command);
    command
}

/// The program of [`build_release_host`].
pub fn release_host(project: &Project) -> PathBuf {
    host_target(project).join("release/tidewire-spin-host")
}

/// Builds tests/spin-host with full optimisation, which takes minutes: for measurements.
pub fn build_release_host(project: &Project) -> Command {
    let mut command = host_cargo(project, "build");
    command.arg("--release");
    command
}

fn host_target(project: &Project) -> PathBuf {
    project.target().join("spin-host")
}

fn build_host(project: &Project) -> Command {
    host_cargo(project, "build")
}

/// The packages whose components the root manifest serves.
pub const PACKAGES: [&str; 9] = [
    "gateway",
    "chat",
    "collab",
    "devices",
    "feed",
    "notifications",
    "progress",
    "status",
    "streams",
];

/// The component of a package that [`build`] has built for deployment.
pub fn component(project: &Project, package: &str) -> PathBuf {
    project.target().join(WASI).join(format!("release/tidewire_{package}.wasm"))
}

/// The build profile, as the manifests name it.
pub enum Profile {
    /// The profile without a name: the build for deployment.
    Release,
    /// Without optimisation, for development.
    Debug,
}

/// Builds the components into the files that the manifests name.
pub fn build(project: &Project, profile: Profile) -> Command {
    let mut command = Command::new("cargo");
    command.args(["build", "--target", WASI]);
    match profile {
        Profile::Release => command.arg("--release"),
        Profile::Debug => rust::lint(&mut command),
    };
    for package in PACKAGES {
        command.args(["--package", &format!("tidewire-{package}")]);
    }
    command.current_dir(project.root());
    command
}

/// Compiles the components of this manifest for our host, so that no test waits for it.
pub fn compile(project: &Project, host: &Path, manifest: &Path) -> Command {
    let mut command = Command::new(host);
    command.args(["--compile", "--manifest"]).arg(manifest);
    command
        .arg("--state")
        .arg(project.output().join("state"))
        .arg("--cache")
        .arg(compiled(project));
    command
}

/// The folder of the components that our host has compiled; `tests/harness/server.ts` names the
/// same folder.
fn compiled(project: &Project) -> PathBuf {
    project.output().join("compiled")
}

/// Spin's variables have the names of the settings in lower case.
fn lower_case_name(variable: &str) -> String {
    match variable.split_once('=') {
        Some((name, value)) => format!("{}={value}", name.to_lowercase()),
        None => variable.to_lowercase(),
    }
}

fn is_new_enough(version: &str) -> bool {
    let mut parts = version.split(['.', '-', '+']).map_while(|part| part.parse::<u64>().ok());
    matches!((parts.next(), parts.next()), (Some(major), Some(minor)) if (major, minor) >= OLDEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_versions_that_run_our_components() {
        for version in ["4.1.0", "4.1.0-pre0", "4.12.3", "5.0.0"] {
            assert!(is_new_enough(version), "{version}");
        }
        for version in ["4.0.2", "3.9.9", "four"] {
            assert!(!is_new_enough(version), "{version}");
        }
    }

    #[test]
    fn a_variable_changes_its_name_and_not_its_value() {
        assert_eq!(lower_case_name("OPEN_ACCESS=True=X"), "open_access=True=X");
    }
}
