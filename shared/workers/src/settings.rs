//! The settings that the Worker was deployed with.

use tidewire_core::{Error, Settings};
use worker::Env;

/// Variables and secrets of the settings' names; one that is not set has its default. `base` stands for `BASE_PATH` where it is given.
pub(crate) fn settings(env: &Env, base: Option<&str>) -> Result<Settings, Error> {
    Settings::read(|name| match (name, base) {
        ("BASE_PATH", Some(base)) => Some(base.into()),
        _ => env.var(name).ok().map(|value| value.to_string()),
    })
}
