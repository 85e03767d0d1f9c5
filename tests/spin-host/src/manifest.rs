//! Parses `spin.toml`, manifest version 2, as strictly as Spin does.
//!
//! The host refuses by name every feature of Spin that it does not offer; it never ignores one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;
use wasmtime::error::Context;
use wasmtime::{Result, bail, ensure};

use crate::variables::check_name;

/// A whole `spin.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    spin_manifest_version: u32,
    pub application: Application,
    #[serde(default)]
    pub variables: BTreeMap<String, Variable>,
    trigger: Triggers,
    #[serde(default)]
    pub component: BTreeMap<String, Component>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Application {
    pub name: String,
    #[serde(rename = "version")]
    _version: Option<String>,
    #[serde(rename = "description")]
    _description: Option<String>,
    #[serde(rename = "authors", default)]
    _authors: Vec<String>,
    #[serde(rename = "targets")]
    _targets: Option<IgnoredAny>,
    #[serde(rename = "tool")]
    _tool: Option<IgnoredAny>,
}

/// An application variable. Components see it only through their own `variables`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    #[serde(rename = "description")]
    _description: Option<String>,
    #[serde(default)]
    pub required: bool,
    pub default: Option<String>,
    #[serde(rename = "secret", default)]
    _secret: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Triggers {
    #[serde(default)]
    http: Vec<HttpTrigger>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpTrigger {
    #[serde(rename = "id")]
    _id: Option<String>,
    pub route: Route,
    #[serde(default)]
    pub component: String,
    static_response: Option<IgnoredAny>,
    executor: Option<Executor>,
}

/// `"/a/..."`, or `{ private = true }` for a component that no outside request reaches.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Route {
    Public(String),
    Private(Private),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Private {
    private: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Executor {
    r#type: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    source: Source,
    #[serde(rename = "description")]
    _description: Option<String>,
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    #[serde(default)]
    files: Vec<IgnoredAny>,
    #[serde(default)]
    exclude_files: Vec<IgnoredAny>,
    #[serde(default)]
    allowed_http_hosts: Vec<IgnoredAny>,
    #[serde(default)]
    pub allowed_outbound_hosts: Vec<String>,
    #[serde(default)]
    key_value_stores: Vec<String>,
    #[serde(default)]
    pub sqlite_databases: Vec<String>,
    #[serde(default)]
    ai_models: Vec<String>,
    #[serde(rename = "targets")]
    _targets: Option<IgnoredAny>,
    pub build: Option<Build>,
    #[serde(rename = "tool")]
    _tool: Option<IgnoredAny>,
    #[serde(rename = "dependencies_inherit_configuration")]
    _dependencies_inherit_configuration: Option<bool>,
    #[serde(default)]
    dependencies: BTreeMap<String, IgnoredAny>,
    #[serde(default)]
    profile: BTreeMap<String, Profile>,
}

/// The fields that a named build profile replaces in a component.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Profile {
    source: Option<Source>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default)]
    dependencies: BTreeMap<String, IgnoredAny>,
    build: Option<ProfileBuild>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileBuild {
    command: Commands,
}

/// A file, by its path relative to the manifest, or a remote source, which this host refuses.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Source {
    File(PathBuf),
    Remote(IgnoredAny),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    pub command: Commands,
    pub workdir: Option<PathBuf>,
    #[serde(rename = "watch", default)]
    _watch: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Commands {
    One(String),
    Many(Vec<String>),
}

impl Commands {
    pub fn as_slice(&self) -> &[String] {
        match self {
            Self::One(command) => std::slice::from_ref(command),
            Self::Many(commands) => commands,
        }
    }
}

