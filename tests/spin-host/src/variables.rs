//! Application variables, the components' variables that refer to them, and `spin:variables`.

use std::collections::BTreeMap;

use wasmtime::component::{Accessor, HasData};
use wasmtime::{Result, bail, ensure};

use crate::bindings::variables::{Error, Host, HostWithStore};
use crate::guest::Guest;
use crate::manifest::Variable;

/// Values of the application's variables; a required variable may have no value yet.
pub struct Application(BTreeMap<String, Option<String>>);

impl Application {
    /// `given` (the command line) wins over the environment, and the environment over the default
    /// in the manifest.
    ///
    /// # Errors
    ///
    /// When `given` names a variable that the manifest does not have.
    pub fn new(
        declared: &BTreeMap<String, Variable>,
        given: &BTreeMap<String, String>,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self> {
        if let Some(name) = given.keys().find(|name| !declared.contains_key(*name)) {
            bail!("--variable {name}: the manifest has no such variable");
        }
        let value = |name: &String, variable: &Variable| {
            given
                .get(name)
                .cloned()
                .or_else(|| environment(&format!("SPIN_VARIABLE_{}", name.to_uppercase())))
                .or_else(|| variable.default.clone())
        };
        Ok(Self(
            declared.iter().map(|(name, variable)| (name.clone(), value(name, variable))).collect(),
        ))
    }

    pub fn missing(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name.as_str())
    }

    /// Replaces each `{{ name }}` of `template`. The inner error is for the guest: a required
    /// variable has no value.
    ///
    /// # Errors
    ///
    /// When a brace is not closed or a name is unknown: Spin does not load such a manifest.
    pub fn resolve(&self, template: &str) -> Result<Result<String, Missing>> {
        let mut text = String::new();
        let mut missing = None;
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, after)) = after.split_once("}}") else {
                bail!("unmatched '{{{{' in {template:?}")
            };
            let name = name.trim();
            text.push_str(before);
            match self.0.get(name) {
                None => bail!("unknown variable {name:?} in {template:?}"),
                Some(Some(value)) => text.push_str(value),
                Some(None) => missing = Some(Missing(name.to_owned())),
            }
            rest = after;
        }
        text.push_str(rest);
        Ok(missing.map_or(Ok(text), Err))
    }
}

/// A required variable without a value.
#[derive(Clone, Debug)]
pub struct Missing(String);

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no provider resolved required variable {:?}", self.0)
    }
}

/// The variables that one component may read.
pub type Values = BTreeMap<String, Result<String, Missing>>;

/// # Errors
///
/// When `name` could not be the name of a variable in Spin.
pub fn check_name(name: &str) -> Result<()> {
    ensure!(
        name.starts_with(|c: char| c.is_ascii_lowercase()),
        "must start with a lowercase ASCII letter"
    );
    ensure!(
        name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'),
        "may contain only lowercase letters, digits and underscores"
    );
    ensure!(!name.ends_with('_'), "must end with a lowercase ASCII letter or digit");
    ensure!(!name.contains("__"), "must not contain consecutive underscores");
    Ok(())
}

/// The implementation of `spin:variables`.
pub struct Variables;

impl HasData for Variables {
    type Data<'a> = &'a mut Guest;
}

impl<T> HostWithStore<T> for Variables {
    async fn get(
        accessor: &Accessor<T, Self>,
        name: String,
    ) -> wasmtime::Result<Result<String, Error>> {
        if let Err(reason) = check_name(&name) {
            return Ok(Err(Error::InvalidName(format!("{name:?}: {reason}"))));
        }
        Ok(accessor.with(|mut store| match store.get().component.variables.get(&name) {
            None => Err(Error::Undefined(format!("no variable for {name:?}"))),
            Some(value) => value.clone().map_err(|missing| Error::Provider(missing.to_string())),
        }))
    }
}

impl Host for Guest {}

#[cfg(test)]
mod tests {
    use super::*;

    fn application(given: &[(&str, &str)]) -> Result<Application> {
        let declared =
            toml::from_str("key = { required = true }\nhost = { default = \"localhost\" }")
                .expect("valid");
        let given =
            given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Application::new(&declared, &given, |name| {
            (name == "SPIN_VARIABLE_KEY").then(|| "from the environment".to_owned())
        })
    }

    #[test]
    fn the_command_line_beats_the_environment_beats_the_default() {
        let resolve = |given: &[(&str, &str)], template| {
            application(given).expect("valid").resolve(template).expect("known").expect("given")
        };
        assert_eq!(resolve(&[], "http://{{ host }}/"), "http://localhost/");
        assert_eq!(resolve(&[], "<{{key}}>"), "<from the environment>");
        assert_eq!(resolve(&[("key", "k"), ("host", "h")], "{{ key }}@{{ host }}"), "k@h");
    }

    #[test]
    fn refuses_unknown_names_and_open_braces() {
        assert!(application(&[("nobody", "x")]).is_err());
        assert!(application(&[]).expect("valid").resolve("{{ nobody }}").is_err());
        assert!(application(&[]).expect("valid").resolve("{{ key").is_err());
    }
}
