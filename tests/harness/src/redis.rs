//! The components of Spin that store their channels in Redis, and a server for them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::group::Group;
use crate::project::Project;
use crate::rust::WASI;
use crate::spin::{self, PACKAGES, Profile};
use crate::{port, program, setup, signal, step};

/// How often the harness asks a starting server whether it answers.
const ASK: Duration = Duration::from_millis(20);

/// Builds the components without optimisation, and puts them where no other build replaces them.
pub fn build(project: &Project) -> Result<()> {
    let mut command = spin::build(project, Profile::Debug);
    command.args(["--features", "tidewire-spin/redis"]);
    let log = project.log("build-spin-redis");
    step::run("build the Spin components for Redis", &mut command, &log)?;
    let folder = folder(project);
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    for package in PACKAGES {
        let name = format!("tidewire_{package}.wasm");
        let built = project.target().join(WASI).join("debug").join(&name);
        fs::copy(&built, folder.join(&name)).with_context(|| built.display().to_string())?;
    }
    Ok(())
}

/// The folder of the components; `tests/harness/server.ts` names the same folder.
fn folder(project: &Project) -> PathBuf {
    project.output().join("redis")
}

/// Writes the root manifest for these components, as `functions/README.md` changes it.
pub fn manifest(project: &Project) -> Result<PathBuf> {
    let folder = folder(project);
    let text = fs::read_to_string(project.root().join("spin.toml")).context("spin.toml")?;
    let file = folder.join("spin.toml");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    fs::write(&file, on_redis(&text, &folder)).with_context(|| file.display().to_string())?;
    Ok(file)
}

/// Other sources, no database of SQLite, and the server with a way to it.
#[must_use]
pub fn on_redis(manifest: &str, folder: &Path) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in manifest.lines() {
        let source = line.strip_prefix("source = \"").and_then(|rest| rest.strip_suffix('"'));
        if let Some(name) = source.and_then(|path| Path::new(path).file_name()) {
            lines.push(format!("source = \"{}\"", folder.join(name).display()));
        } else if let Some(grants) =
            line.strip_prefix("allowed_outbound_hosts = [").and_then(|rest| rest.strip_suffix(']'))
        {
            lines.pop_if(|before| before.starts_with("sqlite_databases"));
            lines.push(format!("allowed_outbound_hosts = [{grants}, \"{{{{ store_origin }}}}\"]"));
        } else if let Some(given) = line.strip_prefix("variables = {") {
            lines.push(format!("variables = {{ store = \"{{{{ store }}}}\",{given}"));
        } else {
            lines.push(line.to_owned());
        }
        if line == "[variables]" {
            lines.push("store = { default = \"\", secret = true }".to_owned());
            lines.push("store_origin = { default = \"redis://127.0.0.1\" }".to_owned());
        }
    }
    lines.join("\n") + "\n"
}

/// A running `redis-server` with its data in a folder. Dropping it ends it.
pub struct Server {
    group: Group,
    port: u16,
}

impl Server {
    /// Starts it on a free port, and returns when it answers.
    pub fn start(state: &Path) -> Result<Self> {
        let Some(program) = program::find(&[setup::REDIS]) else {
            bail!("{}", setup::WITHOUT_REDIS);
        };
        let folder = state.join("redis");
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let port = port::claim(0)?;
        let mut command = Command::new(program);
        command
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""])
            .args(["--appendonly", "yes", "--appendfsync", "always", "--dir"])
            .arg(&folder)
            .stdin(Stdio::null());
        let log = folder.join("redis.log");
        let mut group = Group::spawn(step::output_to(&mut command, &log)?)?;
        while !port::is_open(port) {
            if let Some(status) = group.try_wait()? {
                bail!("redis-server ended by itself ({status}):\n{}", step::excerpt(&log));
            }
            signal::wait_or_interrupted(ASK)?;
        }
        Ok(Self { group, port })
    }

    /// The variables of Spin that lead to it, as NAME=VALUE.
    pub fn variables(&self) -> [String; 2] {
        let address = format!("redis://127.0.0.1:{}", self.port);
        [format!("store={address}"), format!("store_origin={address}")]
    }

    /// Ends the server. Its data stays.
    pub fn stop(mut self) -> Result<()> {
        self.group.stop().map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_of_channels_gets_the_server_instead_of_the_database() {
        let manifest = "[variables]\n\n[component.gallery]\nsource = \"target/wasm32-wasip2/release/a.wasm\"\nsqlite_databases = [\"default\"]\n\n[component.feed]\nsource = \"target/wasm32-wasip2/release/b.wasm\"\nsqlite_databases = [\"default\"]\nallowed_outbound_hosts = [\"{{ jwks_origin }}\"]\nvariables = { a = \"{{ a }}\" }\n";
        let changed = "[variables]\nstore = { default = \"\", secret = true }\nstore_origin = { default = \"redis://127.0.0.1\" }\n\n[component.gallery]\nsource = \"/built/a.wasm\"\nsqlite_databases = [\"default\"]\n\n[component.feed]\nsource = \"/built/b.wasm\"\nallowed_outbound_hosts = [\"{{ jwks_origin }}\", \"{{ store_origin }}\"]\nvariables = { store = \"{{ store }}\", a = \"{{ a }}\" }\n";
        assert_eq!(on_redis(manifest, Path::new("/built")), changed);
    }
}
