//! The placement of objects, decided in one place.
//!
//! An object stays where it was first called. An object in a jurisdiction differs from the object
//! of the same name without one: decide before the first launch, because data stored before is
//! unreachable afterwards.

use tidewire_core::Settings;
use wasm_bindgen::prelude::*;
use worker::{Env, ObjectNamespace, Result, Stub};

#[wasm_bindgen]
extern "C" {
    type Namespace;
    #[wasm_bindgen(method, catch)]
    fn jurisdiction(this: &Namespace, name: &str) -> Result<JsValue, JsValue>;
}

/// The object of a name, by the settings `JURISDICTION` and `LOCATION_HINT`.
pub(crate) fn object(env: &Env, binding: &str, settings: &Settings, name: &str) -> Result<Stub> {
    let mut namespace = env.durable_object(binding)?;
    if !settings.jurisdiction.is_empty() {
        // The `worker` crate does not bind it.
        let all: &JsValue = namespace.as_ref();
        namespace = all
            .unchecked_ref::<Namespace>()
            .jurisdiction(&settings.jurisdiction)?
            .unchecked_into::<ObjectNamespace>();
    }
    if settings.location_hint.is_empty() {
        namespace.get_by_name(name)
    } else {
        namespace.get_by_name_with_location_hint(name, &settings.location_hint)
    }
}
