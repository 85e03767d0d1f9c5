//! Signatures of provider tokens by the platform's WebCrypto: a tenth of the time that they take in
//! WebAssembly, and no code in the Worker.

use js_sys::futures::JsFuture;
use js_sys::{Array, JSON, Promise};
use tidewire_access::{ProviderKey, PublicKey, Signatures};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = ["crypto", "subtle"], js_name = importKey)]
    fn import_key(
        format: &str,
        key: &JsValue,
        algorithm: &JsValue,
        is_extractable: bool,
        usages: &Array,
    ) -> Result<Promise, JsValue>;

    // The platform reads the bytes before it returns, so they are not copied out first.
    #[wasm_bindgen(catch, js_namespace = ["crypto", "subtle"])]
    fn verify(
        algorithm: &JsValue,
        key: &JsValue,
        signature: &[u8],
        message: &[u8],
    ) -> Result<Promise, JsValue>;
}

/// The platform's `crypto.subtle`.
pub(crate) struct WebCrypto;

/// A key as the platform holds it, kept with the key that it was imported from.
#[derive(Clone)]
struct Imported {
    key: JsValue,
    algorithm: JsValue,
}

impl Signatures for WebCrypto {
    async fn is_valid(&self, key: &ProviderKey, message: &[u8], signature: &[u8]) -> bool {
        is_valid(key, message, signature).await.is_ok_and(|answer| answer.is_truthy())
    }
}

/// # Errors
///
/// The platform refuses the key, such as a point that is not on its curve.
async fn is_valid(key: &ProviderKey, message: &[u8], signature: &[u8]) -> Result<JsValue, JsValue> {
    let Imported { key, algorithm } = match key.imported::<Imported>() {
        Some(imported) => imported.clone(),
        None => {
            let imported = import(key.public()).await?;
            key.keep_imported(imported.clone());
            imported
        }
    };
    JsFuture::from(verify(&algorithm, &key, signature, message)?).await
}

async fn import(key: &PublicKey) -> Result<Imported, JsValue> {
    let algorithm = JSON::parse(match key {
        PublicKey::Rsa { .. } => r#"{"name":"RSASSA-PKCS1-v1_5","hash":"SHA-256"}"#,
        PublicKey::P256 { .. } => r#"{"name":"ECDSA","namedCurve":"P-256","hash":"SHA-256"}"#,
        PublicKey::Ed25519(_) => r#"{"name":"Ed25519"}"#,
    })?;
    let jwk = JSON::parse(&key.to_jwk())?;
    let usages = Array::of1(&"verify".into());
    let key = JsFuture::from(import_key("jwk", &jwk, &algorithm, false, &usages)?).await?;
    Ok(Imported { key, algorithm })
}
