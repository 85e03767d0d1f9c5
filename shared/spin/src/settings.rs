//! The settings of this component.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use spin_sdk::variables;
use tidewire_core::{Error, SETTINGS, Settings};

thread_local! {
    /// By route: a component may have several.
    static KNOWN: RefCell<HashMap<String, Rc<Settings>>> = RefCell::default();
}

/// The Spin variables with the settings' names in lower case, read once for each instance; a
/// variable that the manifest does not declare has its default. `base`, the route's path, is
/// `BASE_PATH` unless that is set.
pub(crate) async fn settings(base: &str) -> Result<Rc<Settings>, Error> {
    if let Some(settings) = KNOWN.with_borrow(|known| known.get(base).cloned()) {
        return Ok(settings);
    }
    let mut values = HashMap::from([("BASE_PATH", base.to_string())]);
    for setting in SETTINGS {
        if let Ok(value) = variables::get(setting.name.to_ascii_lowercase()).await {
            values.insert(setting.name, value);
        }
    }
    let settings = Rc::new(Settings::read(|name| values.remove(name))?);
    KNOWN.with_borrow_mut(|known| known.insert(base.into(), Rc::clone(&settings)));
    Ok(settings)
}
