//! Progress on Cloudflare Workers.

use tidewire_core::{Call, Error, ErrorKind, LocalFuture};
use tidewire_workers::{channel_object, serve_routes};
// `channel_object!` below needs `wasm_bindgen`.
use worker::{Bucket, Env, MultipartUpload, Request, Response, Result, UploadedPart, wasm_bindgen};

use crate::Progress;
use crate::upload::{Object, upload};

channel_object!(ProgressChannel, Progress);

/// Serves progress below `base`, or below the setting `BASE_PATH`.
pub async fn fetch(request: Request, env: &Env, base: Option<&str>) -> Result<Response> {
    let bucket = env.bucket("PROGRESS_UPLOADS").ok();
    let own = async |call: Call| {
        let channel = &call.routed.channel;
        // Uploads of strangers to a demo channel are only hashed and counted: the bucket costs
        // money.
        let object = bucket
            .filter(|_| !channel.is_demo())
            .map(|bucket| Box::new(R2Object::new(bucket, channel.to_string())) as _);
        upload(call, object).await
    };
    serve_routes::<Progress>(request, env, "PROGRESS_CHANNEL", base, own).await
}

#[cfg(feature = "entrypoint")]
#[worker::event(fetch)]
async fn main(request: Request, env: Env, _: worker::Context) -> Result<Response> {
    fetch(request, &env, None).await
}

/// Size of the parts of an object, in bytes: R2 demands equal parts except the last, of at least 5
/// MiB, and at most 10,000 of them. Memory holds one part.
const PART_BYTES: usize = 8 * 1024 * 1024;

/// An object in R2, named like the channel.
struct R2Object {
    bucket: Bucket,
    key: String,
    /// Started with the first full part: a smaller object is one write.
    upload: Option<MultipartUpload>,
    parts: Vec<UploadedPart>,
    rest: Vec<u8>,
}

impl R2Object {
    fn new(bucket: Bucket, key: String) -> R2Object {
        R2Object { bucket, key, upload: None, parts: Vec::new(), rest: Vec::new() }
    }

    async fn put_part(&mut self, part: Vec<u8>) -> Result<()> {
        if self.upload.is_none() {
            self.upload = Some(self.bucket.create_multipart_upload(&self.key).execute().await?);
        }
        if let Some(upload) = &self.upload {
            self.parts.push(upload.upload_part(self.parts.len() as u16 + 1, part).await?);
        }
        Ok(())
    }

    async fn close(&mut self) -> Result<()> {
        let rest = std::mem::take(&mut self.rest);
        if self.upload.is_none() {
            self.bucket.put(&self.key, rest).execute().await?;
            return Ok(());
        }
        if !rest.is_empty() {
            self.put_part(rest).await?;
        }
        if let Some(upload) = self.upload.take() {
            upload.complete(self.parts.drain(..)).await?;
        }
        Ok(())
    }
}

impl Object for R2Object {
    fn write<'a>(&'a mut self, chunk: &'a [u8]) -> LocalFuture<'a, tidewire_core::Result<()>> {
        Box::pin(async move {
            self.rest.extend_from_slice(chunk);
            while self.rest.len() >= PART_BYTES {
                let rest = self.rest.split_off(PART_BYTES);
                let part = std::mem::replace(&mut self.rest, rest);
                self.put_part(part).await.map_err(fault)?;
            }
            Ok(())
        })
    }

    fn finish(&mut self) -> LocalFuture<'_, tidewire_core::Result<()>> {
        Box::pin(async { self.close().await.map_err(fault) })
    }

    fn abort(&mut self) -> LocalFuture<'_, ()> {
        Box::pin(async {
            if let Some(upload) = self.upload.take()
                && let Err(cause) = upload.abort().await
            {
                // R2 removes incomplete uploads after a week.
                worker::console_error!("a failed upload was not removed from the bucket: {cause}");
            }
        })
    }
}

fn fault(cause: worker::Error) -> Error {
    worker::console_error!("the bucket failed: {cause}");
    Error::new(ErrorKind::Internal, "the bucket failed; the log has the cause")
}