impl Manifest {
    /// # Errors
    ///
    /// When the file cannot be read, has a field that Spin does not know, or needs a feature that
    /// this host does not offer.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the manifest {}", path.display()))?;
        text.parse::<Self>().with_context(|| format!("invalid manifest {}", path.display()))
    }

    /// The manifest in this build profile, as `spin up --profile` reads it. A component without the
    /// profile stays unchanged.
    ///
    /// # Errors
    ///
    /// When no component has the profile, or the profile needs a feature that this host does not
    /// offer.
    pub fn in_profile(mut self, name: &str) -> Result<Self> {
        ensure!(
            self.component.values().any(|component| component.profile.contains_key(name)),
            "Profile {name} is not defined in this application"
        );
        for component in self.component.values_mut() {
            if let Some(profile) = component.profile.remove(name) {
                component.apply(profile);
            }
        }
        self.check()?;
        Ok(self)
    }

    pub fn triggers(&self) -> &[HttpTrigger] {
        &self.trigger.http
    }

    fn check(&self) -> Result<()> {
        ensure!(
            self.spin_manifest_version == 2,
            "spin_manifest_version is {}: this host supports only 2",
            self.spin_manifest_version
        );
        for (name, variable) in &self.variables {
            check_name(name).with_context(|| format!("variable {name:?}"))?;
            ensure!(
                variable.required != variable.default.is_some(),
                "variable {name:?} needs either `required = true` or a `default`"
            );
        }
        for trigger in &self.trigger.http {
            trigger.check()?;
            ensure!(
                self.component.contains_key(&trigger.component),
                "a trigger names the component {:?}, which is not defined",
                trigger.component
            );
        }
        for (id, component) in &self.component {
            check_id(id).with_context(|| format!("component {id:?}"))?;
            component.check().with_context(|| format!("component {id:?}"))?;
        }
        Ok(())
    }
}

impl std::str::FromStr for Manifest {
    type Err = wasmtime::Error;

    fn from_str(text: &str) -> Result<Self> {
        let manifest: Self = toml::from_str(text)?;
        manifest.check()?;
        Ok(manifest)
    }
}

/// Spin accepts only `kebab-case` here. Without this check a name with an underscore would run on
/// this host and not on Spin.
fn check_id(id: &str) -> Result<()> {
    for word in id.split('-') {
        ensure!(
            word.starts_with(|c: char| c.is_ascii_alphabetic()),
            "an identifier's words are separated by single '-' and start with an ASCII letter"
        );
        let one_case = word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
            || word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        ensure!(one_case, "an identifier's words are letters of one case and digits");
    }
    Ok(())
}

impl HttpTrigger {
    fn check(&self) -> Result<()> {
        if self.static_response.is_some() {
            bail!("a trigger has a `static_response`, which this host does not offer");
        }
        if let Route::Private(Private { private: false }) = self.route {
            bail!("a route must be a pattern or {{ private = true }}");
        }
        match &self.executor {
            Some(executor) if executor.r#type != "http" => {
                bail!(
                    "a trigger needs the executor {:?}: this host offers only `http`",
                    executor.r#type
                )
            }
            _ => Ok(()),
        }
    }
}

impl Component {
    /// # Errors
    ///
    /// When the source is not a file.
    pub fn file(&self) -> Result<&Path> {
        match &self.source {
            Source::File(path) => Ok(path),
            Source::Remote(_) => {
                bail!("a `source` from a URL or registry is not offered by this host")
            }
        }
    }

    fn apply(&mut self, profile: Profile) {
        if let Some(source) = profile.source {
            self.source = source;
        }
        self.environment.extend(profile.environment);
        self.dependencies.extend(profile.dependencies);
        if let Some(ProfileBuild { command }) = profile.build {
            let build = self.build.get_or_insert_with(|| Build {
                command: Commands::Many(Vec::new()),
                workdir: None,
                _watch: Vec::new(),
            });
            build.command = command;
        }
    }

