//! The lint of `spin.toml`. It refuses fields that Spin does not document, and mistakes that Spin
//! accepts and that fail only at run time.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::manifest;
use crate::project::Project;

/// The settings of the first hour, which every manifest declares. A setting that no manifest
/// declares has its default.
pub const DECLARED: [&str; 6] =
    ["open_access", "ticket_keys", "jwks_url", "jwt_issuer", "jwt_audience", "allowed_origins"];
/// Variables whose values Spin must not show.
const SECRETS: [&str; 1] = ["ticket_keys"];
/// The component that serves only files.
const GALLERY: &str = "gallery";
/// The variables that are not settings: only a manifest can say to which hosts a component may send
/// requests.
const ORIGINS: [&str; 2] = ["jwks_origin", "push_origin"];

/// One `spin.toml`.
pub struct Application {
    /// Its path, for messages.
    pub place: String,
    manifest: Manifest,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    spin_manifest_version: u32,
    application: Header,
    #[serde(default)]
    variables: BTreeMap<String, Variable>,
    trigger: Triggers,
    component: BTreeMap<String, Component>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    name: String,
    #[serde(rename = "version")]
    _version: String,
    #[serde(rename = "description")]
    _description: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Variable {
    default: String,
    #[serde(default)]
    secret: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Triggers {
    http: Vec<Trigger>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Trigger {
    route: String,
    component: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Component {
    source: String,
    #[serde(default)]
    sqlite_databases: Vec<String>,
    #[serde(default)]
    allowed_outbound_hosts: Vec<String>,
    #[serde(default)]
    variables: BTreeMap<String, String>,
    build: Build,
    profile: Profiles,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Build {
    command: String,
    watch: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Profiles {
    debug: Profile,
}

/// A build profile for development: quick, and in other files than the build for deployment.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Profile {
    source: String,
    build: Command,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Command {
    command: String,
}

impl Application {
    pub fn parse(place: &str, text: &str) -> Result<Self> {
        let manifest = toml::from_str(text).with_context(|| place.to_owned())?;
        Ok(Self { place: place.to_owned(), manifest })
    }

    /// The application of the root, and those of the functions. Each function has a manifest for
    /// both platforms.
    pub fn read_all(project: &Project) -> Result<(Self, Vec<Self>)> {
        let mut applications = Vec::new();
        for folder in manifest::folders(project)? {
            let file = folder.join("spin.toml");
            let place = file.strip_prefix(project.root())?.display().to_string();
            let text = fs::read_to_string(&file).with_context(|| place.clone())?;
            applications.push(Self::parse(&place, &text)?);
        }
        let root = applications.remove(0);
        Ok((root, applications))
    }
}

/// A setting: the name of its variable, and its default.
pub type Setting<'a> = (String, &'a str);

/// Returns a sentence for each mistake. `declared` lists the settings that each manifest must
/// declare.
pub fn lint(
    root: &Application,
    functions: &[Application],
    settings: &[Setting<'_>],
    declared: &[&str],
) -> Vec<String> {
    let mut problems = Vec::new();
    for application in [root].into_iter().chain(functions) {
        problems.extend(routes(application));
        problems.extend(variables(application, settings, declared));
        problems.extend(given(application));
        problems.extend(builds(application));
    }
    for function in functions {
        problems.extend(store(function));
        problems.extend(agreement(root, function));
    }
    problems
}

fn routes(application: &Application) -> Vec<String> {
    let Application { place, manifest } = application;
    let mut problems = Vec::new();
    if manifest.spin_manifest_version != 2 {
        problems.push(format!(
            "{place}: spin_manifest_version is {}, not 2",
            manifest.spin_manifest_version
        ));
    }
    let mut routed = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for Trigger { route, component } in &manifest.trigger.http {
        routed.insert(component);
        if !seen.insert(route) {
            problems.push(format!("{place}: two triggers have the route {route}"));
        }
        if !manifest.component.contains_key(component) {
            problems.push(format!(
                "{place}: the route {route} leads to {component}, which is not a component"
            ));
        }
    }
    for id in manifest.component.keys().filter(|id| !routed.contains(id)) {
        problems.push(format!("{place}: no route leads to {id}"));
    }
    problems
}

/// The profile `debug` must be the component's own build without `--release`, and no build may
/// write into a folder that `spin watch` watches.
fn builds(application: &Application) -> Vec<String> {
    let Application { place, manifest } = application;
    let mut problems = Vec::new();
    for (id, Component { source, build, profile: Profiles { debug }, .. }) in &manifest.component {
        let quick =
            (source.replace("/release/", "/debug/"), build.command.replace(" --release", ""));
        if (&debug.source, &debug.build.command) != (&quick.0, &quick.1)
            || quick.0 == *source
            || quick.1 == build.command
        {
            problems.push(format!(
                "{place}: the profile debug of {id} is not its build without --release"
            ));
        }
        let folder = Path::new(place).parent().unwrap_or(Path::new(""));
        for glob in &build.watch {
            let watched = folder.join(glob.split('*').next().unwrap_or_default());
            problems
                .extend(manifest::written_below(&watched).map(|output| {
                    format!("{place}: {glob} is watched, and builds write {output}")
                }));
        }
    }
    problems
}

/// The variables must be settings, with the defaults of the table: a setting behaves the same
/// whether a manifest declares it or not.
fn variables(
    application: &Application,
    settings: &[Setting<'_>],
    declared: &[&str],
) -> Vec<String> {
    let Application { place, manifest } = application;
    let mut problems = Vec::new();
    for (name, default) in settings {
        match manifest.variables.get(name) {
            None if declared.contains(&name.as_str()) => {
                problems.push(format!("{place}: the variable {name} is missing"))
            }
            Some(variable) if variable.default != *default => {
                problems.push(format!(
                    "{place}: the default of {name} is {}, not {default}",
                    variable.default
                ));
            }
            _ => {}
        }
    }
    for (name, _) in manifest
        .variables
        .iter()
        .filter(|(name, variable)| SECRETS.contains(&name.as_str()) != variable.secret)
    {
        problems.push(format!(
            "{place}: only the variables with secrets must have `secret = true`: correct {name}"
        ));
    }
    for name in manifest
        .variables
        .keys()
        .filter(|name| settings.iter().all(|(setting, _)| setting != *name))
        .filter(|name| !ORIGINS.contains(&name.as_str()))
    {
        problems.push(format!("{place}: the variable {name} is not a setting"));
    }
    problems
}

/// Each component must get all settings that its manifest declares: a setting that it does not get
/// would have no effect. The gallery has no settings.
fn given(application: &Application) -> Vec<String> {
    let Application { place, manifest } = application;
    let names = manifest.variables.keys().filter(|name| !ORIGINS.contains(&name.as_str()));
    let given: BTreeMap<String, String> =
        names.map(|name| (name.clone(), format!("{{{{ {name} }}}}"))).collect();
    let lacking = manifest
        .component
        .iter()
        .filter(|(id, component)| component.variables != given && *id != GALLERY);
    lacking
        .map(|(id, _)| format!("{place}: {id} must get all variables, each under its own name"))
        .collect()
}

/// A function stores its channels in the database; without the grant each request fails.
fn store(function: &Application) -> Vec<String> {
    let Application { place, manifest } = function;
    let lacks = manifest
        .component
        .iter()
        .filter(|(_, component)| component.sqlite_databases != ["default"]);
    lacks.map(|(id, _)| format!("{place}: {id} lacks sqlite_databases = [\"default\"]")).collect()
}

/// The root serves every function, so it must behave as each of them does alone.
fn agreement(root: &Application, function: &Application) -> Vec<String> {
    let place = &function.place;
    let mut problems = Vec::new();
    let folder = Path::new(place).parent().and_then(Path::file_name).unwrap_or_default().display();
    let name = format!("{}-{folder}", root.manifest.application.name);
    if function.manifest.application.name != name {
        problems.push(format!(
            "{place}: the name is {}, not {name}",
            function.manifest.application.name
        ));
    }
    for (id, its) in &function.manifest.component {
        let Some(ours) = root.manifest.component.get(id) else {
            problems.push(format!("{place}: the root has no component {id}"));
            continue;
        };
        // The manifest of a function lies two folders deeper.
        if its.source != format!("../../{}", ours.source) {
            problems.push(format!("{place}: the source of {id} is not the root's"));
        }
        // A copy made by hand has no workspace above it; with this option it builds into the same
        // folder.
        let command = format!("{} --target-dir ../../target", ours.build.command);
        let grants = |component: &'_ Component| {
            (
                component.sqlite_databases.clone(),
                component.allowed_outbound_hosts.clone(),
                component.variables.clone(),
            )
        };
        if grants(its) != grants(ours) || its.build.command != command {
            problems.push(format!("{place}: {id} differs from the root's"));
        }
    }
    problems
}
