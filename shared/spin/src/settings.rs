//! The settings of this component.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::rc::Rc;

use spin_sdk::variables;
use tidewire_core::{Error, SETTINGS, Settings};

thread_local! {
    static SETTINGS_OF_INSTANCE: OnceCell<Rc<Settings>> = const { OnceCell::new() };
}

/// Spin variables of the settings' names in lower case, read once for each instance; one that the manifest does not declare has its default.
/// `base` stands for `BASE_PATH` unless that is set.
pub(crate) async fn settings(base: &str) -> Result<Rc<Settings>, Error> {
    if let Some(settings) = SETTINGS_OF_INSTANCE.with(|cell| cell.get().cloned()) {
        return Ok(settings);
    }
    let mut values = HashMap::from([("BASE_PATH", base.to_string())]);
    for setting in SETTINGS {
        if let Ok(value) = variables::get(setting.name.to_lowercase()).await {
            values.insert(setting.name, value);
        }
    }
    let settings = Rc::new(Settings::read(|name| values.remove(name))?);
    Ok(SETTINGS_OF_INSTANCE.with(|cell| Rc::clone(cell.get_or_init(|| settings))))
}
