//! The settings of the deployed Worker.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use tidewire_core::{Error, Settings};
use worker::Env;

thread_local! {
    /// By base: a Worker may serve several functions. Other variables mean another isolate.
    static KNOWN: RefCell<HashMap<Option<String>, Rc<Settings>>> = RefCell::default();
}

/// Variables and secrets with the settings' names, read once for each isolate; an unset variable
/// has its default. `base`, if given, replaces `BASE_PATH`.
pub(crate) fn settings(env: &Env, base: Option<&str>) -> Result<Rc<Settings>, Error> {
    let base = base.map(str::to_owned);
    if let Some(settings) = KNOWN.with_borrow(|known| known.get(&base).cloned()) {
        return Ok(settings);
    }
    let settings = Rc::new(read(env, base.as_deref())?);
    KNOWN.with_borrow_mut(|known| known.insert(base, Rc::clone(&settings)));
    Ok(settings)
}

fn read(env: &Env, base: Option<&str>) -> Result<Settings, Error> {
    Settings::read(|name| match (name, base) {
        ("BASE_PATH", Some(base)) => Some(base.into()),
        _ => env.var(name).ok().map(|value| value.to_string()),
    })
}
