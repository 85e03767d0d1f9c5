//! The settings of the deployed Worker.

use tidewire_core::{Error, Settings};
use worker::Env;

/// Variables and secrets with the settings' names; an unset variable has its default. `base`, if
/// given, replaces `BASE_PATH`.
pub(crate) fn settings(env: &Env, base: Option<&str>) -> Result<Settings, Error> {
    Settings::read(|name| match (name, base) {
        ("BASE_PATH", Some(base)) => Some(base.into()),
        _ => env.var(name).ok().map(|value| value.to_string()),
    })
}