    fn check(&self) -> Result<()> {
        self.file()?;
        let refused = [
            ("files", self.files.is_empty()),
            ("exclude_files", self.exclude_files.is_empty()),
            ("allowed_http_hosts", self.allowed_http_hosts.is_empty()),
            ("key_value_stores", self.key_value_stores.is_empty()),
            ("ai_models", self.ai_models.is_empty()),
            ("dependencies", self.dependencies.is_empty()),
        ];
        for (what, absent) in refused {
            ensure!(
                absent,
                "`{what}` is not offered by this host; run the application with Spin itself"
            );
        }
        for database in &self.sqlite_databases {
            ensure!(
                database == "default",
                "the SQLite database {database:?} needs a runtime configuration: this host offers only `default`"
            );
        }
        for name in self.variables.keys() {
            check_name(name).with_context(|| format!("variable {name:?}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = r#"
        spin_manifest_version = 2
        [application]
        name = "app"
        version = "0.1.0"
        [variables]
        key = { required = true, secret = true }
        page = { default = "25" }
        [[trigger.http]]
        route = "/a/..."
        component = "a"
        [[trigger.http]]
        route = { private = true }
        component = "a"
        [component.a]
        source = "a.wasm"
        sqlite_databases = ["default"]
        variables = { page = "{{ page }}" }
        [component.a.build]
        command = ["one", "two"]
        workdir = "a"
        watch = ["src/**/*.rs"]
        [component.a.profile.debug]
        source = "debug/a.wasm"
        build.command = "three"
    "#;

    fn complaint(line: &str) -> String {
        format!("{:#}", format!("{BASE}\n{line}").parse::<Manifest>().expect_err(line))
    }

    #[test]
    fn reads_what_an_application_of_ours_needs() {
        let manifest: Manifest = BASE.parse().expect("valid");
        assert_eq!(manifest.triggers().len(), 2);
        let build = manifest.component["a"].build.as_ref().expect("a build");
        assert_eq!(build.command.as_slice(), ["one", "two"]);
    }

    #[test]
    fn a_profile_stands_in_place_of_what_it_names() {
        let read = || BASE.parse::<Manifest>().expect("valid");
        let debug = read().in_profile("debug").expect("defined");
        let build = debug.component["a"].build.as_ref().expect("a build");
        assert_eq!(debug.component["a"].file().expect("a file"), Path::new("debug/a.wasm"));
        assert_eq!(
            (build.command.as_slice(), build.workdir.as_deref()),
            (&["three".to_owned()][..], Some(Path::new("a")))
        );
        assert_eq!(
            read().in_profile("deugb").expect_err("mistyped").to_string(),
            "Profile deugb is not defined in this application"
        );
        assert!(complaint("[component.a.profile.fast]\nsources = \"b.wasm\"").contains("sources"));
    }

    #[test]
    fn names_an_unknown_field() {
        assert!(
            complaint("[component.b]\nsource = \"b.wasm\"\nsqlite_database = []")
                .contains("sqlite_database")
        );
        assert!(complaint("[applications]").contains("applications"));
        assert!(
            complaint("[[trigger.http]]\nroute = \"/b\"\ncomponent = \"a\"\nmethod = \"GET\"")
                .contains("method")
        );
    }

    #[test]
    fn refuses_by_name_what_it_does_not_offer() {
        assert!(
            complaint("[component.b]\nsource = \"b.wasm\"\nkey_value_stores = [\"default\"]")
                .contains("key_value_stores")
        );
        assert!(complaint("[component.b]\nsource = \"b.wasm\"\nfiles = [\"x\"]").contains("files"));
        assert!(
            complaint("[component.b]\nsource = { url = \"u\", digest = \"d\" }").contains("source")
        );
        assert!(
            complaint("[component.b]\nsource = \"b.wasm\"\nsqlite_databases = [\"other\"]")
                .contains("other")
        );
    }

    #[test]
    fn refuses_an_identifier_that_spin_would_refuse() {
        for id in ["with_underscore", "-a", "a--b", "Mixed", "1a"] {
            assert!(
                complaint(&format!("[component.{id}]\nsource = \"b.wasm\""))
                    .contains("an identifier's words"),
                "{id}"
            );
        }
    }

    #[test]
    fn refuses_a_trigger_without_its_component() {
        assert!(complaint("[[trigger.http]]\nroute = \"/b\"\ncomponent = \"b\"").contains("\"b\""));
    }
}
